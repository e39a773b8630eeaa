import { validateClose } from "./face_target.ts";
import { dictionary, enforcedShort, expose, toText } from "./web_idl.ts";

/** Why a {@linkcode WebSocketStream} closes, or has closed. */
export interface WebSocketCloseInfo {
  /** The close code: to close, 1000 or 3000–4999; as an answer, the peer's, 1005 when its Close held none. */
  closeCode?: number | undefined;
  /** The close reason, at most 123 bytes of UTF-8. */
  reason?: string | undefined;
}

/** A close code and a reason, checked. */
export interface CloseContent {
  readonly code: number | null;
  readonly reason: string;
}

/** Reads what Web IDL makes a `WebSocketCloseInfo`. */
export function readCloseInfo(value: unknown): CloseContent {
  const info = dictionary(value);
  const code = enforcedShort(info.closeCode, "closeCode") ?? null;
  const { reason } = info;
  return { code, reason: reason === undefined ? "" : toText(reason) };
}

/**
 * An error with a close code and a reason: what a {@linkcode WebSocketStream} fails with when the connection wasn't
 * closed cleanly. Given to `abort` of its writable, or to `cancel` of its readable, it closes with both.
 */
export class WebSocketError extends DOMException {
  readonly #content: CloseContent;

  /**
   * Creates the error.
   *
   * @param message What happened.
   * @param init The close code, 1000 or 3000–4999, and the reason; a reason without a code has 1000.
   * @throws {DOMException} `InvalidAccessError` for another code, `SyntaxError` for a reason that is too long.
   */
  constructor(message = "", init: WebSocketCloseInfo = {}) {
    super(toText(message), "WebSocketError");
    if (init instanceof Unchecked) this.#content = init.content;
    else {
      const { code, reason } = readCloseInfo(init);
      validateClose(code, reason);
      this.#content = { code: code ?? (reason === "" ? null : 1000), reason };
    }
  }

  /** The close code; `null` where there is none. */
  get closeCode(): number | null {
    return this.#content.code;
  }

  /** The close reason; may be empty. */
  get reason(): string {
    return this.#content.reason;
  }

  static {
    expose(this, "WebSocketError", ["closeCode", "reason"]);
  }
}

/** A code and a reason of the peer's: any there may be. */
class Unchecked {
  readonly content: CloseContent;

  constructor(content: CloseContent) {
    this.content = content;
  }
}

/**
 * The error of a connection that wasn't closed cleanly.
 *
 * @param message What happened.
 * @param content The peer's close code and reason.
 * @param cause Why, where the channel has an error.
 */
export function uncleanClose(
  message: string,
  content: CloseContent,
  cause: unknown,
): WebSocketError {
  const error = new WebSocketError(message, new Unchecked(content) as WebSocketCloseInfo);
  // A DOMException takes no cause.
  return Object.defineProperty(error, "cause", { value: cause, configurable: true });
}
