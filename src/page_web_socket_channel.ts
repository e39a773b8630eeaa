import { signKey } from "./handshake/accept_key.ts";
import type { ConnectFailure } from "./native/connect_failure.ts";
import { missingFrom, unsupported } from "./native/missing.ts";
import type {
  NativeWebSocketChannel as NativeWebSocketChannelInstance,
  NativeWebSocketChannelStatic,
} from "./native/native_web_socket_channel.ts";
import type { SocketKnowledge } from "./native/native_transport.ts";
import { SocketChannel } from "./native/socket_channel.ts";
import { messageOf } from "./realm/kinds.ts";
import { checkOption } from "./stream_channel/options.ts";
import { NO_CAPABILITIES } from "./web_socket/capabilities.ts";
import { systemClock } from "./web_socket/clock.ts";
import { parseProtocols, parseUrl } from "./web_socket/connect_url.ts";
import { CONNECT_KINDS, type ConnectOptions, readClientKinds } from "./web_socket/options.ts";
import { connectOverLater, type LaterOptions, overLater } from "./web_socket/over_later.ts";
import type {
  Message,
  WebSocketChannel as WebSocketChannelInstance,
} from "./web_socket/web_socket_channel.ts";
import type { MessageInput } from "./web_socket/web_socket_sink.ts";
import type { WebSocketChannelStatic } from "./web_socket_channel.ts";

/** What is known of a page's own `WebSocket`. */
const PAGES: SocketKnowledge = {
  capabilities: NO_CAPABILITIES,
  readFailure,
  create: ({ url, protocols }) => new WebSocket(url.href, [...protocols]),
};

function readFailure(cause: unknown): ConnectFailure {
  const message = typeof cause === "string" ? cause : messageOf(cause);
  return { fault: message === "" ? UNREPORTED : message, known: {} };
}

const UNREPORTED = "the connection could not be opened, and the platform does not report why";

function connectWith(url: string | URL, options: ConnectOptions): SocketChannel {
  const target = parseUrl(url);
  const protocols = parseProtocols(options.protocols);
  const { username, password } = target;
  const { headers = [], transport } = options;
  // Not looked into: a page can't send any.
  const hasHeaders = username + password !== "" || !isEmpty(headers);
  target.username = target.password = "";
  const missing = transport === "net"
    ? transport
    : typeof WebSocket !== "function"
    ? "WebSocket"
    : missingFrom(options, hasHeaders, { ...PAGES, compresses: true });
  if (missing === null) {
    const request = { url: target, protocols, headers: [] };
    return SocketChannel.connect(request, options, systemClock, PAGES);
  }
  return SocketChannel.failed(unsupported(missing, options), { url: target, clock: systemClock });
}

function isEmpty(headers: object): boolean {
  return (Symbol.iterator in headers ? [...headers as Iterable<unknown>] : Object.keys(headers))
    .length === 0;
}

function connect(url: string | URL, given?: ConnectOptions): SocketChannel {
  return connectWith(url, readClientKinds(given, CONNECT_KINDS));
}

const from: NativeWebSocketChannelStatic["from"] = (socket, options) =>
  SocketChannel.from(socket, options, systemClock, readFailure);

/** Makes channels over a page's own `WebSocket`. See `./native`. */
export const NativeWebSocketChannel: NativeWebSocketChannelStatic = {
  connect(url, given) {
    const options = readClientKinds(given, CONNECT_KINDS);
    if (options.transport === "net") checkOption("transport", "net", '"auto"|"native"');
    return connectWith(url, options);
  },
  from,
};

/** A channel over a page's own `WebSocket`, or any socket with its interface. */
export type NativeWebSocketChannel = NativeWebSocketChannelInstance;

/** What speaks the protocol is loaded when it is first wanted. */
const LATER: LaterOptions = { load: () => import("./web_socket/loaded_over.ts") };

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
