import { type ChannelLike, partsOf } from "../stream_channel/channel_like.ts";
import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import type { ChannelStream, StreamSubscription } from "../stream_channel/channel_stream.ts";
import { ignore } from "../stream_channel/errors.ts";

/** A channel of bytes, as a WebSocket connection uses it. */
export interface ByteTransport {
  readonly stream: ChannelStream<Uint8Array>;
  readonly sink: ChannelSink<Uint8Array>;
  /** Whether its chunks are given away: they may be written to, and kept. */
  readonly ownsChunks?: boolean;
  /** Holds writes back until `uncork`, so that they leave as one. */
  cork?(): void;
  uncork?(): void;
  /** Ends it at once. Left out: closing the sink is all that can be done. */
  destroy?(): void;
  ref?(): void;
  unref?(): void;
}

/** What is told of a {@linkcode ByteConnection}. */
export interface ByteEvents {
  onChunk(chunk: Uint8Array): void;
  /** The other end has ended it, or it failed: nothing more comes. */
  onEnd(failure: { readonly error: unknown } | null): void;
}

/** A byte transport in use: it writes when there is room, and ends once. */
export class ByteConnection {
  readonly #transport: ByteTransport;
  readonly #subscription: StreamSubscription;
  #failure: { readonly error: unknown } | null = null;
  #closed = false;

  /**
   * Starts to read.
   *
   * @param transport The bytes.
   * @param events Whom to tell.
   */
  constructor(transport: ByteTransport, events: ByteEvents) {
    this.#transport = transport;
    this.#subscription = transport.stream.listen((chunk) => events.onChunk(chunk), {
      onError: (error) => this.#failure = { error },
      onDone: () => events.onEnd(this.#failure),
    });
  }

  get ownsChunks(): boolean {
    return this.#transport.ownsChunks ?? false;
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

  /** Settles when all that was written is handed on, or never will be. */
  flush(): Promise<void> {
    return this.#transport.sink.flush().catch(ignore);
  }

  /** Writes chunks, as one where the transport can. */
  write(chunks: readonly Uint8Array[]): void {
    if (this.#closed) return;
    const { sink } = this.#transport;
    if (chunks.length > 1) this.#transport.cork?.();
    for (const chunk of chunks) sink.add(chunk);
    if (chunks.length > 1) this.#transport.uncork?.();
  }

  pause(): void {
    this.#subscription.pause();
  }

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
    this.#subscription.cancel();
    if (this.#transport.destroy === undefined) void this.close();
    else this.#transport.destroy();
  }

  ref(): void {
    this.#transport.ref?.();
  }

  unref(): void {
    this.#transport.unref?.();
  }
}

/** A byte transport of whatever counts as a channel of bytes. */
export function byteTransport(
  bytes: ChannelLike<Uint8Array, Uint8Array> | ByteTransport,
): ByteTransport {
  return "stream" in bytes ? bytes : partsOf<Uint8Array, Uint8Array>(bytes);
}
