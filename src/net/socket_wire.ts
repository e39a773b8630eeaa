import { plainBytes } from "../realm/bytes.ts";
import { Deferred, FULFILLED } from "../stream_channel/errors.ts";
import { type Flushes, inTicks } from "../web_socket/flushes.ts";
import type { Wire, WireEvents, WireFailure } from "../web_socket/wire.ts";
import { platform } from "../web_socket/platform.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import { resetTcp, tlsReadHandle } from "./tls_read_handle.ts";
import { socketInfo } from "./socket_info.ts";

/**
 * What is used of a `node:net` or `node:tls` socket, or of another duplex stream. Listeners are called with
 * it as `this`.
 */
export interface SocketLike {
  readonly writableLength: number;
  readonly destroyed: boolean;
  write(chunk: Uint8Array, callback?: (error?: unknown) => void): boolean;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  read(): Uint8Array | null;
  cork(): void;
  uncork(): void;
  /** As the next two, only sockets of the platform have it. */
  setNoDelay?(noDelay: boolean): unknown;
  /** Whether it is one of `node:tls`. */
  readonly encrypted?: boolean;
  ref?(): unknown;
  unref?(): unknown;
  // deno-lint-ignore no-explicit-any -- every listener fits
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
  on(event: "data", listener: (this: SocketLike, chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close", listener: (this: SocketLike) => void): unknown;
  on(event: "error", listener: (this: SocketLike, error: unknown) => void): unknown;
}

/** Properties of a socket: its wire, and the wire's reader. All sockets share their listeners. */
const WIRE = Symbol("wire");
const READER = Symbol("reader");

interface Wired {
  [WIRE]?: SocketWire | null;
  [READER]?: WireEvents | null;
}

/** Whether a socket has a wire, or is to get one. */
export function isWired(socket: object): boolean {
  return WIRE in socket;
}

/** Marks a socket as one that is to get a wire. A set of them would take much more memory. */
export function markWired(socket: object): void {
  (socket as Wired)[WIRE] = null;
}

function wireOf(socket: SocketLike): SocketWire {
  return (socket as Wired)[WIRE] as SocketWire;
}

/**
 * Hands a chunk straight to the reader, as a plain view: Node's `Buffer` has other methods by the same
 * names. The platform's own buffers need no further check.
 */
function onData(this: SocketLike, chunk: Uint8Array): void {
  // A socket with an encoding set gives text: bytes are lost.
  if (!ArrayBuffer.isView(chunk)) return wireOf(this).onError(new TypeError("A chunk is no bytes"));
  const { buffer, byteOffset, byteLength } = chunk;
  (this as Wired)[READER]?.onChunk(new Uint8Array(buffer, byteOffset, byteLength));
}

/** A stream that is no socket of the platform's gives bytes of whatever kind. */
function onForeignData(this: SocketLike, chunk: unknown): void {
  let bytes: unknown = null;
  try {
    bytes = plainBytes(chunk as Uint8Array);
  } catch {
    // Reported as what it is.
  }
  onData.call(this, bytes as Uint8Array);
}

function onEnd(this: SocketLike): void {
  wireOf(this).onEnd();
}

function onError(this: SocketLike, error: unknown): void {
  wireOf(this).onError(error);
}

function onClose(this: SocketLike): void {
  wireOf(this).onClose();
}

// The state of a wire, as flags: an idle connection is to take little memory.
/** It is no socket of the platform's: it may keep the chunks that it gets, and those that it gave. */
const FOREIGN = 1;
/** The socket's end is no failure: the peer has ended its half, or this side has destroyed the socket. */
const EXPECTED = 2;
const PAUSED = 4;
/** This side writes nothing more. */
const CLOSED = 8;
/** Only the end is still to be reported. */
const ENDED = 16;
/** The end was reported. */
const TOLD = 32;
/** The owner waits for `onDrain`. */
const WATCHED = 64;
/** The socket is closed. */
const OVER = 128;

/**
 * A connected socket, with backpressure both ways.
 *
 * It ends with the peer's FIN and fails when the connection is lost; it has ended when the socket is
 * closed in both directions. The socket should allow half-open connections: otherwise, data that is still to be
 * written is lost when the peer ends its half.
 */
export class SocketWire implements Wire {
  readonly #socket: SocketLike;
  /** Which of `FOREIGN` and those behind it are so. */
  #flags = 0;
  #failure: WireFailure | null = null;
  /** How many bytes the socket had not written when it was last known to be alive. */
  #amount = 0;
  /** One function for all writes: bound, as a closure takes twice the memory. */
  #onWritten: ((error?: unknown) => void) | null = null;
  #flushing: Deferred[] | null = null;
  /** Fulfils when the socket is closed. */
  #over: Deferred | null = null;

  /**
   * Takes the socket over. Other listeners must not read its data.
   *
   * @param socket A connected socket.
   */
  constructor(socket: SocketLike) {
    this.#socket = socket;
    const { setNoDelay, ref, unref } = socket;
    if (setNoDelay === undefined || ref === undefined || unref === undefined) this.#flags = FOREIGN;
    // Frames are written whole, once a turn: waiting for more (Nagle) would only delay them.
    else socket.setNoDelay?.(true);
    (socket as Wired)[WIRE] = this;
    this.#reader = null;
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  /** The platform allocates a buffer for each chunk that it reads, and forgets it. */
  get ownsChunks(): boolean {
    return (this.#flags & FOREIGN) === 0;
  }

  /** A socket counts a chunk until the platform has copied the whole chunk. */
  get releasesChunks(): boolean {
    return (this.#flags & FOREIGN) === 0;
  }

  /** A destroyed socket has forgotten most of it. */
  get connectionInfo(): ConnectionInfo | null {
    return this.#socket.destroyed ? null : socketInfo(this.#socket, this.#socket);
  }

  get endsTurns(): boolean {
    return true;
  }

  get canDestroy(): boolean {
    return true;
  }

  get flushes(): Flushes {
    return inTicks;
  }

  listen(events: WireEvents): void {
    const isFirst = this.#reader === null;
    this.#reader = events;
    if (!isFirst) return;
    // The socket is closed already: that is still to be reported.
    if (this.#is(OVER)) queueMicrotask(() => this.#tellEnd());
    const socket = this.#socket;
    socket.on("data", this.#is(FOREIGN) ? onForeignData : onData);
    socket.on("end", onEnd);
    // The previous reader may have paused it.
    socket.resume();
  }

  /** Who is reported to: a property of the socket, which is at hand when data comes. */
  get #reader(): WireEvents | null {
    return (this.#socket as Wired)[READER] ?? null;
  }

  set #reader(events: WireEvents | null) {
    (this.#socket as Wired)[READER] = events;
  }

  #is(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  // What the socket reports.

  onEnd(): void {
    this.#flags |= EXPECTED | ENDED;
    if (!this.#is(PAUSED)) this.#tellEnd();
  }

  onError(error: unknown): void {
    this.#failure ??= { error };
    // A TLS socket that fails doesn't always close by itself.
    this.#socket.destroy();
  }

  onClose(): void {
    this.#flags |= OVER;
    if (this.#failure === null && !this.#is(EXPECTED)) {
      this.#failure = { error: new Error("The socket was closed without its end") };
    }
    for (const flush of this.#flushing ?? []) flush.resolve();
    this.#flushing = null;
    if (this.#is(PAUSED) && !this.#is(CLOSED) && !this.#is(TOLD)) {
      this.#reader?.onEnded(this.#failure);
    }
    this.#flags |= CLOSED;
    // A paused socket may have read bytes that it hasn't reported.
    for (let it = this.#socket.read(); it !== null; it = this.#socket.read()) {
      const tell = this.#is(FOREIGN) ? onForeignData : onData;
      tell.call(this.#socket, it);
    }
    this.#tellEnd();
    this.#over?.resolve();
  }

  #tellEnd(): void {
    // Without a reader, `listen` reports it.
    if (this.#is(TOLD) || this.#reader === null) return;
    this.#flags |= TOLD;
    this.#reader.onEnd(this.#failure);
  }

  // Outgoing bytes.

  /**
   * Updated at each write and when it is done: asking the socket takes longer. A destroyed socket forgets
   * how much it hasn't written.
   */
  get bufferedAmount(): number {
    // The socket doesn't report when writes from before this wire are done.
    if (this.#onWritten === null) this.#noteAmount();
    return this.#amount;
  }

  #noteAmount(): void {
    const socket = this.#socket;
    if (!socket.destroyed) this.#amount = socket.writableLength;
  }

  write(chunk: Uint8Array): boolean {
    const socket = this.#socket;
    if ((this.#flags & CLOSED) !== 0 || socket.destroyed) return false;
    socket.write(chunk, this.#onWritten ??= this.#written.bind(this));
    this.#noteAmount();
    return true;
  }

  /**
   * Writes what is in front of all frames. On Node's TCP sockets it mostly leaves in the call: then nothing has to be
   * kept that would notice when it has.
   */
  writeHead(head: Uint8Array): void {
    const socket = this.#socket;
    if (!LEAVES_AT_ONCE || this.#is(FOREIGN) || socket.encrypted === true) {
      return void this.write(head);
    }
    if (socket.destroyed) return;
    socket.write(head);
    // Its callback is called behind the head.
    if (socket.writableLength > 0) this.write(EMPTY);
  }

  writeAll(chunks: readonly Uint8Array[]): boolean {
    const together = areSmall(chunks);
    let isWritten = true;
    if (together) this.#socket.cork();
    try {
      for (const chunk of chunks) isWritten = this.write(chunk) && isWritten;
    } finally {
      if (together) this.#socket.uncork();
    }
    this.#noteAmount();
    return isWritten;
  }

  #written(error: unknown): void {
    // Mostly the socket took everything at once, and neither `onDrain` nor `flush` is pending.
    if (this.#amount === 0 && (this.#flags & WATCHED) === 0 && this.#flushing === null) return;
    const socket = this.#socket;
    if (error || socket.destroyed) return;
    this.#amount = socket.writableLength;
    if (this.#amount === 0 && this.#flushing !== null) {
      for (const flush of this.#flushing) flush.resolve();
      this.#flushing = null;
    }
    if (!this.#is(WATCHED)) return;
    this.#flags &= ~WATCHED;
    this.#reader?.onDrain();
  }

  watch(): void {
    this.#flags |= WATCHED;
  }

  flush(): Promise<void> {
    if (this.#is(OVER) || this.bufferedAmount === 0) return FULFILLED;
    const flush = new Deferred();
    (this.#flushing ??= []).push(flush);
    return flush.promise;
  }

  pause(): void {
    this.#flags |= PAUSED;
    this.#socket.pause();
    tlsReadHandle(this.#socket)?.readStop();
  }

  resume(): void {
    if (!this.#is(PAUSED)) return;
    this.#flags &= ~PAUSED;
    if (this.#is(ENDED)) return queueMicrotask(() => this.#is(PAUSED) || this.#tellEnd());
    tlsReadHandle(this.#socket)?.readStart();
    this.#socket.resume();
  }

  end(): Promise<void> {
    this.#flags |= CLOSED;
    const over = this.#over ??= new Deferred();
    if (this.#is(OVER)) over.resolve();
    // When both halves are done, `end` would only take two more turns.
    else if (this.#is(EXPECTED) && this.#socket.writableLength === 0) this.#destroySocket();
    else this.#socket.end();
    return over.promise;
  }

  destroy(): void {
    this.#flags |= CLOSED | TOLD;
    this.#reader = null;
    this.#destroySocket();
  }

  #destroySocket(): void {
    this.#flags |= EXPECTED;
    this.#noteAmount();
    const { destroyed, writableLength } = this.#socket;
    // The peer takes nothing: it gets a reset, and the system needn't keep the rest for it. Less is perhaps just leaving.
    if (!destroyed && writableLength >= LARGE && !this.#is(FOREIGN)) resetTcp(this.#socket);
    this.#socket.destroy();
  }

  /** Leaves the socket to the caller: paused, without this wire's listeners and properties. */
  release(): void {
    const socket = this.#socket;
    // Its reader is a property of the socket, which may get another one.
    this.#flags = this.#flags & ~WATCHED | TOLD;
    delete (socket as Wired)[WIRE];
    delete (socket as Wired)[READER];
    socket.pause();
    socket.removeListener("data", this.#is(FOREIGN) ? onForeignData : onData);
    socket.removeListener("end", onEnd);
    socket.removeListener("error", onError);
    socket.removeListener("close", onClose);
  }

  ref(): void {
    if (!this.#is(FOREIGN)) this.#socket.ref?.();
  }

  unref(): void {
    if (!this.#is(FOREIGN)) this.#socket.unref?.();
  }
}

const LEAVES_AT_ONCE = platform() === "node";

const EMPTY = new Uint8Array(0);

/** Chunks of at least this size are written one by one: some platforms copy those of one write. */
const LARGE = 0x4000;

/** Whether chunks are small on average. */
function areSmall(chunks: readonly Uint8Array[]): boolean {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  return size < LARGE * chunks.length;
}
