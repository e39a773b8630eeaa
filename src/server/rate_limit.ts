import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { type RateRule, verdictBy } from "../web_socket/message_rate.ts";
import { type ErrorHook, report } from "./error_hook.ts";
import type { ServerWebSocketChannel } from "./server_request.ts";

/**
 * How much one client may send: a token bucket for each of `messages` and `bytes`, which is full at first and
 * is refilled evenly, by its limit within `per`. So a client that was silent for `per` may send as much as the
 * limit at once, and in the long run no more than the limit within each `per`. At least one of the two must be
 * given; what exceeds either of them counts.
 */
export interface RateLimitOptions {
  /** How many messages: from 1. One in fragments counts once, a control frame not at all. Left out: any number. */
  messages?: number | undefined;
  /**
   * How many bytes: from 1. They are counted as they are on the wire: before they are inflated, with frame headers
   * and control frames; `maxMessageSize` limits what a message is inflated to. On the sockets of `Deno.serve` and `Bun.serve` the payloads of messages are counted, inflated. Left out: any
   * number.
   */
  bytes?: number | undefined;
  /** The time that the limits are for, in milliseconds: from 1. */
  per: number;
  /**
   * What is done with a client that exceeds a limit:
   *
   * - `"pause"`: nothing more is read from it until it has kept to the limit again. Nothing is lost: what it
   *   sends meanwhile waits in its own buffers, and it notices that as backpressure.
   *   The sockets of `Deno.serve` and `Bun.serve` can't be paused: there it is an `UnsupportedError`.
   * - `"close"`: the message isn't delivered, and the connection ends with 1008. `closed` has a `LimitError`.
   * - A function that decides, once for each message (or chunk of bytes) over the limit. It must answer
   *   `"pause"`, `"close"` or `"allow"`, which lets the message through. If it throws, or answers something else,
   *   `onError` gets the error, and the connection is closed as with `"close"`.
   *   On a socket that can't be paused, its `"pause"` counts as `"close"`.
   */
  action: "pause" | "close" | ((excess: RateExcess) => "pause" | "close" | "allow");
}

/** A client that has sent more than `rateLimit` allows. */
export interface RateExcess {
  /** Its channel. */
  readonly channel: ServerWebSocketChannel;
  /** Which limit it has exceeded. */
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
 * @param onError Who gets the errors of its function.
 * @returns The rule; `undefined` if there is none.
 * @throws {TypeError} When it is no such option, or lacks a part.
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
      "Cannot use the option rateLimit: it must have per, action, and messages or bytes or both",
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
