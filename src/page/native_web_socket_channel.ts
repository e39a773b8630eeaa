import type { ConnectFailure } from "../native/connect_failure.ts";
import { missingFrom, unsupported } from "../native/missing.ts";
import type { SocketKnowledge } from "../native/native_transport.ts";
import type {
  NativeWebSocketChannel as NativeWebSocketChannelInstance,
  NativeWebSocketChannelStatic,
} from "../native/native_web_socket_channel.ts";
import { SocketChannel } from "../native/socket_channel.ts";
import { messageOf } from "../realm/kinds.ts";
import { checkOption } from "../stream_channel/options.ts";
import { NO_CAPABILITIES } from "../web_socket/capabilities.ts";
import { systemClock } from "../web_socket/clock.ts";
import { parseProtocols, parseUrl } from "../web_socket/connect_url.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import { CONNECT_KINDS, type ConnectOptions, readClientKinds } from "../web_socket/options.ts";

/** The knowledge about a page's own `WebSocket`. */
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

function connectWith(
  url: string | URL,
  options: ConnectOptions,
  create: SocketKnowledge["create"] = PAGES.create,
): SocketChannel {
  const target = parseUrl(url);
  const protocols = parseProtocols(options.protocols);
  const { username, password } = target;
  const { headers = [], transport } = options;
  // Their contents don't matter, because a page can't send any.
  const hasHeaders = username + password !== "" || !isEmpty(headers);
  target.username = target.password = "";
  const missing = transport === "net"
    ? transport
    : typeof WebSocket !== "function"
    ? "WebSocket"
    : missingFrom(options, hasHeaders, { ...PAGES, compresses: true });
  if (missing === null) {
    const request = { url: target, protocols, headers: [] };
    return SocketChannel.connect(request, options, systemClock, { ...PAGES, create });
  }
  // Node may use this entry as well: Jest's jsdom selects the condition `browser`.
  const error = missing === "net" && platform() !== "browser"
    ? new UnsupportedError(missing, platform(), ELSEWHERE)
    : unsupported(missing, options);
  return SocketChannel.failed(error, { url: target, clock: systemClock });
}

const ELSEWHERE = "This entry is for pages: resolve the package without the condition browser";

function isEmpty(headers: object): boolean {
  return (Symbol.iterator in headers ? [...headers as Iterable<unknown>] : Object.keys(headers))
    .length === 0;
}

/** Does the work of `WebSocketChannel.connect`. */
export function connect(url: string | URL, given?: ConnectOptions): SocketChannel {
  return connectWith(url, readClientKinds(given, CONNECT_KINDS));
}

/** Connects as {@linkcode connect} does, with sockets from another source than the global `WebSocket`. */
export function connectBy(
  create: SocketKnowledge["create"],
  url: URL,
  options: ConnectOptions,
): SocketChannel {
  return connectWith(url, readClientKinds(options, CONNECT_KINDS), create);
}

/** Does the work of `WebSocketChannel.from`. */
export const from: NativeWebSocketChannelStatic["from"] = (socket, options) =>
  SocketChannel.from(socket, options, systemClock, readFailure);

/** Creates channels over a page's own `WebSocket`. */
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
