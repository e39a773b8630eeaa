import { abortable, Deferred, preHandled } from "../stream_channel/errors.ts";
import type { Clock } from "./clock.ts";
import { DeadlineQueue, type Timed } from "./deadline_queue.ts";
import { WebSocketChannelError } from "./errors.ts";

/** The requests of a {@linkcode Keepalive} to its channel. */
export interface KeepaliveEvents {
  /** Sends a Ping frame. */
  sendPing(payload: Uint8Array): void;
  /** Whether bytes are being read. While they aren't, the peer is not blamed for our own delay. */
  readonly isReading: boolean;
  /** No byte has arrived in time. */
  onDead(): void;
}

/** The times of a keepalive, in milliseconds. */
export interface KeepaliveTimes {
  /** The time between two Pings; 0 for no Pings. */
  readonly pingInterval: number;
  /** The time to wait for a sign of life; 0 for no limit. */
  readonly pingTimeout: number;
}

interface PendingPing {
  readonly payload: Uint8Array;
  readonly sentAt: number;
  /** The user's promise; `null` if the keepalive sent the Ping. */
  readonly answer: Deferred<number> | null;
}

/** The maximum number of the user's unanswered Pings: the peer may never answer. */
export const MAX_PENDING_PINGS = 128;

/** The additional time, in milliseconds, in which an answer that has just arrived can still be read. */
const GRACE = 10;

/** The queues that all connections with the same clock and the same times share. */
class Pulse {
  readonly clock: Clock;
  readonly times: KeepaliveTimes;
  /** Connections that wait for the first probe. */
  readonly firsts: DeadlineQueue;
  /** Connections that wait for the next probe after a verified one. */
  readonly nexts: DeadlineQueue;
  /**
   * Connections that wait for the answer to a probe. Stalls of this process don't count: they are not the
   * peer's fault.
   */
  readonly answers: DeadlineQueue;
  /** Connections in the additional time after that. */
  readonly graces: DeadlineQueue;
  /** The number of keepalives that use it. */
  users = 0;

  constructor(clock: Clock, times: KeepaliveTimes) {
    const { pingInterval, pingTimeout } = times;
    this.clock = clock;
    this.times = times;
    // The transport decides whether the process stays alive, not these timers.
    const queueOf = (ms: number, isPlain: boolean): DeadlineQueue =>
      new DeadlineQueue(clock, { ms, isPlain, unref: true });
    this.firsts = queueOf(pingInterval, true);
    this.nexts = queueOf(Math.max(pingInterval - pingTimeout, 0), true);
    this.answers = queueOf(pingTimeout, false);
    this.graces = queueOf(GRACE, false);
  }

  /** Clears all timers. */
  stop(): void {
    for (const queue of [this.firsts, this.nexts, this.answers, this.graces]) queue.stop();
  }
}

/** The pulses in use, by their clock and their times. */
const pulses = new Map<Clock, Map<string, Pulse>>();

function keyOf({ pingInterval, pingTimeout }: KeepaliveTimes): string {
  return `${pingInterval} ${pingTimeout}`;
}

function takePulse(clock: Clock, times: KeepaliveTimes): Pulse {
  let ofClock = pulses.get(clock);
  if (ofClock === undefined) pulses.set(clock, ofClock = new Map());
  const key = keyOf(times);
  let pulse = ofClock.get(key);
  if (pulse === undefined) ofClock.set(key, pulse = new Pulse(clock, times));
  pulse.users++;
  return pulse;
}

function releasePulse({ clock, times }: Pulse): void {
  const ofClock = pulses.get(clock);
  const pulse = ofClock?.get(keyOf(times));
  if (pulse === undefined || --pulse.users > 0) return;
  pulse.stop();
  ofClock?.delete(keyOf(times));
  if (ofClock?.size === 0) pulses.delete(clock);
}

/**
 * The Pings of one connection: those of the user, and those that keep it alive. Any byte that arrives is a
 * sign of life.
 */
export class Keepalive implements Timed {
  // The fields for the queue.
  since = 0;
  previous: Timed | null = null;
  next: Timed | null = null;
  readonly #owner: KeepaliveEvents;
  readonly #clock: Clock;
  /** The unanswered Pings, the oldest first: all of the user's, and the keepalive's latest. */
  #pending: PendingPing[] | null = null;
  #lastId = 0;
  #hasReceived = true;
  /**
   * The shared queues, one of which it waits in after {@linkcode start}; `null` before that, and after it has
   * stopped.
   */
  #pulse: Pulse | null = null;
  #queue: DeadlineQueue | null = null;
  #latency: number | null = null;

  /**
   * Creates a keepalive that sends no Pings yet.
   *
   * @param owner The channel.
   * @param clock The source of times.
   */
  constructor(owner: KeepaliveEvents, clock: Clock) {
    this.#owner = owner;
    this.#clock = clock;
  }

  /** The latest round-trip time, in milliseconds; `null` before the first. */
  get latency(): number | null {
    return this.#latency;
  }

  /**
   * Starts to send Pings regularly.
   *
   * @param times The interval, and the time to wait for a sign of life.
   */
  start(times: KeepaliveTimes): void {
    this.#pulse = takePulse(this.#clock, times);
    this.#waitIn(this.#pulse.firsts);
  }

  /** Records that bytes have arrived. */
  heard(): void {
    this.#hasReceived = true;
  }

  /**
   * Sends a Ping.
   *
   * @param payload 0–125 bytes. Default: four bytes that no other Ping has.
   * @param signal Ends the wait when it aborts.
   * @returns The round-trip time, in milliseconds. It rejects with a {@linkcode WebSocketChannelError} if too
   * many Pings are unanswered, or if the channel ends first.
   */
  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) return preHandled(Promise.reject(signal.reason));
    const unanswered = this.#pending?.filter(({ answer }) => answer !== null).length ?? 0;
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
   * Takes a Pong. RFC 6455 §5.5.3: a peer may answer only the latest of several Pings, so a Pong answers the
   * earlier ones as well. An unsolicited Pong is ignored.
   *
   * @param payload The Pong's payload.
   */
  onPong(payload: Uint8Array): void {
    const pending = this.#pending;
    if (pending === null) return;
    const index = pending.findIndex((ping) => areEqual(ping.payload, payload));
    const now = this.#clock.now();
    const answered = pending.splice(0, index + 1);
    if (pending.length === 0) this.#pending = null;
    for (const { sentAt, answer } of answered) {
      this.#latency = now - sentAt;
      answer?.resolve(this.#latency);
    }
  }

  /** Stops all Pings and rejects the unanswered ones, because the connection is closing. */
  stop(): void {
    this.#queue?.delete(this);
    this.#queue = null;
    if (this.#pulse !== null) releasePulse(this.#pulse);
    this.#pulse = null;
    const lost = this.#pending ?? [];
    this.#pending = null;
    for (const { answer } of lost) {
      answer?.reject(
        new WebSocketChannelError("Cannot ping: the channel ended before the Pong arrived"),
      );
    }
  }

  #nextPayload(): Uint8Array {
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    return Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id);
  }

  #send(payload: Uint8Array, answer: Deferred<number> | null): PendingPing {
    const ping = { payload, sentAt: this.#clock.now(), answer };
    (this.#pending ??= []).push(ping);
    this.#owner.sendPing(payload);
    return ping;
  }

  #forget(ping: PendingPing): void {
    const index = this.#pending?.indexOf(ping) ?? -1;
    if (index >= 0) this.#pending?.splice(index, 1);
  }

  #waitIn(queue: DeadlineQueue): void {
    this.#queue = queue;
    queue.add(this);
  }

  /** Takes the next step after the time of its queue. */
  onTime(): void {
    const [pulse, queue] = [this.#pulse, this.#queue];
    if (pulse === null) return;
    if (queue === pulse.answers || queue === pulse.graces) this.#verify(pulse);
    else this.#probe(pulse);
  }

  // Pings even while nothing is read: writing is then the only way to notice that the connection is lost.
  #probe(pulse: Pulse): void {
    this.#hasReceived = false;
    this.#pending = this.#pending?.filter(({ answer }) => answer !== null) ?? null;
    this.#waitIn(pulse.times.pingTimeout > 0 ? pulse.answers : pulse.firsts);
    this.#send(this.#nextPayload(), null);
  }

  #verify(pulse: Pulse): void {
    if (this.#hasReceived || !this.#owner.isReading) {
      const { pingInterval, pingTimeout } = pulse.times;
      if (pingInterval <= pingTimeout) this.#probe(pulse);
      else this.#waitIn(pulse.nexts);
    } else if (this.#queue === pulse.graces) this.#owner.onDead();
    else this.#waitIn(pulse.graces);
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
