import { signKey } from "./handshake/accept_key.ts";
import { unsupported } from "./native/missing.ts";
import {
  connectNative,
  failedNative,
  NativeWebSocketChannel,
} from "./native/native_web_socket_channel.ts";
import { parseConnect } from "./web_socket/connect_request.ts";
import { UnsupportedError } from "./web_socket/errors.ts";
import type { ConnectOptions } from "./web_socket/options.ts";
import { readConnectOptions } from "./web_socket/read_options.ts";
import { connectOverLater, type LaterOptions, overLater } from "./web_socket/over_later.ts";
import { platform } from "./web_socket/platform.ts";
import type {
  Message,
  WebSocketChannel as WebSocketChannelInstance,
} from "./web_socket/web_socket_channel.ts";
import type { MessageInput } from "./web_socket/web_socket_sink.ts";
import type { WebSocketChannelStatic } from "./web_socket_channel.ts";

function connect(url: string | URL, given?: ConnectOptions): WebSocketChannelInstance {
  const options = readConnectOptions(given);
  const request = parseConnect(url, options);
  if (options.transport !== "net") return connectNative(request, options);
  const error = platform() === "browser"
    ? unsupported("net", options)
    : new UnsupportedError("net", platform(), ELSEWHERE);
  return failedNative(error, request);
}

const ELSEWHERE =
  "This entry has only the platform's own WebSocket: import WebSocketChannel from the main entry";

/** How to load the code of the protocol, on its first use. */
const LATER: LaterOptions = { load: () => import("./web_socket/loaded_over.ts") };

/**
 * Creates {@linkcode WebSocketChannel}s, without code for TCP connections. The code for `over` and `connectOver` is
 * loaded on their first call; they don't compress.
 */
export const WebSocketChannel: WebSocketChannelStatic = {
  connect,
  async open(url, options) {
    const channel = connect(url, options);
    await channel.ready;
    return channel;
  },
  from: (socket, options) => NativeWebSocketChannel.from(socket, options),
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
