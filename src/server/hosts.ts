import { isHost } from "../handshake/request_target.ts";
import { type Refusal, refuse } from "../handshake/server_handshake.ts";
import { shown } from "../stream_channel/options.ts";
import type { ServerRequest, UpgradeServerRequest } from "./server_request.ts";

/**
 * The hosts that a request may name. It is a list such as `["example.com", "localhost:8080"]` (an entry without a port
 * allows every port), a function that returns `true` for allowed hosts, or `false` to allow all. The function gets the
 * host in lower case, with the port if the request names one.
 */
export type HostPolicy =
  | readonly string[]
  | ((host: string, request: ServerRequest) => boolean | Promise<boolean>)
  | false;

/** A normalized host, for comparisons. */
interface Host {
  readonly name: string;
  /** The port as text; empty if there is none. */
  readonly port: string;
}

/** A checked {@linkcode HostPolicy}; `undefined` stands for the default. */
export type HostRule = readonly Host[] | Exclude<HostPolicy, readonly string[]> | undefined;

/**
 * Checks the option `hosts`.
 *
 * @param policy The option.
 * @returns The option in the form that {@linkcode isHostAllowed} takes.
 * @throws {TypeError} When it is no such policy, or an entry is no host.
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
 * @param host The host with its port, for which {@linkcode isHost} is `true`.
 * @param request The request.
 * @param rule The checked option `hosts`.
 * @returns Whether it may, or a promise of that. Refuse it with {@linkcode foreignHost} if this is anything but `true`.
 * @throws What the user's function throws.
 */
export function isHostAllowed(
  host: string,
  request: UpgradeServerRequest,
  rule: HostRule,
): boolean | Promise<boolean> {
  if (rule === false) return true;
  // Against DNS rebinding: a page can point its own name to this machine, but not `localhost` or an address.
  if (rule === undefined) {
    return !request.isLocalPages || isLoopbackName(parsed(host).name);
  }
  const { name, port } = parsed(host);
  if (typeof rule === "function") return rule(port === "" ? name : `${name}:${port}`, request);
  return rule.some((it) => it.name === name && isPortAllowed(it.port, port));
}

/**
 * Creates the refusal of a request whose host is not allowed. Its text tells the server's operator what to do.
 *
 * @param host The host.
 * @param rule The checked option `hosts`.
 */
export function foreignHost(host: string, rule: HostRule): Refusal {
  const reason = rule === undefined
    ? "a page named it, and the address it came in by is a loopback one or not known; list the host in the " +
      "server's option `hosts`"
    : "the server's option `hosts` does not allow it";
  return refuse(403, { body: `Cannot serve the host ${host.slice(0, 100)}: ${reason}\n` });
}

/** Whether a name is localhost, below it (RFC 6761 §6.3), or a loopback address as URLs write it. */
function isLoopbackName(name: string): boolean {
  return /^(?:.*\.)?localhost$|^127(?:\.\d+){3}$|^\[::1\]$|^\[::ffff:7f[0-9a-f]{2}:/.test(name);
}

/**
 * Whether a port is allowed. A proxy may terminate TLS, so the default port is not known: 80 and 443 may both be
 * omitted.
 */
function isPortAllowed(allowed: string, port: string): boolean {
  return allowed === "" || allowed === port || (port === "" && /^(?:80|443)$/.test(allowed));
}

function parsed(text: string): Host {
  const port = /:(\d+)$/.exec(text)?.[1] ?? "";
  const { hostname } = new URL(`http://${text}`);
  // A trailing dot makes no difference (RFC 1034 §3.1).
  return { name: hostname.replace(/\.$/, ""), port: port.replace(/^0+(?=\d)/, "") };
}
