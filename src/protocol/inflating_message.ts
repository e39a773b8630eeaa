/**
 * A message that is being decompressed, in pieces if that is a lot of work.
 *
 * @module
 */

import { BAD_UTF8, type Failure } from "./failure.ts";
import { inflateFailure, type InflateReceiver } from "./message_deflate.ts";
import type { MessageInPieces } from "./pieces.ts";

/** Collects the pieces, which arrive during the call to the decompressor, or after it. */
export class InflatingMessage implements InflateReceiver {
  /** Whether the call has returned: from now on the end is reported. */
  isLate = false;
  /** What the connection fails with; `null` if all is well; `undefined` before the end. */
  outcome: Failure | null | undefined = undefined;

  /** `null`: it isn't wanted any more. */
  #message: MessageInPieces | null;
  readonly #report: (failure: Failure | null) => void;

  /**
   * Begins to collect.
   *
   * @param message Where the pieces go.
   * @param report Called with `null` when the message is whole, if that {@linkcode isLate}; or with
   * what the connection fails with.
   */
  constructor(message: MessageInPieces, report: (failure: Failure | null) => void) {
    this.#message = message;
    this.#report = report;
  }

  /** The message isn't wanted any more: nothing is reported. */
  abandon(): void {
    this.#message = null;
  }

  /** The next piece. What is large, and not text, is taken when the message's size is known. */
  onInflated(bytes: Uint8Array): boolean {
    const message = this.#message;
    if (message === null) return true;
    if (!message.add(bytes)) return false;
    if (!message.decode()) this.#report(BAD_UTF8);
    return true;
  }

  /** The size of the whole message. */
  onInflatedSize(size: number): void {
    this.#message?.reserve(size);
  }

  /** All of the message is decompressed. */
  onInflateEnd(error: unknown): void {
    if (this.#message === null) return;
    this.#message = null;
    this.outcome = error === null ? null : inflateFailure(error);
    if (this.isLate) this.#report(this.outcome);
  }
}
