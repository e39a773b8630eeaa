import { ChannelSinkController } from "../stream_channel/channel_sink.ts";
import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import { type ChannelStream, ChannelStreamController } from "../stream_channel/channel_stream.ts";
import type { ByteTransport } from "../web_socket/byte_transport.ts";

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
  on(event: "end" | "close" | "drain", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

const EMPTY = new Uint8Array(0);

/**
 * A connected socket as a channel of bytes, with backpressure both ways.
 *
 * Its stream ends with the peer's FIN and fails when the connection is reset; its sink is over when
 * the socket is closed in both directions. The socket should be one that allows half-open
 * connections, or what still waits to be written is lost when the peer ends its half.
 */
export class SocketTransport implements ByteTransport {
  readonly stream: ChannelStream<Uint8Array>;
  readonly sink: ChannelSink<Uint8Array>;
  /** The platform makes a buffer for each chunk, and forgets it. */
  readonly ownsChunks = true;

  readonly #socket: SocketLike;
  #error: unknown;

  /**
   * Takes the socket over. Nobody else may listen to its data.
   *
   * @param socket A connected socket.
   */
  constructor(socket: SocketLike) {
    this.#socket = socket;
    // Frames are written whole, once a turn: waiting for more (Nagle) would only delay them.
    socket.setNoDelay(true);
    const incoming = new ChannelStreamController<Uint8Array>({
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    });
    const outgoing = new ChannelSinkController<Uint8Array>({
      get bufferedAmount(): number {
        return socket.writableLength;
      },
      add: (chunk) => void socket.write(chunk),
      close: () => void socket.end(),
      abort: () => void socket.destroy(),
      // The callback comes when all that was written before has left; `drain` only after a full buffer.
      watch: () => void socket.write(EMPTY, (error) => drained(error)),
    });
    // A socket that fails forgets what it hasn't written: that isn't room.
    const drained = (error?: unknown): void => {
      if (!error && !socket.destroyed) outgoing.drained();
    };
    this.stream = incoming.stream;
    this.sink = outgoing.sink;
    socket.on("data", (chunk) => incoming.add(chunk));
    socket.on("drain", () => drained());
    socket.on("end", () => incoming.end());
    socket.on("error", (error) => this.#error ??= error);
    socket.on("close", () => {
      // Paused, the socket may have read what it didn't tell.
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) incoming.add(chunk);
      if (this.#error === undefined) incoming.end();
      else incoming.fail(this.#error);
      outgoing.finish(this.#error);
    });
  }

  /** Holds writes back until {@linkcode uncork}, so that they leave as one. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}
