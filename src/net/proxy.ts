/**
 * HTTP proxies: choosing one, and opening a tunnel through it.
 *
 * @module
 */

import { Answer } from "../web_socket/client_opening.ts";
import { messageOf } from "../realm/kinds.ts";
import { basicCredentials } from "../handshake/client_handshake.ts";
import { type ResponseHead, ResponseParser, serializeHead } from "../handshake/http_head.ts";
import { ResponseBody } from "../handshake/response_body.ts";
import type { ConnectOptions } from "../web_socket/connect_options.ts";
import { type HandshakeResponse, UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import { environment, type Socket } from "./builtins.ts";
import { environmentProxy } from "./no_proxy.ts";

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
  const answer = readAnswer(socket);
  socket.write(head);
  const { head: response, rest, body } = await answer;
  if (response.status >= 200 && response.status < 300) {
    // Neither TLS nor HTTP lets a server speak first: whatever this is, it isn't the server's.
    if (rest.length > 0) throw new ProxyRefusal("it sent bytes of its own into the tunnel");
    return;
  }
  const phrase = response.statusText === "" ? "" : ` ${response.statusText}`;
  throw new ProxyRefusal(`it answered ${response.status}${phrase}`, new Answer(response, body));
}

/** A URL's port, also where it is the scheme's own. */
export function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  return protocol === "wss:" || protocol === "https:" ? 443 : 80;
}

interface ProxyAnswer {
  readonly head: ResponseHead;
  readonly rest: Uint8Array;
  readonly body: Uint8Array;
}

const EMPTY = new Uint8Array(0);

function readAnswer(socket: Socket): Promise<ProxyAnswer> {
  const parser = new ResponseParser();
  let refusal: { head: ResponseHead; body: ResponseBody } | null = null;
  return new Promise((resolve, reject) => {
    const onHead = (head: ResponseHead, rest: Uint8Array): void => {
      const isOpen = head.status >= 200 && head.status < 300;
      if (isOpen) return settle(() => resolve({ head, rest, body: EMPTY }));
      refusal = { head, body: new ResponseBody(head) };
      refusal.body.push(rest);
      if (refusal.body.isComplete || !isFramed(head)) onRefused(refusal);
    };
    const onRefused = ({ head, body }: { head: ResponseHead; body: ResponseBody }): void =>
      settle(() => resolve({ head, rest: EMPTY, body: body.bytes }));
    const onData = (chunk: Uint8Array): void => {
      if (refusal !== null) {
        refusal.body.push(chunk);
        if (refusal.body.isComplete) onRefused(refusal);
        return;
      }
      try {
        const parsed = parser.push(chunk);
        if (parsed !== null) onHead(parsed.head, parsed.rest);
      } catch (error) {
        settle(() => reject(new ProxyRefusal(messageOf(error))));
      }
    };
    const onEnd = (): void => {
      if (refusal !== null) return onRefused(refusal);
      const message = "it ended the connection before it had answered";
      settle(() => reject(new ProxyRefusal(message)));
    };
    const onError = (error: unknown): void => {
      if (refusal !== null) return onRefused(refusal);
      settle(() => reject(error));
    };
    const settle = (act: () => void): void => {
      socket.pause();
      socket.removeListener("data", onData);
      socket.removeListener("end", onEnd);
      socket.removeListener("close", onEnd);
      socket.removeListener("error", onError);
      act();
    };
    socket.on("error", onError);
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("close", onEnd);
    socket.resume();
  });
}

/** RFC 9112 §6.3: whether a body's end is known; else it is where the connection ends, if ever. */
function isFramed({ headers }: ResponseHead): boolean {
  return headers.has("content-length") || headers.has("transfer-encoding");
}
