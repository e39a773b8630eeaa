import { isHost } from "../handshake/request_target.ts";
import { type Refusal, refuse } from "../handshake/server_handshake.ts";
import { shown } from "../stream_channel/options.ts";
import type { ServerRequest, UpgradeServerRequest } from "./server_request.ts";

/**
 * Which hosts a request may name: a list such as `["example.com", "localhost:8080"]` (an entry without a port allows
 * every port), a function that answers `true` for those that it may, or `false` for all. The function gets the host in
 * lower case, with the port if the request names one.
 */
export type HostPolicy =
  | readonly string[]
  | ((host: string, request: ServerRequest) => boolean | Promise<boolean>)
  | false;

/** A host in the spelling that is compared. */
interface Host {
  readonly name: string;
  /** Empty if there is none. */
  readonly port: string;
}

/** A {@linkcode HostPolicy}, checked; `undefined` stands for the default. */
export type HostRule = readonly Host[] | Exclude<HostPolicy, readonly string[]> | undefined;

/**
 * Checks which hosts a request may name.
 *
 * @param policy What the user allows.
 * @returns The same in the form that {@linkcode isHostAllowed} takes.
 * @throws {TypeError} When it is no such policy, or an entry isn't a host.
 */
export function checkHosts(policy: HostPolicy | undefined): HostRule {
  if (policy === undefined || policy === false || typeof policy === "function") return policy;
  if (typeof policy !== "object" || policy === null || !(Symbol.iterator in policy)) {
    throw new TypeError(
      `Cannot use the option hosts: it must be a list, a function or false, got ${
        shown(policy, true)
      }`,
    );
  }
  const list: unknown[] = [...policy];
  return list.map((text, i): Host => {
    if (typeof text === "string" && isHost(text) && !text.includes("*")) return parsed(text);
    throw new TypeError(
      `Cannot use the option hosts: element ${i + 1} of ${list.length} is not a host, such as ` +
        `"example.com" or "localhost:8080"`,
    );
  });
}

/**
 * Whether a request may name its host.
 *
 * @param host The host, which {@linkcode isHost}, with its port.
 * @param request The request.
 * @param rule Which hosts it may name.
 * @returns Whether it may, perhaps as a promise; if it is anything but `true`, refuse it with {@linkcode foreignHost}.
 * @throws What the user's function throws.
 */
export function isHostAllowed(
  host: string,
  request: UpgradeServerRequest,
  rule: HostRule,
): boolean | Promise<boolean> {
  if (rule === false) return true;
  // DNS rebinding: a page can make its own name lead here, but neither localhost nor an address.
  if (rule === undefined) {
    return !request.isLocalPages || isLoopbackName(parsed(host).name);
  }
  const { name, port } = parsed(host);
  if (typeof rule === "function") return rule(port === "" ? name : `${name}:${port}`, request);
  return rule.some((it) => it.name === name && isPortAllowed(it.port, port));
}

/**
 * The refusal of a request whose host isn't served. It tells who runs the server what to do.
 *
 * @param host The host.
 * @param rule Which hosts it may name.
 */
export function foreignHost(host: string, rule: HostRule): Refusal {
  const reason = rule === undefined
    ? "a page named it, and the address it came in by is a loopback one or not known; list the host in the " +
      "server's option `hosts`"
    : "the server's option `hosts` does not allow it";
  return refuse(403, { body: `Cannot serve the host ${host.slice(0, 100)}: ${reason}\n` });
}

/** RFC 6761 §6.3: localhost and all names below it; else the addresses, as a URL has them. */
function isLoopbackName(name: string): boolean {
  return /^(?:.*\.)?localhost$|^127(?:\.\d+){3}$|^\[::1\]$|^\[::ffff:7f[0-9a-f]{2}:/.test(name);
}

/** TLS may end at a proxy before us: which port goes without saying isn't known. */
function isPortAllowed(allowed: string, port: string): boolean {
  return allowed === "" || allowed === port || (port === "" && /^(?:80|443)$/.test(allowed));
}

function parsed(text: string): Host {
  const port = /:(\d+)$/.exec(text)?.[1] ?? "";
  const { hostname } = new URL(`http://${text}`);
  // RFC 1034 §3.1: a name's last dot changes nothing.
  return { name: hostname.replace(/\.$/, ""), port: port.replace(/^0+(?=\d)/, "") };
}
