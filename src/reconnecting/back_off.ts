import * as status from "../../status.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { ConnectError, LimitError, ProtocolError, UnsupportedError } from "../web_socket/errors.ts";

/** How long to wait between attempts. */
export interface BackOffTimes {
  /** The upper bound of the first delay, in milliseconds. */
  readonly firstDelay: number;
  /** The upper bound of all delays, in milliseconds. */
  readonly maxDelay: number;
  /** Random numbers from 0 to 1. */
  readonly random: () => number;
}

/** Each delay's upper bound is so many times the one before. */
const FACTOR = 2;

/** 2 to the power of this is more than any `maxDelay`, and still a number. */
const MAX_EXPONENT = 64;

/**
 * IANA's registry of close codes: a client that was closed with 1012 reconnects after a random delay of 5–30
 * seconds. This is the shortest one, as a part of `maxDelay`.
 */
const MIN_PART = 1 / 6;

/** Another attempt after these would end in the same way. */
const FINAL: readonly number[] = [
  status.normalClosure,
  status.protocolError,
  status.unsupportedData,
  status.invalidFramePayloadData,
  status.policyViolation,
  status.messageTooBig,
  status.missingMandatoryExtension,
  // Used by many servers in the place of HTTP's 401 and 403.
  4401,
  4403,
];

/** The close code that ended a connection: the peer's, or this side's own where it failed the connection. */
export function decisiveCode({ received, sent, code }: CloseInfo): number {
  return received?.code ?? sent?.code ?? code;
}

/**
 * Whether another attempt may do better: what `retry` is by default.
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

/** Whether the server has asked for a pause that isn't to be cut short. */
export function asksForPatience(info: CloseInfo): boolean {
  const code = decisiveCode(info);
  return wishOf(info) > 0 || code === status.serviceRestart || code === status.tryAgainLater;
}

function wishOf({ error }: CloseInfo): number {
  return error instanceof ConnectError ? error.retryAfter ?? 0 : 0;
}

/**
 * How long to wait before the next attempt, in milliseconds: "full jitter", a random part of an upper bound
 * that doubles. When the server names a time, the random part comes on top of it.
 *
 * @param failures How many attempts and connections have ended since one that lasted, without this one.
 * @param info How this one ended.
 * @param times See {@linkcode BackOffTimes}.
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
