import {
  destroyLater,
  ENHANCE_YOUR_CALM,
  type Http2Session,
  type Http2Stream,
  isResetHere,
  NO_ERROR,
  widenWindow,
} from "../net/http2.ts";
import { ignore } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { type Rate, TokenBucket } from "../web_socket/token_bucket.ts";

declare function setImmediate(callback: () => void): unknown;

/**
 * How often a client may do what is cheap for it and expensive for the server. Each is a token bucket; beyond it the
 * session ends with ENHANCE_YOUR_CALM (RFC 9113 §10.5).
 */
const RATES = {
  /** Streams reset by the client: CVE-2023-44487, "rapid reset". */
  resets: { limit: 1_000, per: 30_000 },
  /** PING frames: CVE-2019-9512, "ping flood". */
  pings: { limit: 200, per: 20_000 },
  /** SETTINGS frames: CVE-2019-9515, "settings flood". */
  settings: { limit: 50, per: 50_000 },
} as const satisfies Record<string, Rate>;

/** How long a session may have no stream before the server ends it, in milliseconds. */
const IDLE_TIMEOUT = 60_000;

/** Limits what a client can do with a session, in addition to the limits of `node:http2`. */
export class SessionGuard {
  readonly session: Http2Session;
  readonly #clock: Clock;
  readonly #buckets: Map<keyof typeof RATES, TokenBucket> = new Map<
    keyof typeof RATES,
    TokenBucket
  >();
  /** The number of open streams. */
  #streams = 0;
  /** Whether the session ends with its last stream. */
  #isClosing = false;
  /** Whether the client has exceeded a limit. */
  #isDestroyed = false;
  #idle: Deadline | null = null;

  /**
   * Guards a session until it ends.
   *
   * @param session The new session.
   * @param clock The clock for the limits.
   */
  constructor(session: Http2Session, clock: Clock) {
    this.session = session;
    this.#clock = clock;
    destroyLater(session);
    // A failure ends the session's streams, and each of them reports it.
    session.on("error", ignore);
    session.on("ping", () => this.#spend("pings"));
    session.on("remoteSettings", () => this.#spend("settings"));
    session.on("close", () => this.#stopIdle());
    widenWindow(session);
    this.#waitIdle();
  }

  /** Counts a new stream of the session. */
  add(stream: Http2Stream): void {
    this.#streams++;
    this.#stopIdle();
    stream.on("close", () => {
      const { rstCode = NO_ERROR } = stream;
      if (rstCode !== NO_ERROR && !isResetHere(stream)) this.#spend("resets");
      this.#streams--;
      if (this.#streams === 0 && !this.session.destroyed) this.#waitIdle();
    });
  }

  #waitIdle(): void {
    if (this.#isClosing) return this.session.close();
    const onTime = (): void => this.session.close();
    this.#idle = new Deadline(this.#clock, { ms: IDLE_TIMEOUT, onTime, unref: true });
  }

  #stopIdle(): void {
    this.#idle?.clear();
    this.#idle = null;
  }

  /** Sends GOAWAY, and ends the session with its last stream (RFC 9113 §6.8). */
  close(): void {
    this.#isClosing = true;
    this.#stopIdle();
    if (!this.session.destroyed) this.session.close();
  }

  #spend(what: keyof typeof RATES): void {
    const now = this.#clock.now();
    let bucket = this.#buckets.get(what);
    if (bucket === undefined) this.#buckets.set(what, bucket = new TokenBucket(RATES[what], now));
    if (bucket.take(1, now) || this.#isDestroyed || this.session.destroyed) return;
    this.#isDestroyed = true;
    // With this code, `destroy` would be an error of each stream, also of those of the user.
    this.session.goaway(ENHANCE_YOUR_CALM);
    // Node 20 aborts if a session is destroyed while it reads a frame.
    setImmediate(() => this.session.destroy());
  }
}
