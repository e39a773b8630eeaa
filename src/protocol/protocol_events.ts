/**
 * What the owner of a connection gives it, and what it reports to its owner.
 *
 * @module
 */

import type { Failure } from "./failure.ts";
import type { Side } from "./frame.ts";
import type { MaskingKeySource } from "./mask.ts";
import type { MessageDeflate } from "./message_deflate.ts";
import type { InvalidText } from "./utf8.ts";
import type { WorkBudget } from "./work_budget.ts";

/**
 * What a `Protocol` reports to its owner, synchronously. All but `onOutput` and `onUnblocked` are
 * called from within `Protocol.receive`, `Protocol.resume` or
 * `Protocol.proceed` only, or when a message is decompressed that took long; and never one
 * from within the other.
 *
 * A method may call anything of the protocol. One that throws harms nothing: the error comes out of
 * the call that led to it, and the bytes behind the frame are read by the next `receive` or `resume`.
 */
export interface ProtocolEvents {
  /**
   * A message is in.
   *
   * @param message Text, a BOM included; or bytes, which may be a view of a larger buffer.
   */
  onMessage(message: string | Uint8Array): void;

  /** A message begins that is larger than `streamLargerThan`: it comes in parts, and `onMessage` isn't called for it. */
  onLargeMessage?(kind: "text" | "binary"): void;

  /**
   * The next part of a large message.
   *
   * @param part Text, cut between two code points, or bytes with a buffer of their own; never empty.
   * @param size How many bytes of the message have arrived.
   */
  onPart?(part: string | Uint8Array, size: number): void;

  /** A large message is whole. Not called when this end closes, or the connection ends, before. */
  onLargeEnd?(): void;

  /**
   * A Ping was received. Its Pong is queued already, unless `autoPong` is `false`.
   *
   * @param payload 0–125 bytes.
   */
  onPing?(payload: Uint8Array): void;

  /**
   * A Pong is in, asked for or not.
   *
   * @param payload 0–125 bytes.
   */
  onPong(payload: Uint8Array): void;

  /**
   * The peer's Close, or its fault, is in: nothing more is received.
   *
   * @returns `false` to leave the connection open for sending until `Protocol.conclude`.
   * Left out: it ends at once.
   */
  onEnding?(): boolean;

  /**
   * The peer's Close is in and, unless ours was first, answered: the state is `"closed"`.
   *
   * @param code The close code; 1005 when the frame held none.
   * @param reason The close reason.
   */
  onClose(code: number, reason: string): void;

  /**
   * The peer broke a rule, exceeded a limit, or sent what this end could not decompress, and the connection was
   * failed (RFC 6455 §7.1.7): the state is `"closed"`.
   *
   * @param failure What went out, unless a Close had gone out before.
   */
  onFailure(failure: Failure): void;

  /**
   * A listener has transferred a message's buffer, and with it what came behind the message: nothing
   * more is read.
   */
  onInputLost?(): void;

  /** There is output, and there was none: take it from `Protocol.output`. */
  onOutput(): void;

  /** The message that `Protocol.isBusy` reported has ended: call `Protocol.proceed`, later. */
  onUnblocked?(): void;
}

/** What a `Protocol` needs to know. */
export interface ProtocolOptions {
  /** Which end this is. */
  readonly side: Side;

  /** Where the masking keys come from; only a client asks for them, one a frame. */
  readonly maskingKeys: MaskingKeySource;

  /**
   * The largest message to receive, in bytes, before and after decompressing: 1 to `Infinity`. In
   * any case it is no more than 512 MiB less 24 bytes, the longest string that JavaScript engines
   * agree on, unless large messages are streamed. A larger message fails the connection with 1009.
   */
  readonly maxMessageSize: number;

  /**
   * A message of more bytes is reported in parts: by `onLargeMessage`, `onPart` and `onLargeEnd`, which are needed
   * then. Left out, or `Infinity`: each message is reported whole.
   */
  readonly streamLargerThan?: number | undefined;

  /** Compression, when permessage-deflate was agreed. */
  readonly deflate?: MessageDeflate | undefined;

  /**
   * Whether chunks given to `Protocol.receive` are given away: they are unmasked in place,
   * and messages are views of them. Otherwise they are copied, and not kept.
   */
  readonly ownsChunks?: boolean | undefined;

  /** What becomes of text that isn't UTF-8. Default `"fail"`. */
  readonly invalidText?: InvalidText | undefined;

  /** Whether messages are also reported between this end's Close and the peer's. */
  readonly takesAfterClose?: boolean | undefined;

  /** Whether each binary message has a buffer of its own. */
  readonly ownBuffers?: boolean | undefined;

  /** `false`: Pings aren't answered; the owner does. */
  readonly autoPong?: boolean | undefined;

  /** Whether `Output.release` will be called. */
  readonly recycles?: boolean | undefined;

  /**
   * What the work that the peer causes is taken from. When it is spent, nothing is read until the
   * owner calls `Protocol.proceed` with more. Left out: there is no limit.
   */
  readonly budget?: WorkBudget | undefined;
}

/** How to send one message. */
export interface SendOptions {
  /** `false` sends this message uncompressed, where compression was agreed (RFC 7692 §6). */
  readonly compress?: boolean | undefined;
}

/** A fragment of a message that is sent in several. */
export interface Fragment {
  /** The opcode of the message in its first fragment, 0 in the others. */
  readonly opcode: number;
  /** Whether it is the last one. */
  readonly fin: boolean;
  /** Whether the message may be compressed: the same in each fragment. Then the last one has no payload. */
  readonly compress: boolean;
}
