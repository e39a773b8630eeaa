/** A wire and a byte channel that a test controls, and channels over them. */

import { delay } from "@std/async";
import { SinkController, StreamController } from "../support/controllers.ts";
import type { Channel } from "../../src/web_socket/channel.ts";
import type { ProtocolOptions } from "../../src/web_socket/options.ts";
import type { DeflateParameters } from "../../src/permessage_deflate/deflate_parameters.ts";
import type { Side } from "../../src/protocol/frame.ts";
import { type Flushes, inMicrotasks } from "../../src/web_socket/flushes.ts";
import type { Wire, WireEvents, WireFailure } from "../../src/web_socket/wire.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { type ByteChannel, speakOver } from "../support/own_channels.ts";
import { microtasks } from "../support/events.ts";
import { hex, joined } from "../support/bytes.ts";

/** A byte channel without a network: the test is the other end. */
export class FakeBytes implements ByteChannel {
  readonly incoming: StreamController<Uint8Array>;
  readonly outgoing: SinkController<Uint8Array>;
  /** The calls on it, except for chunks. */
  readonly log: string[] = [];
  /** The written chunks. */
  readonly written: Uint8Array[] = [];
  /** Whether written chunks stay buffered, because the peer does not read. */
  full = false;
  /** Whether closing it ends it, because the peer ends its half as well. */
  ends = true;
  #buffered = 0;
  readonly destroy?: () => void;

  constructor(options: { canDestroy?: boolean; highWaterMark?: number } = {}) {
    const { canDestroy = true, highWaterMark } = options;
    this.incoming = new StreamController<Uint8Array>({
      pause: () => this.log.push("pause"),
      resume: () => this.log.push("resume"),
      cancel: () => this.log.push("cancel"),
    }, { highWaterMark });
    const buffered = (): number => this.#buffered;
    this.outgoing = new SinkController<Uint8Array>({
      get bufferedAmount(): number {
        return buffered();
      },
      add: (chunk) => this.#write(chunk),
      close: () => {
        this.log.push("close");
        if (this.ends) this.outgoing.finish();
      },
      abort: () => this.log.push("abort"),
    }, { highWaterMark });
    if (canDestroy) {
      this.destroy = () => {
        this.log.push("destroy");
        this.outgoing.finish();
      };
    }
  }

  get stream(): StreamController<Uint8Array>["stream"] {
    return this.incoming.stream;
  }

  get sink(): SinkController<Uint8Array>["sink"] {
    return this.outgoing.sink;
  }

  /** Returns everything that was written since the last call, in hexadecimal. */
  sent(): string {
    return hex(joined(this.written.splice(0)));
  }

  /** Delivers bytes from the peer. */
  receive(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.incoming.add(chunk);
  }

  /** The peer reads again, without a limit. */
  drain(): void {
    this.full = false;
    this.#buffered = 0;
    this.outgoing.drained();
  }

  /** Ends both sides, as when a connection is reset. */
  fail(error: unknown): void {
    this.incoming.fail(error);
    this.outgoing.finish(error);
  }

  #write(chunk: Uint8Array): void {
    this.written.push(chunk.slice());
    if (this.full) this.#buffered += chunk.length;
  }
}

/** A wire without a network: the test is the other end. */
export class FakeWire implements Wire {
  readonly ownsChunks = false;
  readonly canDestroy = true;
  readonly flushes: Flushes = inMicrotasks;
  releasesChunks = false;
  endsTurns = false;
  bufferedAmount = 0;
  /** The calls on it, except for chunks. */
  readonly log: string[] = [];
  /** The written chunks. */
  readonly written: Uint8Array[] = [];
  /** Whether written chunks stay buffered, because the peer does not read. */
  full = false;
  /** Whether ending it ends both halves, because the peer ends its half as well. */
  ends = true;
  /** Whether a caller waits for a lower buffered amount. */
  isWatched = false;
  isPaused = false;
  events: WireEvents | null = null;
  #isOver = false;
  #isDestroyed = false;
  #held: Uint8Array[] = [];
  #heldEnd: { failure: WireFailure | null } | null = null;
  #waiting: (() => void)[] = [];
  #ending: (() => void)[] = [];

  listen(events: WireEvents): void {
    this.events = events;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isOver || this.#isDestroyed) return false;
    this.written.push(chunk.slice());
    if (this.full) this.bufferedAmount += chunk.length;
    return true;
  }

  writeAll(chunks: readonly Uint8Array[]): boolean {
    return chunks.map((chunk) => this.write(chunk)).every((isWritten) => isWritten);
  }

  watch(): void {
    this.isWatched = true;
  }

  flush(): Promise<void> {
    if (this.bufferedAmount === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pause(): void {
    this.log.push("pause");
    this.isPaused = true;
  }

  resume(): void {
    this.log.push("resume");
    this.isPaused = false;
    queueMicrotask(() => this.#deliver());
  }

  end(): Promise<void> {
    this.log.push("end");
    this.#isOver = true;
    return this.ends ? Promise.resolve() : new Promise((resolve) => this.#ending.push(resolve));
  }

  destroy(): void {
    this.log.push("destroy");
    this.#isDestroyed = true;
    this.#wake();
  }

  ref(): void {
    this.log.push("ref");
  }

  unref(): void {
    this.log.push("unref");
  }

  // The test's side.

  /** Returns everything that was written since the last call, in hexadecimal. */
  sent(): string {
    return hex(joined(this.written.splice(0)));
  }

  /** Delivers bytes from the peer. */
  receive(...chunks: Uint8Array[]): void {
    this.#held.push(...chunks);
    this.#deliver();
  }

  /** The peer ends its half, or the connection fails. */
  finish(failure: WireFailure | null = null): void {
    this.#heldEnd = { failure };
    this.#deliver();
  }

  /** Ends the writing half. */
  break(failure: WireFailure | null = null): void {
    this.#isOver = true;
    this.#wake();
    if (!this.#isDestroyed) this.events?.onEnded(failure);
  }

  /** The connection is lost in both directions. */
  fail(error: unknown): void {
    if (this.isPaused) this.break({ error });
    this.#isOver = true;
    this.finish({ error });
    this.#wake();
  }

  /** The peer reads again, except for so many bytes. */
  drain(left = 0): void {
    this.full = false;
    this.bufferedAmount = left;
    if (left === 0) this.#wake();
    if (!this.isWatched || this.#isDestroyed) return;
    this.isWatched = false;
    this.events?.onDrain();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
    if (this.#isDestroyed) { for (const wake of this.#ending.splice(0)) wake(); }
  }

  #deliver(): void {
    while (!this.isPaused && !this.#isDestroyed && this.#held.length > 0) {
      this.events?.onChunk(this.#held.shift() as Uint8Array);
    }
    const end = this.#heldEnd;
    if (this.isPaused || this.#isDestroyed || end === null || this.#held.length > 0) return;
    this.#heldEnd = null;
    this.events?.onEnd(end.failure);
  }
}

/** An open channel over a {@linkcode FakeWire}, with a clock that the test advances. */
export interface WireRig {
  readonly channel: Channel;
  readonly wire: FakeWire;
  readonly clock: ManualClock;
}

export interface WireRigOptions extends ProtocolOptions {
  side?: Side;
  /** Whether the wire no longer uses the chunks that it does not count. */
  releasesChunks?: boolean;
  /** Whether each chunk arrives in its own turn. */
  endsTurns?: boolean;
  deflate?: DeflateParameters;
}

/** Creates an open channel over a wire. */
export function wireRig(options: WireRigOptions = {}): WireRig {
  const { side = "client", deflate = null, releasesChunks = false, endsTurns = false, ...rest } =
    options;
  const wire = Object.assign(new FakeWire(), { releasesChunks, endsTurns });
  const clock = new ManualClock();
  const channel = speakOver(side, wire, rest, clock, { protocol: null, extensions: "", deflate });
  return { channel, wire, clock };
}

/** An open channel over {@linkcode FakeBytes}, with a clock that the test advances. */
export interface Rig {
  readonly channel: Channel;
  readonly bytes: FakeBytes;
  readonly clock: ManualClock;
}

export interface RigOptions extends ProtocolOptions {
  side?: Side;
  bytes?: FakeBytes;
  deflate?: DeflateParameters;
}

/** Creates an open channel. */
export function rig(options: RigOptions = {}): Rig {
  const { side = "client", bytes = new FakeBytes(), deflate = null, ...rest } = options;
  const clock = new ManualClock();
  const agreement = { protocol: null, extensions: "", deflate };
  const channel = speakOver(side, bytes, rest, clock, agreement);
  return { channel, bytes, clock };
}

/** Returns `channel.closed` without its error; throws if the channel has not ended. */
export async function ended(channel: Channel): Promise<Record<string, unknown>> {
  await microtasks(50);
  // The peer's Close takes effect a turn later if nothing was read yet.
  if (channel.state !== "closed") await delay(0);
  if (channel.state !== "closed") throw new Error(`The channel hasn't ended: ${channel.state}`);
  const { error: _error, ...info } = await channel.closed;
  return info;
}
