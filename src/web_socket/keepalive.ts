import { abortable, Deferred, preHandled } from "../stream_channel/errors.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import { WebSocketChannelError } from "./errors.ts";

/** What a {@linkcode Keepalive} does to its channel. */
export interface KeepaliveEvents {
  /** Sends a Ping frame. */
  sendPing(payload: Uint8Array): void;
  /** Whether bytes are being read: while they aren't, the peer is not blamed for our own delay. */
  readonly isReading: boolean;
  /** No sign of life came in time. */
  onDead(): void;
}

/** How often to ping, and how long to wait, in milliseconds. */
export interface KeepaliveTimes {
  /** 0: never. */
  readonly pingInterval: number;
  /** 0: no limit. */
  readonly pingTimeout: number;
}

interface PendingPing {
  readonly payload: Uint8Array;
  readonly sentAt: number;
  /** `null`: of the keepalive's own. */
  readonly answer: Deferred<number> | null;
}

/** More unanswered pings of the user's than this are refused: the peer may never answer. */
export const MAX_PENDING_PINGS = 128;

/** For how long, in milliseconds, an answer that has arrived in the last moment is still waited for. */
const GRACE = 10;

/**
 * The Pings of one connection: those that the user asks for, and those that keep it alive. Any byte
 * that arrives counts as life.
 */
export class Keepalive {
  readonly #owner: KeepaliveEvents;
  readonly #clock: Clock;
  readonly #times: KeepaliveTimes;
  /** The unanswered pings, the oldest first: the user's, and the latest of the keepalive's own. */
  #pending: PendingPing[] = [];
  #lastId = 0;
  #heard = true;
  /** Until the next probe. */
  #timer: unknown;
  /** Until the probe's answer has to be in. */
  #deadline: Deadline | null = null;
  #latency: number | null = null;

  /**
   * Creates a keepalive that does not ping yet.
   *
   * @param owner The channel.
   * @param clock Where times come from.
   * @param times How often, and how long.
   */
  constructor(owner: KeepaliveEvents, clock: Clock, times: KeepaliveTimes) {
    this.#owner = owner;
    this.#clock = clock;
    this.#times = times;
  }

  /** The latest round trip's time, in milliseconds; `null` before the first. */
  get latency(): number | null {
    return this.#latency;
  }

  /** Starts to ping regularly, where that is wanted. */
  start(): void {
    if (this.#times.pingInterval > 0) this.#probeIn(this.#times.pingInterval);
  }

  /** Bytes have arrived. */
  heard(): void {
    this.#heard = true;
  }

  /**
   * Sends a Ping.
   *
   * @param payload 0–125 bytes; left out: four that no other ping has.
   * @param signal Waits no longer when it aborts.
   * @returns The round trip's time, in milliseconds. It rejects with a
   * {@linkcode WebSocketChannelError} when too many wait, and when the channel ends first.
   */
  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) return preHandled(Promise.reject(signal.reason));
    const unanswered = this.#pending.filter(({ answer }) => answer !== null).length;
    const answer = new Deferred<number>();
    if (unanswered < MAX_PENDING_PINGS) {
      const ping = this.#send(payload ?? this.#nextPayload(), answer);
      return abortable(answer.promise, signal, () => this.#forget(ping));
    }
    const message = `Cannot ping: ${MAX_PENDING_PINGS} pings are unanswered`;
    answer.reject(new WebSocketChannelError(message));
    return answer.promise;
  }

  /**
   * A Pong is in. RFC 6455 §5.5.3: a peer may answer only the latest of several Pings, so a Pong
   * answers the earlier ones as well. An unsolicited Pong is ignored.
   *
   * @param payload The Pong's payload.
   */
  onPong(payload: Uint8Array): void {
    const index = this.#pending.findIndex((ping) => areEqual(ping.payload, payload));
    const now = this.#clock.now();
    for (const { sentAt, answer } of this.#pending.splice(0, index + 1)) {
      this.#latency = now - sentAt;
      answer?.resolve(this.#latency);
    }
  }

  /** The connection closes: no more pings, and no more answers. */
  stop(): void {
    this.#clearTimer();
    const lost = this.#pending.splice(0);
    for (const { answer } of lost) {
      answer?.reject(new WebSocketChannelError("The channel ended before the ping was answered"));
    }
  }

  #nextPayload(): Uint8Array {
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    return Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id);
  }

  #send(payload: Uint8Array, answer: Deferred<number> | null): PendingPing {
    const ping = { payload, sentAt: this.#clock.now(), answer };
    this.#pending.push(ping);
    this.#owner.sendPing(payload);
    return ping;
  }

  #forget(ping: PendingPing): void {
    const index = this.#pending.indexOf(ping);
    if (index >= 0) this.#pending.splice(index, 1);
  }

  // Also while nothing is read: writing is then the only way to notice that the connection is lost.
  #probe(): void {
    this.#timer = undefined;
    const { pingInterval, pingTimeout } = this.#times;
    this.#heard = false;
    this.#pending = this.#pending.filter(({ answer }) => answer !== null);
    this.#send(this.#nextPayload(), null);
    if (pingTimeout > 0) this.#verifyIn(pingTimeout);
    else this.#probeIn(pingInterval);
  }

  #verify(graced: boolean): void {
    const { pingInterval, pingTimeout } = this.#times;
    if (this.#heard || !this.#owner.isReading) {
      this.#probeIn(Math.max(pingInterval - pingTimeout, 0));
    } else if (graced) this.#owner.onDead();
    else this.#verifyIn(GRACE, true);
  }

  // The transport is what holds the process, or doesn't: these timers don't.

  #probeIn(ms: number): void {
    this.#timer = this.#clock.setTimeout(() => this.#probe(), ms);
    this.#clock.unref?.(this.#timer);
  }

  #verifyIn(ms: number, graced = false): void {
    const onTime = (): void => this.#verify(graced);
    this.#deadline = new Deadline(this.#clock, { ms, onTime, unref: true });
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#deadline?.clear();
    this.#deadline = null;
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
