/**
 * Each fault that fails a connection, with the close code and the close reason that are sent
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7 RFC 6455 §7.1.7}). Only this file maps faults
 * to codes.
 *
 * @module
 */

import {
  internalServerError,
  invalidFramePayloadData,
  messageTooBig,
  policyViolation,
  protocolError,
} from "../../status.ts";

/** Why a connection fails, and what its Close frame says. */
export interface Failure {
  /** The close code. */
  readonly code: number;
  /** The close reason: a short fixed phrase that never contains anything the peer sent. */
  readonly reason: string;
  /** By how much a message exceeded a limit of this side. */
  readonly excess?: Excess;
  /** The error that was thrown, if the fault is on this side. */
  readonly cause?: unknown;
}

/** The size of a message that exceeds this side's limit. */
export interface Excess {
  /**
   * Its size in bytes, where known. For a message that became too large by decompressing, this is the
   * compressed size.
   */
  readonly size: number;
  /** The limit, in bytes. */
  readonly limit: number;
  readonly isCompressed: boolean;
}

function protocolFailure(reason: string): Failure {
  return { code: protocolError, reason };
}

/** RFC 6455 §5.2: a reserved bit must be 0 unless an extension that defines it was agreed. */
export const RESERVED_BIT: Failure = protocolFailure("Reserved bit set");
/** RFC 6455 §5.2: the opcodes 3–7 and 11–15 are reserved. */
export const RESERVED_OPCODE: Failure = protocolFailure("Reserved opcode");
/** RFC 6455 §5.1: a server must close the connection upon a frame that isn't masked. */
export const NOT_MASKED: Failure = protocolFailure("Frame not masked");
/** RFC 6455 §5.1: a client must close the connection upon a masked frame. */
export const MASKED: Failure = protocolFailure("Frame masked");
/** RFC 6455 §5.5: a control frame must not be fragmented. */
export const FRAGMENTED_CONTROL: Failure = protocolFailure("Control frame fragmented");
/** RFC 6455 §5.5: a control frame's payload has at most 125 bytes. */
export const LONG_CONTROL: Failure = protocolFailure("Control frame too long");
/** RFC 6455 §5.4: a continuation frame needs an unfinished message. */
export const NOTHING_TO_CONTINUE: Failure = protocolFailure("Nothing to continue");
/** RFC 6455 §5.4: the fragments of one message must not be interleaved with those of another. */
export const MESSAGE_UNFINISHED: Failure = protocolFailure("Previous message unfinished");
/** RFC 6455 §5.2: the most significant bit of a 64-bit length must be 0. */
export const BAD_LENGTH: Failure = protocolFailure("Invalid payload length");
/** RFC 6455 §5.5.1: a Close frame's payload, if any, begins with a code of two bytes. */
export const SHORT_CLOSE: Failure = protocolFailure("Close frame too short");
/** RFC 6455 §7.4: some codes must not be sent. */
export const BAD_CLOSE_CODE: Failure = protocolFailure("Invalid close code");
/** RFC 6455 §8.1: text messages and close reasons must be UTF-8. */
export const BAD_UTF8: Failure = { code: invalidFramePayloadData, reason: "Invalid UTF-8" };
/** RFC 7692 §7.2.2: the payload of a compressed message must be DEFLATE. */
export const CORRUPT_COMPRESSION: Failure = {
  code: invalidFramePayloadData,
  reason: "Invalid compressed data",
};
/** RFC 6455 §10.4: an implementation should limit the sizes of frames and messages. */
export const MESSAGE_TOO_BIG: Failure = { code: messageTooBig, reason: "Message too big" };
/** The decompressor failed for a reason that has nothing to do with the peer. */
export const INFLATE_FAILED: Failure = {
  code: internalServerError,
  reason: "Decompression failed",
};
/** RFC 6455 §7.4.1: the peer violated a policy of this side by sending too much. */
export const RATE_EXCEEDED: Failure = { code: policyViolation, reason: "Rate limit exceeded" };
