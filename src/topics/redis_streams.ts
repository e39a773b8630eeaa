import { messageOf } from "../realm/kinds.ts";
import { Deferred, FULFILLED } from "../stream_channel/errors.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import { Backoff } from "./backoff.ts";
import type {
  EngineEvents,
  EngineLog,
  EngineSettings,
  HistoryPage,
  HistoryRange,
  LogPlace,
  LogPublishing,
  TopicsEngine,
} from "./engine.ts";
import { randomName } from "./offset.ts";
import { PAGE, PAGE_BYTES } from "./page_size.ts";
import { PendingAnswers } from "./pending_answers.ts";
import { EngineError } from "./topics_error.ts";
import {
  isClosed,
  isClusterClient,
  isRedisClient,
  noCluster,
  openConnection,
  type RedisClient,
  type RedisConnection,
} from "./redis_client.ts";
import { ANNOUNCE, ANNOUNCED, BEGIN, HISTORY, PUBLISH } from "./redis_scripts.ts";

export type { RedisClient } from "./redis_client.ts";

/** Options of {@linkcode redisStreams}. */
export interface RedisStreamsOptions {
  /** The beginning of all names of keys. Processes with the same prefix share the log. Default `"topics"`. */
  prefix?: string | undefined;
  /**
   * How many messages each of the 16 logs keeps at least, for processes whose connection was lost: an integer from 1.
   * A process that has missed more reads the history of each topic. Default 10,000.
   */
  logSize?: number | undefined;
}

const KINDS: OptionKinds<RedisStreamsOptions> = { prefix: "string", logSize: "limit" };
const DEFAULT_LOG_SIZE = 10_000;

/** One blocking read serves all topics: its cost grows with the number of keys that it names. */
const LOGS = 16;
/** How long a blocking read waits for messages, in milliseconds. */
const BLOCK = 1000;
/** How long an answer may take, and how long a connection may take to open, in milliseconds. */
const MAX_ANSWER = 5000;
const MAX_CONNECT = 10_000;
/** How many messages of each log one read gets at most. */
const BATCH = 256;

/** A position is an entry's id: milliseconds and a number, 64 bits each. */
function positionOf(id: string): bigint {
  const [ms = "0", count = "0"] = id.split("-");
  return (BigInt(ms) << 64n) + BigInt(count);
}

/** The highest position that something may be behind. */
const MAX_POSITION = (1n << 128n) - 2n;

function idOf(given: bigint): string {
  const position = given > MAX_POSITION ? MAX_POSITION : given;
  return `${position >> 64n}-${BigInt.asUintN(64, position)}`;
}

/**
 * Where to search for a message whose first attempt was made behind a position: ids are times, so a server whose clock
 * was set back in between is allowed for.
 */
function searchFrom(position: bigint): string {
  const from = position - (60_000n << 64n);
  return from > 0n ? idOf(from) : "0-0";
}

/** Text is kept as it is, bytes as base64: a client returns text, whatever its settings. */
function packed(message: Message): [kind: string, text: string] {
  if (typeof message === "string") return ["t", message];
  let binary = "";
  for (let i = 0; i < message.length; i += 0x8000) {
    binary += String.fromCharCode(...message.subarray(i, i + 0x8000));
  }
  return ["b", btoa(binary)];
}

function unpacked(kind: string, text: string): Message {
  return kind === "t" ? text : Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** FNV-1a: the same log for a topic in every process. */
function logOf(topic: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < topic.length; i++) {
    hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % LOGS;
}

/** What a client makes of a reply of many values, by package and protocol. */
function listOf(reply: unknown): unknown[] {
  return Array.isArray(reply) ? reply : [];
}

/** A reply of keys with values: a list of pairs, a flat list, a `Map` or an object. */
function pairsOf(reply: unknown): [string, unknown][] {
  if (typeof reply !== "object" || reply === null) return [];
  if (Array.isArray(reply)) {
    if (reply.every(Array.isArray)) return reply as [string, unknown][];
    return reply.flatMap((key, i) => i % 2 === 0 ? [[String(key), reply[i + 1]]] : []);
  }
  if (Symbol.iterator in reply) return [...reply as Iterable<[string, unknown]>];
  return Object.entries(reply);
}

/** The fields of an entry of a log. */
interface Row {
  readonly epoch: string;
  readonly before: string;
  readonly topic: string;
  readonly kind: string;
  readonly text: string;
}

function rowOf(fields: readonly string[]): Row {
  const [, epoch = "", , before = "", , topic = "", , kind = "", , text = ""] = fields;
  return { epoch, before, topic, kind, text };
}

class RedisEngine implements TopicsEngine {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #logSize: number;

  constructor(client: RedisClient, { prefix = "topics", logSize }: RedisStreamsOptions) {
    this.#client = client;
    this.#prefix = prefix;
    this.#logSize = logSize ?? DEFAULT_LOG_SIZE;
  }

  open(events: EngineEvents, settings: EngineSettings): EngineLog {
    return new RedisLog(this.#client, {
      prefix: this.#prefix,
      logSize: this.#logSize,
      events,
      settings,
    });
  }
}

interface RedisLogOptions {
  readonly prefix: string;
  readonly logSize: number;
  readonly events: EngineEvents;
  readonly settings: EngineSettings;
}

/** Two connections that live and end together: one reads and blocks, the other does all else. */
interface Session {
  readonly reader: RedisConnection;
  readonly writer: RedisConnection;
  /** The scripts that the server has, by their text. */
  readonly scripts: Map<string, Promise<string>>;
  /** What is pending until one of the connections has ended. */
  readonly pending: PendingAnswers;
}

class RedisLog implements EngineLog {
  readonly ready: Promise<void>;
  readonly #client: RedisClient;
  readonly #options: RedisLogOptions;
  readonly #ready = new Deferred();
  readonly #backoff: Backoff;
  #isClosed = false;
  #session: Session | null = null;
  /** Rejects when the attempt to connect is given up. */
  #attempt: PendingAnswers | null = null;
  /** The newest epoch that the server has named. */
  #epoch = "";
  /** Where each log was read to. */
  #cursors: string[] = [];

  constructor(client: RedisClient, options: RedisLogOptions) {
    this.#client = client;
    this.#options = options;
    this.#backoff = new Backoff(options.settings.clock);
    this.ready = this.#ready.promise;
    void this.#run();
  }

  // Reading.

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      let error: unknown;
      try {
        if (isClosed(this.#client)) return this.#fail();
        await this.#serve(await this.#connect());
      } catch (cause) {
        error = cause;
      }
      this.#drop(error);
      if (this.#isClosed) return;
      this.#options.events.onLost(error);
      await this.#backoff.pause();
    }
  }

  #fail(): void {
    this.#isClosed = true;
    const error = new EngineError(
      this.#cursors.length === 0
        ? "The client of Redis is not connected: await its connect() before"
        : "The client of Redis was closed",
    );
    this.#ready.reject(error);
    this.#options.events.onClosed(error);
  }

  async #connect(): Promise<Session> {
    const pending = new PendingAnswers();
    const attempt = this.#attempt = new PendingAnswers();
    const onEnd = (cause: unknown): void =>
      pending.reject(new EngineError("The connection to Redis is lost", { cause }));
    const open = (): Promise<RedisConnection> =>
      this.#inTime(attempt, MAX_CONNECT, openConnection(this.#client, { attempt, onEnd }));
    const writer = await open();
    try {
      const reader = await open();
      return { reader, writer, pending, scripts: new Map() };
    } catch (error) {
      writer.destroy();
      throw error;
    }
  }

  /** Waits for an answer of Redis. If it takes too long, all answers that are pending with it reject. */
  async #inTime<T>(pending: PendingAnswers, ms: number, answer: Promise<T>): Promise<T> {
    const deadline = new Deadline(this.#options.settings.clock, {
      ms,
      onTime: () => pending.reject(new EngineError("Redis doesn't answer")),
    });
    try {
      return await answer;
    } finally {
      deadline.clear();
    }
  }

  #drop(error: unknown): void {
    const session = this.#session;
    this.#session = null;
    if (session === null) return;
    session.pending.reject(error);
    session.writer.destroy();
    session.reader.destroy();
  }

  async #serve(session: Session): Promise<void> {
    this.#session = session;
    const { settings: { clock } } = this.#options;
    const [epoch, ends] = await this.#begin(session, this.#logKeys);
    if (this.#isClosed) return;
    if (this.#cursors.length === 0) {
      this.#cursors = ends.map(String);
      this.#epoch = String(epoch);
      this.#options.events.onEpoch(this.#epoch);
      this.#ready.resolve();
    } else this.#see(String(epoch));
    this.#options.events.onRestored();
    let looked = clock.now();
    while (!this.#isClosed) {
      if (isClosed(this.#client)) return this.#fail();
      const reply = await this.#read(session);
      this.#backoff.reset();
      if (this.#isClosed) return;
      if (reply !== null) await this.#report(session, reply);
      // Is it still the same log, and does the other connection answer?
      if (reply !== null && clock.now() - looked < BLOCK) continue;
      await this.#look(session);
      looked = clock.now();
    }
  }

  #read({ reader, pending }: Session): Promise<unknown> {
    const args = ["COUNT", `${BATCH}`, "BLOCK", `${BLOCK}`, "STREAMS"];
    const command = reader.command("XREAD", ...args, ...this.#logKeys, ...this.#cursors);
    return this.#inTime(pending, BLOCK + MAX_ANSWER, pending.within(command));
  }

  async #look(session: Session): Promise<void> {
    const [epoch] = await this.#begin(session, []);
    this.#see(String(epoch));
  }

  #begin(session: Session, keys: readonly string[]): Promise<[epoch: string, ends: string[]]> {
    const answer = this.#script(session, BEGIN, keys, []);
    return this.#inTime(session.pending, MAX_ANSWER, answer as Promise<[string, string[]]>);
  }

  /** Another epoch: all of the new log is read. */
  #see(epoch: string): void {
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#cursors = this.#cursors.map(() => "0-0");
    this.#options.events.onEpoch(epoch);
  }

  async #report(session: Session, reply: unknown): Promise<void> {
    for (const [key, entries] of pairsOf(reply)) {
      const index = Number(String(key).slice(String(key).lastIndexOf(":") + 1));
      for (const entry of listOf(entries)) {
        const [id, fields] = entry as [unknown, unknown];
        const { epoch, ...rest } = rowOf(listOf(fields).map(String));
        const known = this.#epoch;
        if (epoch !== known) await this.#look(session);
        // Another log has taken this one's place: it is read from its beginning.
        if (known !== this.#epoch || this.#isClosed) return;
        this.#reportEntry(index, String(id), rest, epoch === known);
      }
    }
  }

  #reportEntry(index: number, id: string, row: Omit<Row, "epoch">, isCurrent: boolean): void {
    const cursor = this.#cursors[index] as string;
    this.#cursors[index] = id;
    // What is left of the log before.
    if (!isCurrent) return;
    const { events } = this.#options;
    if (row.before !== cursor) {
      events.onGap({ after: positionOf(cursor), includes: (name) => logOf(name) === index });
    }
    const { topic, kind, text } = row;
    events.onEntry({ topic, message: unpacked(kind, text), position: positionOf(id) });
  }

  // Asking.

  get #logKeys(): string[] {
    return Array.from({ length: LOGS }, (_, index) => this.#key(`log:${index}`));
  }

  /** All keys are in one slot. */
  #key(name: string): string {
    return `{${this.#options.prefix}}:${name}`;
  }

  async #script(
    session: Session,
    script: string,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown[]> {
    const { writer, scripts } = session;
    let loaded = scripts.get(script);
    if (loaded === undefined) {
      loaded = writer.command("SCRIPT", "LOAD", script).then(String);
      scripts.set(script, loaded);
      loaded.catch(() => scripts.delete(script));
    }
    const rest = [`${keys.length + 1}`, this.#key("epoch"), ...keys, randomName(), ...args];
    const run = async (): Promise<unknown> => {
      try {
        return await writer.command("EVALSHA", await loaded, ...rest);
      } catch (error) {
        // FLUSHALL of a server before 7, and SCRIPT FLUSH, forget it.
        if (!/^NOSCRIPT/.test(messageOf(error))) throw error;
        return await writer.command("EVAL", script, ...rest);
      }
    };
    return listOf(await session.pending.within(run()));
  }

  /** Runs a script on the present connection; what it says of the epoch counts before its caller goes on. */
  async #ask(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown[]> {
    const session = this.#session;
    if (session === null) throw new EngineError("The connection to Redis is lost");
    try {
      const reply = await this.#script(session, script, keys, args);
      this.#see(String(reply[0]));
      return reply;
    } catch (error) {
      if (!(error instanceof EngineError) && this.#session === session) throw error;
      throw new EngineError("The connection to Redis is lost", { cause: error });
    }
  }

  async publish(topic: string, message: Message, publishing: LogPublishing): Promise<LogPlace> {
    const { logSize, settings: { size, age } } = this.#options;
    const { id, token, isRetry, after } = publishing;
    const keys = [
      this.#key(`log:${logOf(topic)}`),
      this.#key(`history:${topic}`),
      this.#key(`id:${topic.length}:${topic}:${id ?? ""}`),
    ];
    const [epoch, place] = await this.#ask(PUBLISH, keys, [
      ...[topic, ...packed(message), `${size}`, `${age}`, `${logSize}`],
      ...[id === undefined ? "0" : "1", token, isRetry ? searchFrom(after) : ""],
    ]);
    return { epoch: String(epoch), position: positionOf(String(place)) };
  }

  async history(topic: string, { after, last }: HistoryRange): Promise<HistoryPage> {
    const keys = [this.#key(`log:${logOf(topic)}`), this.#key(`history:${topic}`)];
    const from = after === null ? "" : idOf(after);
    const { age } = this.#options.settings;
    const [epoch, end, newest, oldest, isAll, found] = await this.#ask(HISTORY, keys, [
      ...[from, `${last}`, `${PAGE}`, `${PAGE_BYTES}`, `${age}`],
    ]);
    const rows = listOf(found).map((row) => listOf(row).map(String));
    const [ends, last_, kept] = [end, newest || "0-0", oldest].map((id) => positionOf(String(id)));
    return {
      epoch: String(epoch),
      entries: rows.map(([id = "", , kind = "", text = ""]) => ({
        position: positionOf(id),
        message: unpacked(kind, text),
      })),
      isLast: Number(isAll) === 1,
      end: ends as bigint,
      isComplete: after === null ||
        isComplete(after, {
          before: rows[0] && positionOf(rows[0][1] ?? ""),
          end: ends as bigint,
          newest: last_ as bigint,
          oldest: kept as bigint,
        }),
    };
  }

  async announce(topic: string, slot: string, text: string | null): Promise<void> {
    const { lease } = this.#options.settings;
    const args = [slot, `${lease}`, ...(text === null ? [] : [text])];
    await this.#ask(ANNOUNCE, [this.#key(`presence:${topic}`)], args);
  }

  async announced(topic: string): Promise<string[]> {
    const [, texts] = await this.#ask(ANNOUNCED, [this.#key(`presence:${topic}`)], []);
    return listOf(texts).map(String);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    const error = new EngineError("The topics were closed");
    this.#ready.reject(error);
    this.#backoff.end();
    this.#attempt?.reject(error);
    this.#drop(error);
    return FULFILLED;
  }
}

/** What is known of a topic's history. */
interface Reach {
  /** The position before the first message that was found; `undefined`: there was none. */
  readonly before: bigint | undefined;
  /** The last positions of the log and of the history. */
  readonly end: bigint;
  readonly newest: bigint;
  /** What is older may have been forgotten with the whole history. */
  readonly oldest: bigint;
}

/** Whether a topic's history has every message behind a position. */
function isComplete(after: bigint, { before, end, newest, oldest }: Reach): boolean {
  if (after > end) return false;
  if (before !== undefined) return before <= after;
  return after === end || newest > 0n || after >= oldest;
}

/**
 * Creates the engine for processes that share a Redis server (6.2 or later), or a compatible server. A message is
 * published when Redis has it. The server's settings for persistence (`appendonly`) and replication decide whether the
 * message survives a crash.
 *
 * The engine opens two connections of its own with the client's settings: one for its blocking read, one for all other
 * commands. When you close the client, the topics end.
 *
 * @param client A connected client of npm `redis` or `ioredis`.
 * @param given See {@linkcode RedisStreamsOptions}.
 * @returns The engine, for `Topics`.
 * @throws {TypeError} When `client` is no such client, or an option is malformed.
 * @throws {UnsupportedError} When `client` is one of a Redis Cluster.
 *
 * @example
 * ```ts ignore
 * import { createClient } from "redis";
 * import { redisStreams, Topics } from "@web-socket/channel/topics";
 *
 * const client = await createClient({ url: "redis://localhost:6379" }).connect();
 * const topics = new Topics({ engine: redisStreams(client) });
 * ```
 */
export function redisStreams(client: RedisClient, given?: RedisStreamsOptions): TopicsEngine {
  const options = readOptions(given, KINDS);
  if (isClusterClient(client)) throw noCluster();
  if (isRedisClient(client)) return new RedisEngine(client, options);
  throw new TypeError(
    `Cannot use the client: it must be a client of npm redis or ioredis for one server, got ${
      shown(client)
    }`,
  );
}
