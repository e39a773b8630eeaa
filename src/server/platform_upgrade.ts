import { policyViolation } from "../../status.ts";
import { HeaderMap } from "../handshake/header_map.ts";
import type { RequestHead } from "../handshake/http_head.ts";
import { refuse } from "../handshake/server_handshake.ts";
import type { OptionKinds } from "../stream_channel/options.ts";
import type { ChannelOptions, ReceiveQueueOptions } from "../web_socket/options.ts";
import { readCompression } from "../web_socket/read_options.ts";
import type { WebSocketEventLike, WebSocketLike } from "../native/web_socket_like.ts";
import { NativeChannel } from "../native/native_channel.ts";
import { observePeer } from "../diagnostics/observed.ts";
import { Channel } from "../web_socket/channel.ts";
import type { ConnectionEvents } from "../web_socket/connection_events.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { MessageRate, type RateKind, type RateRule } from "../web_socket/message_rate.ts";
import { platform } from "../web_socket/platform.ts";
import { type Decision, refused } from "./admission.ts";
import { decideWithin } from "./decide_within.ts";
import { type ConnectionHandler, serve } from "./handler.ts";
import { ignore } from "../stream_channel/errors.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import { reportLate, reportRefused } from "./error_hook.ts";
import { inTime } from "./in_time.ts";
import { checkRateLimit } from "./rate_limit.ts";
import { ServerChannel } from "./server_channel.ts";
import {
  type AdmissionOptions,
  checkAdmission,
  DEFAULT_PING_INTERVAL,
  SERVER_KINDS,
  type ServerOptions,
} from "./server_options.ts";
import {
  isLoopback,
  type Remote,
  type ServerWebSocketChannel,
  UpgradeServerRequest,
} from "./server_request.ts";

/**
 * Options of upgrades on the platform's own server. An option that the platform can't support is an `UnsupportedError`.
 */
export interface PlatformUpgradeOptions<Context = unknown>
  extends ServerOptions<Context>, ReceiveQueueOptions {}

/** The kinds of {@linkcode PlatformUpgradeOptions}. */
export const PLATFORM_KINDS: OptionKinds<PlatformUpgradeOptions> = {
  ...SERVER_KINDS,
  maxQueueSize: "size",
};

/** The result of an upgrade. */
export interface UpgradeResult<Context = unknown> {
  /** The response that the server's handler must return. */
  readonly response: Response;
  /** The channel, connecting; `null` when the upgrade was refused. */
  readonly channel: ServerWebSocketChannel<Message, MessageInput, Context> | null;
}

/** Checked options of an upgrade on the platform's own server. */
export interface PlatformSettings extends ReturnType<typeof checkAdmission> {
  readonly channel: ChannelOptions & ReceiveQueueOptions;
  readonly handler: ConnectionHandler<never> | undefined;
  readonly pingInterval: number;
  readonly rate: RateRule | undefined;
}

/**
 * Checks the options of an upgrade on the platform's own server.
 *
 * @param options The options, read.
 * @param unsupported The options that this platform can't support; `false` and `undefined` are always allowed.
 * @throws {UnsupportedError} When one of these options is set.
 * @throws {RangeError | TypeError | SyntaxError} When an option is malformed.
 */
export function checkPlatformOptions<Context>(
  options: PlatformUpgradeOptions<Context>,
  unsupported: readonly (keyof PlatformUpgradeOptions)[],
): PlatformSettings {
  if (typeof options.compression !== "function") readCompression(options.compression);
  const { closeTimeout, highWaterMark, maxQueueSize, pingInterval } = options;
  for (const name of unsupported) {
    const value = options[name];
    // `autoPong` is the exception: only `false` changes anything.
    const asksForNothing = name === "autoPong"
      ? value !== false
      : value === false || value === "fail" || value === "drop" ||
        name === "streamLargerThan" && value === Infinity;
    if (value === undefined || asksForNothing) continue;
    throw new UnsupportedError(name, platform(), "WebSocketServer and acceptUpgrade support it");
  }
  const rate = checkRateLimit(options.rateLimit, options.onError);
  if (options.rateLimit?.action === "pause") {
    const hint =
      "a platform's socket can't be paused: use WebSocketServer, acceptUpgrade, or action: \"close\"";
    throw new UnsupportedError("rateLimit.action", platform(), hint);
  }
  const channel = { closeTimeout, highWaterMark, maxQueueSize };
  return {
    ...checkAdmission<Context>(options satisfies AdmissionOptions<Context>),
    channel,
    handler: options.handler,
    rate,
    pingInterval: pingInterval ?? DEFAULT_PING_INTERVAL,
  };
}

/** An upgrade request that the platform passes as a `Request`. */
export class PlatformUpgrade {
  readonly request: UpgradeServerRequest;
  /** The observer of the connection's events; `null` until {@linkcode decide}, or if nothing observes it. */
  observer: ConnectionEvents | null = null;
  readonly #raw: Request;
  readonly #head: RequestHead;
  /** Whether the client left before the decision. */
  #hasLeft = false;

  /**
   * Wraps a request; {@linkcode decide} looks at it.
   *
   * @param raw The platform's request.
   * @param remote The address and port that it came from.
   */
  constructor(raw: Request, remote: Pick<Remote, "address" | "port">) {
    const fields = [...raw.headers];
    this.#raw = raw;
    this.#head = {
      method: raw.method,
      // Deno's URL has the host of the target if that has one, otherwise that of the Host header; Bun's always has the
      // header's. If Host is malformed, both URLs are wrong, but the request is refused for it.
      target: raw.url,
      // A request of HTTP/2 lacks the Upgrade field, and is refused for that.
      version: "1.1",
      headers: new HeaderMap(fields),
    };
    this.request = new UpgradeServerRequest(raw.url, fields.flat(), {
      ...remote,
      scheme: /^(?:http|ws)s:/i.test(raw.url) ? "wss" : "ws",
      // The platform only reports the remote address. A client with a loopback address has connected to one.
      isLocal: isLoopback(remote.address),
    });
  }

  /**
   * Decides about the request within `handshakeTimeout`. A client that leaves in the meantime counts as refused,
   * without a report.
   */
  async decide(settings: PlatformSettings, clock: Clock): Promise<Decision> {
    const { headers } = this.#head;
    const url = (): string => this.request.shownUrl;
    this.observer = observePeer({ side: "server", transport: "native", url, headers }, clock);
    const decision = await this.#decide(settings, clock);
    if (decision.acceptance === null) settings.limits?.leave(this.request);
    if (decision.acceptance === null && !this.#hasLeft) {
      const { refusal: { status }, reason } = decision;
      this.observer?.onRefused(status, reason);
      reportRefused(settings.onRefused, { request: this.request, status, reason });
    }
    return decision;
  }

  #decide(settings: PlatformSettings, clock: Clock): Decision | Promise<Decision> {
    const decision = decideWithin(this.#head, this.request, { ...settings, compression: null });
    if (!("then" in decision)) return decision;
    const { handshakeTimeout: ms, onError } = settings;
    return inTime(decision, {
      ms,
      clock,
      signal: this.#raw.signal,
      giveUp: (isLate) => {
        if (isLate) reportLate(onError, ms, this.request);
        this.request.giveUp();
        this.#hasLeft = !isLate;
        return refused(refuse(503), "timeout");
      },
    });
  }
}

/** How long the platform may take to open an accepted upgrade if there is no `handshakeTimeout`, in milliseconds. */
const MAX_OPENING = 60_000;

/** Creates the channel of the platform's socket; the handler, if any, gets it once it is open. */
export function platformChannel<Context>(
  socket: WebSocketLike,
  { request, observer }: Pick<PlatformUpgrade, "request" | "observer">,
  settings: PlatformSettings,
  clock: Clock = systemClock,
): ServerWebSocketChannel<Message, MessageInput, Context> {
  // If the response isn't returned, Deno reports nothing about the upgrade, not even that the client has left. Without
  // a timeout, the limits would count the connection forever.
  const connectTimeout = settings.handshakeTimeout || MAX_OPENING;
  const options = { ...settings.channel, connectTimeout };
  const { rate } = settings;
  if (rate !== undefined) limitRate(socket, rate, () => channel);
  const core = Channel.connectionOf(NativeChannel.from(socket, options, clock, observer));
  const channel: ServerChannel<Message, MessageInput, Context> = new ServerChannel(core, request);
  const { handler, onError } = settings;
  core.onUnread = settings.onUnread;
  const { limits } = settings;
  if (limits !== undefined) void channel.closed.then(() => limits.leave(request));
  if (handler !== undefined) channel.ready.then(() => serve(handler, channel, onError), ignore);
  return channel;
}

/**
 * Counts a socket's messages before its channel gets them. The socket can't be paused, so `"pause"` counts as
 * `"close"`.
 */
function limitRate(socket: WebSocketLike, rule: RateRule, channelOf: () => WebSocketChannel): void {
  const rate = new MessageRate(rule, systemClock);
  const isWithin = (kind: RateKind, amount: number): boolean => {
    const channel = channelOf();
    if (rate.take(kind, amount, channel) === "allow") return true;
    Channel.coreOf(channel)?.closeOnError(rate.errorOf(kind), policyViolation);
    return false;
  };
  const add = socket.addEventListener.bind(socket);
  socket.addEventListener = (type: string, listener: (event: WebSocketEventLike) => void) => {
    if (type !== "message") return add(type, listener);
    add(type, (event: WebSocketEventLike) => {
      if (channelOf().state !== "open") return listener(event);
      const size = rule.bytes === undefined ? 0 : sizeOf(event.data);
      if (isWithin("bytes", size) && isWithin("messages", 1)) listener(event);
    });
  };
}

/** Returns the size of a message in bytes; text counts as UTF-8. */
function sizeOf(data: unknown): number {
  return typeof data === "string"
    ? new TextEncoder().encode(data).length
    : (data as ArrayBuffer).byteLength;
}

/** Returns what `take` returns; if it throws, cleans up and rethrows. */
export function taken<T>(take: () => T, cleanUp: () => void): T {
  try {
    return take();
  } catch (error) {
    cleanUp();
    throw error;
  }
}
