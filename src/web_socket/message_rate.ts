import { isPromiseLike } from "../realm/kinds.ts";
import type { Clock } from "./clock.ts";
import { LimitError } from "./errors.ts";
import { TokenBucket } from "./token_bucket.ts";

/** What a peer exceeded. */
export type RateKind = "messages" | "bytes";

/** What is done with a peer that exceeded its rate. */
export type RateVerdict = "pause" | "close" | "allow";

/** How much a peer may send, checked. */
export interface RateRule {
  readonly messages: number | undefined;
  readonly bytes: number | undefined;
  /** The time that they are for, in milliseconds. */
  readonly per: number;
  /** Whether the verdict is always `"pause"`: then there is a pause before the message that would be too much. */
  readonly isPausing: boolean;
  /** Decides. It never throws. */
  readonly verdictOn: (kind: RateKind, channel: object | null) => RateVerdict;
}

/** What one peer has sent lately, against a {@linkcode RateRule}. */
export class MessageRate {
  readonly #rule: RateRule;
  readonly #clock: Clock;
  readonly #messages: TokenBucket | null;
  readonly #bytes: TokenBucket | null;

  /**
   * Creates it, with nothing sent.
   *
   * @param rule How much the peer may send.
   * @param clock Where times come from.
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
   * Counts what was received.
   *
   * @param kind What it is.
   * @param amount How much.
   * @param channel The channel that the user has.
   * @returns What to do; `"allow"` as long as the rate isn't exceeded.
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

  /** How long to wait until nothing is exceeded any more, in milliseconds. */
  get wait(): number {
    const now = this.#clock.now();
    const messages = this.#messages?.wait(now, this.#ahead("messages")) ?? 0;
    return Math.max(messages, this.#bytes?.wait(now, 0) ?? 0);
  }

  /** How much there must be room for, so that reading may go on. */
  #ahead(kind: RateKind): number {
    return this.#rule.isPausing && kind === "messages" ? 1 : 0;
  }

  /** The error of a peer whose connection is ended because it exceeded its rate. */
  errorOf(kind: RateKind): LimitError {
    const { per } = this.#rule;
    const limit = this.#rule[kind] ?? 0;
    const bucket = kind === "messages" ? this.#messages : this.#bytes;
    return new LimitError(`What the peer sent within ${per} ms`, {
      option: `rateLimit.${kind}`,
      limit,
      actual: limit + Math.ceil(bucket?.debt ?? 0),
      unit: kind,
    });
  }
}

/**
 * A rule's verdict by a function of the user's.
 *
 * @param decide The function.
 * @param fail Gets what it throws, and a fault of its answer. The peer is then closed.
 */
export function verdictBy(
  decide: (kind: RateKind, channel: object | null) => unknown,
  fail: (error: unknown, channel: object | null) => void,
): RateRule["verdictOn"] {
  return (kind, channel) => {
    try {
      const verdict = decide(kind, channel);
      if (verdict === "pause" || verdict === "close" || verdict === "allow") return verdict;
      // It would otherwise be an unhandled rejection.
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
