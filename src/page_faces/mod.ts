/**
 * `WebSocket` and `WebSocketStream` for pages. The npm package selects it by the condition `browser` of `./faces`. It
 * uses the page's own `WebSocket`: an option that this doesn't support fails the connection, and `WebSocketStream` has
 * no backpressure for the peer.
 *
 * @module
 */

import { CONNECTOR } from "./page_connector.ts";
import type { FaceOptionsSource } from "../faces/face_target.ts";
import {
  createClass,
  handOver,
  webSocketClass,
  type WebSocketFace,
  type WebSocketFaceClass,
} from "../faces/web_socket.ts";
import {
  createStreamClass,
  webSocketStreamClass,
  type WebSocketStreamFace,
  type WebSocketStreamFaceClass,
} from "../faces/web_socket_stream.ts";
import type { WebSocketChannel as WebSocketChannelInstance } from "../web_socket/web_socket_channel.ts";

/** A `WebSocket` of the WHATWG standard, over a connection of this package with default options. */
export type WebSocket = WebSocketFace;

/** A `WebSocket` of the WHATWG standard, over a connection of this package with default options. */
export const WebSocket: WebSocketFaceClass = /* @__PURE__ */ webSocketClass(CONNECTOR, {});

/** A `WebSocketStream` over a connection of this package with default options. */
export type WebSocketStream = WebSocketStreamFace;

/** A `WebSocketStream` over a connection of this package with default options. */
export const WebSocketStream: WebSocketStreamFaceClass = /* @__PURE__ */ webSocketStreamClass(
  CONNECTOR,
  {},
);

/**
 * Creates a class like {@linkcode WebSocket} whose objects connect with these options. Pass it to a library that takes
 * such a class, or assign it to `globalThis.WebSocket`.
 *
 * @param options The options of `WebSocketChannel.connect`, except `protocols`; or a function that gets the URL and
 * returns them for each connection. A page supports only few of them; the others fail the connection.
 * @throws {TypeError} When an option is unknown, or of the wrong type.
 * @throws {RangeError} When a number is out of its range.
 *
 * @example
 * ```ts
 * import { createWebSocket } from "@web-socket/channel/faces/page";
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
 * Wraps any channel, even a server's, as a `WebSocket`. The `WebSocket` then owns the channel's messages and sink. If
 * the channel is open, its state is `OPEN` at once, without an event. Add listeners in the same turn, because each
 * message arrives in its own task. Its `url` is the channel's, without parts that may be secret.
 *
 * @param channel The channel.
 * @throws {DOMException} `InvalidStateError` when the channel's stream has had a reader.
 *
 * @example
 * ```ts
 * import { toWebSocket } from "@web-socket/channel/faces/page";
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

export * from "../faces/exports.ts";
export { WebSocketChannel } from "../page_web_socket_channel.ts";
