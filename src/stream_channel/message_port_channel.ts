import { nameOf } from "../realm/kinds.ts";
import { parentPort } from "../realm/parent_port.ts";
import { type ChannelSink, MessageSink, sinkControl, type SinkTarget } from "./channel_sink.ts";
import { type ChannelStream, type Failure, MessageStream, streamFeed } from "./channel_stream.ts";
import { StreamChannelCompleter } from "./completer.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf, sizeOfClone } from "./counted_queue.ts";
import { ignore, invalidState } from "./errors.ts";
import { readOptions } from "./options.ts";
import {
  beginUse,
  checkOtherEnd,
  checkPort,
  isPort,
  type MessagePortLike,
  type PortEvents,
  postPort,
  releasePort,
  takePort,
  watchPort,
  watchWorker,
  type WorkerScope,
} from "./ports.ts";
import {
  DelegatingStreamChannel,
  type StreamChannel,
  StreamChannelBase,
} from "./stream_channel.ts";

/** The number of bytes that each end may send at first. Part of the wire format. */
const FIRST_CREDIT = DEFAULT_HIGH_WATER_MARK;

/** Options of a {@linkcode MessagePortChannel}. */
export interface MessagePortChannelOptions<Out = unknown> {
  /**
   * Posts and receives values without an envelope, for another end that isn't a `MessagePortChannel`. It then
   * doesn't notice the end of the channel, and there is no backpressure. Default `false`.
   */
  raw?: boolean | undefined;
  /**
   * The number of unread bytes at this end from which the other end's `ready` waits. The size of an object is
   * an estimate of its content. Default 64 KiB.
   */
  highWaterMark?: number | undefined;
  /** Returns the parts of a value, such as an `ArrayBuffer`, that are transferred instead of copied. */
  transfer?: ((value: Out) => readonly object[]) | undefined;
}

/**
 * A channel over a message port, for example to a worker. Both ends must be a `MessagePortChannel`.
 * Corresponds to Dart's `IsolateChannel`, with backpressure in both directions and a reported end.
 *
 * Values are cloned structurally; `add` throws a `TypeError` for a value that can't be cloned. At its end,
 * the channel closes the port, unless that is a worker, a worker's `self` or its `parentPort`.
 *
 * The stream ends when the other end closes its channel. It fails with an `Error` if the other end leaves without
 * closing. That is, a worker of Node exits, a port is closed, or a worker's script is missing, doesn't parse or throws
 * (the `cause` is its error). With `raw`, an exit and a closed port end the stream.
 *
 * In a browser and in Deno, a worker that is terminated or closes itself can't be noticed: close the channel
 * first. A `Worker` keeps a Deno program running even if both ends have closed: terminate it.
 *
 * Other messages on the same port are ignored. A port has one channel at a time.
 *
 * The wire format: text and numbers are posted as `[value]`, other values as `[value, size]` with their size
 * in bytes, and the end as `[]`. A number is the credit that the other end may use in addition to its first
 * 64 KiB.
 *
 * @example
 * ```ts
 * import { MessagePortChannel } from "@web-socket/channel/stream-channel";
 *
 * const { port1, port2 } = new MessageChannel();
 * const here = new MessagePortChannel<string>(port1);
 * const there = new MessagePortChannel<string>(port2);
 * there.stream.listen((name) => there.sink.add(`Hello, ${name}!`));
 * here.sink.add("worker");
 * console.log((await here.stream.next()).value); // Hello, worker!
 * await here.sink.close();
 * await there.sink.done;
 * ```
 */
export class MessagePortChannel<In, Out = In> extends StreamChannelBase<In, Out> {
  /** The messages from the other end. */
  readonly stream: ChannelStream<In>;
  /** Sends messages to the other end. */
  readonly sink: ChannelSink<Out>;

  /**
   * Takes over a port and starts it.
   *
   * @param port The port. The other end opens a channel over its port.
   * @param options The format, the high-water mark and what to transfer.
   * @throws {DOMException} `InvalidStateError` if the port has a channel, or `connectReceive` waits on it.
   * @throws {TypeError} If `port` isn't a port, or is a `BroadcastChannel` without `raw`.
   */
  constructor(port: MessagePortLike | WorkerScope, options?: MessagePortChannelOptions<Out>) {
    super();
    const read = readPortOptions(options);
    checkPort(port);
    const link = new PortLink<In, Out>(port, read);
    this.stream = link.stream;
    this.sink = link.sink;
  }

  /**
   * Returns a channel over a port that the other end sends with {@linkcode connectSend}. The channel can be
   * used at once. If the first message is anything else, its stream fails with an `InvalidStateError`.
   *
   * @param port The port on which the message will arrive. The channel only listens to it until then; it
   * stays yours. If it is a worker, the channel fails when the worker does.
   * @param options The format, the high-water mark and what to transfer.
   * @returns The channel.
   * @throws {DOMException} `InvalidStateError` if the port has a channel, or this was called with it before.
   * @throws {TypeError} If `port` isn't a port, or is a `BroadcastChannel`.
   */
  static connectReceive<In, Out = In>(
    port: MessagePortLike | WorkerScope,
    options?: MessagePortChannelOptions<Out>,
  ): StreamChannel<In, Out> {
    const read = readPortOptions(options);
    checkPort(port);
    checkOtherEnd(port);
    const stop = (next?: "received"): void => {
      unwatch();
      releasePort(port, "receiving", next);
    };
    const fail = (error: Error): void => {
      stop();
      completer.setError(error);
    };
    const cannot = (why: string): Error => invalidState(`Cannot connect: ${why}`);
    const completer: StreamChannelCompleter<In, Out> = new StreamChannelCompleter<In, Out>({
      onClose: () => fail(cannot("the channel was closed")),
    });
    const unwatch = beginUse(port, "receiving", () =>
      watchPort(port, {
        onMessage: (message) => {
          if (!isPort(message)) return fail(cannot("the first message is not a port"));
          stop("received");
          completer.setChannel(new PortLink<In, Out>(message, { ...read, carrier: port }));
        },
        onEnd: () => fail(cannot("the port was closed")),
        onError: () => fail(cannot("the first message can't be deserialized")),
        onFailure: fail,
      }));
    return completer.channel;
  }

  /**
   * Returns a new channel to the other end of a port, which accepts it with {@linkcode connectReceive}. It
   * posts one message, a new port.
   *
   * @param port The port to the other end. It stays yours. If it is a worker, the channel fails when the
   * worker does.
   * @param options The format, the high-water mark and what to transfer.
   * @returns The channel.
   * @throws {DOMException} `InvalidStateError` if the port has a channel, or this was called with it before.
   * @throws {TypeError} If `port` isn't a port, or is a `BroadcastChannel`.
   */
  static connectSend<In, Out = In>(
    port: MessagePortLike | WorkerScope,
    options?: MessagePortChannelOptions<Out>,
  ): StreamChannel<In, Out> {
    const read = readPortOptions(options);
    checkPort(port);
    checkOtherEnd(port);
    const port1 = beginUse(port, "sent", () => postPort(port));
    const { stream, sink } = new PortLink<In, Out>(port1, { ...read, carrier: port });
    return new DelegatingStreamChannel({ stream, sink });
  }
}

function readPortOptions<Out>(
  options: MessagePortChannelOptions<Out> | undefined,
): MessagePortChannelOptions<Out> {
  return readOptions(options, { raw: "boolean", highWaterMark: "size", transfer: "function" });
}

/** Options of a {@linkcode PortLink}. */
export interface PortLinkOptions<Out> extends MessagePortChannelOptions<Out> {
  /** The port over which this one was sent. If it is a worker, its end is that of the port. */
  readonly carrier?: MessagePortLike;
}

/**
 * The channel over a port.
 *
 * The sender counts credit in bytes. It sends the size with a value, because a clone may have another size;
 * text and numbers don't need it. A received number is additional credit. This end posts credit only if it is
 * at least half the window, so that credit messages are rare.
 */
export class PortLink<In, Out> implements SinkTarget<Out>, PortEvents {
  readonly stream: MessageStream<In>;
  readonly sink: MessageSink<Out>;

  readonly #port: MessagePortLike;
  readonly #raw: boolean;
  readonly #window: number;
  readonly #transfer: ((value: Out) => readonly object[]) | undefined;
  #unwatch: () => void = ignore;
  #unwatchCarrier: () => void = ignore;
  /** The number of bytes that may be sent; negative if more was sent. */
  #credit = FIRST_CREDIT;
  /** The granted credit that the other end has not used, in bytes. */
  #granted = FIRST_CREDIT;
  #isOver = false;

  /** Takes and starts the port. */
  constructor(port: MessagePortLike, options: PortLinkOptions<Out>) {
    if (!options.raw) checkOtherEnd(port);
    takePort(port, "channel");
    this.#port = port;
    this.#raw = options.raw ?? false;
    this.#window = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#transfer = options.transfer;
    this.stream = new MessageStream<In>({
      resume: () => this.#grant(),
      close: () => this.sink.close(),
    }, {
      highWaterMark: Math.ceil(this.#window / 2),
      sizeOf: (value) => sizeOfClone(value, this.#window),
    });
    // There is room while the credit isn't exceeded.
    this.sink = new MessageSink<Out>(this, { highWaterMark: 1 });
    try {
      this.#unwatch = watchPort(port, this);
      if (options.carrier !== undefined) this.#unwatchCarrier = watchWorker(options.carrier, this);
      if (!this.#raw && this.#window !== FIRST_CREDIT) this.#post(this.#window - FIRST_CREDIT);
    } catch (error) {
      this.#isOver = true;
      this.#letGo();
      throw error;
    }
    this.#granted = this.#window;
  }

  // The events of the port.

  onMessage(message: unknown): void {
    if (this.#isOver) return;
    if (this.#raw) return streamFeed.add(this.stream, message as In);
    if (typeof message === "number") return this.#addCredit(message);
    // Development tools and other libraries also post to workers.
    if (!isEnvelope(message)) return;
    if (message.length === 0) return this.#end(null);
    const [value, size = sizeOf(value)] = message;
    this.#granted -= size;
    streamFeed.add(this.stream, value as In);
    this.#grant();
  }

  #addCredit(credit: number): void {
    if (!Number.isFinite(credit)) return;
    this.#credit += credit;
    sinkControl.drained(this.sink);
  }

  /** Posts credit for the free room, if it is enough for a message. */
  #grant(): void {
    if (this.#isOver || this.#raw) return;
    const credit = this.#window - streamFeed.queuedSize(this.stream) - this.#granted;
    if (credit * 2 < this.#window) return;
    this.#granted += credit;
    this.#post(credit);
  }

  onError(): void {
    this.onFailure(new TypeError("Cannot receive: the message can't be deserialized"));
  }

  onFailure(error: Error): void {
    if (this.#isOver) return;
    this.#tellEnd();
    this.#end({ error });
  }

  /** The other end has left without closing the channel. */
  onEnd(exitCode: number | null): void {
    // Deno reports a worker's error after its ports have closed. Unhandled, it would end the process.
    this.#unwatchCarrier = ignore;
    if (this.#raw) return this.#end(null);
    const who = exitCode === null ? "the other end has left" : `the worker exited with ${exitCode}`;
    this.#end({ error: new Error(`Cannot receive: ${who} without closing the channel`) });
  }

  #tellEnd(): void {
    if (!this.#raw) this.#post([]);
  }

  #end(failure: Failure | null): void {
    if (this.#isOver) return;
    this.#release();
    sinkControl.finish(this.sink, failure?.error);
    if (failure === null) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, failure.error);
  }

  #release(): void {
    this.#isOver = true;
    this.#letGo();
    // Messages that were posted before still arrive. Closing a worker's own scope would end the worker;
    // closing its parentPort would cut off all its other messages.
    const isWorkers = this.#port === globalThis as unknown || this.#port === parentPort();
    if (!isWorkers) this.#port.close?.();
  }

  #letGo(): void {
    this.#unwatch();
    this.#unwatchCarrier();
    releasePort(this.#port, "channel");
  }

  #post(message: unknown): void {
    this.#port.postMessage(message, []);
  }

  // The sink's target.

  get bufferedAmount(): number {
    return this.#credit < 0 ? -this.#credit : 0;
  }

  add(value: Out): boolean {
    if (this.#isOver) return false;
    const transfer = this.#transfer?.(value) ?? [];
    // Counted before posting, because a transferred value has no size. One more than the credit is enough.
    const size = this.#raw ? 0 : sizeOfClone(value, Math.max(this.#credit, this.#window) + 1);
    try {
      this.#port.postMessage(this.#raw ? value : envelope(value, size), transfer);
    } catch (cause) {
      throw new TypeError(`Cannot add: ${whyNotPosted(cause, transfer)}`, { cause });
    }
    this.#credit -= size;
    return true;
  }

  close(): void {
    if (!this.#isOver) {
      this.#tellEnd();
      this.#release();
    }
    streamFeed.discard(this.stream);
    sinkControl.finish(this.sink);
  }

  abort(error: unknown): void {
    sinkControl.fail(this.sink, error);
    this.close();
  }
}

type Envelope = [value?: unknown, size?: number];

function envelope(value: unknown, size: number): Envelope {
  return typeof value === "object" || typeof value === "bigint" ? [value, size] : [value];
}

function isEnvelope(message: unknown): message is Envelope {
  if (!Array.isArray(message) || message.length > 2) return false;
  return message.length < 2 || Number.isFinite(message[1]) && message[1] >= 0;
}

function whyNotPosted(cause: unknown, transfer: readonly object[]): string {
  const name = nameOf(cause);
  // A getter of the value may throw as well.
  if (name !== "DataCloneError") return `posting the value threw ${name || typeof cause}`;
  return transfer.length === 0
    ? "the value can't be cloned"
    : "the value can't be cloned, or what `transfer` returned can't be transferred";
}
