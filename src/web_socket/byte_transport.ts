import { isBinary, plainBytes } from "../realm/bytes.ts";
import { type ChannelLike, partsOf } from "../stream_channel/channel_like.ts";
import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import type {
  ChannelStream,
  ListenOptions,
  StreamSubscription,
} from "../stream_channel/channel_stream.ts";
import { ignore } from "../stream_channel/errors.ts";

/** A channel of bytes, as a WebSocket connection uses it. */
export interface ByteTransport {
  readonly stream: ChannelStream<Uint8Array>;
  readonly sink: ChannelSink<Uint8Array>;
  /** Whether its chunks are given away: they may be written to, and kept. */
  readonly ownsChunks?: boolean;
  /**
   * Whether it is done with what was written as soon as its sink's `bufferedAmount` doesn't count it
   * any more: the memory is then written to again. Such a transport never calls back from a write.
   */
  readonly releasesChunks?: boolean;
  /** Holds writes back until `uncork`, so that they leave as one. */
  cork?(): void;
  uncork?(): void;
  /**
   * Calls back in this turn of the event loop, behind as much as can be: what is written until then
   * leaves in one write. Left out: from a microtask.
   */
  soon?(callback: () => void): void;
  /**
   * Tells, once, when nothing can be written any more. Left out: the sink's `done` tells.
   */
  whenOver?(listener: OverListener): void;
  /** Ends it at once. Left out: closing the sink is all that can be done. */
  destroy?(): void;
  ref?(): void;
  unref?(): void;
}

/** Chunks of this size are worth a write of their own; some platforms copy those that leave as one. */
const LARGE = 0x4000;

/** Who is told that nothing can be written any more. */
export interface OverListener {
  /** Nothing can be written any more; `null`: for no particular reason. */
  onSinkOver(failure: TransportFailure | null): void;
}

/** Why a transport ended, where it did not just end. */
export interface TransportFailure {
  readonly error: unknown;
}

/** What is told of a {@linkcode ByteConnection}. */
export interface ByteEvents {
  onChunk(chunk: Uint8Array): void;
  /**
   * Nothing can be written any more, though nobody here closed it. What it still has to give comes
   * now, paused or not; then, unless only its sink is broken, `onEnd`.
   */
  onOver(): void;
  /** The other end has ended it, or it failed: nothing more comes. */
  onEnd(failure: TransportFailure | null): void;
}

/** A byte transport in use: it writes when there is room, and ends once. */
export class ByteConnection implements ListenOptions, OverListener {
  readonly #transport: ByteTransport;
  readonly #events: ByteEvents;
  readonly #subscription: StreamSubscription;
  #failure: TransportFailure | null = null;
  /** Nothing is written any more. */
  #closed = false;
  /** Nothing more comes. */
  #ended = false;
  #destroyed = false;

  /**
   * Starts to read.
   *
   * @param transport The bytes.
   * @param events Whom to tell.
   */
  constructor(transport: ByteTransport, events: ByteEvents) {
    this.#transport = transport;
    this.#events = events;
    this.#subscription = transport.stream.listen((chunk) => this.#onChunk(chunk), this);
    // A stream that is paused doesn't tell of its end; the sink does.
    if (transport.whenOver !== undefined) transport.whenOver(this);
    else {
      transport.sink.done.then(
        () => this.onSinkOver(null),
        (error) => this.onSinkOver({ error }),
      );
    }
  }

  // What the transport tells.

  /** A plain view is made of each chunk: Node's `Buffer` has other methods by the same names. */
  #onChunk(chunk: unknown): void {
    let bytes: Uint8Array;
    try {
      if (!isBinary(chunk)) throw new TypeError(`Cannot read bytes: a chunk is ${typeof chunk}`);
      bytes = plainBytes(chunk);
    } catch (error) {
      // A connection with holes is none.
      this.#subscription.cancel();
      this.onError(error);
      return this.onDone();
    }
    this.#events.onChunk(bytes);
  }

  onError(error: unknown): void {
    this.#failure = { error };
  }

  onDone(): void {
    this.#ended = true;
    this.#events.onEnd(this.#failure);
  }

  onSinkOver(failure: TransportFailure | null): void {
    if (this.#closed || this.#ended) return;
    this.#closed = true;
    this.#failure ??= failure;
    this.#subscription.resume();
    this.#events.onOver();
  }

  /** Whether chunks may be written to, and kept. */
  get ownsChunks(): boolean {
    return this.#transport.ownsChunks ?? false;
  }

  /** See {@linkcode ByteTransport.releasesChunks}. */
  get releasesChunks(): boolean {
    return this.#transport.releasesChunks ?? false;
  }

  /** Whether the transport can be ended at once. */
  get canDestroy(): boolean {
    return this.#transport.destroy !== undefined;
  }

  /** What was written and not handed on, in bytes. */
  get bufferedAmount(): number {
    return this.#transport.sink.bufferedAmount;
  }

  /** Fulfils when there is room to write. */
  get ready(): Promise<void> {
    return this.#transport.sink.ready;
  }

  /** Why it failed, as far as is known. */
  get failure(): TransportFailure | null {
    return this.#failure;
  }

  /** See {@linkcode ByteTransport.soon}. */
  soon(callback: () => void): void {
    if (this.#transport.soon === undefined) queueMicrotask(callback);
    else this.#transport.soon(callback);
  }

  /** Settles when all that was written is handed on, or never will be. */
  flush(): Promise<void> {
    return this.#transport.sink.flush().catch(ignore);
  }

  /**
   * Writes chunks; small ones as one, where the transport can.
   *
   * @returns `false` when they are lost, or some of them.
   */
  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#closed) return false;
    const together = chunks.length > 1 && areSmall(chunks);
    const { sink } = this.#transport;
    let isWritten = true;
    try {
      if (together) this.#transport.cork?.();
      for (const chunk of chunks) isWritten = sink.add(chunk) && isWritten;
    } catch (error) {
      // Somebody else has closed the sink, or writes to it: a connection with holes is none.
      this.onSinkOver({ error });
      isWritten = false;
    } finally {
      if (together) this.#transport.uncork?.();
    }
    return isWritten;
  }

  /** Holds chunks back. */
  pause(): void {
    this.#subscription.pause();
  }

  /** Goes on giving chunks, from a microtask. */
  resume(): void {
    this.#subscription.resume();
  }

  /** Ends this end's half, behind what was written. Settles when the transport is over. */
  close(): Promise<void> {
    this.#closed = true;
    try {
      return this.#transport.sink.close().catch(ignore);
    } catch {
      // Somebody else's addStream holds the sink: it can't be closed from here.
      return Promise.resolve();
    }
  }

  /** Ends it at once, as far as that can be done. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#ended = true;
    this.#subscription.cancel();
    if (this.#transport.destroy === undefined) void this.close();
    else {
      this.#closed = true;
      this.#transport.destroy();
    }
  }

  /** See {@linkcode ByteTransport.ref}. */
  ref(): void {
    this.#transport.ref?.();
  }

  /** See {@linkcode ByteTransport.unref}. */
  unref(): void {
    this.#transport.unref?.();
  }
}

/** Whether they are on average. */
function areSmall(chunks: readonly Uint8Array[]): boolean {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  return size < LARGE * chunks.length;
}

/** A byte transport of whatever counts as a channel of bytes. */
export function byteTransport(
  bytes: ChannelLike<Uint8Array, Uint8Array> | ByteTransport,
): ByteTransport {
  return Object(bytes) === bytes && "stream" in bytes
    ? bytes
    : partsOf<Uint8Array, Uint8Array>(bytes);
}
