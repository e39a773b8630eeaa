/** How much of an address stands for one client. RFC 6177: a site gets a /64 at least, and may use all of it. */
const GROUPS = 4;

/** RFC 4291 §2.5.6: all neighbours have the same first 64 bits. */
const LINK_LOCAL = /^fe[89ab]/;

/** The longest name that is kept. */
const MAX_NAME = 100;

/**
 * What stands for a client where connections are counted by address: an IPv4 address as it is, also one that is mapped
 * into IPv6; of an IPv6 address the first 64 bits, unless it is a link-local one. Any other text is taken as it is.
 *
 * @param address The address.
 * @returns Its key, of a bounded length.
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address.slice(0, MAX_NAME);
  const [bare = ""] = address.split("%", 1);
  const host = `http://[${bare}]`;
  if (!URL.canParse(host)) return address.slice(0, MAX_NAME);
  const groups = groupsOf(new URL(host).hostname.slice(1, -1));
  const [high = 0, low = 0] = groups.slice(6).map((it) => parseInt(it, 16));
  // RFC 4291 §2.5.5.2.
  if (groups.slice(0, 6).join() === "0,0,0,0,0,ffff") {
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
