/**
 * Chooses a proxy, and opens a tunnel through an HTTP proxy.
 *
 * @module
 */

import { codeOf, messageOf } from "../realm/kinds.ts";
import { answered } from "../handshake/client_handshake.ts";
import { basicCredentials } from "../handshake/request_fields.ts";
import { type ResponseHead, serializeHead } from "../handshake/http_head.ts";
import type { HeaderMap } from "../handshake/header_map.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { type HandshakeResponse, UnsupportedError } from "../web_socket/errors.ts";
import { type Answer, type BodyTime, Exchange, NoAnswer } from "../web_socket/exchange.ts";
import { SeenResponse } from "../web_socket/open_handshake.ts";
import { platform } from "../web_socket/platform.ts";
import { environment, isReadable, type Socket } from "./builtins.ts";
import { type Environment, environmentProxy, PROXY_VARIABLES } from "./environment_proxy.ts";
import { SocketWire } from "./socket_wire.ts";

/** A proxy to connect through. */
export interface Proxy {
  readonly url: URL;
  /** Additional header fields of the request for a tunnel. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

const KINDS: readonly string[] = ["http:", "https:", "socks5:", "socks5h:"];

/**
 * Chooses the proxy to connect through.
 *
 * @param url The URL to connect to.
 * @param proxy The option `proxy`, already read. Default: the runtime's own rule.
 * @returns The proxy, or `null` for none.
 * @throws {UnsupportedError} When the proxy's scheme is not `http:`, `https:`, `socks5:` or `socks5h:`.
 * @throws {SyntaxError} When the environment's proxy is malformed.
 */
export function chooseProxy(url: URL, proxy: ConnectOptions["proxy"]): Proxy | null {
  if (proxy === null) return null;
  const isPlain = proxy === undefined || typeof proxy === "string" || "href" in proxy;
  const { url: wanted, headers = [] } = isPlain ? { url: proxy } : proxy;
  const chosen = wanted === undefined
    ? runtimeProxy(url)
    : wanted === "environment"
    ? environmentProxy(url, environment())
    : wanted;
  if (chosen === null) return null;
  const parsed = parseProxy(chosen);
  if (!KINDS.includes(parsed.protocol)) {
    throw new UnsupportedError(`a proxy of the kind ${parsed.protocol}`, platform(), REMEDY);
  }
  // The reader of the options has converted them to pairs.
  const fields = headers as Proxy["headers"];
  if (isSocks(parsed) && fields.length > 0) {
    throw new UnsupportedError("proxy.headers", platform(), "A SOCKS proxy takes no header fields");
  }
  return { url: parsed, headers: fields };
}

const REMEDY = "Use an http:, https:, socks5: or socks5h: proxy, or none with proxy: null";

/** Whether a proxy speaks SOCKS. */
export function isSocks({ protocol }: URL): boolean {
  return protocol.startsWith("socks5");
}

/** The proxy that the runtime's own `WebSocket` and `fetch` would use. */
function runtimeProxy(url: URL): string | null {
  switch (platform()) {
    case "deno":
      return environmentProxy(url, readableEnvironment());
    case "node":
      return usesEnvironment(environment())
        ? environmentProxy(url, asNodeReads(environment()))
        : null;
    default:
      return null;
  }
}

/** Whether Node is configured to use the environment's proxies. */
function usesEnvironment({ NODE_USE_ENV_PROXY, NODE_OPTIONS = "" }: Environment): boolean {
  const { process } = globalThis as { process?: { execArgv?: readonly string[] } };
  const options = [...process?.execArgv ?? [], ...NODE_OPTIONS.split(/\s+/)];
  return NODE_USE_ENV_PROXY === "1" || options.includes("--use-env-proxy");
}

/**
 * Adapts the variables to Node's own `WebSocket`. It uses `http_proxy` also for `wss:` if there is no `https_proxy`,
 * and ignores `all_proxy`.
 */
function asNodeReads(variables: Environment): Environment {
  const { https_proxy, HTTPS_PROXY, http_proxy, HTTP_PROXY } = variables;
  const secure = https_proxy || HTTPS_PROXY || http_proxy || HTTP_PROXY;
  return { ...variables, https_proxy: secure, all_proxy: "", ALL_PROXY: "" };
}

/** Returns the variables that the program may read, without prompting for the others. */
function readableEnvironment(): Environment {
  const variables = environment();
  const names = PROXY_VARIABLES.filter((name) => isReadable(name));
  return Object.fromEntries(names.map((name) => [name, variables[name]]));
}

function parseProxy(proxy: string | URL): URL {
  try {
    return new URL(proxy);
  } catch {
    // It may contain a password, so it isn't shown.
    throw new SyntaxError("Cannot connect: the environment's proxy is not a URL");
  }
}

/** Returns a proxy's URL without its credentials. */
export function shownProxy({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}

/** Options of a {@linkcode ProxyRefusal}. */
export interface ProxyRefusalOptions {
  /** The answer of an HTTP proxy. */
  readonly response?: HandshakeResponse;
  /** Whether only this address of the server is unreachable. */
  readonly isUnreachable?: boolean;
  /** Whether another attempt would be refused as well. */
  readonly isFinal?: boolean;
}

/** The error of a proxy that opened no tunnel. */
export class ProxyRefusal extends Error {
  /** `"ProxyRefusal"`, also in minified code. */
  override readonly name = "ProxyRefusal";
  readonly options: ProxyRefusalOptions;

  constructor(message: string, options: ProxyRefusalOptions = {}) {
    super(message);
    this.options = options;
  }
}

/**
 * Opens a tunnel (RFC 9110 §9.3.6).
 *
 * @param socket The connection to the proxy.
 * @param proxy The proxy; only it gets its credentials.
 * @param url The target of the tunnel.
 * @param bodyTime How long to wait for the body of a refusal, in milliseconds.
 * @returns A promise that fulfils when the socket is a tunnel; no listener is left on it.
 * @throws {ProxyRefusal} When the proxy refuses, or its answer is malformed.
 */
export async function openTunnel(
  socket: Socket,
  proxy: Proxy,
  url: URL,
  bodyTime: BodyTime,
): Promise<void> {
  const authority = `${url.hostname}:${portOf(url)}`;
  const { headers } = proxy;
  const isNamed = headers.some(([name]) => name.toLowerCase() === "proxy-authorization");
  const credentials = isNamed ? null : basicCredentials(proxy.url);
  const head = serializeHead(`CONNECT ${authority} HTTP/1.1`, [
    ["Host", authority],
    ...(credentials === null ? [] : [["Proxy-Authorization", credentials] as const]),
    ...headers,
  ]);
  const wire = new SocketWire(socket);
  const exchange = new Exchange(wire, bodyTime);
  const { head: response, body } = await answerTo(exchange, head);
  wire.release();
  if (!isTunnel(response)) {
    const hint = response.status === 407
      ? wantedSchemes(response.headers, isNamed || credentials !== null)
      : "";
    throw new ProxyRefusal(`it ${answered(response)}${hint}`, {
      response: new SeenResponse({ head: response, body }),
    });
  }
  // In neither TLS nor HTTP the server speaks first, so these bytes aren't the server's.
  if (exchange.hasRest) {
    throw new ProxyRefusal("it sent data into the tunnel before the server did");
  }
}

async function answerTo(exchange: Exchange, head: Uint8Array): Promise<Answer> {
  try {
    return await exchange.send(head, { isBare: isTunnel, wantsBody: isFramed });
  } catch (error) {
    // A malformed answer would be malformed again.
    if (!(error instanceof NoAnswer)) throw new ProxyRefusal(messageOf(error), { isFinal: true });
    // The system's own error about the connection says more.
    if (codeOf(error.cause) !== "") throw error.cause;
    throw new ProxyRefusal("it ended the connection without an answer");
  }
}

/** Formats the authentication schemes that a proxy offers (RFC 9110 §11.7.1). */
function wantedSchemes(headers: HeaderMap, hasCredentials: boolean): string {
  const schemes = schemesOf(headers.get("proxy-authenticate") ?? "");
  if (schemes.length === 0) return "";
  const offered = `. It offers ${schemes.join(", ")}`;
  if (!schemes.some((it) => it.toLowerCase() === "basic")) {
    return `${offered}: of these only Basic is built in, set proxy.headers to answer another`;
  }
  return hasCredentials
    ? `${offered}: it doesn't accept the credentials that it got`
    : `${offered}: set the credentials in the proxy's URL`;
}

/**
 * Matches the registered authentication schemes, and NTLM. No other word of an answer is shown, because it may echo a
 * secret.
 */
const SCHEME =
  /^(Basic|Bearer|Concealed|Digest|DPoP|GNAP|HOBA|Kerberos|Mutual|Negotiate|NTLM|OAuth|PrivateToken|SCRAM-SHA-1|SCRAM-SHA-256|vapid)(?:\s+[^\s=].*)?$/i;

/**
 * Returns the schemes of a list of challenges, each once (RFC 9110 §11.6.1).
 *
 * @param value The value of `Proxy-Authenticate`.
 */
export function schemesOf(value: string): string[] {
  // A part with `=` after its first word is a parameter of the previous challenge. An unclosed quoted string extends to
  // the end; otherwise the search would restart at each quote, which is slow.
  const parts = value.replace(/"(?:\\[^]?|[^"\\])*"?/g, "").split(",").map((it) => it.trim());
  const schemes = parts.map((it) => SCHEME.exec(it)?.[1]);
  return [...new Set(schemes.filter((it) => it !== undefined))];
}

function isTunnel({ status }: ResponseHead): boolean {
  return status >= 200 && status < 300;
}

/** Returns a URL's port, or the default port of its scheme. */
export function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  if (protocol.startsWith("socks5")) return 1080;
  return protocol === "wss:" || protocol === "https:" ? 443 : 80;
}

/** Whether the end of a body is known (RFC 9112 §6.3). Otherwise the body ends with the connection, if ever. */
function isFramed({ headers }: ResponseHead): boolean {
  return headers.has("content-length") || headers.has("transfer-encoding");
}
