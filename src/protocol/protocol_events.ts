/**
 * The options and the events of a `Protocol`.
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
 * The events that a `Protocol` emits to its owner, synchronously. All but `onOutput` and `onUnblocked` are
 * emitted within `Protocol.receive`, `Protocol.resume` or `Protocol.proceed`, or after decompressing that
 * took long. They are never nested.
 *
 * A listener may call any method of the protocol. If it throws, the caller gets the error, and the next
 * `receive` or `resume` reads the bytes after that frame.
 */
export interface ProtocolEvents {
  /**
   * A message has arrived.
   *
   * @param message Text, including a BOM; or bytes, which may be a view of a larger buffer.
   */
  onMessage(message: string | Uint8Array): void;

  /**
   * A message larger than `streamLargerThan` begins. `onPart` and `onLargeEnd` follow; `onMessage` isn't
   * called for it.
   */
  onLargeMessage?(kind: "text" | "binary"): void;

  /**
   * The next part of a large message has arrived.
   *
   * @param part Text, cut between two code points, or bytes with a buffer of their own; never empty.
   * @param size How many bytes of the message have arrived.
   */
  onPart?(part: string | Uint8Array, size: number): void;

  /** A large message has ended. Not called if this side closes, or the connection ends, before. */
  onLargeEnd?(): void;

  /**
   * A Ping has arrived. Its Pong is already queued, unless `autoPong` is `false`.
   *
   * @param payload 0–125 bytes.
   */
  onPing?(payload: Uint8Array): void;

  /**
   * A Pong has arrived, which may be unsolicited.
   *
   * @param payload 0–125 bytes.
   */
  onPong(payload: Uint8Array): void;

  /**
   * The peer has closed, or has broken a rule: nothing more is received.
   *
   * @returns `false` to keep the connection open for sending until `Protocol.conclude`. Otherwise, and
   * without this listener, it ends at once.
   */
  onEnding?(): boolean;

  /**
   * The peer's Close has arrived, and is answered unless this side had closed first: the state is `"closed"`.
   *
   * @param code The close code; 1005 when the frame held none.
   * @param reason The close reason.
   */
  onClose(code: number, reason: string): void;

  /**
   * The connection has failed, because the peer broke a rule, exceeded a limit, or sent something that can't
   * be decompressed (RFC 6455 §7.1.7): the state is `"closed"`.
   *
   * @param failure What the Close frame says, if this side had not sent one before.
   */
  onFailure(failure: Failure): void;

  /**
   * A listener has transferred the buffer of a message, and with it the bytes after the message: nothing more
   * is read.
   */
  onInputLost?(): void;

  /** There is output after there was none: take it from `Protocol.output`. */
  onOutput(): void;

  /** `Protocol.isBusy` is `false` again: call `Protocol.proceed` later. */
  onUnblocked?(): void;
}

/** Options of a `Protocol`. */
export interface ProtocolOptions {
  /** The role of this side. */
  readonly side: Side;

  /** The source of masking keys. Only a client uses it, once for each frame. */
  readonly maskingKeys: MaskingKeySource;

  /**
   * The limit of a received message's size, in bytes, before and after decompressing: 1 to `Infinity`. It is
   * at most 512 MiB minus 24 bytes, the longest string that all JavaScript engines support, unless large
   * messages are streamed. A larger message fails the connection with 1009.
   */
  readonly maxMessageSize: number;

  /**
   * A message of more bytes is reported in parts, with `onLargeMessage`, `onPart` and `onLargeEnd`, which are
   * required then. Default `Infinity`: each message is reported whole.
   */
  readonly streamLargerThan?: number | undefined;

  /** The compressor, if permessage-deflate was agreed. */
  readonly deflate?: MessageDeflate | undefined;

  /**
   * Whether `Protocol.receive` takes ownership of its chunks: it unmasks them in place, and messages are
   * views of them. Otherwise it copies them.
   */
  readonly ownsChunks?: boolean | undefined;

  /** What to do with text that isn't valid UTF-8. Default `"fail"`. */
  readonly invalidText?: InvalidText | undefined;

  /** Whether messages are also reported between this side's Close and the peer's. */
  readonly takesAfterClose?: boolean | undefined;

  /** Whether each binary message has a buffer of its own. */
  readonly ownBuffers?: boolean | undefined;

  /** Whether the protocol answers Pings; with `false` the owner does. Default `true`. */
  readonly autoPong?: boolean | undefined;

  /** Whether the owner calls `Output.release`. */
  readonly recycles?: boolean | undefined;

  /**
   * The budget for the work that the peer causes. When it is used up, nothing is read until the owner has
   * refilled it and calls `Protocol.proceed`. Default: no limit.
   */
  readonly budget?: WorkBudget | undefined;
}

/** Options for sending one message. */
export interface SendOptions {
  /** `false` sends this message uncompressed even if compression was agreed (RFC 7692 §6). */
  readonly compress?: boolean | undefined;
}

/** How to send a fragment of a message. */
export interface Fragment {
  /** The opcode of the message in its first fragment; 0 in the others. */
  readonly opcode: number;
  /** Whether it is the last fragment. */
  readonly fin: boolean;
  /**
   * Whether the message may be compressed. It must be the same for all fragments; if `true`, the last one
   * must have no payload.
   */
  readonly compress: boolean;
}
