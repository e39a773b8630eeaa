import type { SocketLike } from "../net/socket_wire.ts";
import { plainBytes } from "../realm/bytes.ts";
import { ignore } from "../stream_channel/errors.ts";

/**
 * What is used of the connection that `node:http`'s `upgrade` event gives: a `node:net` or
 * `node:tls` socket, or any other duplex stream.
 */
export interface UpgradeSocket {
  /** How many bytes wait to be written. */
  readonly writableLength: number;
  /** Whether it is over. */
  readonly destroyed: boolean;
  /** Writes bytes. */
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean;
  /** Ends the writing half. */
  end(): unknown;
  /** Ends it at once. */
  destroy(): unknown;
  /** Stops reading. */
  pause(): unknown;
  /** Reads again. */
  resume(): unknown;
  /** What is there to read, or `null`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  read(): any;
  /** Puts bytes back, to be read first. */
  unshift(chunk: Uint8Array): unknown;
  /** Holds writes back. */
  cork(): void;
  /** Lets them go. */
  uncork(): void;
  /** Listens to `data`, `end`, `close`, `drain` and `error`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** Stops listening. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
}

/**
 * A connection of `node:http` as the socket it mostly is. What only real sockets have is not asked of
 * other duplex streams.
 */
export function asSocket(stream: UpgradeSocket): SocketLike {
  const isSocket = "setNoDelay" in stream && "ref" in stream && "unref" in stream;
  return isSocket ? stream as unknown as SocketLike : new StreamSocket(stream);
}

/** A duplex stream with the interface of a socket. */
class StreamSocket implements SocketLike {
  readonly keepsChunks = true;
  readonly #stream: UpgradeSocket;
  readonly setNoDelay: () => void = ignore;
  readonly removeListener: () => void = ignore;
  readonly ref: () => void = ignore;
  readonly unref: () => void = ignore;

  constructor(stream: UpgradeSocket) {
    this.#stream = stream;
  }

  get writableLength(): number {
    return this.#stream.writableLength;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  write(chunk: Uint8Array, callback?: (error?: unknown) => void): boolean {
    return this.#stream.write(chunk, callback);
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  read(): Uint8Array | null {
    return this.#stream.read();
  }

  cork(): void {
    this.#stream.cork();
  }

  uncork(): void {
    this.#stream.uncork();
  }

  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  on(event: string, listener: (...args: any[]) => void): void {
    this.#stream.on(event, (...args: unknown[]) => {
      // Bytes of whatever kind: what can't be read as such is left to the listener.
      if (event === "data") args = args.map(readable);
      listener.apply(this, args);
    });
  }
}

function readable(chunk: unknown): unknown {
  try {
    return plainBytes(chunk as Uint8Array);
  } catch {
    return undefined;
  }
}
