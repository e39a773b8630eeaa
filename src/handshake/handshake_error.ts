/**
 * The error of a failed opening handshake, with a reason for programs.
 *
 * @module
 */

/**
 * Why an opening handshake failed.
 *
 * - `"start-line-too-long"`, `"too-many-headers"`, `"head-too-large"`, `"too-many-interim-responses"`: a
 *   limit was exceeded.
 * - `"bad-start-line"`, `"bad-header"`: the head is not HTTP/1.1.
 * - `"bad-status"`: the server answered with a status other than 101.
 * - `"bad-version"`: the server answered 101 in a version of HTTP other than 1.1.
 * - `"bad-upgrade"`, `"bad-connection"`, `"bad-accept"`, `"bad-protocol"`, `"bad-extensions"`: this header
 *   field is missing, malformed, repeated, or doesn't match the request.
 */
export type HandshakeFailure =
  | "start-line-too-long"
  | "too-many-headers"
  | "head-too-large"
  | "too-many-interim-responses"
  | "bad-start-line"
  | "bad-header"
  | "bad-status"
  | "bad-version"
  | "bad-upgrade"
  | "bad-connection"
  | "bad-accept"
  | "bad-protocol"
  | "bad-extensions";

/** The opening handshake failed: the peer refused it or sent something invalid. */
export class HandshakeError extends Error {
  /** The name of the error: `"HandshakeError"`. */
  override readonly name: string = "HandshakeError";

  /** Why the handshake failed, for programs. */
  readonly reason: HandshakeFailure;

  /**
   * Creates an error.
   *
   * @param reason Why the handshake failed, for programs.
   * @param message Why the handshake failed, for people: a clause that follows "Cannot connect to …: ".
   */
  constructor(reason: HandshakeFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}
