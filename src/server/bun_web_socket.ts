import { readOptions } from "../stream_channel/options.ts";
import { claim } from "./claim.ts";
import { systemClock } from "../web_socket/clock.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import { DEFAULT_MAX_MESSAGE_SIZE } from "../web_socket/options.ts";
import { type BunServerSocket, BunSocket } from "./bun_socket.ts";
import { HANDLERS } from "./handler.ts";
import {
  checkPlatformOptions,
  PLATFORM_KINDS,
  platformChannel,
  PlatformUpgrade,
  type PlatformUpgradeOptions,
  taken,
} from "./platform_upgrade.ts";
import { refuse } from "../handshake/server_handshake.ts";
import { refusalResponse } from "./refusals.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import type { ServerWebSocketChannel } from "./server_request.ts";
import { reportRefused } from "./error_hook.ts";

export type { BunServerSocket } from "./bun_socket.ts";

/** The part of Bun's server that this package uses. */
export interface BunServer {
  /** Upgrades a request; returns `false` if it isn't an upgrade request. */
  upgrade(request: Request, options: { data: never; headers: Headers }): boolean;
  /** Returns the address and port that a request came from. */
  requestIP(request: Request): { readonly address: string; readonly port: number } | null;
}

/** The result of an upgrade on Bun. */
export interface BunUpgradeResult<Context = unknown> {
  /** What `fetch` must return: `undefined` when the request was upgraded. */
  readonly response: Response | undefined;
  /** The channel; `null` when the upgrade was refused. */
  readonly channel: ServerWebSocketChannel<Message, MessageInput, Context> | null;
}

/** The function and the handlers that {@linkcode bunWebSocket} creates for `Bun.serve`. */
export interface BunWebSocket<Context = unknown> {
  /**
   * Answers an upgrade request, in the server's `fetch`.
   *
   * @param request The request.
   * @param server The server.
   * @returns What `fetch` must return, and the channel.
   */
  upgrade(request: Request, server: BunServer): Promise<BunUpgradeResult<Context>>;
  /** The handlers and settings for `Bun.serve`'s `websocket`. */
  readonly websocket: {
    /** The maximum size of a received message, in bytes. */
    readonly maxPayloadLength: number;
    /** After how many seconds of silence Bun ends a connection; it pings before that. */
    readonly idleTimeout: number;
    /** Whether Bun pings. */
    readonly sendPings: boolean;
    /** How many bytes Bun queues for sending before it drops messages: the maximum. */
    readonly backpressureLimit: number;
    /** Whether to agree on compression. */
    readonly perMessageDeflate: boolean;
    /** Called when a connection has opened. */
    open(socket: BunServerSocket): void;
    /** Called with each message. */
    message(socket: BunServerSocket, message: string | Uint8Array): void;
    /** Called when a connection has ended. */
    close(socket: BunServerSocket, code: number, reason: string): void;
  };
}

/** Options for which `Bun.serve` has no setting. */
const UNSUPPORTED = [
  "pingTimeout",
  "onPing",
  "onPong",
  "autoPong",
  "streamLargerThan",
  "invalidText",
  "afterClose",
] as const;

/** The maximum `idleTimeout` of Bun, in seconds. Bun clamps values beyond it, and below `MIN_IDLE` except for 0. */
const MAX_IDLE = 960;
const MIN_IDLE = 8;

/**
 * Creates channels over Bun's own server-side WebSocket, for `Bun.serve`. They have the checks of
 * {@linkcode acceptUpgrade}, and the abilities of Bun's socket.
 *
 * Bun pings by itself: `pingInterval` becomes its `idleTimeout`, rounded up to whole seconds. It supports 0, and 8 to
 * 960 seconds. `compression` can only be on or off for all clients. There is no incoming backpressure: `maxQueueSize`
 * limits the received messages that are queued. `WebSocketServer` supports all of this on Bun, too.
 *
 * @param given See {@linkcode PlatformUpgradeOptions}. By default web pages of other hosts are refused.
 * @returns `upgrade` to call in `fetch`, and `websocket` to pass to `Bun.serve`.
 * @throws {UnsupportedError} When Bun can't support an option.
 * @throws {RangeError | TypeError | SyntaxError} When an option is malformed.
 *
 * @example
 * ```ts ignore
 * import { bunWebSocket } from "@web-socket/channel/server";
 *
 * const { upgrade, websocket } = bunWebSocket();
 * Bun.serve({
 *   async fetch(request, server) {
 *     const { response, channel } = await upgrade(request, server);
 *     channel?.stream.listen((message) => channel.sink.add(message));
 *     return response;
 *   },
 *   websocket,
 * });
 * ```
 */
export function bunWebSocket<Context = undefined>(
  given?: PlatformUpgradeOptions<Context>,
): BunWebSocket<Context> {
  const options = readOptions(given, PLATFORM_KINDS, { elsewhere: HANDLERS });
  const detailed = typeof options.compression === "boolean" ? [] : ["compression"] as const;
  const settings = checkPlatformOptions(options, [...UNSUPPORTED, ...detailed]);
  const { maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE, compression } = options;
  const { pingInterval } = settings;
  return {
    upgrade: (request, server) => upgrade(request, server, settings),
    websocket: {
      maxPayloadLength: Math.min(maxMessageSize, 0x7fff_ffff),
      idleTimeout: idleTimeoutOf(pingInterval),
      sendPings: pingInterval !== 0,
      // Bun silently drops messages beyond this limit. How much may be queued is up to the sender.
      backpressureLimit: 0x7fff_ffff,
      perMessageDeflate: compression === true,
      open: (socket) => socketOf(socket)?.onOpen(socket),
      message: (socket, message) => socketOf(socket)?.onMessage(message),
      close: (socket, code, reason) => socketOf(socket)?.onClose(code, reason),
    },
  };
}

function idleTimeoutOf(pingInterval: number): number {
  const seconds = Math.ceil(pingInterval / 1000);
  if (seconds === 0 || seconds >= MIN_IDLE && seconds <= MAX_IDLE) return seconds;
  throw new UnsupportedError(
    "pingInterval",
    platform(),
    `Bun supports 0, or ${MIN_IDLE}000 to ${MAX_IDLE}000 milliseconds, got ${pingInterval}; ` +
      "WebSocketServer and acceptUpgrade support any interval",
  );
}

/** Returns the socket of a connection; `null` for connections that other code upgraded. */
function socketOf({ data }: BunServerSocket): BunSocket | null {
  return data instanceof BunSocket ? data : null;
}

async function upgrade<Context>(
  request: Request,
  server: BunServer,
  settings: ReturnType<typeof checkPlatformOptions>,
): Promise<BunUpgradeResult<Context>> {
  claim(request);
  const remote = server.requestIP(request);
  const pending = new PlatformUpgrade(request, {
    address: remote?.address ?? null,
    port: remote?.port ?? null,
  });
  const { acceptance, refusal } = await pending.decide(settings, systemClock);
  if (acceptance === null) return { response: refusalResponse(refusal), channel: null };
  const { protocol } = acceptance;
  const headers = new Headers();
  for (const [name, value] of acceptance.headers) headers.append(name, value);
  if (protocol !== null) headers.set("Sec-WebSocket-Protocol", protocol);
  const socket = new BunSocket(protocol ?? "");
  const channel = platformChannel<Context>(socket, pending, settings);
  const isUpgraded = taken(
    () => server.upgrade(request, { data: socket as never, headers }),
    () => channel.terminate(),
  );
  if (isUpgraded) return { response: undefined, channel };
  channel.terminate();
  pending.observer?.onRefused(400, "malformed");
  reportRefused(settings.onRefused, { request: pending.request, status: 400, reason: "malformed" });
  return { response: refusalResponse(refuse(400)), channel: null };
}
