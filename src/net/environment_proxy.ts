/**
 * Chooses the proxy that the environment variables name. There is no standard; the rules are those on which curl, Go
 * and Python agree.
 *
 * @module
 */

/** Environment variables, by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment variables that are read. */
export const PROXY_VARIABLES: readonly string[] = [
  ...["http_proxy", "https_proxy", "all_proxy", "no_proxy"].flatMap((it) => [it, it.toUpperCase()]),
  "REQUEST_METHOD",
];

/**
 * Returns the proxy that the environment names: `https_proxy` for `wss:`, `http_proxy` for `ws:`, otherwise
 * `all_proxy`. Each name is read in lower case first, then in upper case. Hosts in `no_proxy` have no proxy.
 *
 * In a CGI program `HTTP_PROXY` is ignored, because there it is the request's header field `Proxy`.
 *
 * @param url The URL to connect to.
 * @param environment The variables.
 * @returns The proxy as written there, or `null` for none.
 */
export function environmentProxy(url: URL, environment: Environment): string | null {
  const name = url.protocol === "wss:" ? "https_proxy" : "http_proxy";
  const isForged = name === "http_proxy" && environment["REQUEST_METHOD"] !== undefined;
  const proxy = environment[name] || !isForged && environment[name.toUpperCase()] ||
    variable(environment, "all_proxy");
  if (!proxy) return null;
  return isExempt(url, variable(environment, "no_proxy")) ? null : withScheme(proxy);
}

function variable(environment: Environment, name: string): string {
  return environment[name] || environment[name.toUpperCase()] || "";
}

/** Adds `http:` to a proxy without a scheme; `localhost:3128` is no URL of the scheme `localhost`. */
function withScheme(proxy: string): string {
  return /^[a-z][a-z\d+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

/**
 * Whether to connect to a host without a proxy.
 *
 * The list's elements are separated by commas or blanks. `*` means every host. `example.com`, `.example.com` and
 * `*.example.com` mean a domain and all its subdomains. An IP address means itself, and `10.0.0.0/8` a range of
 * addresses. Every element except a range may end with a port.
 *
 * @param url The URL to connect to.
 * @param list The value of `no_proxy`.
 * @returns Whether the list contains the host.
 */
export function isExempt(url: URL, list: string): boolean {
  const host = bareHost(url.hostname);
  const port = url.port || (url.protocol === "wss:" ? "443" : "80");
  return list.split(/[\s,]+/).some((element) => element !== "" && matches(element, host, port));
}

/** Returns a URL's host without the brackets of an IPv6 address and without the root's dot. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "").toLowerCase();
}

function matches(element: string, host: string, port: string): boolean {
  if (element === "*") return true;
  const range = /^([^/]+)\/(\d{1,3})$/.exec(element);
  if (range !== null) return isInRange(host, range[1] ?? "", Number(range[2]));
  const { name, only } = splitPort(element);
  if (only !== null && only !== port) return false;
  const bits = addressBits(host);
  if (bits !== null) return bits === addressBits(name);
  const domain = bareHost(name).replace(/^\*?\./, "");
  return host === domain || domain !== "" && host.endsWith(`.${domain}`);
}

function splitPort(element: string): { name: string; only: string | null } {
  const match = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(element);
  const name = match?.[1] ?? element;
  return { name: name.replace(/^\[(.*)\]$/, "$1"), only: match?.[2] ?? null };
}

function isInRange(host: string, network: string, length: number): boolean {
  const address = addressBits(host);
  const start = addressBits(network.replace(/^\[(.*)\]$/, "$1"));
  if (address === null || start === null || address.length !== start.length) return false;
  return length <= start.length && address.slice(0, length) === start.slice(0, length);
}

/**
 * Converts an IP address to 32 or 128 binary digits, so that different spellings compare equal; `null` for any other
 * host.
 */
export function addressBits(host: string): string | null {
  if (/^\d+(\.\d+){3}$/.test(host)) {
    return host.split(".").map((byte) => Number(byte).toString(2).padStart(8, "0")).join("");
  }
  return host.includes(":") ? sixBits(host) : null;
}

function sixBits(host: string): string | null {
  const normal = normalSix(host);
  if (normal === null) return null;
  const [head = "", tail] = normal.split("::");
  const before = head.split(":").filter((part) => part !== "");
  const after = (tail ?? "").split(":").filter((part) => part !== "");
  const zeros = new Array<string>(8 - before.length - after.length).fill("0");
  const parts = [...before, ...zeros, ...after];
  return parts.map((part) => parseInt(part, 16).toString(2).padStart(16, "0")).join("");
}

/** Normalizes an IPv6 address with the URL parser; `null` if it is malformed. */
function normalSix(host: string): string | null {
  try {
    return new URL(`ws://[${host.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  } catch {
    return null;
  }
}
