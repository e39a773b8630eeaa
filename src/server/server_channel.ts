import { badGateway } from "../../status.ts";
import { type Acceptance, type Refusal, refuse } from "../handshake/server_handshake.ts";
import type { RequestHead } from "../handshake/http_head.ts";
import { nameOf } from "../realm/kinds.ts";
import { type Capabilities, NO_CAPABILITIES } from "../web_socket/capabilities.ts";
import { Channel } from "../web_socket/channel.ts";
import { ChannelCore, type ChannelIdentity, type Opener } from "../web_socket/channel_core.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import { ConnectError } from "../web_socket/errors.ts";
import { endsEarly } from "../web_socket/peer_ending.ts";
import { observePeer } from "../diagnostics/observed.ts";
import { MessageRate } from "../web_socket/message_rate.ts";
import { speak } from "../web_socket/speaking.ts";
import type { ChannelParts } from "../stream_channel/channel_like.ts";
import { streamFeed } from "../stream_channel/channel_stream.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { closeUnasked, type MessageInput } from "../web_socket/web_socket_sink.ts";
import type { Decision, Refused } from "./admission.ts";
import { decideWithin } from "./decide_within.ts";
import { type RefusalReason, reportLate, reportRefused } from "./error_hook.ts";
import type { Wire } from "../web_socket/wire.ts";
import { type Answering, isFree, PendingUpgrade } from "./pending_upgrade.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";
import type { ServerSettings } from "./server_options.ts";
import { type ServerWebSocketChannel, UpgradeServerRequest } from "./server_request.ts";

/** An upgrade request and its connection, from which a {@linkcode ServerChannel} is created. */
export interface Upgrade {
  readonly head: RequestHead;
  readonly request: UpgradeServerRequest;
  readonly socket: UpgradeSocket;
  /** What the client sent after the request. */
  readonly early: Uint8Array;
  /** How to answer the request. */
  readonly answering: Answering;
}

/** Further settings of one upgrade. */
export interface UpgradeExtra {
  /** Aborts the upgrade while it is connecting. */
  readonly signal?: AbortSignal | undefined;
  /** A refusal that is already certain before the request is checked. */
  readonly refused?: Refused | undefined;
  /** Called once when the channel is open, before it reads anything. */
  readonly onOpen?: ((channel: ServerChannel) => void) | undefined;
  /** Called once when the channel has ended. */
  readonly onClosed?: ((channel: WebSocketChannel) => void) | undefined;
  /** Whether the channel waits in a queue until `ServerChannel.taken` is called. */
  readonly isQueued?: boolean | undefined;
}

/**
 * How long to delay the end of a channel that the program hasn't taken from the server, if it has received messages, in
 * milliseconds. Within this time the messages can still be answered.
 */
const MAX_UNTAKEN = 10_000;

/** The capabilities of a server's channel. */
const CAPABILITIES: Capabilities = Object.freeze({
  ...NO_CAPABILITIES,
  ping: true,
  terminate: true,
  inboundBackpressure: true,
  messageLimit: true,
  compressionOptions: true,
  allCloseCodes: true,
  messageStreams: true,
});

/** The identity that all channels of a server share; each has the URL of its request. */
const IDENTITY: ChannelIdentity = {
  transport: "server",
  capabilities: CAPABILITIES,
  url: () => "",
  // A server that forwards to another one is a gateway.
  closeCodeOf: (error) => error instanceof ConnectError ? badGateway : undefined,
};

/** The channel of a server's end of a connection, over our own protocol or the platform's socket. */
export class ServerChannel<In = Message, Out = MessageInput, Context = unknown>
  extends Channel<In, Out>
  implements ServerWebSocketChannel<In, Out, Context> {
  readonly request: UpgradeServerRequest;
  declare transform: ServerWebSocketChannel<In, Out, Context>["transform"];
  declare transformStream: ServerWebSocketChannel<In, Out, Context>["transformStream"];
  declare transformSink: ServerWebSocketChannel<In, Out, Context>["transformSink"];
  declare changeStream: ServerWebSocketChannel<In, Out, Context>["changeStream"];
  declare changeSink: ServerWebSocketChannel<In, Out, Context>["changeSink"];
  declare cast: ServerWebSocketChannel<In, Out, Context>["cast"];

  /**
   * Creates the channel of a connection.
   *
   * @param core The core of the channel.
   * @param request The upgrade request.
   * @param derived The stream and the sink, if the channel is transformed.
   */
  constructor(
    core: ChannelCore,
    request: UpgradeServerRequest,
    derived: ChannelParts<In, Out> | null = null,
  ) {
    super(core, derived);
    this.request = request;
  }

  get context(): Context {
    return UpgradeServerRequest.contextOf(this.request) as Context;
  }

  override get url(): string {
    return this.request.shownUrl;
  }

  override get connectionInfo(): ConnectionInfo | null {
    if (super.connectionInfo !== null || this.state === "connecting") return super.connectionInfo;
    const { remoteAddress, remotePort } = this.request;
    return {
      remoteAddress,
      remotePort,
      localAddress: null,
      localPort: null,
      proxy: null,
      tls: null,
    };
  }

  static override derive<NewIn, NewOut>(
    channel: ServerChannel,
    parts: ChannelParts<NewIn, NewOut>,
  ): ServerChannel<NewIn, NewOut> {
    return new ServerChannel(Channel.connectionOf(channel), channel.request, parts);
  }

  /**
   * Creates a channel that is connecting, and answers the request: synchronously if possible, otherwise when the user's
   * functions have answered.
   *
   * @param upgrade The request and its connection.
   * @param settings The server's options.
   * @param clock The clock for all timeouts.
   * @param extra Further settings of this upgrade.
   */
  static accept(
    upgrade: Upgrade,
    settings: ServerSettings,
    clock: Clock,
    extra: UpgradeExtra = {},
  ): ServerChannel {
    const core = new ChannelCore(settings.channel, clock, IDENTITY);
    const channel = new ServerChannel(core, upgrade.request);
    const { request, head } = upgrade;
    const url = (): string => request.shownUrl;
    const known = { side: "server", transport: "server", url, headers: head.headers } as const;
    core.observer = observePeer(known, clock);
    core.onClosed = extra.onClosed ?? null;
    const { limits } = settings;
    if (limits !== undefined) {
      core.onClosed = (it) => {
        limits.leave(upgrade.request);
        extra.onClosed?.(it);
      };
    }
    core.onUnread = settings.onUnread;
    if (extra.isQueued) channel.#untaken = new Untaken(core);
    const { refused, signal } = extra;
    let decision: Decision | Promise<Decision> | null = refused ?? null;
    if (refused === undefined && !signal?.aborted) {
      decision = decideWithin(upgrade.head, upgrade.request, settings);
    }
    const { socket, early, answering } = upgrade;
    const acceptance = decision === null || "then" in decision ? null : decision.acceptance;
    if (acceptance !== null && !signal?.aborted && isFree(socket)) {
      speakOver(core, answering.accept(socket, acceptance, early), acceptance, settings);
      if (core.life.state === "open") extra.onOpen?.(channel);
    } else new Accepting(channel, core, { upgrade, settings, extra }).decide(decision);
    return channel;
  }

  /** Set until the user has the channel. */
  #untaken: Untaken | null = null;

  /** Called when the server passes the channel to its user, who can read it from then on. */
  static taken(channel: ServerChannel): void {
    channel.#untaken?.end();
    channel.#untaken = null;
  }

  /** Called when the channel has ended. */
  static forget(channel: ServerChannel): void {
    channel.#untaken?.forget();
    channel.#untaken = null;
  }

  /** Closes the channel. The client has `timeout` milliseconds to answer, instead of `closeTimeout`. */
  static drain(channel: ServerChannel, content: CloseArguments, timeout: number): void {
    const core = Channel.coreOf(channel);
    if (core !== null) core.closeTimeout = timeout;
    closeUnasked(channel.sink, content.code, content.reason);
  }
}

/** The contents of a Close frame. */
export interface CloseArguments {
  readonly code: number;
  readonly reason: string | undefined;
}

/** Delays the reported end of a channel until the user has it, at most for `MAX_UNTAKEN`. */
class Untaken {
  readonly #core: ChannelCore;
  #conclude: (() => void) | null = null;
  #deadline: Deadline | null = null;

  constructor(core: ChannelCore) {
    this.#core = core;
    core.onEarlyEnding = (conclude) => this.#onEarlyEnding(conclude);
  }

  #onEarlyEnding(conclude: () => void): void {
    const core = this.#core;
    if (streamFeed.queuedSize(core.incoming) === 0) {
      core.onEarlyEnding = null;
      return endsEarly(core, conclude);
    }
    this.#conclude = conclude;
    this.#deadline = new Deadline(core.clock, { ms: MAX_UNTAKEN, onTime: () => this.end() });
  }

  /** Stops the delay, because the channel has ended. */
  forget(): void {
    this.#core.onEarlyEnding = null;
    this.#conclude = null;
    this.#deadline?.clear();
  }

  /** Ends the delay: the user has the channel, or the time is up. */
  end(): void {
    const conclude = this.#conclude;
    this.forget();
    if (conclude !== null) endsEarly(this.#core, conclude);
  }
}

/** Starts the protocol, as the server, on an accepted connection, and opens the channel. */
function speakOver(
  core: ChannelCore,
  wire: Wire,
  agreement: Acceptance,
  { channel: options, traffic, rate }: ServerSettings,
): void {
  speak(core, wire, {
    side: "server",
    agreement,
    options,
    traffic,
    rate: rate && new MessageRate(rate, core.clock),
  });
}

/** An upgrade that can't be accepted synchronously. */
class Accepting implements Opener {
  readonly #channel: ServerChannel;
  readonly #core: ChannelCore;
  readonly #request: UpgradeServerRequest;
  readonly #settings: ServerSettings;
  readonly #extra: UpgradeExtra;
  #pending: PendingUpgrade | null;

  constructor(
    channel: ServerChannel,
    core: ChannelCore,
    { upgrade, settings, extra }: {
      readonly upgrade: Upgrade;
      readonly settings: ServerSettings;
      readonly extra: UpgradeExtra;
    },
  ) {
    this.#channel = channel;
    this.#core = core;
    this.#request = upgrade.request;
    this.#settings = settings;
    this.#extra = extra;
    this.#pending = new PendingUpgrade(upgrade.socket, upgrade.early, {
      events: { onGone: (cause) => this.#onGone(cause) },
      clock: core.clock,
      answering: upgrade.answering,
      handshakeTimeout: settings.handshakeTimeout,
    });
    core.opener = this;
  }

  /** Applies a decision, now or later; `null` if the signal aborted before there was one. */
  decide(decision: Decision | Promise<Decision> | null): void {
    const { refused, signal } = this.#extra;
    if (refused !== undefined) return this.#refuse(refused);
    // A synchronous decision needs no timeout.
    const isNow = decision !== null && !("then" in decision) && !signal?.aborted;
    if (isNow && this.#pending?.isFree) return this.#apply(decision);
    this.#pending?.wait();
    const connectTimeout = this.#settings.handshakeTimeout;
    this.#core.startConnectDeadline({ signal, connectTimeout }, () => "handshake");
    if (isNow) this.#apply(decision);
    else if (decision !== null && "then" in decision) this.#applyLater(decision);
  }

  /** Applies a pending decision; if it takes too long, `onError` gets an error. */
  #applyLater(decision: Promise<Decision>): void {
    const { onError, handshakeTimeout } = this.#settings;
    let isDecided = false;
    decision.then((it) => {
      isDecided = true;
      this.#apply(it);
    });
    this.#core.life.ready.catch((error: unknown) => {
      if (this.#isLate(error) && !isDecided) reportLate(onError, handshakeTimeout, this.#request);
    });
  }

  /** Whether `handshakeTimeout` was exceeded; a `TimeoutError` may also be the reason of the user's signal. */
  #isLate(error: unknown): boolean {
    return nameOf(error) === "TimeoutError" && !this.#extra.signal?.aborted;
  }

  /** Refuses the upgrade if it isn't answered yet. */
  #refuse({ refusal, reason, cause }: Refused): void {
    const pending = this.#pending;
    if (pending === null || this.#core.state !== "connecting") return;
    this.#pending = null;
    pending.refuse(refusal);
    this.#core.failToOpen(refusedError(refusal, cause));
    this.#tellRefused(refusal, reason);
  }

  #tellRefused({ status }: Refusal, reason: RefusalReason): void {
    this.#core.observer?.onRefused(status, reason);
    reportRefused(this.#settings.onRefused, { request: this.#request, status, reason });
  }

  #apply(decision: Decision): void {
    const { acceptance } = decision;
    // While `verify` was running, the client may have left, or this end may have given up.
    if (this.#core.state !== "connecting") return;
    if (acceptance === null) return this.#refuse(decision);
    const pending = this.#pending;
    // The connection has ended; the attempt fails when that is reported.
    if (pending === null || pending.isOver) return;
    if (pending.isBehind) return pending.whenFree(() => this.#apply(decision));
    this.#pending = null;
    speakOver(this.#core, pending.accept(acceptance), acceptance, this.#settings);
    if (this.#core.life.state === "open") this.#extra.onOpen?.(this.#channel);
  }

  #onGone(cause: unknown): void {
    this.#pending = null;
    this.#request.giveUp();
    const message = "Cannot accept the upgrade: the client has left";
    this.#core.failToOpen(new ConnectError(message, { cause, phase: "handshake" }));
  }

  /** Gives up the attempt: the user closed or aborted it, or it took too long. */
  destroy(): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return;
    this.#request.giveUp();
    const refusal = refuse(503);
    pending.refuse(refusal);
    this.#tellRefused(refusal, this.#isLate(this.#core.life.closing.error) ? "timeout" : "closing");
  }

  ref(): void {}

  unref(): void {}
}

/** Creates the error of a channel whose request was refused. */
export function refusedError(refusal: Refusal, cause?: unknown): ConnectError {
  const { status, statusText, body } = refusal;
  const detail = body.trim() === statusText ? "" : `: ${body.trim().slice(0, 200)}`;
  return new ConnectError(`Refused the upgrade with ${status} ${statusText}${detail}`, {
    cause,
    phase: "handshake",
    status,
    retryable: false,
  });
}
