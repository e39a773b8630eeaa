import type { ConnectionInfo } from "./connection_info.ts";
import type { Flushes } from "./flushes.ts";

/** The error of a failed {@linkcode Wire}. */
export interface WireFailure {
  readonly error: unknown;
}

/** The events of a {@linkcode Wire}. */
export interface WireEvents {
  /** Bytes were received: a plain `Uint8Array`, not a `Buffer` of Node. */
  onChunk(chunk: Uint8Array): void;
  /** Less is buffered than before: called once after each {@linkcode Wire.watch}. */
  onDrain(): void;
  /**
   * Nothing can be written any more, although the owner did not end the wire. Chunks that it still has are
   * then reported, even while it is paused. `onEnd` follows, unless only the writing half failed.
   */
  onEnded(failure: WireFailure | null): void;
  /** The other end has ended the wire, or the wire failed: no chunk follows. */
  onEnd(failure: WireFailure | null): void;
}

/** Sends and receives bytes: a socket, or any channel of bytes. */
export interface Wire {
  /** Whether the reader owns each chunk, so that it may write to it and keep it. */
  readonly ownsChunks: boolean;
  /**
   * Whether the wire releases a written chunk as soon as {@linkcode bufferedAmount} no longer counts it. The
   * memory of the chunk is then reused.
   */
  readonly releasesChunks: boolean;
  /** Whether each chunk is reported in a turn of its own, and a write never calls back. */
  readonly endsTurns: boolean;
  /** Whether {@linkcode destroy} ends the connection at once. */
  readonly canDestroy: boolean;
  /** The addresses, the proxy and TLS of the connection. Missing if unknown. */
  readonly connectionInfo?: ConnectionInfo | null;
  /** Schedules the flush at the end of the turn. */
  readonly flushes: Flushes;
  /** The number of written bytes that the transport has not taken yet. */
  readonly bufferedAmount: number;
  /** Starts to read. A later call replaces the reader. */
  listen(events: WireEvents): void;
  /**
   * Writes a chunk. Of the events, only `onEnded` may be called from inside this call.
   *
   * @returns `false` if the chunk is lost.
   */
  write(chunk: Uint8Array): boolean;
  /**
   * Writes chunks, and joins small ones if the transport supports it.
   *
   * @returns `false` if any of the chunks is lost.
   */
  writeAll(chunks: readonly Uint8Array[]): boolean;
  /** Requests one {@linkcode WireEvents.onDrain}, when `bufferedAmount` has fallen. */
  watch(): void;
  /** Fulfils when the transport has taken all bytes written, or never will. Never rejects. */
  flush(): Promise<void>;
  /** Stops reporting chunks and the end. A transport without backpressure may continue. */
  pause(): void;
  /** Reports chunks again, never from inside this call. */
  resume(): void;
  /** Ends the writing half, after all written bytes. Fulfils when the wire has ended; never rejects. */
  end(): Promise<void>;
  /** Ends the connection at once, or only the writing half: see `canDestroy`. No event follows. */
  destroy(): void;
  /** Makes the wire keep the process alive again, if the platform supports that. */
  ref(): void;
  /** Lets the process end although the wire is open, if the platform supports that. */
  unref(): void;
}
