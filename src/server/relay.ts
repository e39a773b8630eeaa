import { internalServerError } from "../../status.ts";
import { partsOf } from "../stream_channel/channel_like.ts";
import { MessageStream, streamFeed } from "../stream_channel/channel_stream.ts";
import { ignore, invalidState } from "../stream_channel/errors.ts";
import { Channel } from "../web_socket/channel.ts";
import { ChannelCore } from "../web_socket/channel_core.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { closeAs, closeLike } from "../web_socket/close_like.ts";
import type { IncomingMessage } from "../web_socket/incoming_message.ts";
import { PassingOn } from "../web_socket/passing_on.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";

/**
 * Connects two channels in both directions, as a reverse proxy does. Each message goes to the other channel unchanged,
 * as text or bytes. When one side has no room, reading from the other pauses. Don't read either channel elsewhere.
 *
 * When one channel ends, the other one sends what it got and closes with the same code and reason, or without a code if
 * there was none. If the connection was lost or could not be opened, there is no code to send. A server's channel then
 * closes with 1014 (bad gateway), any other one with 1011. A code that the other transport can't send is left out;
 * connect with `require: ["allCloseCodes"]` where Deno's own `WebSocket` would be used.
 *
 * With `streamLargerThan`, messages that arrive in parts are forwarded while they arrive, with backpressure. If the
 * connection ends within a message, the other channel ends as usual. Both transports then need the capability
 * `messageStreams`, and neither sink may be transformed.
 *
 * A message that the other channel rejects closes both with 1011, and `closed.error` says why. A transformed channel
 * may reject messages, and any channel rejects them while your `addStream` uses its sink. The end of the other channel
 * ends such an `addStream`, and cancels its source.
 *
 * @param a One channel, connecting or open.
 * @param b The other channel, connecting or open.
 * @returns A promise that fulfils when both channels have ended, with how each ended. It never rejects.
 * @throws {DOMException} `InvalidStateError` when a channel has another reader, or both belong to one connection.
 * Neither is changed then.
 * @throws {TypeError} When an argument is no channel, or a channel delivers messages in parts to a transformed sink.
 * @throws {UnsupportedError} When a channel delivers messages in parts, and the other one can't send them in parts.
 *
 * @example
 * ```ts
 * import { WebSocketChannel } from "@web-socket/channel";
 * import { relay, WebSocketServer } from "@web-socket/channel/server";
 *
 * export function proxyTo(upstream: string): Promise<WebSocketServer> {
 *   return WebSocketServer.bind({
 *     handler: async (guest) => {
 *       await relay(guest, WebSocketChannel.connect(upstream));
 *     },
 *   });
 * }
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-7.4 RFC 6455 §7.4}
 */
export function relay(
  a: WebSocketChannel<Message | IncomingMessage>,
  b: WebSocketChannel<Message | IncomingMessage>,
): Promise<readonly [a: CloseInfo, b: CloseInfo]> {
  // Check both before reading either, because reading can't be undone.
  const parts = [partsOf(a), partsOf(b)];
  if (Channel.connectionOf(a as Channel) === Channel.connectionOf(b as Channel)) {
    throw invalidState("Cannot relay: both channels belong to the same connection");
  }
  Channel.checkParts(a as Channel, b as Channel);
  for (const { stream } of parts) {
    if (stream instanceof MessageStream) streamFeed.checkReader(stream);
  }
  forward(a as WebSocketChannel, b as WebSocketChannel);
  forward(b as WebSocketChannel, a as WebSocketChannel);
  return Promise.all([a.closed, b.closed]);
}

function forward(from: WebSocketChannel, to: WebSocketChannel): void {
  const passing = new PassingOn<Message>(to.sink, () => closeLike(from, to));
  const subscription = from.stream.listen((message) => {
    // The sink of a closed channel would throw.
    if (to.state === "closing" || to.state === "closed") return passing.drop(message);
    try {
      passing.add(message);
    } catch (error) {
      subscription.cancel();
      for (const channel of [from, to]) closeOnError(channel, error);
      return;
    }
    if (to.sink.hasRoom) return;
    subscription.pause();
    // `ready` also fulfils when the channel has ended.
    to.sink.ready.then(() => subscription.resume());
  }, { onError: ignore, onDone: () => passing.end() });
  // Lets the remaining messages be read and dropped.
  to.closing.then(() => subscription.resume());
}

function closeOnError(channel: WebSocketChannel, error: unknown): void {
  if (channel.state === "connecting") {
    return void channel.ready.then(() => closeOnError(channel, error), ignore);
  }
  const connection = Channel.connectionOf(channel);
  if (connection instanceof ChannelCore) connection.closeOnError(error, internalServerError);
  else closeAs(channel, internalServerError, "");
}
