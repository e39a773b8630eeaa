import { Deferred } from "../stream_channel/deferred.ts";
import type { Clock } from "./clock.ts";
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
  readonly pingTimeout: number;
}

interface PendingPing {
  readonly id: number;
  readonly sentAt: number;
  readonly answer: Deferred<number>;
}

/** More unanswered pings than this are refused: the peer may never answer. */
export const MAX_PENDING_PINGS = 128;

const PAYLOAD_LENGTH = 4;

/**
 * The Pings of one connection: those that the user asks for, and those that keep it alive. Any byte
 * that arrives counts as life.
 */
export class Keepalive {
  readonly #owner: KeepaliveOwner;
  readonly #clock: Clock;
  readonly #times: KeepaliveTimes;
  #pending: PendingPing[] = [];
  #lastId = 0;
  #heard = true;
  #timer: unknown;
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
    if (this.#times.pingInterval > 0) this.#schedule(() => this.#probe(), this.#times.pingInterval);
  }

  /** Bytes have arrived. */
  heard(): void {
    this.#heard = true;
  }

  /** Sends a Ping; fulfils with the round trip's time. */
  ping(): Promise<number> {
    const answer = new Deferred<number>();
    if (this.#pending.length < MAX_PENDING_PINGS) this.#send(answer);
    else {
      const message = `Cannot ping: ${MAX_PENDING_PINGS} pings are unanswered`;
      answer.reject(new WebSocketChannelError(message));
    }
    return answer.promise;
  }

  // RFC 6455 §5.5.3: a peer may answer only the latest of several Pings, so a Pong answers the
  // earlier ones as well. One that nobody asked for is ignored.
  onPong(payload: Uint8Array): void {
    if (payload.length !== PAYLOAD_LENGTH) return;
    const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    const at = this.#pending.findIndex((ping) => ping.id === id);
    const now = this.#clock.now();
    for (const ping of this.#pending.splice(0, at + 1)) {
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

  #send(answer: Deferred<number>): void {
    const id = this.#lastId = (this.#lastId + 1) >>> 0;
    const payload = new Uint8Array(PAYLOAD_LENGTH);
    new DataView(payload.buffer).setUint32(0, id);
    this.#pending.push({ id, sentAt: this.#clock.now(), answer });
    this.#owner.sendPing(payload);
  }

  #probe(): void {
    this.#heard = false;
    // A keepalive's own pings make room for each other: only the latest answer is of interest.
    if (this.#pending.length < MAX_PENDING_PINGS) this.#send(new Deferred<number>());
    this.#schedule(() => this.#verify(), this.#times.pingTimeout);
  }

  /** Time is up; but after a stall of the event loop the answer may be there, and not read yet. */
  #verify(): void {
    if (this.#heard) this.#restart();
    else this.#schedule(() => this.#judge(), 0);
  }

  #judge(): void {
    if (this.#heard || !this.#owner.isReading) this.#restart();
    else this.#owner.onDead();
  }

  #restart(): void {
    const { pingInterval, pingTimeout } = this.#times;
    this.#schedule(() => this.#probe(), Math.max(pingInterval - pingTimeout, 0));
  }

  #schedule(callback: () => void, ms: number): void {
    this.#clearTimer();
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      callback();
    }, ms);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
