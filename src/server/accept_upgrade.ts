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

/** What is used of the request that `node:http`'s `upgrade` event gives: its `IncomingMessage`. */
export interface UpgradeRequestMessage {
  /** The method. */
  readonly method?: string | undefined;
  /** The target: path and query. */
  readonly url?: string | undefined;
  /** The version of HTTP, such as `"1.1"`. */
  readonly httpVersion: string;
  /** Header names and values alternately, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Options of {@linkcode acceptUpgrade}. */
export interface AcceptUpgradeOptions<Context = unknown> extends ServerOptions<Context> {
  /** Gives up, with a 503, when it aborts before the upgrade is answered. */
  signal?: AbortSignal | undefined;
}

/** The kinds of {@linkcode AcceptUpgradeOptions}. */
export const ACCEPT_KINDS: OptionKinds<AcceptUpgradeOptions> = {
  ...SERVER_KINDS,
  signal: "AbortSignal",
};

/**
 * Answers an upgrade request of a `node:http` or `node:https` server, and so of every framework on
 * top of one, on Node, Deno and Bun.
 *
 * The socket belongs to the channel from then on, also when the request is refused: it is then
 * answered with its status and `Connection: close`, and the socket is destroyed. Call this from the
 * server's `upgrade` event, at once.
 *
 * A client may send an upgrade right behind other requests. The channel then stays connecting until the
 * server has answered those.
 *
 * @param request The event's first argument.
 * @param socket The event's second argument: the connection.
 * @param head The event's third argument: what came behind the request. It isn't lost.
 * @param given See {@linkcode AcceptUpgradeOptions}. By default web pages of other hosts are
 * refused.
 * @returns A channel that is connecting; `ready` rejects when the upgrade is refused, with a
 * `ConnectError` whose `status` is what the client got, or when the client is gone.
 * @throws {RangeError | TypeError | SyntaxError} When an option is malformed; the socket is untouched
 * then.
 * @throws {DOMException} `InvalidStateError` when `acceptUpgrade` was called with this socket before; the
 * first call's channel is not affected.
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

/** What an `upgrade` event gives. */
export interface UpgradeEvent {
  readonly request: UpgradeRequestMessage;
  readonly socket: UpgradeSocket;
  readonly head: Uint8Array;
}

/** {@linkcode acceptUpgrade} with options that were checked before. */
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
