/**
 * The states of a channel, what changes them, and how it ends. Only this file changes a state, and it is the
 * same for all transports.
 *
 * @module
 */

import { abnormalClosure, noStatusReceived } from "../../status.ts";
import { Deferred } from "../stream_channel/errors.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import type { CloseFrameContent, CloseInfo, CloseInitiator } from "./close_info.ts";
import type { ChannelState } from "./web_socket_channel.ts";

/**
 * What changes a state: the opening handshake is done; this side starts to close; the peer starts to close,
 * with a Close frame or with a fault that fails the connection; the transport has ended.
 */
export type ChannelTrigger = "open" | "close" | "peerClose" | "end";

/**
 * RFC 6455 §7.1.3: the channel is closing from the first Close frame until the transport has ended. A
 * connection that can't be opened only ends.
 */
const TRANSITIONS: Readonly<
  Record<ChannelState, Readonly<Partial<Record<ChannelTrigger, ChannelState>>>>
> = {
  connecting: { open: "open", end: "closed" },
  open: { close: "closing", peerClose: "closing", end: "closed" },
  closing: { end: "closed" },
  closed: {},
};

/** The state of a channel, and the promises that report it. They are created on demand. */
export class ChannelLife {
  #state: ChannelState = "connecting";
  #wasOpen = false;
  /** Why the channel could not be opened. */
  #failure: { readonly error: unknown } | null = null;
  /** How the channel closes; `null` while nothing is known. */
  #closing: Closing | null = null;
  #info: CloseInfo | null = null;
  #onReady: Deferred | null = null;
  #onClosing: Deferred | null = null;
  #onClosed: Deferred<CloseInfo> | null = null;

  /** The state, which never goes back. */
  get state(): ChannelState {
    return this.#state;
  }

  /** Whether the channel has ended. */
  get isOver(): boolean {
    return this.#state === "closed";
  }

  /** How the channel closes; `null` while nothing is known. */
  get known(): Closing | null {
    return this.#closing;
  }

  /** How the channel closes. Reading it creates the record. */
  get closing(): Closing {
    return this.#closing ??= new Closing();
  }

  /**
   * Changes the state.
   *
   * @param trigger What happened.
   * @returns Whether the state has changed.
   */
  apply(trigger: ChannelTrigger): boolean {
    const next = TRANSITIONS[this.#state][trigger];
    if (next === undefined) return false;
    this.#state = next;
    if (next === "open") {
      this.#wasOpen = true;
      this.#onReady?.resolve();
    } else this.#onClosing?.resolve();
    return true;
  }

  /** Reports that the channel could not be opened. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#onReady?.reject(error);
  }

  /** Reports the end, after the reader was notified. */
  conclude(info: CloseInfo): void {
    this.#info = info;
    this.#onClosed?.resolve(info);
  }

  /** Fulfils when the channel is open. See {@linkcode WebSocketChannel.ready}. */
  get ready(): Promise<void> {
    if (this.#onReady === null) {
      this.#onReady = new Deferred();
      if (this.#wasOpen) this.#onReady.resolve();
      else if (this.#failure !== null) this.#onReady.reject(this.#failure.error);
    }
    return this.#onReady.promise;
  }

  /** Fulfils when the channel starts to close. See {@linkcode WebSocketChannel.closing}. */
  get onClosing(): Promise<void> {
    if (this.#onClosing === null) {
      this.#onClosing = new Deferred();
      if (this.#state === "closing" || this.#state === "closed") this.#onClosing.resolve();
    }
    return this.#onClosing.promise;
  }

  /** Fulfils when the channel has ended. See {@linkcode WebSocketChannel.closed}. */
  get closed(): Promise<CloseInfo> {
    if (this.#onClosed === null) {
      this.#onClosed = new Deferred<CloseInfo>();
      if (this.#info !== null) this.#onClosed.resolve(this.#info);
    }
    return this.#onClosed.promise;
  }
}

/** How a channel ended, from the view of its transport. */
export interface Ending {
  /** The content of the received Close. Default: that of the peer's Close, or 1006 if there was none. */
  readonly received?: CloseFrameContent | undefined;
  readonly wasClean: boolean;
  /** The cause of the end, unless this side or the peer had started to close. */
  readonly initiator: CloseInitiator;
  readonly error?: unknown;
}

/** How a channel closes. */
export class Closing {
  /** The side that started to close an open connection. */
  closer: "local" | "remote" | null = null;
  /** Whose fault has failed the connection, if it was failed. RFC 6455 §7.1.7. */
  failedBy: CloseInitiator | null = null;
  sent: CloseFrameContent | undefined;
  received: CloseFrameContent | undefined;
  error: unknown;
  /** The number of payload bytes that were never passed to the transport. */
  dropped = 0;
  /** The sent messages that the peer has not acknowledged, if that is known. */
  unacknowledged: readonly (string | Uint8Array)[] | undefined;
  /** Whether the code and the reason are known. */
  isKnown = false;
  #deadline: Deadline | null = null;

  // RFC 6455 §7.1.5: the code of the first received Close frame; 1006 if there was none.
  /** The close code; `null` before it is known. */
  get code(): number | null {
    return this.isKnown ? this.received?.code ?? abnormalClosure : null;
  }

  /** The close reason; `null` before it is known. */
  get reason(): string | null {
    return this.isKnown ? this.received?.reason ?? "" : null;
  }

  /** Whether the closing handshake is done. */
  get isDone(): boolean {
    return this.sent !== undefined && this.received !== undefined;
  }

  /** Limits the time of the closing handshake. Only the first call counts. */
  startTimer(clock: Clock, ms: number, onTime: () => void): void {
    this.#deadline ??= new Deadline(clock, { ms, onTime });
  }

  /** Stops the timer, because the closing handshake has ended, or no longer needs it. */
  stopTimer(): void {
    this.#deadline?.clear();
    this.#deadline = null;
  }

  /** How the channel ended, for error texts. */
  get text(): string {
    const { received } = this;
    if (received === undefined || this.closer === "local") return "the channel ended";
    const { code, reason } = received;
    return `the peer closed with ${code}${
      reason === "" ? "" : ` and the reason ${JSON.stringify(reason)}`
    }`;
  }

  /** Returns the record of the end. */
  info({ wasClean, initiator }: Ending): CloseInfo {
    const begun = this.failedBy ?? (wasClean || initiator === "transport" ? this.closer : null);
    return {
      code: this.code ?? abnormalClosure,
      reason: this.reason ?? "",
      wasClean,
      initiator: begun ?? initiator,
      ...(this.sent === undefined ? {} : { sent: this.sent }),
      ...(this.received === undefined ? {} : { received: this.received }),
      ...(this.error === undefined ? {} : { error: this.error }),
      ...(this.dropped === 0 ? {} : { dropped: this.dropped }),
      ...(this.unacknowledged?.length ? { unacknowledged: this.unacknowledged } : {}),
    };
  }
}

/** Returns the content of a Close frame. Without a code it has 1005. */
export function closeContent(code: number | undefined, reason: string): CloseFrameContent {
  return { code: code ?? noStatusReceived, reason };
}
