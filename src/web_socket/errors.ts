/** The answer to an opening handshake: as much of it as was seen. */
export interface HandshakeResponse {
  /** The HTTP status code; 101 when the connection was upgraded. */
  readonly status: number;
  /** The reason phrase behind the status code; may be empty. */
  readonly statusText: string;
  /** The header fields. */
  readonly headers: Headers;
  /** The first 64 KiB of the body of a refusal; empty when there was none. */
  readonly body: Uint8Array;
}

/** A server's refusal, while its body is still arriving. */
export interface RefusedResponse extends Omit<HandshakeResponse, "body"> {
  /** The whole body, however long it is. It can be read until `onRefusal` is done. */
  readonly body: ReadableStream<Uint8Array>;
}

/**
 * Any error of a channel: the root of this package's errors. Its `cause` is what the platform
 * reported, where it reported anything. Corresponds to Dart's `WebSocketChannelException`.
 */
export class WebSocketChannelError extends Error {
  /** `"WebSocketChannelError"`, or the name of the subclass; also in minified code. */
  override readonly name: string = "WebSocketChannelError";
}

/** How far an attempt to connect had come when it failed. */
export type ConnectPhase = "dns" | "tcp" | "proxy" | "tls" | "handshake";

/** What a {@linkcode ConnectError} tells beside its message. */
export interface ConnectErrorOptions {
  /** What the platform reported. */
  cause?: unknown;
  /** How far the attempt had come. */
  phase?: ConnectPhase | null;
  /** The HTTP status code of the answer. */
  status?: number | null;
  /** The answer itself. */
  response?: HandshakeResponse | null;
  /** Whether another attempt may succeed. */
  retryable?: boolean;
  /** How long the server asks to wait before that, in milliseconds. */
  retryAfter?: number | null;
}

/** A connection could not be opened. */
export class ConnectError extends WebSocketChannelError {
  /** `"ConnectError"`, also in minified code. */
  override readonly name = "ConnectError";
  /**
   * How far the attempt had come; `null` where the platform's own `WebSocket` made it and does not
   * report that.
   */
  readonly phase: ConnectPhase | null;
  /** The HTTP status code of the server's answer, or `null` if there was none or it isn't known. */
  readonly status: number | null;
  /** The server's answer, where this package did the handshake; else `null`. */
  readonly response: HandshakeResponse | null;
  /** Whether another attempt, later, may succeed: the cause isn't in what was asked. */
  readonly retryable: boolean;
  /** How long the server asks to wait before another attempt, in milliseconds, or `null`. */
  readonly retryAfter: number | null;

  /**
   * Makes the error.
   *
   * @param message What failed, and why.
   * @param options What is known beside that.
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

/** Without an answer the network may be better later; of the refusals, only some pass. */
function isRetryable(status: number | null): boolean {
  if (status === null) return true;
  return status === 408 || status === 425 || status === 429 ||
    status >= 500 && status !== 501 && status !== 505;
}

/** The peer broke the protocol, and the connection was failed because of it. RFC 6455 §7.1.7. */
export class ProtocolError extends WebSocketChannelError {
  /** `"ProtocolError"`, also in minified code. */
  override readonly name = "ProtocolError";
  /** The close code that was sent: 1002 or 1007. */
  readonly closeCode: number;

  /**
   * Makes the error.
   *
   * @param message What was wrong.
   * @param closeCode The close code that was sent.
   * @param options Its `cause`.
   */
  constructor(message: string, closeCode: number, options?: ErrorOptions) {
    super(message, options);
    this.closeCode = closeCode;
  }
}

/** Which limit was exceeded, and how far. */
export interface LimitErrorOptions {
  /** The option that sets the limit, such as `"maxMessageSize"`. */
  option: string;
  /** The limit, in bytes unless `unit` says otherwise. */
  limit: number;
  /** What exceeds it, likewise; of a message that is too large when decompressed: before that. */
  actual: number;
  /** What is counted. Default `"bytes"`. */
  unit?: "bytes" | "messages";
}

/**
 * The peer sent more than a limit of this end allows: a message beyond `maxMessageSize`, more messages
 * than `maxQueueSize` lets wait, or more than a server's `rateLimit`. The peer hasn't broken the protocol.
 */
export class LimitError extends WebSocketChannelError {
  /** `"LimitError"`, also in minified code. */
  override readonly name = "LimitError";
  /** The option that sets the limit, such as `"maxMessageSize"`. */
  readonly option: string;
  /** The limit: bytes, or messages for `"rateLimit.messages"`. */
  readonly limit: number;
  /** What exceeds it, likewise; of a message that is too large when decompressed: before that. */
  readonly actual: number;

  /**
   * Creates the error.
   *
   * @param what What exceeds the limit, with its size.
   * @param options Which limit, and how far.
   */
  constructor(what: string, { option, limit, actual, unit = "bytes" }: LimitErrorOptions) {
    super(`${what} exceeds ${option} (${limit} ${unit})`);
    this.option = option;
    this.limit = limit;
    this.actual = actual;
  }
}

/** A message was refused: so much waits already that no more is taken. */
export class QueueFullError extends WebSocketChannelError {
  /** `"QueueFullError"`, also in minified code. */
  override readonly name = "QueueFullError";
  /** The option that sets the limit, such as `"maxBuffer"`. */
  readonly option: string;
  /** The limit, in bytes. */
  readonly limit: number;

  /**
   * Creates the error.
   *
   * @param option The option that sets the limit.
   * @param limit The limit, in bytes.
   */
  constructor(option: string, limit: number) {
    super(
      `Cannot add: the messages that wait have reached ${option} (${limit} bytes). Wait for sink.ready`,
    );
    this.option = option;
    this.limit = limit;
  }
}

/** What was asked for can't be done on this platform. It is not ignored instead. */
export class UnsupportedError extends WebSocketChannelError {
  /** `"UnsupportedError"`, also in minified code. */
  override readonly name = "UnsupportedError";
  /** What is lacking: the name of an option, a method or a capability. */
  readonly capability: string;
  /** Where it is lacking, such as `"browser"`. */
  readonly platform: string;

  /**
   * Makes the error.
   *
   * @param capability What is lacking.
   * @param platform Where it is lacking.
   * @param hint What to do instead.
   */
  constructor(capability: string, platform: string, hint = "") {
    super(`Unsupported on ${platform}: ${capability}${hint === "" ? "" : `. ${hint}`}`);
    this.capability = capability;
    this.platform = platform;
  }
}
