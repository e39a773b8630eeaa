import type { Flushes } from "./flushes.ts";

/** Why a {@linkcode Wire} ended, where it did not just end. */
export interface WireFailure {
  readonly error: unknown;
}

/** What a {@linkcode Wire} reports. */
export interface WireEvents {
  /** Bytes have arrived: a plain `Uint8Array`, no `Buffer` of Node's. */
  onChunk(chunk: Uint8Array): void;
  /** Less is buffered than before: called once after each {@linkcode Wire.watch}. */
  onDrain(): void;
  /**
   * Nothing can be written any more, although nobody here ended the wire. What it still has to give
   * comes now, paused or not; then, unless only its writing half is broken, `onEnd`.
   */
  onOver(failure: WireFailure | null): void;
  /** The other end has ended it, or it failed: nothing more comes. */
  onEnd(failure: WireFailure | null): void;
}

/** What bytes go over, both ways: a socket, or any channel of bytes. */
export interface Wire {
  /** Whether its chunks are given away: they may be written to, and kept. */
  readonly ownsChunks: boolean;
  /**
   * Whether it is done with what was written as soon as {@linkcode bufferedAmount} doesn't count it any
   * more: the memory is then written to again.
   */
  readonly releasesChunks: boolean;
  /** Whether each chunk comes in a turn of its own, and a write never calls back. */
  readonly endsTurns: boolean;
  /** Whether {@linkcode destroy} really ends it. */
  readonly canDestroy: boolean;
  /** Where writes wait for the end of the turn. */
  readonly flushes: Flushes;
  /** How many bytes were written and not handed on. */
  readonly bufferedAmount: number;
  /** Begins to read; called again, somebody else reads from now on. */
  listen(events: WireEvents): void;
  /**
   * Writes a chunk. It never calls back from inside this call, but for `onOver`.
   *
   * @returns `false` when it is lost.
   */
  write(chunk: Uint8Array): boolean;
  /**
   * Writes chunks; small ones as one, where it can.
   *
   * @returns `false` when they are lost, or some of them.
   */
  writeAll(chunks: readonly Uint8Array[]): boolean;
  /** Somebody waits for `bufferedAmount` to fall: {@linkcode WireEvents.onDrain}. */
  watch(): void;
  /** Settles when all that was written is handed on, or never will be. Never rejects. */
  flush(): Promise<void>;
  /** Holds chunks, and the end, back, as far as that can be helped. */
  pause(): void;
  /** Goes on giving chunks. Never from inside this call. */
  resume(): void;
  /** Ends this end's half, behind what was written. Settles when the wire is over; never rejects. */
  end(): Promise<void>;
  /** Ends it at once, as far as that can be done. Nothing is reported any more. */
  destroy(): void;
  /** Lets it keep the process alive again, where the platform has such a thing. */
  ref(): void;
  /** Lets the process end although it is open, where the platform has such a thing. */
  unref(): void;
}
