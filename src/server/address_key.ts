/**
 * How many 16-bit groups of an IPv6 address identify a client. RFC 6177: a site gets at least a /64, and may use every
 * address of it.
 */
const GROUPS = 4;

/** Matches link-local addresses. All hosts of a link share their first 64 bits (RFC 4291 §2.5.6). */
const LINK_LOCAL = /^fe[89ab]/;

/** The maximum length of a key, in UTF-16 code units. */
const MAX_NAME = 100;

/**
 * Matches an address as proxies write it: in brackets, or with a port, which differs for each connection (RFC 7239 §6).
 */
const WITH_PORT = /^(?:\[([^[\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/;

/** The first 96 bits of IPv6 addresses whose last 32 bits are an IPv4 address: RFC 4291 §2.5.5.2 and RFC 6052 §2.1. */
const WITH_IPV4 = ["0,0,0,0,0,ffff", "64,ff9b,0,0,0,0"];

/**
 * Returns the key by which connections of one client are counted. For IPv4 it is the address, also if that is mapped or
 * translated into IPv6. For IPv6 it is the first 64 bits, except for link-local addresses. Surrounding spaces, brackets
 * and a port are ignored. Any other text is its own key.
 *
 * @param given The address.
 * @returns The key, at most 100 UTF-16 code units long.
 */
export function addressKey(given: string): string {
  const text = given.trim();
  const [, inBrackets, beforePort] = WITH_PORT.exec(text) ?? [];
  const address = inBrackets ?? beforePort ?? text;
  if (!address.includes(":")) return address.slice(0, MAX_NAME);
  const [bare = ""] = address.split("%", 1);
  const host = `http://[${bare}]`;
  if (!URL.canParse(host)) return address.slice(0, MAX_NAME);
  const groups = groupsOf(new URL(host).hostname.slice(1, -1));
  const [high = 0, low = 0] = groups.slice(6).map((it) => parseInt(it, 16));
  if (WITH_IPV4.includes(groups.slice(0, 6).join())) {
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  if (LINK_LOCAL.test(groups[0] ?? "")) return address.slice(0, MAX_NAME);
  return `${groups.slice(0, GROUPS).join(":")}::/64`;
}

/** Returns all eight groups of an IPv6 address as a URL writes it. */
function groupsOf(address: string): string[] {
  const [front = "", back] = address.split("::");
  const list = (text: string): string[] => text === "" ? [] : text.split(":");
  if (back === undefined) return list(front);
  const [first, last] = [list(front), list(back)];
  return [...first, ...Array<string>(8 - first.length - last.length).fill("0"), ...last];
}
