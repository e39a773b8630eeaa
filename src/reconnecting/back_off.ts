import * as status from "../../status.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { ConnectError, LimitError, ProtocolError, UnsupportedError } from "../web_socket/errors.ts";

/** The limits of the delays between attempts. */
export interface BackOffTimes {
  /** The upper bound of the first delay, in milliseconds. */
  readonly firstDelay: number;
  /** The upper bound of all delays, in milliseconds. */
  readonly maxDelay: number;
  /** Returns random numbers, at least 0 and less than 1. */
  readonly random: () => number;
}

/** The factor by which the upper bound grows with each delay. */
const FACTOR = 2;

/** The maximum exponent: 2 to this power exceeds any `maxDelay`, and is still finite. */
const MAX_EXPONENT = 64;

/**
 * The shortest delay after close code 1012, as a part of `maxDelay`. IANA's registry says that such a client reconnects
 * after a random delay of 5–30 seconds.
 */
const MIN_PART = 1 / 6;

/** Close codes after which another attempt would end in the same way. */
const FINAL: readonly number[] = [
  status.normalClosure,
  status.protocolError,
  status.unsupportedData,
  status.invalidFramePayloadData,
  status.policyViolation,
  status.messageTooBig,
  status.missingMandatoryExtension,
  // Many servers use these instead of HTTP's 401 and 403.
  4401,
  4403,
];

/** Returns the close code that ended a connection: the peer's, or this side's own if it failed the connection. */
export function decisiveCode({ received, sent, code }: CloseInfo): number {
  return received?.code ?? sent?.code ?? code;
}

/**
 * Whether another attempt may succeed; the default of `retry`.
 *
 * @param info How the connection, or the attempt, ended.
 */
export function isWorthRetrying(info: CloseInfo): boolean {
  const { error } = info;
  if (error instanceof ConnectError) return error.retryable;
  const isFinal = error instanceof UnsupportedError || error instanceof LimitError ||
    error instanceof ProtocolError;
  return !isFinal && !FINAL.includes(decisiveCode(info));
}

/** Whether the server has asked for a delay, which must not be shortened. */
export function asksForPatience(info: CloseInfo): boolean {
  const code = decisiveCode(info);
  return wishOf(info) > 0 || code === status.serviceRestart || code === status.tryAgainLater;
}

function wishOf({ error }: CloseInfo): number {
  return error instanceof ConnectError ? error.retryAfter ?? 0 : 0;
}

/**
 * Returns the delay before the next attempt, in milliseconds. It is random below an upper bound that doubles ("full
 * jitter"). If the server names a time, the random part is added to it.
 *
 * @param failures How many attempts and connections ended before this one, since the last stable connection.
 * @param info How this one ended.
 * @param times The limits of the delays.
 */
export function delayAfter(failures: number, info: CloseInfo, times: BackOffTimes): number {
  const { firstDelay, maxDelay, random } = times;
  const code = decisiveCode(info);
  if (code === status.serviceRestart || code === status.tryAgainLater) {
    return maxDelay * (MIN_PART + random() * (1 - MIN_PART));
  }
  const bound = Math.min(maxDelay, firstDelay * FACTOR ** Math.min(failures, MAX_EXPONENT));
  return wishOf(info) + random() * bound;
}
