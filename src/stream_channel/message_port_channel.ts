import { nameOf } from "../realm/kinds.ts";
import { parentPort } from "../realm/parent_port.ts";
import { type ChannelSink, MessageSink, sinkOwner, type SinkTarget } from "./channel_sink.ts";
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

/** What each end may send before it has heard anything, in bytes. Part of the wire format. */
const FIRST_CREDIT = DEFAULT_HIGH_WATER_MARK;

/** Options of a {@linkcode MessagePortChannel}. */
export interface MessagePortChannelOptions<Out = unknown> {
  /**
   * Posts and takes bare values, for an other end that is no `MessagePortChannel`: without an end
   * that it would notice, and without backpressure. Default `false`.
   */
  raw?: boolean | undefined;
  /**
   * How many bytes may wait at this end before the other end's `ready` waits. An object counts about
   * what is inside it. Default 64 KiB.
   */
  highWaterMark?: number | undefined;
  /** Which parts of a value, such as an `ArrayBuffer`, are transferred instead of copied. */
  transfer?: ((value: Out) => readonly object[]) | undefined;
}

/**
 * A channel over a message port, to a worker for example. Both ends have to be one. Corresponds to
 * Dart's `IsolateChannel`, with an end that is noticed and backpressure both ways.
 *
 * Values are cloned structurally; `add` of one that can't be throws a `TypeError`. When the channel
 * ends it closes the port, unless that is a worker, a worker's `self` or its `parentPort`.
 *
 * The stream ends when the other end closes its channel. It fails with an `Error` when the other end goes
 * without that: a worker whose script is missing, doesn't parse or throws (what was thrown is the `cause`), a
 * worker of Node that exits, a port that is closed. With `raw`, an exit and a closed port are the end. A
 * worker that is terminated, or closes itself, in a browser or in Deno is not noticed: close the channel
 * first. A `Worker` keeps a Deno program running also when both ends have closed: terminate it then.
 *
 * Messages of others on the same port are ignored. A port has one channel at a time.
 *
 * On the port, text and numbers travel as `[value]`, other values as `[value, size]` with the bytes that
 * they count, the end as `[]`, and a number is what the other end may
 * send in addition to 64 KiB.
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
  /** The messages of the other end. */
  readonly stream: ChannelStream<In>;
  /** Sends to the other end. */
  readonly sink: ChannelSink<Out>;

  /**
   * Takes over a port, and starts it.
   *
   * @param port The port. The other end opens a channel over its own.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @throws {DOMException} `InvalidStateError` when the port has a channel, or `connectReceive` waits on it.
   * @throws {TypeError} For a `BroadcastChannel` without `raw`, and for what is no port.
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
   * A channel over a port that the other end sends with {@linkcode connectSend}. It can be used at
   * once. Where the first message is anything else the stream fails with an `InvalidStateError`.
   *
   * @param port Where the message will come. It is only listened to until then, and stays yours. When it is a
   * worker, the channel fails with it.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @returns The channel.
   * @throws {DOMException} `InvalidStateError` when the port has a channel, and the second time for one port.
   * @throws {TypeError} For a `BroadcastChannel`, and for what is no port.
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
          if (!isPort(message)) return fail(cannot("the first message is no port"));
          stop("received");
          completer.setChannel(new PortLink<In, Out>(message, { ...read, carrier: port }));
        },
        onEnd: () => fail(cannot("the port was closed")),
        onError: () => fail(cannot("the first message can't be read")),
        onFailure: fail,
      }));
    return completer.channel;
  }

  /**
   * A channel of its own to the other end of a port, which takes it with
   * {@linkcode connectReceive}: it posts one message, a new port.
   *
   * @param port How to reach the other end. It stays yours. When it is a worker, the channel fails with it.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @returns The channel.
   * @throws {DOMException} `InvalidStateError` when the port has a channel, and the second time for one port.
   * @throws {TypeError} For a `BroadcastChannel`, and for what is no port.
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
  /** What the port was sent over: when it is a worker, its end is the port's. */
  readonly carrier?: MessagePortLike;
}

/**
 * The channel over a port.
 *
 * Credit is counted in bytes, by the sender: a value travels as `[value, size]`, because a clone need
 * not count the same; text and numbers, which do, as `[value]`. A number
 * that comes may be sent in addition; one is posted when at least half the window can be given, so
 * a credit costs a message only now and then.
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
  /** What may be sent; below 0 is what was sent beyond it. */
  #credit = FIRST_CREDIT;
  /** How much the other end may send, by what this end knows. */
  #granted = FIRST_CREDIT;
  #isOver = false;

  /** Starts the port. */
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
    // There is room as long as nothing was sent beyond the credit.
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
    // Others post to workers as well: development tools, other libraries.
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
    sinkOwner.drained(this.sink);
  }

  /** Lets the other end send what there is room for, where that is worth a message. */
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

  /** The other end has left without saying so. */
  onEnd(exitCode: number | null): void {
    // Deno reports a worker's error after its ports have closed: unhandled, it would end the process.
    this.#unwatchCarrier = ignore;
    if (this.#raw) return this.#end(null);
    const who = exitCode === null ? "the other end has left" : `the worker exited with ${exitCode}`;
    this.#end({ error: new Error(`Cannot receive: ${who} and had not closed the channel`) });
  }

  #tellEnd(): void {
    if (!this.#raw) this.#post([]);
  }

  #end(failure: Failure | null): void {
    if (this.#isOver) return;
    this.#release();
    sinkOwner.finish(this.sink, failure?.error);
    if (failure === null) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, failure.error);
  }

  #release(): void {
    this.#isOver = true;
    this.#letGo();
    // What was posted before still arrives. Closing a worker's own scope would end the worker, and
    // closing its parentPort all that it has to say to others.
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
    // Asked before: what is transferred has no size any more. One more than the credit is enough.
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
    sinkOwner.finish(this.sink);
  }

  abort(error: unknown): void {
    sinkOwner.fail(this.sink, error);
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
  // Not everything that is thrown is about cloning: a getter of the value may throw as well.
  if (name !== "DataCloneError") return `posting the value threw ${name || typeof cause}`;
  return transfer.length === 0
    ? "the value can't be cloned"
    : "the value can't be cloned, or what `transfer` returned can't be transferred";
}
