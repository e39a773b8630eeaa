import { validateClose } from "./face_target.ts";
import { dictionary, enforcedShort, expose, toText } from "./web_idl.ts";

/** The close code and reason with which a {@linkcode WebSocketStream} closes, or has closed. */
export interface WebSocketCloseInfo {
  /**
   * The close code. To close, it is 1000 or 3000–4999. As a result it is the peer's, or 1005 when its Close had none.
   */
  closeCode?: number | undefined;
  /** The close reason, at most 123 bytes of UTF-8. */
  reason?: string | undefined;
}

/** A checked close code and reason. */
export interface CloseContent {
  readonly code: number | null;
  readonly reason: string;
}

/** Reads a value as Web IDL's `WebSocketCloseInfo`. */
export function readCloseInfo(value: unknown): CloseContent {
  const info = dictionary(value);
  const code = enforcedShort(info.closeCode, "closeCode") ?? null;
  const { reason } = info;
  return { code, reason: reason === undefined ? "" : toText(reason) };
}

/**
 * An error with a close code and a reason. A {@linkcode WebSocketStream} fails with it when the connection was not
 * closed cleanly. Passed to `abort` of its writable, or to `cancel` of its readable, it closes the connection with
 * both.
 */
export class WebSocketError extends DOMException {
  readonly #content: CloseContent;

  /**
   * Creates the error.
   *
   * @param message The error's text.
   * @param init The close code, 1000 or 3000–4999, and the reason. With a reason and no code, the code is 1000.
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

  /** The close code; `null` if there is none. */
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

/** A code and a reason of the peer, which are not checked. */
class Unchecked {
  readonly content: CloseContent;

  constructor(content: CloseContent) {
    this.content = content;
  }
}

/**
 * Creates the error of a connection that was not closed cleanly.
 *
 * @param message The error's text.
 * @param content The peer's close code and reason.
 * @param cause The channel's error, if there is one.
 */
export function uncleanClose(
  message: string,
  content: CloseContent,
  cause: unknown,
): WebSocketError {
  const error = new WebSocketError(message, new Unchecked(content) as WebSocketCloseInfo);
  // The constructor of `DOMException` takes no cause.
  return Object.defineProperty(error, "cause", { value: cause, configurable: true });
}
