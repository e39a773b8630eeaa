import { isBinary, plainBytes } from "../realm/bytes.ts";
import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import type { ChannelStream, StreamSubscription } from "../stream_channel/channel_stream.ts";
import { ignore } from "../stream_channel/errors.ts";
import { type Flushes, inMicrotasks } from "./flushes.ts";
import type { Wire, WireEvents, WireFailure } from "./wire.ts";

/** The two members of a channel of bytes that a wire uses. */
export interface BytesParts {
  readonly stream: Pick<ChannelStream<Uint8Array>, "listen">;
  readonly sink: ChannelSink<Uint8Array>;
}

/** Options of a {@linkcode ChannelWire}. */
export interface ChannelWireOptions {
  /** Whether received chunks belong to the receiver. Default `false`. */
  readonly ownsChunks?: boolean;
  /** Ends the channel at once. Without it, a wire can only close the sink. */
  readonly destroy?: (() => void) | undefined;
}

/** A {@linkcode Wire} over any channel of bytes. */
export class ChannelWire implements Wire {
  readonly #bytes: BytesParts;
  readonly #options: ChannelWireOptions;
  #events: WireEvents | null = null;
  #subscription: StreamSubscription | null = null;
  #failure: WireFailure | null = null;
  /** Whether nothing more is written. */
  #closed = false;
  /** Whether nothing more arrives. */
  #ended = false;
  #paused = false;
  #destroyed = false;
  /** The bytes that were not passed on at the end; `null` before. */
  #amount: number | null = null;
  #watching = false;
  /** The number of written chunks. */
  #written = 0;
  /** The number of written chunks when the sink was last ready, and when it was last flushed. */
  #ready = -1;
  #flushed = -1;
  /** The number of chunks that the sink has passed on, according to its `flush`, whatever its amount is. */
  #taken = -1;

  /**
   * Creates a wire that doesn't read yet.
   *
   * @param bytes The channel.
   * @param options Who owns the chunks, and how to destroy the channel.
   */
  constructor(bytes: BytesParts, options: ChannelWireOptions = {}) {
    this.#bytes = bytes;
    this.#options = options;
  }

  get ownsChunks(): boolean {
    return this.#options.ownsChunks ?? false;
  }

  /** `false`, because the other end of the channel may keep each chunk. */
  get releasesChunks(): boolean {
    return false;
  }

  /** `false`, because a written chunk may come back as a received one in the same call. */
  get endsTurns(): boolean {
    return false;
  }

  get canDestroy(): boolean {
    return this.#options.destroy !== undefined;
  }

  get flushes(): Flushes {
    return inMicrotasks;
  }

  /**
   * The bytes that are not passed on. A sink that has ended may drop its own count, so the last one is kept.
   */
  get bufferedAmount(): number {
    if (this.#amount !== null) return this.#amount;
    return this.#taken === this.#written ? 0 : this.#bytes.sink.bufferedAmount;
  }

  listen(events: WireEvents): void {
    this.#events = events;
    if (this.#subscription !== null) return;
    const { stream, sink } = this.#bytes;
    this.#subscription = stream.listen((chunk) => this.#onChunk(chunk), {
      onError: (error) => this.#onError(error),
      onDone: () => this.#onDone(),
    });
    // A paused stream doesn't report its end, but the sink does.
    sink.done.then(() => this.#onSinkDone(null), (error) => this.#onSinkDone({ error }));
  }

  #onChunk(chunk: unknown): void {
    let bytes: Uint8Array;
    try {
      if (!isBinary(chunk)) {
        throw new TypeError(`Cannot read bytes: a chunk must be bytes, got ${typeof chunk}`);
      }
      bytes = plainBytes(chunk);
    } catch (error) {
      // Without this chunk, the connection would have a gap.
      this.#subscription?.cancel();
      this.#onError(error);
      return this.#onDone();
    }
    this.#events?.onChunk(bytes);
  }

  #onError(error: unknown): void {
    this.#failure = { error };
  }

  #onDone(): void {
    this.#ended = true;
    this.#events?.onEnd(this.#failure);
  }

  #onSinkDone(failure: WireFailure | null): void {
    this.#amount = this.bufferedAmount;
    this.#onWritableEnd(failure);
  }

  #onWritableEnd(failure: WireFailure | null): void {
    // An end that arrived while paused may wait for a reader, so it is still to be reported.
    if (this.#closed || this.#ended && !this.#paused) return;
    this.#closed = true;
    this.#failure ??= failure;
    this.#subscription?.resume();
    this.#events?.onEnded(this.#failure);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closed) return false;
    this.#written++;
    try {
      return this.#bytes.sink.add(chunk);
    } catch (error) {
      // The user has closed the sink of bytes, or an addStream is running: the connection would have a gap.
      this.#onWritableEnd({ error });
      return false;
    }
  }

  writeAll(chunks: readonly Uint8Array[]): boolean {
    let isWritten = true;
    for (const chunk of chunks) isWritten = this.write(chunk) && isWritten;
    return isWritten;
  }

  /** Reports when there is room, and then when everything is passed on. */
  watch(): void {
    if (this.#watching || this.#closed) return;
    const { sink } = this.#bytes;
    const upTo = this.#written;
    // Otherwise a sink that is ready without room, or whose amount never falls, would be called endlessly.
    const waitsForRoom = this.#ready !== upTo && !sink.hasRoom;
    if (!waitsForRoom && this.#flushed === upTo) return;
    this.#watching = true;
    (waitsForRoom ? sink.ready : this.flush()).then(() => {
      this.#watching = false;
      if (waitsForRoom) this.#ready = upTo;
      else this.#flushed = upTo;
      this.#events?.onDrain();
    });
  }

  flush(): Promise<void> {
    const upTo = this.#written;
    return this.#bytes.sink.flush().then(() => {
      this.#taken = Math.max(this.#taken, upTo);
    }, ignore);
  }

  pause(): void {
    this.#paused = true;
    this.#subscription?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#subscription?.resume();
  }

  end(): Promise<void> {
    this.#closed = true;
    try {
      return this.#bytes.sink.close().catch(ignore);
    } catch {
      // An addStream of the user is running: the sink can't be closed from here.
      return Promise.resolve();
    }
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#amount = this.bufferedAmount;
    this.#destroyed = true;
    this.#ended = true;
    this.#events = null;
    this.#subscription?.cancel();
    if (this.#options.destroy === undefined) void this.end();
    else {
      this.#closed = true;
      this.#options.destroy();
    }
  }

  ref(): void {}

  unref(): void {}
}
