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

/** What is known of a stream beside itself. */
export interface StreamWireOptions {
  /** Describes the connection; left out: what the session's socket says. */
  readonly info?: ConnectionInfo | null;
  /** Makes the session keep the process alive, or lets the process end; left out: neither. */
  readonly hold?: (isRef: boolean) => void;
}

/**
 * A stream of HTTP/2 as a {@linkcode Wire}, with backpressure both ways: its flow control.
 *
 * RFC 8441 §5: END_STREAM stands for the end of TCP, RST_STREAM with CANCEL for its reset.
 */
export class StreamWire implements Wire {
  readonly #stream: Http2Stream;
  /** A closed stream has none any more. */
  readonly #session: Http2Session | undefined;
  readonly #options: StreamWireOptions;
  #events: WireEvents | null = null;
  #failure: WireFailure | null = null;
  /** This side writes nothing more. */
  #closed = false;
  /** The peer has ended its half. */
  #ended = false;
  #told = false;
  /** `end` was emitted. */
  #isEnding = false;
  #isReset = false;
  #paused = false;
  #over = false;
  #watched = false;
  /** What was not written when the stream was last known to be alive. */
  #amount = 0;
  #flushing: Deferred[] | null = null;
  #ending: Deferred | null = null;
  #info: ConnectionInfo | null = null;
  readonly #onWritten = (error?: Error | null): void => this.#written(error);

  /**
   * Takes the stream over. Other listeners must not read its data.
   *
   * @param stream The stream, which has been accepted, or is being asked for.
   * @param options See {@linkcode StreamWireOptions}.
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

  /** Several frames may have come in one read. */
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
    if (this.#over) queueMicrotask(() => this.#tellEnd());
    stream.on("data", (chunk: unknown) => this.#onData(chunk));
    stream.on("end", () => this.#onEnd());
    if (!this.#paused) stream.resume();
  }

  // What the stream reports.

  #onData(chunk: unknown): void {
    let bytes: Uint8Array;
    try {
      bytes = plainBytes(chunk as Uint8Array);
    } catch (error) {
      return this.#onError(error);
    }
    this.#events?.onChunk(bytes);
  }

  /** A reset is reported as an end first, on every runtime: what it is shows a turn later. */
  #onEnd(): void {
    this.#isEnding = true;
    setImmediate(() => {
      if (this.#isReset || this.#over) return;
      this.#ended = true;
      if (!this.#paused) this.#tellEnd();
    });
  }

  /** RST_STREAM, of either side, or the loss of the session: `close` follows, with the code. */
  #onAborted(): void {
    this.#isReset = true;
  }

  #onError(error: unknown): void {
    this.#failure ??= { error };
    this.#isReset = true;
    if (!this.#stream.destroyed) this.#stream.destroy();
  }

  #onClose(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#isReset || !this.#isEnding) this.#failure = this.#fault();
    for (const flush of this.#flushing ?? []) flush.resolve();
    this.#flushing = null;
    if (this.#paused && !this.#closed && !this.#told) this.#events?.onEnded(this.#failure);
    this.#closed = true;
    // A paused stream may have read bytes that it hasn't reported.
    if (this.#events !== null && !this.#told) {
      for (let it = this.#stream.read(); it !== null; it = this.#stream.read()) this.#onData(it);
    }
    this.#tellEnd();
    this.#ending?.resolve();
  }

  /** Why the stream has closed, although the peer didn't end it. */
  #fault(): WireFailure | null {
    const { rstCode = NO_ERROR } = this.#stream;
    const cause = this.#failure === null ? undefined : { cause: this.#failure.error };
    // What a runtime gives as the code is its own then.
    if (this.#session === undefined || isSessionLost(this.#session)) {
      return { error: new WebSocketChannelError("The HTTP/2 session was lost", cause) };
    }
    // RFC 9113 §8.1: so a server ends what it has answered.
    if (rstCode === NO_ERROR && cause === undefined) return null;
    const text = `The HTTP/2 stream was reset: ${shownCode(rstCode)}`;
    return { error: new WebSocketChannelError(text, cause) };
  }

  #tellEnd(): void {
    // Without a reader, `listen` reports it.
    if (this.#told || this.#events === null) return;
    this.#told = true;
    this.#events.onEnd(this.#failure);
  }

  // Outgoing bytes.

  /** A closed stream forgets how much it hasn't written. */
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
    if (this.#over || this.bufferedAmount === 0) return FULFILLED;
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
    if (this.#ended) return queueMicrotask(() => this.#paused || this.#tellEnd());
    this.#stream.resume();
  }

  end(): Promise<void> {
    this.#closed = true;
    const ending = this.#ending ??= new Deferred();
    if (this.#over) ending.resolve();
    else this.#stream.end();
    return ending.promise;
  }

  destroy(): void {
    if (!this.#stream.destroyed) this.#amount = this.#stream.writableLength;
    this.#closed = this.#told = this.#isReset = true;
    this.#events = null;
    // RFC 8441 §5: what stands for the reset of a TCP connection.
    resetStream(this.#stream, CANCEL);
  }

  ref(): void {
    this.#options.hold?.(true);
  }

  unref(): void {
    this.#options.hold?.(false);
  }
}

/** What is known of the connection of a session. */
export function sessionInfo(session: Http2Session): ConnectionInfo | null {
  if (session.destroyed) return null;
  // It stands for the socket, and throws for some of its members.
  const { socket } = session;
  return socketInfo(socket, socket);
}
