import type { ConnectionInfo } from "./connection_info.ts";
import type { Flushes } from "./flushes.ts";

/** Why a {@linkcode Wire} failed. */
export interface WireFailure {
  readonly error: unknown;
}

/** What a {@linkcode Wire} reports. */
export interface WireEvents {
  /** Bytes were received: a plain `Uint8Array`, no `Buffer` of Node's. */
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
  /** Whether the reader owns each chunk that it gets: it may write to the chunk, and keep it. */
  readonly ownsChunks: boolean;
  /**
   * Whether the wire releases a chunk that was written as soon as {@linkcode bufferedAmount} doesn't count
   * it any more. The memory of the chunk is then reused.
   */
  readonly releasesChunks: boolean;
  /** Whether each chunk is reported in a turn of its own, and a write never calls back. */
  readonly endsTurns: boolean;
  /** Whether {@linkcode destroy} ends the connection at once. */
  readonly canDestroy: boolean;
  /** What is known of the connection; left out: nothing. */
  readonly connectionInfo?: ConnectionInfo | null;
  /** Schedules the flush at the end of the turn. */
  readonly flushes: Flushes;
  /** How many of the bytes written the transport has not taken yet. */
  readonly bufferedAmount: number;
  /** Begins to read. A later call replaces the reader. */
  listen(events: WireEvents): void;
  /**
   * Writes a chunk. Of the events, only `onEnded` may be called from inside this call.
   *
   * @returns `false` when the chunk is lost.
   */
  write(chunk: Uint8Array): boolean;
  /**
   * Writes chunks; small ones as one if the transport can do that.
   *
   * @returns `false` when any of the chunks is lost.
   */
  writeAll(chunks: readonly Uint8Array[]): boolean;
  /** Asks for one {@linkcode WireEvents.onDrain}, when `bufferedAmount` has fallen. */
  watch(): void;
  /** Fulfils when the transport has taken all bytes written, or never will. Never rejects. */
  flush(): Promise<void>;
  /** Stops reporting chunks and the end; a transport without backpressure may go on. */
  pause(): void;
  /** Reports chunks again, never from inside this call. */
  resume(): void;
  /** Ends the writing half, behind the bytes written. Fulfils when the wire has ended; never rejects. */
  end(): Promise<void>;
  /** Ends the connection at once, or only the writing half: see `canDestroy`. No event follows. */
  destroy(): void;
  /** Makes the wire keep the process alive again, if the platform supports that. */
  ref(): void;
  /** Lets the process end although the wire is open, if the platform supports that. */
  unref(): void;
}
