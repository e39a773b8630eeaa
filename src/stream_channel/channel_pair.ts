import type { SinkTarget } from "./channel_sink.ts";
import { ChannelSinkController } from "./sink_controller.ts";
import { ChannelStreamController } from "./stream_controller.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf } from "./size.ts";
import { CountedQueue } from "./counted_queue.ts";
import { PairedChannel, type StreamChannel } from "./stream_channel.ts";

/** Options of {@linkcode channelPair}. */
export interface ChannelPairOptions {
  /**
   * Delivers inside the call that adds, instead of from a microtask. Only for what is already
   * asynchronous, such as an adapter's callbacks. Default `false`.
   */
  sync?: boolean | undefined;
  /**
   * Whether `foreign.sink.addError` sends the error to `local`; else it closes the channel and
   * rejects `foreign.sink.done`. Errors of `local` always reach `foreign`. Default `true`.
   */
  allowForeignErrors?: boolean | undefined;
  /** How many bytes may wait at each end of each direction. Default 64 KiB. */
  highWaterMark?: number | undefined;
}

const KINDS: OptionKinds<ChannelPairOptions> = {
  sync: "boolean",
  allowForeignErrors: "boolean",
  highWaterMark: "size",
};

/** Two connected channels: what goes into one's sink comes out of the other's stream. */
export interface ChannelPair<In, Out = In> {
  /** The maker's end. */
  readonly local: StreamChannel<In, Out>;
  /** The end to give away. */
  readonly foreign: StreamChannel<Out, In>;
}

/**
 * Two channels connected in memory, with all six guarantees and backpressure: closing one ends both.
 * Corresponds to Dart's `StreamChannelController`.
 *
 * @param given See {@linkcode ChannelPairOptions}.
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
  const options = readOptions(given, KINDS);
  const forwardForeign = options.allowForeignErrors ?? true;
  const outward = new Direction<Out>(options, true);
  const inward = new Direction<In>(options, forwardForeign);
  outward.reverse = inward;
  inward.reverse = outward;
  return {
    local: new PairedChannel(inward.stream.stream, outward.sink.sink),
    foreign: new PairedChannel(outward.stream.stream, inward.sink.sink),
  };
}

/** The end of one direction: done, or an error and done. */
interface Ending {
  failure: { error: unknown } | null;
}

/** What one direction needs of the other. */
interface Reverse {
  readonly stream: Pick<ChannelStreamController<unknown>, "discard">;
  readonly sink: Pick<ChannelSinkController<unknown>, "close" | "disconnect" | "finish">;
  drop(): void;
}

/** One way of a pair: from a sink, over what is on the way, to a stream. */
class Direction<T> implements SinkTarget<T> {
  readonly sink: ChannelSinkController<T>;
  readonly stream: ChannelStreamController<T>;
  /** The other way; closing the sink of one ends the stream of the other. */
  reverse: Reverse | undefined;
  readonly addError?: (error: unknown) => void;

  readonly #sync: boolean;
  readonly #onTheWay: CountedQueue<T>;
  #ending: Ending | null = null;
  #ended = false;
  #planned = false;

  constructor(options: ChannelPairOptions, forwardErrors: boolean) {
    const { highWaterMark = DEFAULT_HIGH_WATER_MARK } = options;
    this.#sync = options.sync ?? false;
    this.#onTheWay = new CountedQueue<T>(sizeOf, highWaterMark);
    if (forwardErrors) this.addError = (error) => this.#end({ failure: { error } });
    this.sink = new ChannelSinkController<T>(this, { highWaterMark });
    this.stream = new ChannelStreamController<T>({
      resume: () => this.#move(),
      close: () => this.reverse?.sink.close(),
    }, { highWaterMark });
  }

  get bufferedAmount(): number {
    return this.#onTheWay.size;
  }

  add(value: T): void {
    if (this.#sync && this.#onTheWay.length === 0 && !this.stream.isPaused) {
      return this.stream.add(value);
    }
    this.#onTheWay.push(value);
    this.#plan();
  }

  close(): void {
    this.#end({ failure: null });
  }

  abort(_error: unknown): void {
    this.#end({ failure: null });
  }

  #end(ending: Ending): void {
    // Also where the other end has closed already, and its last messages still wait to be read.
    this.reverse?.stream.discard();
    if (this.#ending !== null || this.#ended) return;
    this.#ending = ending;
    if (this.#sync) this.#move();
    else this.#plan();
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      this.#move();
    });
  }

  /** Moves what is on the way into the stream: as much as it takes, or all of it at the end. */
  #move(): void {
    const before = this.#onTheWay.length;
    while (this.#onTheWay.length > 0 && (this.#ending !== null || !this.stream.isPaused)) {
      this.stream.add(this.#onTheWay.shift());
    }
    if (this.#onTheWay.length < before) this.sink.drained();
    if (this.#ending !== null) this.#arrive(this.#ending);
  }

  /** The end has come to the other side: it is over for both. */
  #arrive(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    const { reverse } = this;
    reverse?.drop();
    reverse?.sink.disconnect();
    if (ending.failure === null) this.stream.end();
    else this.stream.fail(ending.failure.error);
    reverse?.sink.finish();
    this.sink.finish();
  }

  /** What is on the way has nobody to go to. It stays in the amount: it was never handed on. */
  drop(): void {
    this.#ended = true;
    this.#onTheWay.drop();
  }
}
