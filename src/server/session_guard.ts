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

/**
 * How often a client may do what costs it little and the server much: each is a token bucket, and the session
 * is ended with ENHANCE_YOUR_CALM beyond it. RFC 9113 §10.5.
 */
const RATES = {
  /** Streams that the client resets: CVE-2023-44487, "rapid reset". */
  resets: { limit: 1_000, per: 30_000 },
  /** CVE-2019-9512, "ping flood". */
  pings: { limit: 200, per: 20_000 },
  /** CVE-2019-9515, "settings flood". */
  settings: { limit: 50, per: 50_000 },
} as const satisfies Record<string, Rate>;

/** How long a session may have no stream before the server ends it, in milliseconds. */
const IDLE_TIMEOUT = 60_000;

/** Bounds what a client can do with a session, beside what `node:http2` bounds itself. */
export class SessionGuard {
  readonly session: Http2Session;
  readonly #clock: Clock;
  readonly #buckets: Map<keyof typeof RATES, TokenBucket> = new Map<
    keyof typeof RATES,
    TokenBucket
  >();
  /** How many streams there are. */
  #streams = 0;
  /** It is to end with its last stream. */
  #isClosing = false;
  #idle: Deadline | null = null;

  /**
   * Watches over a session, as long as it lives.
   *
   * @param session The session, new.
   * @param clock Where times come from.
   */
  constructor(session: Http2Session, clock: Clock) {
    this.session = session;
    this.#clock = clock;
    destroyLater(session);
    // What fails ends the session's streams, each of which reports it.
    session.on("error", ignore);
    session.on("ping", () => this.#spend("pings"));
    session.on("remoteSettings", () => this.#spend("settings"));
    session.on("close", () => this.#stopIdle());
    widenWindow(session);
  }

  /** A stream of the session has begun. */
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

  /** Ends the session with its last stream, and tells the client. RFC 9113 §6.8. */
  close(): void {
    this.#isClosing = true;
    this.#stopIdle();
    if (!this.session.destroyed) this.session.close();
  }

  #spend(what: keyof typeof RATES): void {
    const now = this.#clock.now();
    let bucket = this.#buckets.get(what);
    if (bucket === undefined) this.#buckets.set(what, bucket = new TokenBucket(RATES[what], now));
    if (bucket.take(1, now) || this.session.destroyed) return;
    this.session.destroy(undefined, ENHANCE_YOUR_CALM);
  }
}
