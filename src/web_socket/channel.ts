import { copyOf, isBinary } from "../realm/bytes.ts";
import { type ChannelLike, type ChannelParts, partsOf } from "../stream_channel/channel_like.ts";
import {
  type ChannelSink,
  DelegatingChannelSink,
  type MessageSink,
} from "../stream_channel/channel_sink.ts";
import { type ChannelStream, streamFeed } from "../stream_channel/channel_stream.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { abortable } from "../stream_channel/errors.ts";
import {
  type ChannelTransformer,
  pipe,
  StreamChannelBase,
} from "../stream_channel/stream_channel.ts";
import type { Capabilities } from "./capabilities.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { HandshakeResponse } from "./errors.ts";
import type { ConnectionInfo } from "./connection_info.ts";
import type { IncomingMessage } from "./incoming_message.ts";
import { inspectAs, shownProtocol } from "./inspection.ts";
import type { CloseInfo } from "./close_info.ts";
import { closeLike } from "./close_like.ts";
import { checkTakesParts, PassingOn } from "./passing_on.ts";
import type {
  ChannelState,
  Message,
  PingOptions,
  WaitOptions,
  WebSocketChannel,
} from "./web_socket_channel.ts";
import {
  type AddMessageOptions,
  endUnasked,
  type MessageInput,
  type MessageSource,
  readSendOptions,
  type SendOptions,
  type SinkWaitOptions,
  waitForRoom,
  type WebSocketSink,
} from "./web_socket_sink.ts";

const WAIT_KINDS: OptionKinds<WaitOptions> = { signal: "AbortSignal" };

const PING_KINDS: OptionKinds<PingOptions> = { ...WAIT_KINDS, payload: "bytes or an ArrayBuffer" };

const NO_BYTES = new Uint8Array(0);

/** RFC 6455 §5.5: the maximum payload of a control frame, in bytes. */
const MAX_CONTROL_PAYLOAD = 125;

/** Checks and copies the payload of a control frame. */
function controlPayload(payload: unknown): Uint8Array {
  if (!isBinary(payload)) {
    throw new TypeError(
      `Cannot send a control frame: its payload must be bytes, got ${shown(payload)}`,
    );
  }
  const bytes = copyOf(payload);
  if (bytes.length <= MAX_CONTROL_PAYLOAD) return bytes;
  throw new RangeError(
    `Cannot send a control frame: its payload must be at most ${MAX_CONTROL_PAYLOAD} bytes, ` +
      `got ${bytes.length}`,
  );
}

/** The sink of a transformed channel. Closing it closes the connection. */
class DerivedSink<T> extends DelegatingChannelSink<T> implements WebSocketSink<T> {
  readonly #core: ChannelCore;
  readonly #inner: MessageSink<T, SendOptions>;

  constructor(core: ChannelCore, inner: ChannelSink<T>) {
    super(inner);
    this.#core = core;
    this.#inner = inner as MessageSink<T, SendOptions>;
  }

  override add(value: T, options?: SendOptions): boolean {
    if (options === undefined) return super.add(value);
    return this.#inner.add(value, readSendOptions(options));
  }

  addMessage(source: MessageSource, options: AddMessageOptions): Promise<void> {
    return this.#core.sink.addMessage(source, options);
  }

  whenReady(given?: SinkWaitOptions): Promise<boolean> {
    return waitForRoom(this, given, this.#core.sink);
  }

  override close(code?: number, reason?: string): Promise<void> {
    return this.#core.closeThrough(() => super.close(), code, reason);
  }
}

/** The public object of a WebSocket channel. It has no members of the transport. */
export class Channel<In = Message, Out = MessageInput> extends StreamChannelBase<In, Out>
  implements WebSocketChannel<In, Out> {
  // They return what `derive` returns.
  declare transformStream: WebSocketChannel<In, Out>["transformStream"];
  declare transformSink: WebSocketChannel<In, Out>["transformSink"];
  declare changeStream: WebSocketChannel<In, Out>["changeStream"];
  declare changeSink: WebSocketChannel<In, Out>["changeSink"];
  declare cast: WebSocketChannel<In, Out>["cast"];

  readonly #core: ChannelCore;
  /** The stream and the sink of a transformed channel, which replace those of the connection. */
  readonly #derived:
    | { readonly stream: ChannelStream<In>; readonly sink: WebSocketSink<Out> }
    | null;

  /**
   * Creates the channel of a connection.
   *
   * @param core The implementation of the connection.
   * @param derived The stream and the sink of a transformed channel.
   */
  constructor(core: ChannelCore, derived: ChannelParts<In, Out> | null = null) {
    super();
    this.#core = core;
    core.face ??= this as unknown as WebSocketChannel;
    this.#derived = derived &&
      { stream: derived.stream, sink: new DerivedSink<Out>(core, derived.sink) };
  }

  /**
   * Returns the core of a channel. `null` if the channel is hand-written or from another copy of this
   * package, or if its messages aren't those of the connection.
   */
  static coreOf(channel: object): ChannelCore | null {
    return #core in channel && channel.#derived === null ? channel.#core : null;
  }

  /** Returns whether large messages are delivered in parts. A transformed stream may have joined them. */
  static deliversInParts(channel: object): boolean {
    return #core in channel && channel.#core.deliversInParts &&
      channel.stream as unknown === channel.#core.incoming;
  }

  /**
   * Checks that two channels can be connected: if one has messages in parts, the other one must accept them.
   *
   * @throws {UnsupportedError} If the other's transport can't send them.
   * @throws {TypeError} If the other's sink isn't that of a WebSocket channel.
   */
  static checkParts(one: ChannelParts<unknown, never>, other: ChannelParts<unknown, never>): void {
    if (Channel.deliversInParts(one)) checkTakesParts(other);
    if (Channel.deliversInParts(other)) checkTakesParts(one);
  }

  /**
   * Checks that a channel delivers all messages whole.
   *
   * @throws {TypeError} If it delivers large messages in parts.
   */
  static checkWhole(channel: object): void {
    if (!Channel.deliversInParts(channel)) return;
    throw new TypeError(
      "Cannot use the channel: it must be created without streamLargerThan, because its messages must be whole",
    );
  }

  /** Returns the object that all channels of one connection share; a hand-written channel returns itself. */
  static connectionOf(channel: Channel<unknown, never>): ChannelCore;
  static connectionOf(channel: object): object;
  static connectionOf(channel: object): object {
    return #core in channel ? channel.#core : channel;
  }

  get stream(): ChannelStream<In> {
    if (this.#derived !== null) return this.#derived.stream;
    return this.#core.incoming as unknown as ChannelStream<In>;
  }

  get sink(): WebSocketSink<Out> {
    if (this.#derived !== null) return this.#derived.sink;
    return this.#core.sink as unknown as WebSocketSink<Out>;
  }

  get ready(): Promise<void> {
    return this.#core.life.ready;
  }

  whenReady(given?: WaitOptions): Promise<void> {
    const { signal } = readOptions(given, WAIT_KINDS, { hint: ". Pass { signal }" });
    return abortable(this.ready, signal);
  }

  get closing(): Promise<void> {
    return this.#core.life.onClosing;
  }

  get closed(): Promise<CloseInfo> {
    return this.#core.life.closed;
  }

  get state(): ChannelState {
    return this.#core.life.state;
  }

  get url(): string {
    return this.#core.identity.url();
  }

  get capabilities(): Capabilities {
    return this.#core.identity.capabilities;
  }

  get protocol(): string | null {
    return this.#core.opening.protocol;
  }

  get extensions(): string {
    return this.#core.opening.extensions;
  }

  get response(): HandshakeResponse | null {
    return this.#core.opening.response;
  }

  get connectionInfo(): ConnectionInfo | null {
    return this.#core.connectionInfo;
  }

  get closeCode(): number | null {
    return this.#core.life.known?.code ?? null;
  }

  get closeReason(): string | null {
    return this.#core.life.known?.reason ?? null;
  }

  get latency(): number | null {
    return this.#core.transport?.latency ?? null;
  }

  ping(given?: PingOptions): Promise<number> {
    const { payload, signal } = readOptions(given, PING_KINDS, { hint: ". Pass { payload }" });
    return this.#core.ping(payload === undefined ? undefined : controlPayload(payload), signal);
  }

  pong(payload: ArrayBuffer | ArrayBufferView = NO_BYTES): boolean {
    return this.#core.pong(controlPayload(payload));
  }

  terminate(): void {
    this.#core.terminate();
  }

  ref(): void {
    this.#core.ref();
  }

  unref(): void {
    this.#core.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.sink.close();
    } catch {
      // `closed` reports the error.
    }
  }

  /** Makes transformed channels WebSocket channels, too. */
  static override derive<NewIn, NewOut>(
    channel: Channel,
    parts: ChannelParts<NewIn, NewOut>,
  ): WebSocketChannel<NewIn, NewOut> {
    return new Channel(channel.#core, parts);
  }

  override pipe(
    other: ChannelLike<Out | IncomingMessage, Exclude<In, IncomingMessage>>,
  ): Promise<void> {
    const parts = partsOf(other as ChannelLike<Out, In>);
    Channel.checkParts(this, parts);
    const isWebSocket = "closed" in other && "closeCode" in other;
    const channel = other as unknown as WebSocketChannel<Out, In>;
    const end = (sink: object): void => {
      if (!isWebSocket) endUnasked(sink as ChannelSink<never>);
      else if (sink === parts.sink) closeLike(this, channel);
      else closeLike(channel, this);
    };
    return pipe<In, Out>(this, parts, (sink) => new PassingOn(sink, () => end(sink)));
  }

  override transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): WebSocketChannel<NewIn, NewOut> {
    const parts = super.transform(transformer);
    return (this.constructor as typeof Channel).derive(this as unknown as Channel, parts);
  }

  static {
    inspectAs(Channel.prototype, "WebSocketChannel", (it) => ({
      url: it.url,
      state: it.state,
      transport: it.#core.identity.transport,
      protocol: shownProtocol(it.protocol),
      bufferedAmount: it.sink.bufferedAmount,
      queuedAmount: streamFeed.queuedSize(it.#core.incoming),
      closeCode: it.closeCode,
    }));
  }
}
