import { type ClientHttp2Session, type Http2Stream, isResetHere } from "../net/http2.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";

/** How long a request may have no answer before a PING asks whether the server is still there, in milliseconds. */
const PATIENCE = 2_000;

/** How long the answer to that PING may take, in milliseconds. */
const PING_TIMEOUT = 3_000;

/**
 * Finds out whether a session still has a server: a path that drops packets reports no error. It sends a PING when a
 * request has no answer for a while, and when one is given up without an answer.
 */
export class Liveness {
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #onDead: () => void;
  #unanswered = 0;
  #isAsking = false;
  #deadline: Deadline | null = null;

  /**
   * Watches over a session.
   *
   * @param session The session, ready.
   * @param clock Where times come from.
   * @param onChange Called when {@linkcode isDoubtful} has changed.
   * @param onDead Called when the server has not answered a PING.
   */
  constructor(
    session: ClientHttp2Session,
    clock: Clock,
    onChange: () => void,
    onDead: () => void,
  ) {
    this.#session = session;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#onDead = onDead;
  }

  /** Whether a PING has no answer yet. */
  get isDoubtful(): boolean {
    return this.#isAsking;
  }

  /** A request was sent. */
  watch(stream: Http2Stream): void {
    let isAnswered = false;
    const answered = (): void => {
      if (isAnswered) return;
      isAnswered = true;
      this.#unanswered--;
      if (this.#unanswered === 0 && !this.#isAsking) this.clear();
    };
    stream.on("response", answered);
    stream.on("close", () => {
      if (!isAnswered && isResetHere(stream)) this.#ask();
      answered();
    });
    this.#unanswered++;
    if (this.#deadline === null) this.#wait(PATIENCE, () => this.#ask());
  }

  /** Stops to watch. */
  clear(): void {
    this.#deadline?.clear();
    this.#deadline = null;
  }

  #wait(ms: number, onTime: () => void): void {
    this.clear();
    this.#deadline = new Deadline(this.#clock, { ms, onTime, unref: true });
  }

  #ask(): void {
    if (this.#isAsking || this.#session.closed || this.#session.destroyed) return;
    this.#isAsking = true;
    this.#wait(PING_TIMEOUT, this.#onDead);
    this.#session.ping((error) => {
      // Otherwise the session has ended.
      if (error === null) this.#onAnswer();
    });
    this.#onChange();
  }

  #onAnswer(): void {
    this.#isAsking = false;
    this.clear();
    if (this.#unanswered > 0) this.#wait(PATIENCE, () => this.#ask());
    this.#onChange();
  }
}
