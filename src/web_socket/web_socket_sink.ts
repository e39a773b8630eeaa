import { goingAway } from "../../status.ts";
import {
  type ChannelSink,
  MessageSink,
  type MessageSinkOptions,
  sinkOwner,
  type SinkTarget,
} from "../stream_channel/channel_sink.ts";
import { checkSource } from "../stream_channel/add_stream.ts";
import { abortable, ignore, preHandled } from "../stream_channel/errors.ts";
import { type Capabilities, lacking } from "./capabilities.ts";
import { checkOption, type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";

/** What can be sent as a message: text, or bytes. */
export type MessageInput = string | ArrayBuffer | ArrayBufferView;

/** How to send one message. */
export interface SendOptions {
  /**
   * `false` sends it uncompressed although compression was agreed: where secrets and what an
   * attacker can choose would be compressed together, the size tells the secret. RFC 7692 §6.
   */
  readonly compress?: boolean | undefined;
}

/** What a message's content comes from: text, or bytes; of a text also bytes of UTF-8, cut anywhere. */
export type MessageSource =
  | AsyncIterable<MessageInput>
  | (Iterable<MessageInput> & object)
  | ReadableStream<MessageInput>;

/** Options of {@linkcode WebSocketSink.addMessage}. */
export interface AddMessageOptions extends SendOptions {
  /** Whether the message is text or binary. */
  readonly kind: "text" | "binary";
  /**
   * Gives up the message when it aborts, and cancels the source. Once a part is sent, the connection ends with it:
   * a message can't be taken back.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode WebSocketSink.whenReady}. */
export interface SinkWaitOptions {
  /** Ends the waiting when it aborts. */
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
 * The sink of a WebSocket channel: a {@linkcode ChannelSink} whose {@linkcode close} can tell the
 * peer why. Corresponds to Dart's `WebSocketSink`.
 *
 * @typeParam T What it takes: messages, unless the channel is transformed.
 */
export interface WebSocketSink<T = MessageInput> extends ChannelSink<T> {
  /**
   * Sends a message. See {@linkcode ChannelSink.add}.
   *
   * @param message The message. Bytes are copied whole, as they are in memory, also from shared memory
   * and from buffers that can be resized: they may be changed afterwards.
   * @param options How to send it.
   * @returns `false` when the message was dropped because the connection has ended.
   * @throws {TypeError} When it is neither text nor bytes, or its buffer is detached.
   * @throws {DOMException} `InvalidStateError` after `close`, and while `addStream` runs.
   * @throws {UnsupportedError} When it must not be compressed, and the transport gives no choice.
   */
  add(message: T, options?: SendOptions): boolean;
  /**
   * Sends one message while its content comes, of any length, in bounded memory: each chunk of the source leaves as
   * a fragment (RFC 6455 §5.4), a large one as several. It waits for room between them. Messages that are added
   * meanwhile, and other calls of it, wait until this one is sent; Pings, Pongs and a Close don't.
   *
   * When the source fails, or gives what is neither text nor bytes, the connection ends with 1011 or the error's
   * `closeCode`, as with {@linkcode ChannelSink.addError}. When the connection ends first, the source is cancelled,
   * and `closed` has an error.
   *
   * On a transformed channel it sends a message of the connection's own, past what transforms the sink.
   *
   * @param source What the content comes from. It is asked for no more before what it gave is sent.
   * @param options See {@linkcode AddMessageOptions}; `kind` is required.
   * @returns A promise that fulfils when the whole message is added. It rejects with the source's error, with the
   * signal's reason, or with the error of the connection that ended first. An unhandled rejection does no harm.
   * @throws {TypeError} When `source` is no source, or a single message: use {@linkcode add} for that; and when an
   * option is missing, unknown or of the wrong type. The channel is unharmed.
   * @throws {DOMException} `InvalidStateError` after `close`, and while `addStream` runs.
   * @throws {UnsupportedError} Where the capability `messageStreams` isn't there.
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
   * Waits as {@linkcode ChannelSink.ready} does, and tells room from the end.
   *
   * @param options Its `signal` ends the waiting: the promise then rejects with its reason.
   * @returns `true` when there is room; `false` when the channel has ended, or its end has begun: what is added
   * from now on is dropped.
   * @throws {TypeError} When an option is unknown, or of the wrong type.
   */
  whenReady(options?: SinkWaitOptions): Promise<boolean>;
  /**
   * Closes the connection: everything added or broadcast before is sent first, the stream ends at
   * once. What the transport has not taken after `closeTimeout` is dropped: `closed` reports it. A
   * running `addStream` ends, and its source is cancelled. While connecting it gives up the attempt.
   *
   * It checks first, and throws with the channel unharmed. Of several calls the first wins. Where a
   * platform's own `WebSocket` refuses `goingAway` (1001), `normalClosure` is sent instead, and
   * `closed` tells so; any other code that can't be sent is a `RangeError`.
   *
   * @param code The close code: 1000 or 3000–4999; 1001–1003 and 1007–1014 where the capability
   * `allCloseCodes` is there. Left out, the Close frame carries none, and the peer sees 1005.
   * @param reason The close reason, at most 123 bytes of UTF-8. It needs a code.
   * @returns `done`: it settles when the connection is really over, after `closeTimeout` at the latest.
   * @throws {RangeError} When `code` can't be sent.
   * @throws {TypeError} When there is a `reason` and no `code`.
   * @throws {SyntaxError} When `reason` is too long.
   */
  close(code?: number, reason?: string): Promise<void>;
}

const encoder = new TextEncoder();

/** RFC 6455 §5.5: a control frame's payload is at most 125 bytes, and two of them are the code. */
const MAX_REASON = 123;

/**
 * Checks the arguments of `close`, but for what depends on the transport.
 *
 * @throws {RangeError | TypeError | SyntaxError} See {@linkcode WebSocketSink.close}.
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

/** The error of a close code that can't be sent. */
export function unsendable(code: unknown, allowed: string): RangeError {
  return new RangeError(`Cannot close: the code must be one of ${allowed}, got ${shown(code)}`);
}

/**
 * Checks that a transport can send a close code.
 *
 * @throws {RangeError} When it can't.
 */
export function checkCode(code: number | undefined, { allCloseCodes }: Capabilities): void {
  const isPlain = code === undefined || code >= 3000 || code <= goingAway;
  if (!isPlain && !allCloseCodes) {
    throw unsendable(code, "1000, 1001 and 3000-4999 on this transport");
  }
}

/** What the sink of a WebSocket channel hands messages to. */
export interface WebSocketSinkTarget extends SinkTarget<MessageInput, SendOptions> {
  /** The user closes, with a code or without one. */
  closeWith(code: number | undefined, reason: string | undefined): Promise<void>;
  /** See {@linkcode WebSocketSink.addMessage}, with checked arguments. Left out where it can't. */
  addMessage?(source: MessageSource, options: AddMessageOptions): Promise<void>;
  /** See {@linkcode closeUnasked}. Left out: as `closeWith`. */
  closeUnasked?(code?: number, reason?: string): void;
}

let targetOf: (sink: OwnWebSocketSink) => WebSocketSinkTarget;

/** As {@linkcode readOptions}, in less time for a plain object: each message may have options. */
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

/** The user's side of a WebSocket channel's sink. */
export class OwnWebSocketSink extends MessageSink<MessageInput, SendOptions>
  implements WebSocketSink {
  readonly #target: WebSocketSinkTarget;

  /**
   * Creates an open sink.
   *
   * @param target Takes the messages.
   * @param options See {@linkcode MessageSinkOptions}.
   */
  constructor(target: WebSocketSinkTarget, options: MessageSinkOptions) {
    super(target, options);
    this.#target = target;
  }

  addMessage(source: MessageSource, given: AddMessageOptions): Promise<void> {
    const options = readOptions(given, ADD_MESSAGE_KINDS, {
      hint: '. Give { kind: "text" } or { kind: "binary" }',
    });
    checkOption("kind", options.kind, ADD_MESSAGE_KINDS.kind);
    checkSource(source, "message");
    if (this.#target.addMessage === undefined) throw lacking("messageStreams");
    sinkOwner.checkUsable(this, "add a message");
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
 * Closes a connection as its sink's `close` does, though its user hasn't asked for it: what the user still adds is dropped,
 * `add` returns `false`. After a `close` of the user's own it would throw, which a timer's callback doesn't expect.
 *
 * @param sink The sink. One that isn't a connection's own is closed like any other.
 * @param content As for `close`.
 * @throws {RangeError | TypeError | SyntaxError} As `close`.
 */
export function closeUnasked(
  sink: WebSocketSink<never>,
  ...content: [code?: number, reason?: string]
): void {
  const target = sink instanceof OwnWebSocketSink ? targetOf(sink) : null;
  if (target?.closeUnasked !== undefined) target.closeUnasked(...content);
  else sink.close(...content).catch(ignore);
}

/** As {@linkcode closeUnasked}, for a pipe: a sink that can't be closed belongs to another caller. */
export function endUnasked(sink: ChannelSink<never>): void {
  try {
    closeUnasked(sink as WebSocketSink<never>);
  } catch {
    // Its `addStream` ends it.
  }
}

/**
 * What {@linkcode WebSocketSink.whenReady} does.
 *
 * @param sink Whose room is waited for.
 * @param given What the user gave.
 * @param own The connection's own sink, which knows of the end.
 */
export function waitForRoom<T>(
  sink: ChannelSink<T>,
  given: SinkWaitOptions | undefined,
  own: OwnWebSocketSink,
): Promise<boolean> {
  const { signal } = readOptions(given, WAIT_KINDS, { hint: ". Give { signal }" });
  const ready = sink.ready.then(() => !sinkOwner.isClosed(own) && !sinkOwner.isDisconnected(own));
  return abortable(ready, signal);
}
