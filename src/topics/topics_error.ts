import { WebSocketChannelError } from "../web_socket/errors.ts";

/**
 * Why a call of `Topics` has failed:
 *
 * - `"unauthorized"`: `authorize` refused it, failed, or took too long;
 * - `"lost"`: the connection to the engine is lost, and `whileLost` is `"fail"`;
 * - `"refused"`: the engine's server refuses this process, for example its password; the `cause` says why;
 * - `"full"`: the pending messages have reached `maxPending` bytes;
 * - `"closed"`: the topics, the channel or the engine's client are closed.
 */
export type TopicsErrorReason = "unauthorized" | "lost" | "refused" | "full" | "closed";

/** The details of a {@linkcode TopicsError}. */
export interface TopicsErrorOptions {
  /** The reason for the failure. */
  reason: TopicsErrorReason;
  /** The error of the engine, or of `authorize`. */
  cause?: unknown;
  /** Whether the message may have been published anyway. Default `false`. */
  mayBePublished?: boolean;
}

/** A call of `Topics` has failed. */
export class TopicsError extends WebSocketChannelError {
  /** `"TopicsError"`, also in minified code. */
  override readonly name = "TopicsError";
  /** The reason for the failure. */
  readonly reason: TopicsErrorReason;
  /**
   * Whether the message may have been published anyway, because the connection was lost before the engine's answer.
   * You can safely publish it again with the same `id`.
   */
  readonly mayBePublished: boolean;

  /**
   * Creates the error.
   *
   * @param message The text.
   * @param options The details.
   */
  constructor(message: string, options: TopicsErrorOptions) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.reason = options.reason;
    this.mayBePublished = options.mayBePublished ?? false;
  }
}

/** The connection to the engine's server has failed. The same call may work later. */
export class EngineError extends Error {
  /** `"EngineError"`, also in minified code. */
  override readonly name = "EngineError";
}
