import { HeaderMap } from "../handshake/header_map.ts";
import type { RequestHead } from "../handshake/http_head.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import { claimSocket } from "./claim.ts";
import { HANDLERS, serve } from "./handler.ts";
import { UPGRADING } from "./pending_upgrade.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";
import { ServerChannel, type UpgradeExtra } from "./server_channel.ts";
import {
  checkServerOptions,
  SERVER_KINDS,
  type ServerOptions,
  type ServerSettings,
} from "./server_options.ts";
import {
  type ServerWebSocketChannel,
  SocketRemote,
  UpgradeServerRequest,
} from "./server_request.ts";

/** The part of an `IncomingMessage` that this package uses; the `upgrade` event of `node:http` passes it. */
export interface UpgradeRequestMessage {
  /** The HTTP method, such as `"GET"`. */
  readonly method?: string | undefined;
  /** The request target: path and query. */
  readonly url?: string | undefined;
  /** The version of HTTP, such as `"1.1"`. */
  readonly httpVersion: string;
  /** Header names and values alternately, as received. */
  readonly rawHeaders: readonly string[];
}

/** Options of {@linkcode acceptUpgrade}. */
export interface AcceptUpgradeOptions<Context = unknown> extends ServerOptions<Context> {
  /** Refuses the upgrade with 503 if it aborts before the upgrade is answered. */
  signal?: AbortSignal | undefined;
}

/** The kinds of {@linkcode AcceptUpgradeOptions}. */
export const ACCEPT_KINDS: OptionKinds<AcceptUpgradeOptions> = {
  ...SERVER_KINDS,
  signal: "AbortSignal",
};

/**
 * Answers an upgrade request of a `node:http` or `node:https` server, or of a framework on top of one, on Node, Deno
 * and Bun.
 *
 * The channel owns the socket from then on. If it refuses the request, it answers with the status and `Connection:
 * close`, and destroys the socket. Call this synchronously from the server's `upgrade` event.
 *
 * A client may send an upgrade right after other requests. The channel then stays connecting until the server has
 * answered those.
 *
 * @param request The event's first argument.
 * @param socket The event's second argument: the connection.
 * @param head The event's third argument: what the client sent after the request. The channel receives it.
 * @param given See {@linkcode AcceptUpgradeOptions}. By default the channel refuses web pages of other hosts.
 * @returns A channel that is connecting. Its `ready` rejects with a `ConnectError` when the upgrade is refused, whose
 * `status` is what the client got, or when the client has left.
 * @throws {RangeError | TypeError | SyntaxError} When an option is malformed; the socket is then unchanged.
 * @throws {DOMException} `InvalidStateError` when `acceptUpgrade` was called with this socket before. The channel of
 * the first call is not affected.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { acceptUpgrade } from "@web-socket/channel/server";
 *
 * const server = createServer((_request, response) => response.end("hello"));
 * server.on("upgrade", (request, socket, head) => {
 *   const channel = acceptUpgrade(request, socket, head, { protocols: ["chat"] });
 *   channel.stream.listen((message) => channel.sink.add(message));
 * });
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2 RFC 6455 §4.2}
 */
export function acceptUpgrade<Context = undefined>(
  request: UpgradeRequestMessage,
  socket: UpgradeSocket,
  head: Uint8Array,
  given?: AcceptUpgradeOptions<Context>,
): ServerWebSocketChannel<Message, MessageInput, Context> {
  const options = readOptions(given, ACCEPT_KINDS, { elsewhere: HANDLERS });
  const settings = checkServerOptions(options);
  const { handler, onError } = settings;
  const channel = accept({ request, socket, head }, settings, systemClock, {
    signal: options.signal,
    onOpen: handler && ((it) => void serve(handler, it, onError)),
  });
  return channel as ServerChannel<Message, MessageInput, Context>;
}

/** The arguments of an `upgrade` event. */
export interface UpgradeEvent {
  readonly request: UpgradeRequestMessage;
  readonly socket: UpgradeSocket;
  readonly head: Uint8Array;
}

/** Does the work of {@linkcode acceptUpgrade}, with checked options. */
export function accept(
  { request, socket, head: early }: UpgradeEvent,
  settings: ServerSettings,
  clock: Clock,
  extra: UpgradeExtra = {},
): ServerChannel {
  const { method = "", url: target = "", httpVersion: version, rawHeaders } = request;
  const head: RequestHead = { method, target, version, headers: HeaderMap.ofRaw(rawHeaders) };
  const upgrade = {
    head,
    request: new UpgradeServerRequest(target, rawHeaders, new SocketRemote(socket, "ws")),
    socket,
    early,
    answering: UPGRADING,
  };
  claimSocket(socket);
  return ServerChannel.accept(upgrade, settings, clock, extra);
}
