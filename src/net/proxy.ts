/**
 * HTTP proxies: choosing one, and opening a tunnel through it.
 *
 * @module
 */

import { messageOf } from "../realm/kinds.ts";
import { answered } from "../handshake/client_handshake.ts";
import { basicCredentials } from "../handshake/request_fields.ts";
import { type ResponseHead, serializeHead } from "../handshake/http_head.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { type HandshakeResponse, UnsupportedError } from "../web_socket/errors.ts";
import { type Answer, Exchange, NoAnswer } from "../web_socket/exchange.ts";
import { SeenResponse } from "../web_socket/open_handshake.ts";
import { platform } from "../web_socket/platform.ts";
import { environment, type Socket } from "./builtins.ts";
import { codeOf } from "./dial_error.ts";
import { environmentProxy } from "./no_proxy.ts";
import { SocketWire } from "./socket_wire.ts";

/**
 * The proxy to go through.
 *
 * @param url Where to connect to.
 * @param proxy The option.
 * @returns The proxy's URL, or `null` for none.
 * @throws {UnsupportedError} When the proxy is of another kind than `http:` and `https:`.
 * @throws {SyntaxError} When the environment's proxy is malformed.
 */
export function chooseProxy(url: URL, proxy: ConnectOptions["proxy"]): URL | null {
  if (proxy === undefined) return null;
  const chosen = proxy === "environment" ? environmentProxy(url, environment()) : proxy;
  if (chosen === null) return null;
  const parsed = parseProxy(chosen);
  if (parsed.protocol === "http:" || parsed.protocol === "https:") return parsed;
  throw new UnsupportedError(`a proxy of the kind ${parsed.protocol}`, platform());
}

function parseProxy(proxy: string | URL): URL {
  try {
    return new URL(proxy);
  } catch {
    // It may hold a password, so it isn't shown.
    throw new SyntaxError("Cannot connect: the environment's proxy is not a URL");
  }
}

/** A proxy's name for messages: without its credentials. */
export function proxyName({ protocol, host }: URL): string {
  return `the proxy ${protocol}//${host}`;
}

/** Why a proxy opened no tunnel. */
export class ProxyRefusal extends Error {
  /** The name of the class. */
  override readonly name = "ProxyRefusal";
  /** The proxy's answer; `null` when there was none. */
  readonly response: HandshakeResponse | null;

  constructor(message: string, response: HandshakeResponse | null = null) {
    super(message);
    this.response = response;
  }
}

/**
 * Opens a tunnel: RFC 9110 §9.3.6.
 *
 * @param socket The connection to the proxy.
 * @param proxy The proxy; its credentials go to it, and to nobody else.
 * @param url Where the tunnel is to lead.
 * @returns A promise that fulfils when the socket is a tunnel, without a listener left on it.
 * @throws {ProxyRefusal} When the proxy refuses, or its answer is wrong.
 */
export async function openTunnel(socket: Socket, proxy: URL, url: URL): Promise<void> {
  const authority = `${url.hostname}:${portOf(url)}`;
  const credentials = basicCredentials(proxy);
  const head = serializeHead(`CONNECT ${authority} HTTP/1.1`, [
    ["Host", authority],
    ...(credentials === null ? [] : [["Proxy-Authorization", credentials] as const]),
  ]);
  const wire = new SocketWire(socket);
  const exchange = new Exchange(wire, null);
  const { head: response, body } = await answerTo(exchange, head);
  wire.release();
  if (!isTunnel(response)) {
    const refusal = new SeenResponse({ head: response, body });
    throw new ProxyRefusal(`it ${answered(response)}`, refusal);
  }
  // Neither TLS nor HTTP lets a server speak first: whatever this is, it isn't the server's.
  if (exchange.hasRest) throw new ProxyRefusal("it sent bytes of its own into the tunnel");
}

async function answerTo(exchange: Exchange, head: Uint8Array): Promise<Answer> {
  try {
    return await exchange.send(head, { isBare: isTunnel, wantsBody: isFramed });
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw new ProxyRefusal(messageOf(error));
    // What the system says of a connection says more.
    if (codeOf(error.cause) !== "") throw error.cause;
    throw new ProxyRefusal("it ended the connection before it had answered");
  }
}

function isTunnel({ status }: ResponseHead): boolean {
  return status >= 200 && status < 300;
}

/** A URL's port, also where it is the scheme's own. */
export function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  return protocol === "wss:" || protocol === "https:" ? 443 : 80;
}

/** RFC 9112 §6.3: whether a body's end is known; else it is where the connection ends, if ever. */
function isFramed({ headers }: ResponseHead): boolean {
  return headers.has("content-length") || headers.has("transfer-encoding");
}
