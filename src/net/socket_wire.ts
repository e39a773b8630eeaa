import { plainBytes } from "../realm/bytes.ts";
import { Deferred, FULFILLED } from "../stream_channel/errors.ts";
import { type Flushes, inTicks } from "../web_socket/flushes.ts";
import type { Wire, WireEvents, WireFailure } from "../web_socket/wire.ts";
import { platform } from "../web_socket/platform.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import { resetTcp, tlsReadHandle } from "./tls_read_handle.ts";
import { socketInfo } from "./socket_info.ts";

/**
 * The part of a `node:net` or `node:tls` socket, or of another duplex stream, that this module uses. It calls listeners
 * with itself as `this`.
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
  /** Disables Nagle's algorithm. Only the platform's sockets have it, like `ref` and `unref`. */
  setNoDelay?(noDelay: boolean): unknown;
  /** Whether the socket is one of `node:tls`. */
  readonly encrypted?: boolean;
  ref?(): unknown;
  unref?(): unknown;
  // deno-lint-ignore no-explicit-any -- every listener fits
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
  on(event: "data", listener: (this: SocketLike, chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close", listener: (this: SocketLike) => void): unknown;
  on(event: "error", listener: (this: SocketLike, error: unknown) => void): unknown;
}

/** The properties of a socket for its wire and the wire's reader. All sockets share their listeners. */
const WIRE = Symbol("wire");
const READER = Symbol("reader");

interface Wired {
  [WIRE]?: SocketWire | null;
  [READER]?: WireEvents | null;
}

/** Whether a socket has a wire, or will get one. */
export function isWired(socket: object): boolean {
  return WIRE in socket;
}

/** Marks a socket that will get a wire. A set of sockets would take much more memory. */
export function markWired(socket: object): void {
  (socket as Wired)[WIRE] = null;
}

function wireOf(socket: SocketLike): SocketWire {
  return (socket as Wired)[WIRE] as SocketWire;
}

/**
 * Passes a chunk directly to the reader, as a plain view, because Node's `Buffer` has different methods of the same
 * names. The platform's own buffers need no further check.
 */
function onData(this: SocketLike, chunk: Uint8Array): void {
  // A socket with an encoding delivers text, which loses bytes.
  if (!ArrayBuffer.isView(chunk)) {
    return wireOf(this).onError(
      new TypeError("Cannot read from the socket: a chunk must be bytes. Set no encoding"),
    );
  }
  const { buffer, byteOffset, byteLength } = chunk;
  (this as Wired)[READER]?.onChunk(new Uint8Array(buffer, byteOffset, byteLength));
}

/** Passes on a chunk of a foreign stream, which may be any kind of bytes. */
function onForeignData(this: SocketLike, chunk: unknown): void {
  let bytes: unknown = null;
  try {
    bytes = plainBytes(chunk as Uint8Array);
  } catch {
    // `onData` reports what isn't bytes.
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

// The state of a wire, as flags, to save memory in idle connections.
/**
 * Set for a stream that is no socket of the platform's: it may keep the chunks that it gets, and those that it
 * delivered.
 */
const FOREIGN = 1;
/** The socket's end is no failure, because the peer has ended its half, or this side has destroyed the socket. */
const END_EXPECTED = 2;
const PAUSED = 4;
/** This side writes nothing more. */
const CLOSED = 8;
/** Only the end is left to report. */
const END_PENDING = 16;
/** The end was reported. */
const REPORTED = 32;
/** The owner waits for `onDrain`. */
const WATCHED = 64;
/** The socket is closed. */
const SOCKET_CLOSED = 128;

/**
 * A connected socket as a {@linkcode Wire}, with backpressure in both directions.
 *
 * It ends with the peer's FIN, and fails when the connection is lost. It has ended when the socket is closed in both
 * directions. The socket should allow half-open connections. Otherwise, queued data is lost when the peer ends its
 * half.
 */
export class SocketWire implements Wire {
  readonly #socket: SocketLike;
  /** The flags that are set: `FOREIGN` and those after it. */
  #flags = 0;
  #failure: WireFailure | null = null;
  /** The number of unwritten bytes when the socket was last known to be alive. */
  #amount = 0;
  /** One bound function for all writes; a closure takes twice the memory. */
  #onWritten: ((error?: unknown) => void) | null = null;
  #flushing: Deferred[] | null = null;
  /** Fulfils when the socket is closed. */
  #socketClosed: Deferred | null = null;

  /**
   * Takes over the socket. Other listeners must not read its data.
   *
   * @param socket A connected socket.
   */
  constructor(socket: SocketLike) {
    this.#socket = socket;
    const { setNoDelay, ref, unref } = socket;
    if (setNoDelay === undefined || ref === undefined || unref === undefined) this.#flags = FOREIGN;
    // Frames are written completely, once a turn, so that Nagle's algorithm would only delay them.
    else socket.setNoDelay?.(true);
    (socket as Wired)[WIRE] = this;
    this.#reader = null;
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  /** The platform allocates a new buffer for each chunk, and doesn't keep it. */
  get ownsChunks(): boolean {
    return (this.#flags & FOREIGN) === 0;
  }

  /** A socket counts a chunk until the platform has copied it completely. */
  get releasesChunks(): boolean {
    return (this.#flags & FOREIGN) === 0;
  }

  /** A destroyed socket no longer knows most of this. */
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
    // The socket has already closed, which is still unreported.
    if (this.#is(SOCKET_CLOSED)) queueMicrotask(() => this.#reportEnd());
    const socket = this.#socket;
    socket.on("data", this.#is(FOREIGN) ? onForeignData : onData);
    socket.on("end", onEnd);
    // The previous reader may have paused the socket.
    socket.resume();
  }

  /** The reader, stored as a property of the socket, so that listeners reach it directly. */
  get #reader(): WireEvents | null {
    return (this.#socket as Wired)[READER] ?? null;
  }

  set #reader(events: WireEvents | null) {
    (this.#socket as Wired)[READER] = events;
  }

  #is(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  // Events of the socket.

  onEnd(): void {
    this.#flags |= END_EXPECTED | END_PENDING;
    if (!this.#is(PAUSED)) this.#reportEnd();
  }

  onError(error: unknown): void {
    this.#failure ??= { error };
    // A failed TLS socket doesn't always close by itself.
    this.#socket.destroy();
  }

  onClose(): void {
    this.#flags |= SOCKET_CLOSED;
    if (this.#failure === null && !this.#is(END_EXPECTED)) {
      this.#failure = { error: new Error("Cannot read from the socket: it was destroyed") };
    }
    for (const flush of this.#flushing ?? []) flush.resolve();
    this.#flushing = null;
    if (this.#is(PAUSED) && !this.#is(CLOSED) && !this.#is(REPORTED)) {
      this.#reader?.onEnded(this.#failure);
    }
    this.#flags |= CLOSED;
    // A paused socket may have read bytes that it hasn't emitted.
    for (let it = this.#socket.read(); it !== null; it = this.#socket.read()) {
      const tell = this.#is(FOREIGN) ? onForeignData : onData;
      tell.call(this.#socket, it);
    }
    this.#reportEnd();
    this.#socketClosed?.resolve();
  }

  #reportEnd(): void {
    // Without a reader, `listen` reports the end later.
    if (this.#is(REPORTED) || this.#reader === null) return;
    this.#flags |= REPORTED;
    this.#reader.onEnd(this.#failure);
  }

  // Outgoing bytes.

  /**
   * The number of unwritten bytes, updated at each write and when it is done, because reading it from the socket is
   * slower. A destroyed socket no longer knows it.
   */
  get bufferedAmount(): number {
    // The socket doesn't report the end of writes from before this wire.
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
   * Writes the response head before all frames. On Node's TCP sockets the system mostly takes it during the call. Then
   * nothing needs to track when it has left.
   */
  writeHead(head: Uint8Array): void {
    const socket = this.#socket;
    if (!LEAVES_AT_ONCE || this.#is(FOREIGN) || socket.encrypted === true) {
      return void this.write(head);
    }
    if (socket.destroyed) return;
    socket.write(head);
    // Its callback is called after the head has left.
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
    // In most cases the socket took everything at once, and neither `onDrain` nor `flush` is pending.
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
    if (this.#is(SOCKET_CLOSED) || this.bufferedAmount === 0) return FULFILLED;
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
    if (this.#is(END_PENDING)) return queueMicrotask(() => this.#is(PAUSED) || this.#reportEnd());
    tlsReadHandle(this.#socket)?.readStart();
    this.#socket.resume();
  }

  end(): Promise<void> {
    this.#flags |= CLOSED;
    const closed = this.#socketClosed ??= new Deferred();
    if (this.#is(SOCKET_CLOSED)) closed.resolve();
    // When both halves are done, `end` would only take two more turns.
    else if (this.#is(END_EXPECTED) && this.#socket.writableLength === 0) this.#destroySocket();
    else this.#socket.end();
    return closed.promise;
  }

  destroy(): void {
    this.#flags |= CLOSED | REPORTED;
    this.#reader = null;
    this.#destroySocket();
  }

  #destroySocket(): void {
    this.#flags |= END_EXPECTED;
    this.#noteAmount();
    const { destroyed, writableLength } = this.#socket;
    // The peer takes nothing: reset the connection, so that the system needn't keep the rest. A smaller amount may be
    // about to leave.
    if (!destroyed && writableLength >= LARGE && !this.#is(FOREIGN)) resetTcp(this.#socket);
    this.#socket.destroy();
  }

  /** Returns the socket to the caller, paused, without this wire's listeners and properties. */
  release(): void {
    const socket = this.#socket;
    // The reader is a property of the socket, which may get another one.
    this.#flags = this.#flags & ~WATCHED | REPORTED;
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

/**
 * The size from which chunks are written one by one, in bytes, because some platforms copy the chunks of a combined
 * write.
 */
const LARGE = 0x4000;

/** Whether chunks are small on average. */
function areSmall(chunks: readonly Uint8Array[]): boolean {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  return size < LARGE * chunks.length;
}
