import { type Refusal, refuse } from "../handshake/server_handshake.ts";
import type { RequestHead } from "../handshake/http_head.ts";
import { nameOf } from "../realm/kinds.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { Ending } from "../web_socket/closing.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { ConnectError } from "../web_socket/errors.ts";
import { ProtocolChannel } from "../web_socket/protocol_channel.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { decide, type Decision } from "./admission.ts";
import { reportLate } from "./error_hook.ts";
import { PendingUpgrade, type UpgradeSocket } from "./pending_upgrade.ts";
import type { ServerSettings } from "./server_options.ts";
import type { ServerRequest, UpgradeServerRequest } from "./server_request.ts";

/** A server's end of a connection: a channel, and the request that asked for it. */
export interface ServerWebSocketChannel extends WebSocketChannel {
  /** The request that the client connected with. */
  readonly request: ServerRequest;
}

/** What a {@linkcode ServerChannel} is made of. */
export interface Upgrade {
  readonly head: RequestHead;
  readonly request: UpgradeServerRequest;
  readonly socket: UpgradeSocket;
  /** What came behind the request. */
  readonly early: Uint8Array;
}

/** What may be known of an upgrade before. */
export interface UpgradeExtra {
  /** Gives up while connecting when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** The answer, if it is clear before the request is looked at. */
  readonly refusal?: Refusal | undefined;
  /** Called once when the channel is over. */
  readonly onClosed?: ((channel: ServerChannel) => void) | undefined;
  /** Whether {@linkcode ServerChannel.taken} will be called. */
  readonly isQueued?: boolean | undefined;
}

/**
 * How long the end of a channel that the program hasn't taken from the server is put off when messages
 * came before it, in milliseconds: so long they can still be answered.
 */
const MAX_UNTAKEN = 10_000;

/** The server's end of a connection, on our own protocol. */
export class ServerChannel extends ProtocolChannel implements ServerWebSocketChannel {
  readonly request: UpgradeServerRequest;
  readonly #onClosed: ((channel: ServerChannel) => void) | undefined;
  #pending: PendingUpgrade | null;
  #isTaken: boolean;
  /** What the peer's Close, which came before anybody had the channel, still has to bring about. */
  #untaken: { readonly conclude: () => void; readonly deadline: Deadline } | null = null;

  /**
   * Makes a channel that is connecting, and answers the request: at once, or when `verify` has
   * answered.
   *
   * @param upgrade The request and its connection.
   * @param settings The server's options.
   * @param clock Where times come from.
   * @param extra What is known before.
   */
  constructor(upgrade: Upgrade, settings: ServerSettings, clock: Clock, extra: UpgradeExtra = {}) {
    super("server", settings.channel, clock);
    this.request = upgrade.request;
    this.#onClosed = extra.onClosed;
    this.#isTaken = extra.isQueued !== true;
    this.#pending = new PendingUpgrade(upgrade.socket, upgrade.early, {
      events: { onGone: (cause) => this.#onGone(cause) },
      clock,
      handshakeTimeout: settings.handshakeTimeout,
    });
    if (extra.refusal !== undefined) {
      this.refuse(extra.refusal);
      return;
    }
    const { signal } = extra;
    const decision = signal?.aborted ? null : decide(upgrade.head, upgrade.request, settings);
    // Where it is decided in this very call, nothing has to be bounded.
    const isNow = decision !== null && !("then" in decision) && !signal?.aborted;
    if (isNow && !this.#pending.isBehind) {
      this.#obey(decision);
      return;
    }
    this.bound({ signal, connectTimeout: settings.handshakeTimeout }, () => "handshake");
    if (isNow) this.#obey(decision);
    else if (decision !== null && "then" in decision) this.#obeyLater(decision, settings, signal);
  }

  /** Obeys a decision that takes its time; a user whose functions take too long hears of it. */
  #obeyLater(
    decision: Promise<Decision>,
    { onError, handshakeTimeout }: ServerSettings,
    signal: AbortSignal | undefined,
  ): void {
    let isDecided = false;
    decision.then((it) => {
      isDecided = true;
      this.#obey(it);
    });
    this.ready.catch((error: unknown) => {
      const isLate = nameOf(error) === "TimeoutError" && !isDecided && !signal?.aborted;
      if (isLate) reportLate(onError, handshakeTimeout, this.request);
    });
  }

  override get url(): string {
    return this.request.shownUrl;
  }

  protected override get transport(): string {
    return "server";
  }

  /** Refuses the upgrade if it isn't answered yet. */
  refuse(refusal: Refusal, cause?: unknown): void {
    const pending = this.#pending;
    if (pending === null || this.state !== "connecting") return;
    this.#pending = null;
    pending.refuse(refusal);
    this.fail(refusedError(refusal, cause));
  }

  /** Closes; the client has so long to answer, whatever `closeTimeout` says. */
  drain(code: number, reason: string | undefined, drain: number): void {
    this.closeTimeout = drain;
    void this.sink.close(code, reason);
  }

  #obey(decision: Decision): void {
    const { acceptance, refusal, cause } = decision;
    // The client may be gone, or this end may have given up, while `verify` thought about it.
    if (this.state !== "connecting") return;
    if (acceptance === null) return this.refuse(refusal, cause);
    const pending = this.#pending;
    if (pending?.isBehind) return pending.whenFree(() => this.#obey(decision));
    this.#pending = null;
    if (pending !== null) this.begin(pending.accept(acceptance), acceptance);
  }

  /** The server hands the channel to its user, who can read it from now on. */
  taken(): void {
    this.#isTaken = true;
    const untaken = this.#untaken;
    if (untaken === null) return;
    this.#forgetUntaken();
    super.onEarlyEnding(untaken.conclude);
  }

  override onEarlyEnding(conclude: () => void): void {
    if (this.#isTaken || this.incoming.queuedSize === 0) return super.onEarlyEnding(conclude);
    const deadline = new Deadline(this.clock, { ms: MAX_UNTAKEN, onTime: () => this.taken() });
    this.#untaken = { conclude, deadline };
  }

  #forgetUntaken(): void {
    this.#untaken?.deadline.clear();
    this.#untaken = null;
  }

  protected override end(ending: Ending): void {
    if (this.state === "closed") return;
    this.#forgetUntaken();
    super.end(ending);
    this.#onClosed?.(this);
  }

  #onGone(cause: unknown): void {
    this.#pending = null;
    this.request.giveUp();
    this.fail(
      new ConnectError("Cannot accept the upgrade: the client is gone", {
        cause,
        phase: "handshake",
      }),
    );
  }

  /** The attempt was given up: closed by the user, aborted, or too slow. */
  protected override destroyTransport(): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return super.destroyTransport();
    this.request.giveUp();
    pending.refuse(refuse(503));
  }
}

/** The error of a channel whose request was refused. */
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
