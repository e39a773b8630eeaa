import { copyOf, isBinary } from "../realm/bytes.ts";
import { abortable } from "../stream_channel/abortable.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import { ignore } from "../stream_channel/errors.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { StreamChannelBase } from "../stream_channel/stream_channel.ts";
import type { Capabilities } from "./capabilities.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { HandshakeResponse } from "./errors.ts";
import { inspectAs, shownProtocol } from "./inspection.ts";
import type { CloseInfo } from "./close_info.ts";
import type {
  ChannelState,
  Message,
  PingOptions,
  WaitOptions,
  WebSocketChannel,
} from "./web_socket_channel.ts";
import type { MessageInput, WebSocketSink } from "./web_socket_sink.ts";

const WAIT_KINDS: OptionKinds<WaitOptions> = { signal: "AbortSignal" };

const PING_KINDS: OptionKinds<PingOptions> = { ...WAIT_KINDS, payload: "object" };

const NO_BYTES = new Uint8Array(0);

/** RFC 6455 §5.5: the most bytes that a control frame may hold. */
const MAX_CONTROL_PAYLOAD = 125;

/** A copy of a control frame's payload. */
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

/** What users hold of a WebSocket channel: nothing of it is the transport's. */
export class Channel extends StreamChannelBase<Message, MessageInput> implements WebSocketChannel {
  readonly #core: ChannelCore;

  /** @param core Does the work. */
  constructor(core: ChannelCore) {
    super();
    this.#core = core;
  }

  /** What is behind a channel; `null` for one of somebody else's making, or of another copy of this package. */
  static coreOf(channel: object): ChannelCore | null {
    return #core in channel ? channel.#core : null;
  }

  get stream(): ChannelStream<Message> {
    return this.#core.incoming.stream;
  }

  get sink(): WebSocketSink {
    return this.#core.sink;
  }

  get ready(): Promise<void> {
    return this.#core.life.ready;
  }

  whenReady(given?: WaitOptions): Promise<void> {
    const { signal } = readOptions(given, WAIT_KINDS);
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
    const { payload, signal } = readOptions(given, PING_KINDS);
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
    await this.#core.closeWith(undefined, undefined).catch(ignore);
  }

  static {
    inspectAs(Channel.prototype, "WebSocketChannel", (it) => ({
      url: it.url,
      state: it.state,
      transport: it.#core.identity.transport,
      protocol: shownProtocol(it.protocol),
      bufferedAmount: it.sink.bufferedAmount,
      queuedAmount: it.#core.incoming.queuedSize,
      closeCode: it.closeCode,
    }));
  }
}
