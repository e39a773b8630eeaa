import { signKey } from "./handshake/accept_key.ts";
import { connect, from } from "./page/native_web_socket_channel.ts";
import { connectOverLater, type LaterOptions, overLater } from "./web_socket/over_later.ts";
import type {
  Message,
  WebSocketChannel as WebSocketChannelInstance,
} from "./web_socket/web_socket_channel.ts";
import type { MessageInput } from "./web_socket/web_socket_sink.ts";
import type { WebSocketChannelStatic } from "./web_socket_channel.ts";

/** How to load the code of the protocol, on its first use. */
const LATER: LaterOptions = { load: () => import("./page/loaded_over.ts") };

/**
 * Creates {@linkcode WebSocketChannel}s in a page. It has no code for TCP connections, and doesn't check options that
 * no page supports. The code for `over` and `connectOver` is loaded on their first call; they don't compress.
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
 * A connection to a WebSocket peer: a stream of incoming messages, a sink for outgoing ones, and a `closed`
 * promise that reports how the connection ended. {@linkcode WebSocketChannelInstance} has its members.
 *
 * @typeParam In The type of received messages.
 * @typeParam Out The type of outgoing messages.
 */
export type WebSocketChannel<In = Message, Out = MessageInput> = WebSocketChannelInstance<In, Out>;
