import { MessageSink, sinkControl, type SinkTarget } from "./channel_sink.ts";
import { type Failure, MessageStream, streamFeed } from "./channel_stream.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { CountedQueue, DEFAULT_HIGH_WATER_MARK, type SizeOf, sizeOf } from "./counted_queue.ts";
import { DelegatingStreamChannel, type StreamChannel } from "./stream_channel.ts";

// Constants of this module, so that V8 knows the functions it calls for each message.
const { add, isPaused } = streamFeed;

/** Options of {@linkcode channelPair}. */
export interface ChannelPairOptions {
  /**
   * Delivers inside the call that adds, instead of from a microtask. Use it only if the sender is already
   * asynchronous, such as an adapter's callbacks. Default `false`.
   */
  sync?: boolean | undefined;
  /**
   * Whether `foreign.sink.addError` sends the error to `local`. Otherwise the error closes the channel and
   * rejects `foreign.sink.done`. Errors of `local` always reach `foreign`. Default `true`.
   */
  allowForeignErrors?: boolean | undefined;
  /** The maximum number of pending bytes at each end of each direction. Default 64 KiB. */
  highWaterMark?: number | undefined;
}

const KINDS: OptionKinds<ChannelPairOptions> = {
  sync: "boolean",
  allowForeignErrors: "boolean",
  highWaterMark: "size",
};

/** Two connected channels: a value added to the sink of one arrives on the stream of the other. */
export interface ChannelPair<In, Out = In> {
  /** The end for the code that created the pair. */
  readonly local: StreamChannel<In, Out>;
  /** The end for other code. */
  readonly foreign: StreamChannel<Out, In>;
}

/**
 * Creates two channels that are connected in memory, with all six guarantees and backpressure. Closing one
 * ends both. Corresponds to Dart's `StreamChannelController`.
 *
 * @param given How the pair delivers messages and errors.
 *
 * @example
 * ```ts
 * import { channelPair } from "@web-socket/channel/stream-channel";
 *
 * const { local, foreign } = channelPair<string>();
 * foreign.stream.listen((name) => foreign.sink.add(`Hello, ${name}!`));
 * local.sink.add("world");
 * console.log((await local.stream.next()).value); // Hello, world!
 * await local.sink.close();
 * ```
 */
export function channelPair<In, Out = In>(given?: ChannelPairOptions): ChannelPair<In, Out> {
  const { allowForeignErrors, ...options } = readOptions(given, KINDS);
  const outward = new Line<Out>(options);
  const inward = new Line<In>({ ...options, keepErrors: allowForeignErrors === false });
  connectLines(outward, inward);
  return {
    local: new DelegatingStreamChannel({ stream: inward.stream, sink: outward.sink }),
    foreign: new DelegatingStreamChannel({ stream: outward.stream, sink: inward.sink }),
  };
}

/** Decides when each value of a {@linkcode Line} arrives. */
export interface LinePace<T> {
  /** Whether nothing arrives, not even the end. */
  readonly isStalled: boolean;
  /** Calls back once, when the next value or the end arrives. */
  plan(arrive: () => void): void;
  /** A value has arrived. */
  onArrived(value: T): void;
  /** Nothing more will arrive. */
  cancel(): void;
}

/** Options of a {@linkcode Line}. */
export interface LineOptions<T> extends Omit<ChannelPairOptions, "allowForeignErrors"> {
  /** An error added to the sink closes the channel, instead of reaching the other end. */
  readonly keepErrors?: boolean;
  /**
   * Closing one direction leaves the other open, as with TCP, and an error added to the sink destroys both.
   * Otherwise both end together.
   */
  readonly halfClose?: boolean;
  /** Returns the size of a value in flight, in bytes. */
  readonly sizeOf?: SizeOf<T>;
  /** Splits a value into the values that arrive. By default it arrives unchanged. */
  readonly piecesOf?: (value: T) => readonly T[];
  /** By default all values arrive at once, from a microtask. */
  readonly pace?: LinePace<T> | undefined;
}

/** Connects two lines as the two directions of one connection. */
export function connectLines<A, B>(one: Line<A>, other: Line<B>): void {
  one.reverse = other as unknown as Line<never>;
  other.reverse = one as unknown as Line<never>;
}

/** One direction of a pair: a sink, the values in flight, and a stream. */
export class Line<T> implements SinkTarget<T> {
  /** The sender's side. */
  readonly sink: MessageSink<T>;
  /** The receiver's side. */
  readonly stream: MessageStream<T>;
  /** The other direction. */
  reverse: Line<never> | undefined;
  readonly addError?: (error: unknown) => void;

  readonly #sync: boolean;
  readonly #halfClose: boolean;
  readonly #piecesOf: ((value: T) => readonly T[]) | undefined;
  readonly #pace: LinePace<T> | undefined;
  readonly #inFlight: CountedQueue<T>;
  /** The end that is in flight after the values. */
  #ending: { readonly failure: Failure | null } | null = null;
  #ended = false;
  #isScheduled = false;

  /**
   * Creates a line without its other direction: see {@linkcode connectLines}.
   *
   * @param options Checked values.
   */
  constructor(options: LineOptions<T>) {
    const { highWaterMark = DEFAULT_HIGH_WATER_MARK } = options;
    this.#sync = options.sync ?? false;
    this.#halfClose = options.halfClose ?? false;
    this.#piecesOf = options.piecesOf;
    this.#pace = options.pace;
    this.#inFlight = new CountedQueue<T>(options.sizeOf ?? sizeOf, highWaterMark);
    if (!options.keepErrors && !options.halfClose) this.addError = (error) => this.#end({ error });
    this.sink = new MessageSink<T>(this, { highWaterMark });
    this.stream = new MessageStream<T>({
      resume: () => this.#pace === undefined ? this.#arrive() : this.#plan(),
      close: () => this.reverse?.sink.close(),
    }, { highWaterMark, sizeOf });
  }

  /** Whether the end has arrived, or nothing more will arrive. */
  get isEnded(): boolean {
    return this.#ended;
  }

  get bufferedAmount(): number {
    return this.#inFlight.size;
  }

  add(value: T): void {
    if (this.#sync && this.#inFlight.length === 0 && !isPaused(this.stream)) {
      return add(this.stream, value);
    }
    if (this.#ended) return;
    const piecesOf = this.#piecesOf;
    if (piecesOf === undefined) this.#inFlight.push(value);
    else for (const piece of piecesOf(value)) this.#inFlight.push(piece);
    this.#plan();
  }

  close(): void {
    this.#end(null);
  }

  abort(_error: unknown): void {
    if (this.#halfClose) this.destroy();
    else this.#end(null);
  }

  #end(failure: Failure | null): void {
    // This is needed even if the other end has closed and its last messages are still unread.
    if (!this.#halfClose && this.reverse) streamFeed.discard(this.reverse.stream);
    if (this.#ending !== null || this.#ended) return;
    this.#ending = { failure };
    if (this.#sync) this.#arrive();
    else this.#plan();
  }

  #plan(): void {
    if (this.#isScheduled || this.#ended) return;
    this.#isScheduled = true;
    const arrive = (): void => {
      this.#isScheduled = false;
      this.#arrive();
    };
    if (this.#pace === undefined) queueMicrotask(arrive);
    else this.#pace.plan(arrive);
  }

  /** Moves values in flight to the stream: as many as it takes, or all at the end. */
  #arrive(): void {
    const pace = this.#pace;
    if (pace !== undefined) return this.#arriveOne(pace);
    const { stream } = this;
    const queue = this.#inFlight;
    const before = queue.length;
    // A getter for the condition would take 20 % longer.
    while (queue.length > 0 && (this.#ending !== null || !isPaused(stream))) {
      add(stream, queue.shift());
    }
    if (queue.length < before) sinkControl.drained(this.sink);
    if (this.#ending !== null) this.#arriveEnd(this.#ending.failure);
  }

  #arriveOne(pace: LinePace<T>): void {
    if (this.#mayArrive()) {
      const value = this.#inFlight.shift();
      add(this.stream, value);
      pace.onArrived(value);
      sinkControl.drained(this.sink);
    }
    const isEmpty = this.#inFlight.length === 0;
    if (isEmpty && this.#ending === null) return;
    if (isEmpty && !pace.isStalled) this.#arriveEnd(this.#ending?.failure ?? null);
    else if (isEmpty || this.#mayArrive()) this.#plan();
  }

  #mayArrive(): boolean {
    return this.#inFlight.length > 0 && (this.#ending !== null || !isPaused(this.stream));
  }

  /** The end has arrived: both directions end, unless half-closing is allowed. */
  #arriveEnd(failure: Failure | null): void {
    if (this.#ended) return;
    this.#ended = true;
    const { reverse } = this;
    if (!this.#halfClose && reverse) {
      reverse.drop();
      sinkControl.disconnect(reverse.sink);
    }
    if (failure === null) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, failure.error);
    if (!reverse?.isEnded) return;
    sinkControl.finish(reverse.sink);
    sinkControl.finish(this.sink);
  }

  /**
   * Drops the values in flight and ends the stream. `bufferedAmount` keeps their size, because they were
   * never delivered.
   */
  drop(failure: Failure | null = null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pace?.cancel();
    this.#inFlight.drop();
    if (failure === null) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, failure.error);
  }

  /** Ends this side: it receives nothing more, and its end arrives after the values that it has sent. */
  destroy(): void {
    const { reverse } = this;
    reverse?.drop();
    if (!this.#ended) this.#end(null);
    else if (reverse) sinkControl.finish(reverse.sink);
    sinkControl.finish(this.sink);
  }

  /** Ends both sides at once, and drops the values in flight. */
  lose(error: unknown): void {
    this.drop({ error });
    sinkControl.finish(this.sink, error);
  }
}
