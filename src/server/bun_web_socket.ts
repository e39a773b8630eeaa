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

/** What is used of Bun's server. */
export interface BunServer {
  /** Upgrades a request; `false` when it isn't one. */
  upgrade(request: Request, options: { data: never; headers: Headers }): boolean;
  /** Where a request came from. */
  requestIP(request: Request): { readonly address: string; readonly port: number } | null;
}

/** An answered upgrade of Bun's. */
export interface BunUpgradeResult<Context = unknown> {
  /** What `fetch` has to return: nothing when the request was upgraded. */
  readonly response: Response | undefined;
  /** The channel; `null` when the upgrade was refused. */
  readonly channel: ServerWebSocketChannel<Message, MessageInput, Context> | null;
}

/** The two halves that `Bun.serve` takes. */
export interface BunWebSocket<Context = unknown> {
  /**
   * Answers an upgrade request, in the server's `fetch`.
   *
   * @param request The request.
   * @param server The server.
   * @returns What `fetch` has to return, and the channel.
   */
  upgrade(request: Request, server: BunServer): Promise<BunUpgradeResult<Context>>;
  /** The handlers and settings for `Bun.serve`'s `websocket`. */
  readonly websocket: {
    /** The largest message to receive, in bytes. */
    readonly maxPayloadLength: number;
    /** After how many seconds without a sign of life a connection ends; Bun pings before. */
    readonly idleTimeout: number;
    /** Whether Bun pings. */
    readonly sendPings: boolean;
    /** How many bytes may wait to be sent before Bun drops messages: as many as can be. */
    readonly backpressureLimit: number;
    /** Whether to agree to compression. */
    readonly perMessageDeflate: boolean;
    /** A connection is open. */
    open(socket: BunServerSocket): void;
    /** A message is in. */
    message(socket: BunServerSocket, message: string | Uint8Array): void;
    /** A connection has ended. */
    close(socket: BunServerSocket, code: number, reason: string): void;
  };
}

/** What `Bun.serve` has no setting for. */
const UNSUPPORTED = [
  "pingTimeout",
  "onPing",
  "onPong",
  "autoPong",
  "streamLargerThan",
  "invalidText",
  "afterClose",
] as const;

/** The longest `idleTimeout` that Bun takes, in seconds, and the shortest but none: it clamps what is beyond. */
const MAX_IDLE = 960;
const MIN_IDLE = 8;

/**
 * Channels over Bun's own server-side WebSocket, for `Bun.serve`: with the checks of
 * {@linkcode acceptUpgrade}, and what that socket can do.
 *
 * Bun pings by itself: `pingInterval` becomes its `idleTimeout`, in whole seconds, rounded up. From 8 to 960 seconds can
 * be honoured, and 0. `compression` can be switched on for all clients, not chosen in detail or for each request. There is
 * no inbound backpressure: `maxQueueSize`
 * bounds what waits. `WebSocketServer` has all of that, on Bun, too.
 *
 * @param given See {@linkcode PlatformUpgradeOptions}. By default web pages of other hosts are refused.
 * @throws {UnsupportedError} When an option can't be honoured.
 * @throws {RangeError | TypeError | SyntaxError} When one is malformed.
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
      // Beyond it messages would be lost without a word: how much may wait is the sender's to decide.
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
    `Bun takes 0, or from ${MIN_IDLE}000 to ${MAX_IDLE}000 milliseconds, got ${pingInterval}; ` +
      "WebSocketServer and acceptUpgrade take any",
  );
}

/** Connections that other code upgraded, with other data, are ignored. */
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
