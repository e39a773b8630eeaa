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
 * Joins two channels both ways, as a reverse proxy does: each message goes to the other one as it came, text or
 * bytes. A side that takes no more stops the other's reading. Don't read either of them elsewhere.
 *
 * When one ends, the other is closed behind what was sent to it, with the same code and reason. Without a code it is
 * closed without one. A connection that was lost, or could not be opened, has none that could be sent: a server's
 * channel then closes with 1014 (bad gateway), any other one with 1011. A code that the other one's transport can't
 * send is left out: connect with `require: ["allCloseCodes"]` where Deno's own `WebSocket` would be used.
 *
 * A message that a channel with `streamLargerThan` delivers in parts is sent on while it arrives, with backpressure. One
 * that breaks off ends the other channel as any end does. Both channels' transports need the capability
 * `messageStreams` then, and neither sink may be transformed.
 *
 * A message that the other one doesn't take closes both with 1011; `closed.error` is why. A channel that was transformed
 * may not take all messages, and none takes any while an `addStream` of yours has its sink. The end of the other channel
 * ends such an `addStream`, and cancels its source.
 *
 * @param a One channel; it may be connecting still.
 * @param b The other one.
 * @returns A promise that fulfils when both have ended, with how each ended. It never rejects.
 * @throws {DOMException} `InvalidStateError` when one of them has another reader, or both are of one connection:
 * neither is changed then.
 * @throws {TypeError} When one of them is no channel, or delivers messages in parts to a transformed sink.
 * @throws {UnsupportedError} When one of them delivers messages in parts, and the other one can't send them so.
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
  // Both before either is read: who has read once can't give that back.
  const parts = [partsOf(a), partsOf(b)];
  if (Channel.connectionOf(a as Channel) === Channel.connectionOf(b as Channel)) {
    throw invalidState("Cannot relay: both channels are of one connection");
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
    // Closed by this side meanwhile, its sink would throw.
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
    // It fulfils when the channel has ended as well.
    to.sink.ready.then(() => subscription.resume());
  }, { onError: ignore, onDone: () => passing.end() });
  // What is left has nowhere to go.
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
