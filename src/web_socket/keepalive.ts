import { Deferred } from "../stream_channel/deferred.ts";
import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";
import { WebSocketChannelError } from "./errors.ts";

/** What a {@linkcode Keepalive} does to its channel. */
export interface KeepaliveOwner {
  /** Sends a Ping frame. */
  sendPing(payload: Uint8Array): void;
  /** Whether bytes are being read: while this end is the one that doesn't, the peer isn't accused. */
  readonly isReading: boolean;
  /** No sign of life came in time. */
  onDead(): void;
}

/** How often to ping, and how long to wait, in milliseconds. */
export interface KeepaliveTimes {
  /** 0: never. */
  readonly pingInterval: number;
  /** 0: for ever. */
  readonly pingTimeout: number;
}

interface PendingPing {
  readonly id: number;
  readonly sentAt: number;
  readonly answer: Deferred<number>;
}

/** More unanswered pings of the user's than this are refused: the peer may never answer. */
export const MAX_PENDING_PINGS = 128;

const PAYLOAD_LENGTH = 4;

/** For how long, in milliseconds, an answer that has arrived in the last moment is still waited for. */
const GRACE = 10;

/**
 * The Pings of one connection: those that the user asks for, and those that keep it alive. Any byte
 * that arrives counts as life.
 */
export class Keepalive {
  readonly #owner: KeepaliveOwner;
  readonly #clock: Clock;
  readonly #times: KeepaliveTimes;
  /** The user's unanswered pings, the oldest first. */
  #pending: PendingPing[] = [];
  /** The latest ping of the keepalive's own; only its answer is of interest. */
  #probeId = 0;
  #probeAt = 0;
  #lastId = 0;
  #answeredId = 0;
  #heard = true;
  /** Until the next probe. */
  #timer: unknown;
  /** Until the probe's answer has to be in. */
  #deadline: Deadline | null = null;
  #latency: number | null = null;

  /**
   * Makes one that doesn't ping yet.
   *
   * @param owner The channel.
   * @param clock Where times come from.
   * @param times How often, and how long.
   */
  constructor(owner: KeepaliveOwner, clock: Clock, times: KeepaliveTimes) {
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
   * @returns The round trip's time, in milliseconds. It rejects with a
   * {@linkcode WebSocketChannelError} when too many wait, and when the channel ends first.
   */
  ping(): Promise<number> {
    const answer = new Deferred<number>();
    if (this.#pending.length < MAX_PENDING_PINGS) {
      this.#pending.push({ id: this.#send(), sentAt: this.#clock.now(), answer });
    } else {
      const message = `Cannot ping: ${MAX_PENDING_PINGS} pings are unanswered`;
      answer.reject(new WebSocketChannelError(message));
    }
    return answer.promise;
  }

  /**
   * A Pong is in. RFC 6455 §5.5.3: a peer may answer only the latest of several Pings, so a Pong
   * answers the earlier ones as well. One that nobody asked for is ignored.
   *
   * @param payload The Pong's payload.
   */
  onPong(payload: Uint8Array): void {
    if (payload.length !== PAYLOAD_LENGTH) return;
    const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    const order = this.#orderOf(id);
    if (order === 0 || order > this.#orderOf(this.#lastId)) return;
    const now = this.#clock.now();
    if (id === this.#probeId) this.#latency = now - this.#probeAt;
    const later = this.#pending.findIndex((ping) => this.#orderOf(ping.id) > order);
    const answered = this.#pending.splice(0, later < 0 ? this.#pending.length : later);
    this.#answeredId = id;
    for (const ping of answered) {
      this.#latency = now - ping.sentAt;
      ping.answer.resolve(this.#latency);
    }
  }

  /** The connection closes: no more pings, and no more answers. */
  stop(): void {
    this.#clearTimer();
    const lost = this.#pending.splice(0);
    for (const { answer } of lost) {
      answer.reject(new WebSocketChannelError("The channel ended before the ping was answered"));
    }
  }

  /** How many pings were sent up to `id` since the one that was answered last. */
  #orderOf(id: number): number {
    return (id - this.#answeredId) >>> 0;
  }

  #send(): number {
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    const payload = new Uint8Array(PAYLOAD_LENGTH);
    new DataView(payload.buffer).setUint32(0, id);
    this.#owner.sendPing(payload);
    return id;
  }

  // Also while nothing is read: writing is then the only way to notice that the connection is lost.
  #probe(): void {
    this.#timer = undefined;
    const { pingInterval, pingTimeout } = this.#times;
    this.#heard = false;
    this.#probeAt = this.#clock.now();
    this.#probeId = this.#send();
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
