import { plainBytes } from "../realm/bytes.ts";
import { Deferred, FULFILLED } from "../stream_channel/errors.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import { WebSocketChannelError } from "../web_socket/errors.ts";
import { type Flushes, inTicks } from "../web_socket/flushes.ts";
import type { Wire, WireEvents, WireFailure } from "../web_socket/wire.ts";
import {
  CANCEL,
  type Http2Session,
  type Http2Stream,
  isSessionLost,
  NO_ERROR,
  resetStream,
  shownCode,
} from "./http2.ts";
import { socketInfo } from "./socket_info.ts";

declare function setImmediate(callback: () => void): unknown;

/** Options of a {@linkcode StreamWire}. */
export interface StreamWireOptions {
  /** The description of the connection. Default: what the session's socket reports. */
  readonly info?: ConnectionInfo | null;
  /** Makes the session keep the process alive, or not. Default: it does nothing. */
  readonly hold?: (isRef: boolean) => void;
}

/**
 * A stream of HTTP/2 as a {@linkcode Wire}, with backpressure in both directions by its flow control.
 *
 * END_STREAM replaces the end of TCP, and RST_STREAM with CANCEL its reset (RFC 8441 §5).
 */
export class StreamWire implements Wire {
  readonly #stream: Http2Stream;
  /** The session, kept here because a closed stream no longer has it. */
  readonly #session: Http2Session | undefined;
  readonly #options: StreamWireOptions;
  #events: WireEvents | null = null;
  #failure: WireFailure | null = null;
  /** This side writes nothing more. */
  #closed = false;
  /** Whether the peer has ended its half. */
  #ended = false;
  #isReported = false;
  /** Whether `end` was emitted. */
  #isEnding = false;
  #isReset = false;
  #paused = false;
  #isStreamClosed = false;
  #watched = false;
  /** The number of unwritten bytes when the stream was last known to be alive. */
  #amount = 0;
  #flushing: Deferred[] | null = null;
  #ending: Deferred | null = null;
  #info: ConnectionInfo | null = null;
  readonly #onWritten = (error?: Error | null): void => this.#written(error);

  /**
   * Takes over the stream. Other listeners must not read its data.
   *
   * @param stream The stream, accepted or still requested.
   * @param options What is known of its connection.
   */
  constructor(stream: Http2Stream, options: StreamWireOptions = {}) {
    this.#stream = stream;
    this.#session = stream.session as Http2Session | undefined;
    this.#options = options;
    stream.on("error", (error: unknown) => this.#onError(error));
    stream.on("aborted", () => this.#onAborted());
    stream.on("close", () => this.#onClose());
  }

  get ownsChunks(): boolean {
    return false;
  }

  get releasesChunks(): boolean {
    return false;
  }

  /** Whether a read may contain several frames. */
  get endsTurns(): boolean {
    return false;
  }

  get canDestroy(): boolean {
    return true;
  }

  get flushes(): Flushes {
    return inTicks;
  }

  get connectionInfo(): ConnectionInfo | null {
    const { info } = this.#options;
    if (info !== undefined) return info;
    return this.#info ??= this.#session ? sessionInfo(this.#session) : null;
  }

  listen(events: WireEvents): void {
    const isFirst = this.#events === null;
    this.#events = events;
    if (!isFirst) return;
    const stream = this.#stream;
    if (this.#isStreamClosed) queueMicrotask(() => this.#reportEnd());
    stream.on("data", (chunk: unknown) => this.#onData(chunk));
    stream.on("end", () => this.#onEnd());
    if (!this.#paused) stream.resume();
  }

  // Events of the stream.

  #onData(chunk: unknown): void {
    let bytes: Uint8Array;
    try {
      bytes = plainBytes(chunk as Uint8Array);
    } catch (error) {
      return this.#onError(error);
    }
    this.#events?.onChunk(bytes);
  }

  /** Every runtime emits `end` before a reset, so this waits a turn to tell them apart. */
  #onEnd(): void {
    this.#isEnding = true;
    setImmediate(() => {
      if (this.#isReset || this.#isStreamClosed) return;
      this.#ended = true;
      if (!this.#paused) this.#reportEnd();
    });
  }

  /** Handles RST_STREAM of either side, or the loss of the session; `close` follows, with the code. */
  #onAborted(): void {
    this.#isReset = true;
  }

  #onError(error: unknown): void {
    this.#failure ??= { error };
    this.#isReset = true;
    if (!this.#stream.destroyed) this.#stream.destroy();
  }

  #onClose(): void {
    if (this.#isStreamClosed) return;
    this.#isStreamClosed = true;
    if (this.#isReset || !this.#isEnding) this.#failure = this.#fault();
    for (const flush of this.#flushing ?? []) flush.resolve();
    this.#flushing = null;
    if (this.#paused && !this.#closed && !this.#isReported) this.#events?.onEnded(this.#failure);
    this.#closed = true;
    // A paused stream may have read bytes that it hasn't emitted.
    if (this.#events !== null && !this.#isReported) {
      for (let it = this.#stream.read(); it !== null; it = this.#stream.read()) this.#onData(it);
    }
    this.#reportEnd();
    this.#ending?.resolve();
  }

  /** Returns why the stream closed although the peer didn't end it. */
  #fault(): WireFailure | null {
    const { rstCode = NO_ERROR } = this.#stream;
    const cause = this.#failure === null ? undefined : { cause: this.#failure.error };
    // In this case the runtime itself set the code.
    if (this.#session === undefined || isSessionLost(this.#session)) {
      return { error: new WebSocketChannelError("The HTTP/2 session was lost", cause) };
    }
    // A server ends an answered stream this way (RFC 9113 §8.1).
    if (rstCode === NO_ERROR && cause === undefined) return null;
    const text = `The HTTP/2 stream was reset: ${shownCode(rstCode)}`;
    return { error: new WebSocketChannelError(text, cause) };
  }

  #reportEnd(): void {
    // Without a reader, `listen` reports the end later.
    if (this.#isReported || this.#events === null) return;
    this.#isReported = true;
    this.#events.onEnd(this.#failure);
  }

  // Outgoing bytes.

  /** The number of unwritten bytes; a closed stream no longer knows it. */
  get bufferedAmount(): number {
    if (!this.#stream.destroyed) this.#amount = this.#stream.writableLength;
    return this.#amount;
  }

  write(chunk: Uint8Array): boolean {
    const stream = this.#stream;
    if (this.#closed || stream.destroyed) return false;
    stream.write(chunk, this.#onWritten);
    this.#amount = stream.writableLength;
    return true;
  }

  writeAll(chunks: readonly Uint8Array[]): boolean {
    let isWritten = true;
    for (const chunk of chunks) isWritten = this.write(chunk) && isWritten;
    return isWritten;
  }

  #written(error: unknown): void {
    if (this.#amount === 0 && !this.#watched && this.#flushing === null) return;
    if (error || this.#stream.destroyed) return;
    this.#amount = this.#stream.writableLength;
    if (this.#amount === 0 && this.#flushing !== null) {
      for (const flush of this.#flushing) flush.resolve();
      this.#flushing = null;
    }
    if (!this.#watched) return;
    this.#watched = false;
    this.#events?.onDrain();
  }

  watch(): void {
    this.#watched = true;
  }

  flush(): Promise<void> {
    if (this.#isStreamClosed || this.bufferedAmount === 0) return FULFILLED;
    const flush = new Deferred();
    (this.#flushing ??= []).push(flush);
    return flush.promise;
  }

  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#ended) return queueMicrotask(() => this.#paused || this.#reportEnd());
    this.#stream.resume();
  }

  end(): Promise<void> {
    this.#closed = true;
    const ending = this.#ending ??= new Deferred();
    if (this.#isStreamClosed) ending.resolve();
    else this.#stream.end();
    return ending.promise;
  }

  destroy(): void {
    if (!this.#stream.destroyed) this.#amount = this.#stream.writableLength;
    this.#closed = this.#isReported = this.#isReset = true;
    this.#events = null;
    // This replaces the reset of a TCP connection (RFC 8441 §5).
    resetStream(this.#stream, CANCEL);
  }

  ref(): void {
    this.#options.hold?.(true);
  }

  unref(): void {
    this.#options.hold?.(false);
  }
}

/** Describes the connection of a session. */
export function sessionInfo(session: Http2Session): ConnectionInfo | null {
  if (session.destroyed) return null;
  // This proxy of the socket throws for some members.
  const { socket } = session;
  return socketInfo(socket, socket);
}
