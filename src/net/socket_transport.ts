import { ChannelSinkController } from "../stream_channel/sink_controller.ts";
import type { ChannelSink, SinkTarget } from "../stream_channel/channel_sink.ts";
import type { ChannelStream, StreamSource } from "../stream_channel/channel_stream.ts";
import { ChannelStreamController } from "../stream_channel/stream_controller.ts";
import type { ByteTransport, OverListener } from "../web_socket/byte_transport.ts";
import { handleBelow } from "./handle_below.ts";

/** What is used of a `node:net` or `node:tls` socket. */
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
  ref(): unknown;
  unref(): unknown;
  setNoDelay(noDelay: boolean): unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

const nextTick: (callback: () => void) => void =
  (globalThis as { process?: { nextTick?(callback: () => void): void } }).process?.nextTick ??
    queueMicrotask;

/**
 * A connected socket as a channel of bytes, with backpressure both ways.
 *
 * Its stream ends with the peer's FIN and fails when the connection is lost; its sink is over when
 * the socket is closed in both directions. The socket should be one that allows half-open
 * connections, or what still waits to be written is lost when the peer ends its half.
 */
export class SocketTransport implements ByteTransport, StreamSource, SinkTarget<Uint8Array> {
  readonly stream: ChannelStream<Uint8Array>;
  readonly sink: ChannelSink<Uint8Array>;

  readonly #socket: SocketLike;
  readonly #incoming: ChannelStreamController<Uint8Array>;
  readonly #outgoing: ChannelSinkController<Uint8Array>;
  /** One function for all writes: it costs nothing while nobody waits. */
  #onWritten: ((error?: unknown) => void) | null = null;
  #listener: OverListener | null = null;
  #failure: { readonly error: unknown } | null = null;
  /** What the socket hadn't written when it was last known to be alive, in bytes. */
  #amount = 0;
  /** The socket's end is no surprise: the peer has ended its half, or this side has given up. */
  #expected = false;

  /**
   * Takes the socket over. Nobody else may listen to its data.
   *
   * @param socket A connected socket.
   */
  constructor(socket: SocketLike) {
    this.#socket = socket;
    // Frames are written whole, once a turn: waiting for more (Nagle) would only delay them.
    socket.setNoDelay(true);
    this.#incoming = new ChannelStreamController<Uint8Array>(this);
    this.#outgoing = new ChannelSinkController<Uint8Array>(this);
    this.stream = this.#incoming.stream;
    this.sink = this.#outgoing.sink;
    this.#listen(socket);
  }

  /** The platform makes a buffer for each chunk, and forgets it. */
  get ownsChunks(): boolean {
    return true;
  }

  /** A socket counts a chunk until the platform has copied it, all of it. */
  get releasesChunks(): boolean {
    return true;
  }

  #listen(socket: SocketLike): void {
    const incoming = this.#incoming;
    socket.on("data", (chunk) => incoming.add(chunk));
    socket.on("end", () => {
      this.#expected = true;
      incoming.end();
    });
    socket.on("error", (error) => {
      this.#failure ??= { error };
      // A TLS socket that fails doesn't always close by itself.
      socket.destroy();
    });
    socket.on("close", () => this.#onClose());
    // Whoever read from it before may have paused it.
    socket.resume();
  }

  #onClose(): void {
    // Paused, the socket may have read what it didn't tell.
    for (let it = this.#socket.read(); it !== null; it = this.#socket.read()) {
      this.#incoming.add(it);
    }
    if (this.#failure === null && !this.#expected) {
      this.#failure = { error: new Error("The socket was closed without its end") };
    }
    if (this.#failure === null) this.#incoming.end();
    else this.#incoming.fail(this.#failure.error);
    this.#outgoing.finish(this.#failure?.error);
    this.#listener?.onSinkOver(null);
  }

  whenOver(listener: OverListener): void {
    this.#listener = listener;
    if (this.#outgoing.isDisconnected) queueMicrotask(() => listener.onSinkOver(null));
  }

  // What the stream and the sink ask for.

  pause(): void {
    this.#socket.pause();
    handleBelow(this.#socket)?.readStop();
  }

  resume(): void {
    handleBelow(this.#socket)?.readStart();
    this.#socket.resume();
  }

  /** A socket that is destroyed forgets what it hasn't written: that isn't sent. */
  get bufferedAmount(): number {
    return this.#socket.destroyed ? this.#amount : this.#socket.writableLength;
  }

  add(chunk: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed) return false;
    socket.write(chunk, this.#onWritten ??= (error) => this.#written(error));
    if (!socket.destroyed) this.#amount = socket.writableLength;
    return true;
  }

  #written(error: unknown): void {
    const socket = this.#socket;
    if (error || socket.destroyed) return;
    this.#amount = socket.writableLength;
    if (this.#outgoing.isWaitedFor) this.#outgoing.drained();
  }

  close(): void {
    // When both ends are done, what `end` would wait for is nothing but two more turns.
    if (this.#expected && this.#socket.writableLength === 0) this.destroy();
    else this.#socket.end();
  }

  abort(): void {
    this.destroy();
  }

  // What a connection asks for.

  /** Holds writes back until {@linkcode uncork}, so that they leave as one. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** Where the platform has it, behind all microtasks: a `for await` loop sends from many of them. */
  soon(callback: () => void): void {
    nextTick(callback);
  }

  destroy(): void {
    this.#expected = true;
    if (!this.#socket.destroyed) this.#amount = this.#socket.writableLength;
    this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}
