import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { Deferred } from "../stream_channel/errors.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import type { Opener } from "../web_socket/channel_core.ts";
import { WebSocketChannelError } from "../web_socket/errors.ts";
import { inspectAs } from "../web_socket/inspection.ts";
import { PooledSession, type SessionEvents, type SessionPlace } from "./session.ts";

/** Options of {@linkcode Http2Pool}. */
export interface Http2PoolOptions {
  /**
   * The maximum number of sessions to all servers together, at least 1. When another one is needed, the pool closes an
   * idle session; if none is idle, the channel waits for room until its `connectTimeout`. Default 64.
   */
  maxSessions?: number | undefined;
  /**
   * The maximum number of channels that share a session, at least 1. The server's SETTINGS_MAX_CONCURRENT_STREAMS also
   * limits them. When a session is full, the next channel gets another one. Default 100.
   */
  maxChannelsPerSession?: number | undefined;
  /** How long the pool keeps a session without a channel, in milliseconds; with 0 it closes it at once. Default 10,000. */
  idleTimeout?: number | undefined;
}

const POOL_KINDS: OptionKinds<Http2PoolOptions> = {
  maxSessions: "limit",
  maxChannelsPerSession: "limit",
  idleTimeout: "time",
};

const DEFAULT_MAX_SESSIONS = 64;
const DEFAULT_MAX_CHANNELS = 100;
const DEFAULT_IDLE_TIMEOUT = 10_000;

let coreIn: (pool: object) => PoolCore | null;

/**
 * A pool of HTTP/2 sessions that channels share. Many channels then need only one connection and one TLS handshake.
 *
 * Channels share a session when they connect to the same scheme, host and port, with the same `tls`, `proxy`,
 * `socketPath`, `localAddress` and `lookup`. Each setting of `tls` must be the same string, number or object.
 *
 * Without a pool of your own, `Http2.connect` uses `Http2.pool`. An idle session doesn't keep the process alive.
 *
 * @example
 * ```ts ignore
 * import { Http2, Http2Pool } from "@web-socket/channel/http2";
 *
 * const pool = new Http2Pool({ maxSessions: 4 });
 * const channels = await Promise.all(
 *   Array.from({ length: 100 }, () => Http2.open("wss://example.com/feed", { pool })),
 * );
 * console.log(pool.sessions); // 1
 * await pool.close();
 * ```
 */
export class Http2Pool {
  readonly #core: PoolCore;

  /**
   * Creates a pool, with no sessions yet.
   *
   * @param options See {@linkcode Http2PoolOptions}.
   * @throws {TypeError | RangeError} When an option is unknown or malformed.
   */
  constructor(options?: Http2PoolOptions) {
    this.#core = new PoolCore(readOptions(options, POOL_KINDS));
  }

  /** The number of sessions, including those that are connecting or closing. */
  get sessions(): number {
    return this.#core.sessions.length;
  }

  /** The number of channels in all sessions, including those that are connecting. */
  get channels(): number {
    return this.#core.sessions.reduce((sum, { streams }) => sum + streams, 0);
  }

  /**
   * Closes idle and connecting sessions at once, and the others when their last channel has ended. Channels without a
   * session fail. Afterwards, this pool can't connect another channel.
   *
   * @returns A promise that fulfils when all sessions have ended.
   */
  close(): Promise<void> {
    return this.#core.close();
  }

  /** Closes the pool: see {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  static {
    coreIn = (pool) => #core in pool ? pool.#core : null;
  }
}

inspectAs(Http2Pool.prototype, "Http2Pool", ({ sessions, channels }) => ({ sessions, channels }));

/**
 * What works behind a pool.
 *
 * @returns `null` when it is no pool.
 */
export function poolCoreOf(pool: object): PoolCore | null {
  return coreIn(pool);
}

/** A stream that is wanted; it is waited for with {@linkcode session}. */
export class PoolTicket implements Opener {
  readonly place: SessionPlace;
  readonly clock: Clock;
  readonly #core: PoolCore;
  readonly #granted = new Deferred<PooledSession>();
  #session: PooledSession | null = null;
  #isRef = true;
  #isDone = false;
  #isAdmitted = false;

  /** Creates one that waits. */
  constructor(core: PoolCore, place: SessionPlace, clock: Clock) {
    this.#core = core;
    this.place = place;
    this.clock = clock;
  }

  /** The session, in which there is room for a stream. */
  get session(): Promise<PooledSession> {
    return this.#granted.promise;
  }

  /** What it is waiting for, as a text. */
  get progress(): string {
    return this.#session?.progress ?? "waiting for room in the pool";
  }

  /** It gets room in a session, which may still be connecting. */
  grant(session: PooledSession): void {
    this.#session = session;
    session.reserve();
    if (!this.#isRef) session.hold(false);
    session.ready.then(
      () => this.#onReady(session),
      (error) => this.fail(this.#core.closedError ?? error),
    );
  }

  #onReady(session: PooledSession): void {
    if (this.#isDone) return;
    this.#isAdmitted = session.admit();
    if (this.#isAdmitted) return this.#granted.resolve(session);
    // A new session here would have no limit for a server that ends each of them.
    if (session.isDraining) return this.fail(this.#core.closedError ?? session.endedError());
    // The server allows fewer streams than this side thought while it was connecting.
    this.#session = null;
    session.release(this.#isRef, false);
    this.#core.place(this);
  }

  /** There won't be any room. */
  fail(error: unknown): void {
    this.release();
    this.#granted.reject(error);
  }

  /** The stream has ended, or isn't wanted any more. */
  release(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#core.forget(this);
    this.#session?.release(this.#isRef, this.#isAdmitted);
  }

  /** See {@linkcode Opener}. */
  destroy(): void {
    this.release();
  }

  ref(): void {
    this.hold(true);
  }

  unref(): void {
    this.hold(false);
  }

  /** Whether this stream keeps the process alive. */
  hold(isRef: boolean): void {
    if (this.#isRef === isRef || this.#isDone) return;
    this.#isRef = isRef;
    this.#session?.hold(isRef);
  }
}

/** What works behind an {@linkcode Http2Pool}. */
export class PoolCore implements SessionEvents {
  readonly #options: Http2PoolOptions;
  /** All that have not ended. */
  readonly sessions: PooledSession[] = [];
  /** Those for which there is no room, the oldest first. */
  readonly #waiting: Set<PoolTicket> = new Set<PoolTicket>();
  #closed: Deferred | null = null;

  /** @param options The options, read. */
  constructor(options: Http2PoolOptions) {
    this.#options = options;
  }

  /**
   * Asks for room for a stream.
   *
   * @throws {WebSocketChannelError} When the pool is closed.
   */
  ask(place: SessionPlace, clock: Clock = systemClock): PoolTicket {
    if (this.closedError !== null) throw this.closedError;
    const ticket = new PoolTicket(this, place, clock);
    this.place(ticket);
    return ticket;
  }

  /** The error of a channel that needs this pool; `null` when the pool is not closed. */
  get closedError(): WebSocketChannelError | null {
    if (this.#closed === null) return null;
    return new WebSocketChannelError("Cannot connect: the Http2Pool is closed");
  }

  /** Gives a ticket room, now or later. */
  place(ticket: PoolTicket): void {
    if (!this.#serve(ticket)) this.#waiting.add(ticket);
  }

  #serve(ticket: PoolTicket): boolean {
    const { place, clock } = ticket;
    let session = this.sessions.find((it) => it.hasRoom && isSamePlace(it.place, place));
    if (session === undefined) {
      const {
        maxSessions = DEFAULT_MAX_SESSIONS,
        maxChannelsPerSession: maxStreams = DEFAULT_MAX_CHANNELS,
        idleTimeout = DEFAULT_IDLE_TIMEOUT,
      } = this.#options;
      if (this.sessions.length >= maxSessions) {
        this.sessions.find((it) => it.streams === 0)?.destroy();
      }
      if (this.sessions.length >= maxSessions) return false;
      session = new PooledSession(place, { clock, maxStreams, idleTimeout, events: this });
      this.sessions.push(session);
    }
    ticket.grant(session);
    return true;
  }

  /** A ticket doesn't wait any more. */
  forget(ticket: PoolTicket): void {
    this.#waiting.delete(ticket);
  }

  onChange(session: PooledSession): void {
    if (session.isOver) {
      const at = this.sessions.indexOf(session);
      if (at >= 0) this.sessions.splice(at, 1);
    }
    for (const ticket of [...this.#waiting]) {
      if (!this.#serve(ticket)) continue;
      this.#waiting.delete(ticket);
    }
    if (this.sessions.length === 0) this.#closed?.resolve();
  }

  /** See {@linkcode Http2Pool.close}. */
  close(): Promise<void> {
    const closed = this.#closed ??= new Deferred();
    for (const ticket of [...this.#waiting]) ticket.fail(this.closedError);
    for (const session of [...this.sessions]) session.close();
    if (this.sessions.length === 0) closed.resolve();
    return closed.promise;
  }
}

/** Whether channels to one can share a session with those to the other. */
function isSamePlace(a: SessionPlace, b: SessionPlace): boolean {
  if (a.url.protocol !== b.url.protocol || a.url.host !== b.url.host) return false;
  const [one, other] = [a.options, b.options];
  return one.socketPath === other.socketPath && one.localAddress === other.localAddress &&
    one.lookup === other.lookup && isSameProxy(one.proxy, other.proxy) && isSameBag(a.tls, b.tls);
}

function isSameProxy(
  a: SessionPlace["options"]["proxy"],
  b: SessionPlace["options"]["proxy"],
): boolean {
  if (a === b) return true;
  const textOf = (it: typeof a): string | null => {
    if (typeof it === "string") return it;
    return it && "href" in it ? it.href : null;
  };
  return textOf(a) !== null && textOf(a) === textOf(b);
}

/** Whether each setting is the same. */
function isSameBag(a: object = {}, b: object = {}): boolean {
  const [one, other] = [Object.entries(a), new Map<string, unknown>(Object.entries(b))];
  return one.length === other.size &&
    one.every(([name, value]) => other.has(name) && Object.is(other.get(name), value));
}
