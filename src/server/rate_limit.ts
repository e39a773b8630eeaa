import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { type RateRule, verdictBy } from "../web_socket/message_rate.ts";
import { type ErrorHook, report } from "./error_hook.ts";
import type { ServerWebSocketChannel } from "./server_request.ts";

/**
 * How much a client may send: a token bucket for each of `messages` and `bytes`. A bucket starts full, and is refilled
 * evenly by its limit within each `per`. So a client that was silent for `per` may send the whole limit at once, and on
 * average no more than the limit within each `per`. Give `messages`, `bytes` or both; exceeding either counts.
 */
export interface RateLimitOptions {
  /** How many messages, at least 1. A fragmented message counts once, control frames don't count. Default: no limit. */
  messages?: number | undefined;
  /**
   * How many bytes, at least 1. They are counted on the wire: before decompression, with frame headers and control
   * frames. `maxMessageSize` limits decompressed messages. On sockets of `Deno.serve` and `Bun.serve` only the
   * decompressed payloads of messages count. Default: no limit.
   */
  bytes?: number | undefined;
  /** The period of the limits, in milliseconds, at least 1. */
  per: number;
  /**
   * What to do with a client that exceeds a limit:
   *
   * - `"pause"`: stops reading from the client until it is within the limit again. Nothing is lost: the client notices
   *   backpressure. On the sockets of `Deno.serve` and `Bun.serve`, which can't be paused, it is an `UnsupportedError`.
   * - `"close"`: drops the message, and closes the connection with 1008. `closed` has a `LimitError`.
   * - A function that decides, called for each message (or chunk of bytes) over the limit. It must return `"pause"`,
   *   `"close"` or `"allow"`, which lets the message through. If it throws, or returns something else, `onError` gets
   *   the error, and the connection is closed as with `"close"`. On a socket that can't be paused, `"pause"` counts as
   *   `"close"`.
   */
  action: "pause" | "close" | ((excess: RateExcess) => "pause" | "close" | "allow");
}

/** The argument of a function `rateLimit.action`: a client that has exceeded a limit. */
export interface RateExcess {
  /** The client's channel. */
  readonly channel: ServerWebSocketChannel;
  /** The limit that the client has exceeded. */
  readonly exceeded: "messages" | "bytes";
}

const RATE_KINDS: OptionKinds<RateLimitOptions> = {
  messages: "limit",
  bytes: "limit",
  per: "period",
  action: '"pause"|"close"|function',
};

/**
 * Checks the option `rateLimit`.
 *
 * @param given The option.
 * @param onError The hook that gets the errors of the function `action`.
 * @returns The rule; `undefined` if there is none.
 * @throws {TypeError} When it is malformed or incomplete.
 * @throws {RangeError} When a number is out of its range.
 */
export function checkRateLimit(
  given: RateLimitOptions | undefined,
  onError: ErrorHook | undefined,
): RateRule | undefined {
  if (given === undefined) return undefined;
  const { messages, bytes, per, action } = readOptions(given, RATE_KINDS, { within: "rateLimit." });
  if (per === undefined || action === undefined || (messages ?? bytes) === undefined) {
    throw new TypeError(
      "Cannot use the option rateLimit: it must have per, action, and at least one of messages and bytes",
    );
  }
  const verdictOn: RateRule["verdictOn"] = typeof action === "function"
    ? verdictBy(
      (exceeded, channel) => action({ channel: channel as ServerWebSocketChannel, exceeded }),
      (error, channel) => {
        const { request } = channel as ServerWebSocketChannel;
        report(onError, error, { where: "rateLimit", request });
      },
    )
    : () => action;
  return { messages, bytes, per, verdictOn, isPausing: action === "pause" };
}
