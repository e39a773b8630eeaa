import { goingAway } from "../../status.ts";
import {
  type ChannelSink,
  MessageSink,
  type MessageSinkOptions,
  sinkControl,
  type SinkTarget,
} from "../stream_channel/channel_sink.ts";
import { checkSource } from "../stream_channel/add_stream.ts";
import { abortable, ignore, preHandled } from "../stream_channel/errors.ts";
import { type Capabilities, lacking } from "./capabilities.ts";
import { checkOption, type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";

/** A message to send: text or bytes. */
export type MessageInput = string | ArrayBuffer | ArrayBufferView;

/** Options for sending one message. */
export interface SendOptions {
  /**
   * `false` sends the message uncompressed even if compression was agreed. Use it if a message has both a
   * secret and content that an attacker can choose: the compressed size can reveal the secret. RFC 7692 §6.
   */
  readonly compress?: boolean | undefined;
}

/**
 * The source of a message's content: text or bytes. The content of a text message may also be bytes of UTF-8,
 * cut anywhere.
 */
export type MessageSource =
  | AsyncIterable<MessageInput>
  | (Iterable<MessageInput> & object)
  | ReadableStream<MessageInput>;

/** Options of {@linkcode WebSocketSink.addMessage}. */
export interface AddMessageOptions extends SendOptions {
  /** Whether the message is text or binary. */
  readonly kind: "text" | "binary";
  /**
   * Cancels the message and its source when it aborts. Once a part is sent, this ends the
   * connection, because a sent part can't be withdrawn.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode WebSocketSink.whenReady}. */
export interface SinkWaitOptions {
  /** Ends the wait when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

const WAIT_KINDS: OptionKinds<SinkWaitOptions> = { signal: "AbortSignal" };

const SEND_KINDS: OptionKinds<SendOptions> = { compress: "boolean" };

const ADD_MESSAGE_KINDS: OptionKinds<AddMessageOptions> = {
  ...SEND_KINDS,
  kind: '"text"|"binary"',
  signal: "AbortSignal",
};

/**
 * The sink of a WebSocket channel: a {@linkcode ChannelSink} whose {@linkcode close} can send a code and a
 * reason. Corresponds to Dart's `WebSocketSink`.
 *
 * @typeParam T The type of outgoing messages.
 */
export interface WebSocketSink<T = MessageInput> extends ChannelSink<T> {
  /**
   * Sends a message. See {@linkcode ChannelSink.add}.
   *
   * @param message The message. Bytes are copied, even from shared memory and from resizable buffers, so you
   * can change them afterwards.
   * @param options How to send the message.
   * @returns `false` if the message was dropped because the connection has ended.
   * @throws {TypeError} If it is neither text nor bytes, or its buffer is detached.
   * @throws {DOMException} `InvalidStateError` after `close`, and while `addStream` runs.
   * @throws {UnsupportedError} If `compress` is `false` and the transport doesn't support that.
   */
  add(message: T, options?: SendOptions): boolean;
  /**
   * Sends one message of any length while its content arrives, in bounded memory. Each chunk of the source is
   * sent as a fragment (RFC 6455 §5.4), a large one as several. It waits for room between them. Meanwhile,
   * messages from `add` and other calls of `addMessage` wait; Pings, Pongs and a Close don't.
   *
   * If the source fails, or a chunk is neither text nor bytes, the connection ends with 1011 or the error's
   * `closeCode`, as with {@linkcode ChannelSink.addError}. If the connection ends first, the source is
   * cancelled, and `closed` has an error.
   *
   * On a transformed channel, it sends the message without transforming it.
   *
   * @param source The source of the content. No chunk is read before the one before it is sent.
   * @param options The kind, which is required, and how to send the message.
   * @returns A promise that fulfils when the whole message is added. It rejects with the source's error, with
   * the signal's reason, or with the error of a connection that ended first. An unhandled rejection is
   * harmless.
   * @throws {TypeError} If `source` isn't a source, or is a single message: use {@linkcode add} for that.
   * Also if an option is missing, unknown or of the wrong type. The channel stays usable.
   * @throws {DOMException} `InvalidStateError` after `close`, and while `addStream` runs.
   * @throws {UnsupportedError} If the transport doesn't have the capability `messageStreams`.
   *
   * @example
   * ```ts
   * import { channelPair } from "@web-socket/channel/stream-channel";
   * import { WebSocketChannel } from "@web-socket/channel";
   *
   * const { local, foreign } = channelPair<Uint8Array>();
   * const client = WebSocketChannel.over(local, { side: "client" });
   * const server = WebSocketChannel.over(foreign, { side: "server" });
   * const parts = ["one ", "message"];
   * await client.sink.addMessage(parts, { kind: "text" });
   * console.log((await server.stream.next()).value); // one message
   * await client.sink.close();
   * ```
   */
  addMessage(source: MessageSource, options: AddMessageOptions): Promise<void>;
  /**
   * Waits as {@linkcode ChannelSink.ready} does, and reports whether there is room or the channel has ended.
   *
   * @param options Its `signal` ends the wait: the promise rejects with its reason.
   * @returns `true` if there is room; `false` if the channel has ended or started to close: messages are
   * dropped from now on.
   * @throws {TypeError} If an option is unknown or of the wrong type.
   */
  whenReady(options?: SinkWaitOptions): Promise<boolean>;
  /**
   * Closes the connection. Everything added or broadcast before is sent first; the stream ends at once.
   * Anything that the transport has not taken after `closeTimeout` is dropped, which `closed` reports. A
   * running `addStream` ends, and its source is cancelled. While connecting, it cancels the attempt.
   *
   * If it throws, the channel is unchanged. Of several calls, only the first counts. If a platform's own
   * `WebSocket` rejects `goingAway` (1001), `normalClosure` is sent instead, and `closed` reports it. Any
   * other code that can't be sent is a `RangeError`.
   *
   * @param code The close code: 1000 or 3000–4999; with the capability `allCloseCodes` also 1001–1003 and
   * 1007–1014. Without it, the Close frame has none, and the peer sees 1005.
   * @param reason The close reason, at most 123 bytes of UTF-8. It needs a code.
   * @returns `done`: it settles when the connection has ended, after `closeTimeout` at the latest.
   * @throws {RangeError} If `code` can't be sent.
   * @throws {TypeError} If there is a `reason` but no `code`.
   * @throws {SyntaxError} If `reason` is too long.
   */
  close(code?: number, reason?: string): Promise<void>;
}

const encoder = new TextEncoder();

/** RFC 6455 §5.5: a control frame's payload has at most 125 bytes, of which two are the code. */
const MAX_REASON = 123;

/**
 * Checks the arguments of `close`, apart from rules of the transport.
 *
 * @throws {RangeError | TypeError | SyntaxError} The errors of {@linkcode WebSocketSink.close}.
 */
export function checkCloseArguments(
  code: number | undefined,
  reason: string | undefined,
  isSendable: (code: number) => boolean,
): void {
  if (code === undefined) {
    if (reason === undefined || reason === "") return;
    throw new TypeError(`Cannot close: a reason needs a code, got only ${shown(reason, true)}`);
  }
  if (!isSendable(code)) throw unsendable(code, "1000-1003, 1007-1014 and 3000-4999");
  if (reason !== undefined && typeof reason !== "string") {
    throw new TypeError(`Cannot close: the reason must be a string, got ${typeof reason}`);
  }
  if (reason === undefined || reason.length * 3 <= MAX_REASON) return;
  const length = encoder.encode(reason).length;
  if (length <= MAX_REASON) return;
  throw new SyntaxError(
    `Cannot close: the reason must be at most ${MAX_REASON} bytes of UTF-8, got ${length}`,
  );
}

/** Creates the error of a close code that can't be sent. */
export function unsendable(code: unknown, allowed: string): RangeError {
  return new RangeError(`Cannot close: the code must be one of ${allowed}, got ${shown(code)}`);
}

/**
 * Checks that a transport can send a close code.
 *
 * @throws {RangeError} If it can't.
 */
export function checkCode(code: number | undefined, { allCloseCodes }: Capabilities): void {
  const isPlain = code === undefined || code >= 3000 || code <= goingAway;
  if (!isPlain && !allCloseCodes) {
    throw unsendable(code, "1000, 1001 and 3000-4999 on this transport");
  }
}

/** Takes the messages of a WebSocket channel's sink. */
export interface WebSocketSinkTarget extends SinkTarget<MessageInput, SendOptions> {
  /** The user closes the channel, with or without a code. */
  closeWith(code: number | undefined, reason: string | undefined): Promise<void>;
  /** Implements {@linkcode WebSocketSink.addMessage}, with checked arguments. Missing if unsupported. */
  addMessage?(source: MessageSource, options: AddMessageOptions): Promise<void>;
  /** Implements {@linkcode closeUnasked}. Default: `closeWith`. */
  closeUnasked?(code?: number, reason?: string): void;
}

let targetOf: (sink: OwnWebSocketSink) => WebSocketSinkTarget;

/**
 * Reads options as {@linkcode readOptions} does, but faster for a plain object: each message may have
 * options.
 */
export function readSendOptions(options: SendOptions): SendOptions {
  const isPlain = Object.getPrototypeOf(options ?? []) === Object.prototype;
  if (!isPlain) return readOptions(options, SEND_KINDS);
  for (const name in options) if (name !== "compress") return readOptions(options, SEND_KINDS);
  const { compress } = options;
  if (compress !== undefined && typeof compress !== "boolean") {
    checkOption("compress", compress, SEND_KINDS.compress);
  }
  return { compress };
}

/** The implementation of {@linkcode WebSocketSink}. */
export class OwnWebSocketSink extends MessageSink<MessageInput, SendOptions>
  implements WebSocketSink {
  readonly #target: WebSocketSinkTarget;

  /**
   * Creates an open sink.
   *
   * @param target Takes the messages.
   * @param options Checked options.
   */
  constructor(target: WebSocketSinkTarget, options: MessageSinkOptions) {
    super(target, options);
    this.#target = target;
  }

  addMessage(source: MessageSource, given: AddMessageOptions): Promise<void> {
    const options = readOptions(given, ADD_MESSAGE_KINDS, {
      hint: '. Pass { kind: "text" } or { kind: "binary" }',
    });
    checkOption("kind", options.kind, ADD_MESSAGE_KINDS.kind);
    checkSource(source, "message");
    if (this.#target.addMessage === undefined) throw lacking("messageStreams");
    sinkControl.checkUsable(this, "add a message");
    const { signal } = options;
    if (signal?.aborted) return preHandled(Promise.reject(signal.reason));
    return this.#target.addMessage(source, options);
  }

  whenReady(given?: SinkWaitOptions): Promise<boolean> {
    return waitForRoom(this, given, this);
  }

  static {
    targetOf = (sink) => sink.#target;
  }

  override close(code?: number, reason?: string): Promise<void> {
    return this.#target.closeWith(code, reason);
  }
}

/**
 * Closes a connection as its sink's `close` does, but without a request of its user. Messages that the user
 * still adds are dropped: `add` returns `false`. After the user's own `close` it would throw, which a timer's
 * callback doesn't expect.
 *
 * @param sink The sink. Another kind of sink is closed with its `close`.
 * @param content The arguments of `close`.
 * @throws {RangeError | TypeError | SyntaxError} The errors of `close`.
 */
export function closeUnasked(
  sink: WebSocketSink<never>,
  ...content: [code?: number, reason?: string]
): void {
  const target = sink instanceof OwnWebSocketSink ? targetOf(sink) : null;
  if (target?.closeUnasked !== undefined) target.closeUnasked(...content);
  else sink.close(...content).catch(ignore);
}

/**
 * Closes a connection as {@linkcode closeUnasked} does, for a pipe. A sink that can't be closed belongs to
 * another caller.
 */
export function endUnasked(sink: ChannelSink<never>): void {
  try {
    closeUnasked(sink as WebSocketSink<never>);
  } catch {
    // Its running `addStream` ends it.
  }
}

/**
 * Implements {@linkcode WebSocketSink.whenReady}.
 *
 * @param sink The sink to wait for.
 * @param given The user's options.
 * @param own The connection's own sink, which knows the end.
 */
export function waitForRoom<T>(
  sink: ChannelSink<T>,
  given: SinkWaitOptions | undefined,
  own: OwnWebSocketSink,
): Promise<boolean> {
  const { signal } = readOptions(given, WAIT_KINDS, { hint: ". Pass { signal }" });
  const ready = sink.ready.then(() =>
    !sinkControl.isClosed(own) && !sinkControl.isDisconnected(own)
  );
  return abortable(ready, signal);
}
