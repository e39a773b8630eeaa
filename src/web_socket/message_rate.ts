import { isPromiseLike } from "../realm/kinds.ts";
import type { Clock } from "./clock.ts";
import { LimitError } from "./errors.ts";
import { TokenBucket } from "./token_bucket.ts";

/** The rate that a peer has exceeded. */
export type RateKind = "messages" | "bytes";

/** What to do with a peer that has exceeded its rate. */
export type RateVerdict = "pause" | "close" | "allow";

/** The rate that a peer may send at, after checks. */
export interface RateRule {
  readonly messages: number | undefined;
  readonly bytes: number | undefined;
  /** The period of both limits, in milliseconds. */
  readonly per: number;
  /**
   * Whether the verdict is always `"pause"`. The pause then comes before the message that would exceed the
   * rate.
   */
  readonly isPausing: boolean;
  /** Returns the verdict. It never throws. */
  readonly verdictOn: (kind: RateKind, channel: object | null) => RateVerdict;
}

/** Measures how much one peer sends, and applies a {@linkcode RateRule}. */
export class MessageRate {
  readonly #rule: RateRule;
  readonly #clock: Clock;
  readonly #messages: TokenBucket | null;
  readonly #bytes: TokenBucket | null;

  /**
   * Creates a rate with nothing received.
   *
   * @param rule The limits and the verdict.
   * @param clock The source of times.
   */
  constructor(rule: RateRule, clock: Clock) {
    this.#rule = rule;
    this.#clock = clock;
    const bucket = (limit: number | undefined): TokenBucket | null =>
      limit === undefined || limit === Infinity
        ? null
        : new TokenBucket({ limit, per: rule.per }, clock.now());
    this.#messages = bucket(rule.messages);
    this.#bytes = bucket(rule.bytes);
  }

  /**
   * Counts received messages or bytes.
   *
   * @param kind What was received.
   * @param amount The number of messages or bytes.
   * @param channel The user's channel.
   * @returns What to do; `"allow"` while the rate isn't exceeded.
   */
  take(kind: RateKind, amount: number, channel: object | null): RateVerdict {
    const bucket = kind === "messages" ? this.#messages : this.#bytes;
    if (bucket === null) return "allow";
    const now = this.#clock.now();
    if (bucket.spend(amount, now) && bucket.wait(now, this.#ahead(kind)) === 0) return "allow";
    const verdict = this.#rule.verdictOn(kind, channel);
    if (verdict === "allow") bucket.forgive();
    return verdict;
  }

  /** The time until no rate is exceeded, in milliseconds. */
  get wait(): number {
    const now = this.#clock.now();
    const messages = this.#messages?.wait(now, this.#ahead("messages")) ?? 0;
    return Math.max(messages, this.#bytes?.wait(now, 0) ?? 0);
  }

  /** Returns the amount that must be available before reading continues. */
  #ahead(kind: RateKind): number {
    return this.#rule.isPausing && kind === "messages" ? 1 : 0;
  }

  /** Creates the error for a connection that is closed because the peer has exceeded its rate. */
  errorOf(kind: RateKind): LimitError {
    const { per } = this.#rule;
    const limit = this.#rule[kind] ?? 0;
    const bucket = kind === "messages" ? this.#messages : this.#bytes;
    return new LimitError(`The peer's input within ${per} ms`, {
      option: `rateLimit.${kind}`,
      limit,
      actual: limit + Math.ceil(bucket?.debt ?? 0),
      unit: kind,
    });
  }
}

/**
 * Creates a rule's verdict from a user's function.
 *
 * @param decide The user's function.
 * @param fail Called with an error of the function, or of its answer. The connection is then closed.
 */
export function verdictBy(
  decide: (kind: RateKind, channel: object | null) => unknown,
  fail: (error: unknown, channel: object | null) => void,
): RateRule["verdictOn"] {
  return (kind, channel) => {
    try {
      const verdict = decide(kind, channel);
      if (verdict === "pause" || verdict === "close" || verdict === "allow") return verdict;
      // Prevents an unhandled rejection.
      if (isPromiseLike<unknown>(verdict)) verdict.then(undefined, () => {});
      throw new TypeError(
        `Cannot use the answer of rateLimit.action: it must be "pause", "close" or "allow"`,
      );
    } catch (error) {
      fail(error, channel);
      return "close";
    }
  };
}
