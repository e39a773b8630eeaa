/** How much of an address stands for one client. RFC 6177: a site gets a /64 at least, and may use every address of it. */
const GROUPS = 4;

/** RFC 4291 §2.5.6: all neighbours have the same first 64 bits. */
const LINK_LOCAL = /^fe[89ab]/;

/** The longest name that is kept. */
const MAX_NAME = 100;

/** An address as proxies write it, with brackets or a port that is another one for each connection: RFC 7239 §6. */
const WITH_PORT = /^(?:\[([^[\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/;

/** What begins an IPv6 address whose last 32 bits are an IPv4 one: RFC 4291 §2.5.5.2, and RFC 6052 §2.1. */
const WITH_IPV4 = ["0,0,0,0,0,ffff", "64,ff9b,0,0,0,0"];

/**
 * What stands for a client where connections are counted by address: an IPv4 address as it is, also one that is mapped
 * or translated into IPv6; of an IPv6 address the first 64 bits, unless it is a link-local one. Spaces around it,
 * brackets and a port don't count. Any other text is taken as it is.
 *
 * @param given The address.
 * @returns Its key, of a bounded length.
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

/** All eight groups of an address as a URL has it. */
function groupsOf(address: string): string[] {
  const [front = "", back] = address.split("::");
  const list = (text: string): string[] => text === "" ? [] : text.split(":");
  if (back === undefined) return list(front);
  const [first, last] = [list(front), list(back)];
  return [...first, ...Array<string>(8 - first.length - last.length).fill("0"), ...last];
}
