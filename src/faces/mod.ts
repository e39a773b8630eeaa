/**
 * `WebSocket` and `WebSocketStream` as the WHATWG standard has them, over this package's connections: for libraries that
 * take such a class, with TLS settings, proxies, header fields, compression, keepalive and limits on Deno, Node and Bun.
 *
 * ```ts
 * import { createWebSocket } from "@web-socket/channel/faces";
 *
 * const WebSocket = createWebSocket({
 *   headers: { Authorization: "Bearer …" },
 *   proxy: "environment",
 *   pingInterval: 30_000,
 * });
 * // For example: createClient({ url, webSocketImpl: WebSocket }), of npm's graphql-ws.
 * ```
 *
 * @module
 */

import { CONNECTOR } from "./face_connector.ts";
import type { FaceOptionsSource } from "./face_target.ts";
import {
  createClass,
  handOver,
  webSocketClass,
  type WebSocketFace,
  type WebSocketFaceClass,
} from "./web_socket.ts";
import {
  createStreamClass,
  webSocketStreamClass,
  type WebSocketStreamFace,
  type WebSocketStreamFaceClass,
} from "./web_socket_stream.ts";
import type { WebSocketChannel as WebSocketChannelInstance } from "../web_socket/web_socket_channel.ts";

/** A `WebSocket` as the WHATWG standard has it, over a connection of this package without options. */
export type WebSocket = WebSocketFace;

/** A `WebSocket` as the WHATWG standard has it, over a connection of this package without options. */
export const WebSocket: WebSocketFaceClass = /* @__PURE__ */ webSocketClass(CONNECTOR, {});

/** A `WebSocketStream`, over a connection of this package without options. */
export type WebSocketStream = WebSocketStreamFace;

/** A `WebSocketStream`, over a connection of this package without options. */
export const WebSocketStream: WebSocketStreamFaceClass = /* @__PURE__ */ webSocketStreamClass(
  CONNECTOR,
  {},
);

/**
 * Creates a class like {@linkcode WebSocket} whose objects connect with these options: for libraries that take such a
 * class, and for `globalThis.WebSocket`.
 *
 * @param options The options of `WebSocketChannel.connect`, but for `protocols`; or a function of the URL that gives them
 * for each connection.
 * @throws {TypeError} When an option is unknown, or of the wrong type.
 * @throws {RangeError} When a number is out of its range.
 *
 * @example
 * ```ts
 * import { createWebSocket } from "@web-socket/channel/faces";
 *
 * const token = (): string => "…";
 * const WebSocket = createWebSocket(() => ({ headers: { Authorization: `Bearer ${token()}` } }));
 * ```
 */
export function createWebSocket(options: FaceOptionsSource = {}): WebSocketFaceClass {
  return createClass(CONNECTOR, options);
}

/**
 * Creates a class like {@linkcode WebSocketStream} whose objects connect with these options.
 *
 * @param options As for {@linkcode createWebSocket}.
 * @throws {TypeError} When an option is unknown, or of the wrong type.
 * @throws {RangeError} When a number is out of its range.
 */
export function createWebSocketStream(options: FaceOptionsSource = {}): WebSocketStreamFaceClass {
  return createStreamClass(CONNECTOR, options);
}

/**
 * Gives a channel the face of a `WebSocket`: any channel, a server's too. The channel's messages and its sink belong to
 * it from then on. An open channel is `OPEN` at once, without an event; listen in the same turn, as messages come in
 * tasks of their own. Its `url` is the channel's, without what may be a secret.
 *
 * @param channel The channel.
 * @throws {DOMException} `InvalidStateError` when the channel's stream has had a reader.
 *
 * @example
 * ```ts
 * import { toWebSocket } from "@web-socket/channel/faces";
 * import { webSocketChannelPair } from "@web-socket/channel/testing";
 *
 * const { client, server } = webSocketChannelPair();
 * const socket = toWebSocket(server);
 * socket.onmessage = ({ data }) => socket.send(`You said ${data}`);
 * client.sink.add("hello");
 * console.log((await client.stream.next()).value); // You said hello
 * await client.sink.close();
 * ```
 */
export function toWebSocket(channel: WebSocketChannelInstance): WebSocketFace {
  return handOver(WebSocket, channel);
}

export * from "./exports.ts";
export { WebSocketChannel } from "../web_socket_channel.ts";
