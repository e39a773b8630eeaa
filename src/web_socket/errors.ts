/** The answer to an opening handshake. */
export interface HandshakeResponse {
  /** The HTTP status code; 101 if the connection was upgraded. */
  readonly status: number;
  /** The reason phrase, which may be empty. */
  readonly statusText: string;
  /** The header fields. */
  readonly headers: Headers;
  /** The first 64 KiB of the body of a refusal; empty if there was none. */
  readonly body: Uint8Array;
}

/** A server's refusal, while its body is still arriving. */
export interface RefusedResponse extends Omit<HandshakeResponse, "body"> {
  /**
   * The whole body, of any length. It can be read until `onRefusal` has returned or its promise has settled.
   */
  readonly body: ReadableStream<Uint8Array>;
}

/**
 * The base class of this package's errors. Its `cause` is the platform's error, if there was one. Corresponds
 * to Dart's `WebSocketChannelException`.
 */
export class WebSocketChannelError extends Error {
  /** The name of the class, such as `"WebSocketChannelError"`, even in minified code. */
  override readonly name: string = "WebSocketChannelError";
}

/** The phase in which an attempt to connect failed. */
export type ConnectPhase = "dns" | "tcp" | "proxy" | "tls" | "handshake";

/** Options of a {@linkcode ConnectError}. */
export interface ConnectErrorOptions {
  /** The platform's error. */
  cause?: unknown;
  /** The phase in which the attempt failed. */
  phase?: ConnectPhase | null;
  /** The HTTP status code of the answer. */
  status?: number | null;
  /** The answer. */
  response?: HandshakeResponse | null;
  /** Whether another attempt may succeed. */
  retryable?: boolean;
  /** The time that the server asks to wait before another attempt, in milliseconds. */
  retryAfter?: number | null;
}

/** The error of a connection that could not be opened. */
export class ConnectError extends WebSocketChannelError {
  /** The name of the error, `"ConnectError"`, even in minified code. */
  override readonly name = "ConnectError";
  /**
   * The phase in which the attempt failed; `null` if the platform's own `WebSocket` made it and doesn't
   * report the phase.
   */
  readonly phase: ConnectPhase | null;
  /** The HTTP status code of the server's answer; `null` if there was none or it is unknown. */
  readonly status: number | null;
  /** The server's answer, if this package did the handshake; otherwise `null`. */
  readonly response: HandshakeResponse | null;
  /** Whether a later attempt may succeed, because the cause isn't in the request. */
  readonly retryable: boolean;
  /** The time that the server asks to wait before another attempt, in milliseconds, or `null`. */
  readonly retryAfter: number | null;

  /**
   * Creates an error.
   *
   * @param message What failed and why.
   * @param options The phase, the answer and the cause.
   */
  constructor(message: string, options: ConnectErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    const { response = null } = options;
    this.phase = options.phase ?? null;
    this.response = response;
    this.status = options.status ?? response?.status ?? null;
    this.retryable = options.retryable ?? isRetryable(this.status);
    this.retryAfter = options.retryAfter ?? null;
  }
}

/** Without an answer, a later attempt may succeed. Of the refusals, only some are temporary. */
function isRetryable(status: number | null): boolean {
  if (status === null) return true;
  return status === 408 || status === 425 || status === 429 ||
    status >= 500 && status !== 501 && status !== 505;
}

/** The error of a connection that was failed because the peer broke the protocol. RFC 6455 §7.1.7. */
export class ProtocolError extends WebSocketChannelError {
  /** The name of the error, `"ProtocolError"`, even in minified code. */
  override readonly name = "ProtocolError";
  /** The close code that was sent: 1002 or 1007. */
  readonly closeCode: number;

  /**
   * Creates an error.
   *
   * @param message What the peer did wrong.
   * @param closeCode The close code that was sent.
   * @param options Its `cause`, if there is one.
   */
  constructor(message: string, closeCode: number, options?: ErrorOptions) {
    super(message, options);
    this.closeCode = closeCode;
  }
}

/** The limit of a {@linkcode LimitError}, and the value that exceeds it. */
export interface LimitErrorOptions {
  /** The option that sets the limit, such as `"maxMessageSize"`. */
  option: string;
  /** The limit, in `unit`. */
  limit: number;
  /**
   * The value that exceeds it, in the same unit. For a message that became too large by decompressing, it is
   * the compressed size.
   */
  actual: number;
  /** The unit. Default `"bytes"`. */
  unit?: "bytes" | "messages";
}

/**
 * The peer sent more than a limit of this side allows: a message above `maxMessageSize`, more unread messages
 * than `maxQueueSize`, or more than a server's `rateLimit`. The peer hasn't broken the protocol.
 */
export class LimitError extends WebSocketChannelError {
  /** The name of the error, `"LimitError"`, even in minified code. */
  override readonly name = "LimitError";
  /** The option that sets the limit, such as `"maxMessageSize"`. */
  readonly option: string;
  /** The limit, in bytes; in messages for `"rateLimit.messages"`. */
  readonly limit: number;
  /**
   * The value that exceeds it, in the same unit. For a message that became too large by decompressing, it is
   * the compressed size.
   */
  readonly actual: number;

  /**
   * Creates an error.
   *
   * @param what The subject that exceeds the limit, with its size.
   * @param options The limit and the value that exceeds it.
   */
  constructor(what: string, { option, limit, actual, unit = "bytes" }: LimitErrorOptions) {
    super(`${what} exceeds ${option} (${limit} ${unit})`);
    this.option = option;
    this.limit = limit;
    this.actual = actual;
  }
}

/** The error for a message that was rejected because the queue of outgoing messages is full. */
export class QueueFullError extends WebSocketChannelError {
  /** The name of the error, `"QueueFullError"`, even in minified code. */
  override readonly name = "QueueFullError";
  /** The option that sets the limit, such as `"maxBuffer"`. */
  readonly option: string;
  /** The limit, in bytes. */
  readonly limit: number;

  /**
   * Creates an error.
   *
   * @param option The option that sets the limit.
   * @param limit The limit, in bytes.
   */
  constructor(option: string, limit: number) {
    super(
      `Cannot add: the queue has reached ${option} (${limit} bytes). Wait for sink.ready`,
    );
    this.option = option;
    this.limit = limit;
  }
}

/** The error for something that this platform doesn't support. An unsupported option is never ignored. */
export class UnsupportedError extends WebSocketChannelError {
  /** The name of the error, `"UnsupportedError"`, even in minified code. */
  override readonly name = "UnsupportedError";
  /** The name of the unsupported option, method or capability. */
  readonly capability: string;
  /** The platform, such as `"browser"`. */
  readonly platform: string;

  /**
   * Creates an error.
   *
   * @param capability The unsupported option, method or capability.
   * @param platform The platform.
   * @param hint What to do instead.
   */
  constructor(capability: string, platform: string, hint = "") {
    super(`Unsupported on ${platform}: ${capability}${hint === "" ? "" : `. ${hint}`}`);
    this.capability = capability;
    this.platform = platform;
  }
}
