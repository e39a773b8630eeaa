import { signKey } from "./handshake/accept_key.ts";
import { connect, from } from "./page/native_web_socket_channel.ts";
import { connectOverLater, type LaterOptions, overLater } from "./web_socket/over_later.ts";
import type {
  Message,
  WebSocketChannel as WebSocketChannelInstance,
} from "./web_socket/web_socket_channel.ts";
import type { MessageInput } from "./web_socket/web_socket_sink.ts";
import type { WebSocketChannelStatic } from "./web_socket_channel.ts";

/** What speaks the protocol is loaded when it is first wanted. */
const LATER: LaterOptions = { load: () => import("./page/loaded_over.ts") };

/**
 * Makes {@linkcode WebSocketChannel}s in a page: nothing in it dials, and what no page can do it doesn't look
 * into. What `over` and `connectOver` need is loaded when one of them is first called; they don't compress.
 */
export const WebSocketChannel: WebSocketChannelStatic = {
  connect,
  async open(url, options) {
    const channel = connect(url, options);
    await channel.ready;
    return channel;
  },
  from,
  over: (bytes, options) => overLater(bytes, options, LATER),
  connectOver: (bytes, url, options) => connectOverLater(bytes, url, options, LATER),
  signKey,
};

/**
 * A connection to a WebSocket peer: a stream of incoming messages, a sink for outgoing ones, and a
 * `closed` promise that reports how the connection ended. {@linkcode WebSocketChannelInstance} has its
 * members.
 *
 * @typeParam In What it gives: messages, unless it is transformed.
 * @typeParam Out What it takes.
 */
export type WebSocketChannel<In = Message, Out = MessageInput> = WebSocketChannelInstance<In, Out>;
