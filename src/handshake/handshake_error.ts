/**
 * What failed in an opening handshake, as one class with a reason that programs can read.
 *
 * @module
 */

/**
 * Why an opening handshake failed.
 *
 * - `"start-line-too-long"`, `"too-many-headers"`, `"head-too-large"`,
 *   `"too-many-interim-responses"`: a limit was exceeded.
 * - `"bad-start-line"`, `"bad-header"`: not HTTP/1.1.
 * - `"bad-status"`: the server answered with another status than 101.
 * - `"bad-version"`: a 101 of another version of HTTP than 1.1.
 * - `"bad-upgrade"`, `"bad-connection"`, `"bad-accept"`, `"bad-protocol"`, `"bad-extensions"`:
 *   the header field of that name is missing, malformed, repeated or not what was asked for.
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

/** An opening handshake that the peer got wrong, or refused. */
export class HandshakeError extends Error {
  /** The class's name. */
  override readonly name: string = "HandshakeError";

  /** What was wrong, for programs. */
  readonly reason: HandshakeFailure;

  /**
   * Makes an error.
   *
   * @param reason What was wrong, for programs.
   * @param message What was wrong, for people: a clause, which stands behind "Cannot connect to …: ".
   */
  constructor(reason: HandshakeFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}
