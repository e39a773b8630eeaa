/**
 * What Redis does at once, as Lua. Each script begins with the log's epoch: the first one that finds none names the one
 * that its caller offers.
 *
 * @module
 */

const EPOCH = `
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
local function last(key)
  local found = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  return found[1] and found[1][1]
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * Adds a message to a log and to its topic's history. Each entry names the one before it, so that a reader sees what was
 * removed in between.
 *
 * KEYS: epoch, log, history, id. ARGV: new epoch, topic, kind, message, size, age, log's size, whether there is an id,
 * token, position at the first attempt (empty: this is the first).
 */
export const PUBLISH: string = `${EPOCH}
if ARGV[8] == '1' then
  local known = redis.call('GET', KEYS[4])
  if known then return {epoch, known} end
end
if ARGV[10] ~= '' then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '(' .. ARGV[10], '+')) do
    if entry[2][12] == ARGV[9] then return {epoch, entry[1]} end
  end
end
local previous = last(KEYS[2]) or '0-0'
local id = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'epoch', epoch, 'before', previous, 'topic',
  ARGV[2], 'kind', ARGV[3], 'message', ARGV[4], 'token', ARGV[9])
local age = tonumber(ARGV[6])
local oldest = math.max(now - age, 0)
local before = last(KEYS[3])
if not before then
  -- Those that a history which is gone has had are too old, and behind no later place of the log.
  before = previous
  if tonumber(string.match(previous, '^%d+')) >= oldest then before = string.format('%.0f-0', oldest) end
end
local function add()
  return redis.pcall('XADD', KEYS[3], 'MAXLEN', ARGV[5], id, 'before', before, 'kind', ARGV[3], 'message', ARGV[4])
end
local added = add()
if type(added) == 'table' and added.err then
  redis.call('DEL', KEYS[3])
  add()
end
redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f-0', oldest))
redis.call('PEXPIRE', KEYS[3], age)
if ARGV[8] == '1' then redis.call('SET', KEYS[4], id, 'PX', age) end
return {epoch, id}`;

/**
 * Reads a part of a topic's history.
 *
 * KEYS: epoch, log, history. ARGV: new epoch, position (empty: the latest), how many of the latest, how many at most, how
 * many bytes at most, age. Returns the epoch, the log's last position, the history's last position, the oldest time that is
 * kept, whether these are all, and the messages.
 */
export const HISTORY: string = `${EPOCH}
local limit = tonumber(ARGV[4])
local found = {}
if ARGV[2] ~= '' then
  found = redis.call('XRANGE', KEYS[3], '(' .. ARGV[2], '+', 'COUNT', limit + 1)
elseif tonumber(ARGV[3]) > 0 then
  local latest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', ARGV[3])
  for i = #latest, math.max(#latest - limit, 1), -1 do found[#found + 1] = latest[i] end
end
local entries, bytes = {}, 0
for _, entry in ipairs(found) do
  local fields = entry[2]
  if #entries == limit or bytes > tonumber(ARGV[5]) then break end
  bytes = bytes + #fields[6]
  entries[#entries + 1] = {entry[1], fields[2], fields[4], fields[6]}
end
local oldest = string.format('%.0f-0', math.max(now - tonumber(ARGV[6]), 0))
local all = #entries == #found and 1 or 0
return {epoch, last(KEYS[2]) or '0-0', last(KEYS[3]) or '', oldest, all, entries}`;

/** KEYS: epoch, logs. ARGV: new epoch. Returns the epoch and the last position of each log. */
export const BEGIN: string = `${EPOCH}
local ends = {}
for i = 2, #KEYS do ends[#ends + 1] = last(KEYS[i]) or '0-0' end
return {epoch, ends}`;

/** KEYS: epoch, announcements. ARGV: new epoch, slot, lease, text (left out: the slot goes). */
export const ANNOUNCE: string = `${EPOCH}
if ARGV[4] then
  redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f ', now + tonumber(ARGV[3])) .. ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
else
  redis.call('HDEL', KEYS[2], ARGV[2])
end
return {epoch}`;

/** KEYS: epoch, announcements. ARGV: new epoch. Returns the epoch and the texts whose lease has not ended. */
export const ANNOUNCED: string = `${EPOCH}
local found, texts = redis.call('HGETALL', KEYS[2]), {}
for i = 1, #found, 2 do
  local ends, text = string.match(found[i + 1], '^(%d+) (.*)$')
  if ends and tonumber(ends) > now then texts[#texts + 1] = text
  else redis.call('HDEL', KEYS[2], found[i]) end
end
return {epoch, texts}`;
