/**
 * The life of a channel: its states, what changes them, and how it ends. All that changes a state is in
 * this file, and it doesn't know which transport it is about.
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
 * What changes a state: the opening handshake is done, this side begins to close, the peer does (its Close
 * frame, or a fault of it that fails the connection), all has ended.
 */
export type ChannelTrigger = "open" | "close" | "peerClose" | "end";

/**
 * RFC 6455 §7.1.3: whichever side begins, the channel is closing until the transport has ended. A connection that
 * can't be opened only ends.
 */
const TRANSITIONS: Readonly<
  Record<ChannelState, Readonly<Partial<Record<ChannelTrigger, ChannelState>>>>
> = {
  connecting: { open: "open", end: "closed" },
  open: { close: "closing", peerClose: "closing", end: "closed" },
  closing: { end: "closed" },
  closed: {},
};

/** Where a channel is in its life, and the promises that report it: made when they are asked for. */
export class ChannelLife {
  #state: ChannelState = "connecting";
  #wasOpen = false;
  /** Why it could not be opened. */
  #failure: { readonly error: unknown } | null = null;
  /** How it closes; `null` before anything is known of that. */
  #closing: Closing | null = null;
  #info: CloseInfo | null = null;
  #onReady: Deferred | null = null;
  #onClosing: Deferred | null = null;
  #onClosed: Deferred<CloseInfo> | null = null;

  /** The state. It only ever goes forward. */
  get state(): ChannelState {
    return this.#state;
  }

  /** Whether the channel has ended. */
  get isOver(): boolean {
    return this.#state === "closed";
  }

  /** What is known of how the channel closes; `null` before anything is. */
  get known(): Closing | null {
    return this.#closing;
  }

  /** How it closes, from the moment on in which something is known of that. */
  get closing(): Closing {
    return this.#closing ??= new Closing();
  }

  /**
   * Changes the state.
   *
   * @param trigger What happened.
   * @returns Whether the state is another one now.
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

  /** It could not be opened. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#onReady?.reject(error);
  }

  /** All has ended, and its reader knows. */
  conclude(info: CloseInfo): void {
    this.#info = info;
    this.#onClosed?.resolve(info);
  }

  /** See {@linkcode WebSocketChannel.ready}. */
  get ready(): Promise<void> {
    if (this.#onReady === null) {
      this.#onReady = new Deferred();
      if (this.#wasOpen) this.#onReady.resolve();
      else if (this.#failure !== null) this.#onReady.reject(this.#failure.error);
    }
    return this.#onReady.promise;
  }

  /** See {@linkcode WebSocketChannel.closing}. */
  get onClosing(): Promise<void> {
    if (this.#onClosing === null) {
      this.#onClosing = new Deferred();
      if (this.#state === "closing" || this.#state === "closed") this.#onClosing.resolve();
    }
    return this.#onClosing.promise;
  }

  /** See {@linkcode WebSocketChannel.closed}. */
  get closed(): Promise<CloseInfo> {
    if (this.#onClosed === null) {
      this.#onClosed = new Deferred<CloseInfo>();
      if (this.#info !== null) this.#onClosed.resolve(this.#info);
    }
    return this.#onClosed.promise;
  }
}

/** How a channel ended, as its transport saw it. */
export interface Ending {
  /** Left out: the peer's Close if one was received, else 1006. */
  readonly received?: CloseFrameContent | undefined;
  readonly wasClean: boolean;
  /** The cause of the end, unless this side or the peer had begun to close. */
  readonly initiator: CloseInitiator;
  readonly error?: unknown;
}

/** What is known of how a channel closes: nothing, before it does. */
export class Closing {
  /** Which side began to close an open connection. */
  closer: "local" | "remote" | null = null;
  /** Whose fault it is that the connection was failed, if it was. RFC 6455 §7.1.7. */
  failedBy: CloseInitiator | null = null;
  sent: CloseFrameContent | undefined;
  received: CloseFrameContent | undefined;
  error: unknown;
  /** How many bytes of payload were never handed to the transport. */
  dropped = 0;
  /** What was sent and the peer has not acknowledged, where that is known. */
  unacknowledged: readonly (string | Uint8Array)[] | undefined;
  /** Whether the code and the reason are known. */
  isKnown = false;
  #deadline: Deadline | null = null;

  // RFC 6455 §7.1.5: the code of the first Close frame received, 1006 when there was none.
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

  /** Bounds the closing handshake, once. */
  startTimer(clock: Clock, ms: number, onTime: () => void): void {
    this.#deadline ??= new Deadline(clock, { ms, onTime });
  }

  /** It has ended, or will be by itself. */
  stopTimer(): void {
    this.#deadline?.clear();
    this.#deadline = null;
  }

  /** What ended the channel, as error texts say it. */
  get text(): string {
    const { received } = this;
    if (received === undefined || this.closer === "local") return "the channel ended";
    const { code, reason } = received;
    return `the peer closed with ${code}${
      reason === "" ? "" : ` and the reason ${JSON.stringify(reason)}`
    }`;
  }

  /** The whole story, told when all has ended. */
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

/** The content of a Close frame as this package reports it. */
export function closeContent(code: number | undefined, reason: string): CloseFrameContent {
  return { code: code ?? noStatusReceived, reason };
}
