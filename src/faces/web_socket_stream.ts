import { byteLengthOf, copyOf } from "../realm/bytes.ts";
import { Deferred, ignore, invalidState } from "../stream_channel/errors.ts";
import { messageOf } from "../realm/kinds.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { inspectAs } from "../web_socket/inspection.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import {
  checkFaceOptions,
  connectFace,
  type Connector,
  type FaceOptionsSource,
  optionsOf,
  parseTarget,
  validateClose,
} from "./face_target.ts";
import {
  readCloseInfo,
  uncleanClose,
  type WebSocketCloseInfo,
  WebSocketError,
} from "./web_socket_error.ts";
import {
  bufferSource,
  checkArguments,
  dictionary,
  expose,
  textSequence,
  toText,
} from "./web_idl.ts";

/** Options of a {@linkcode WebSocketStreamFace}. */
export interface WebSocketStreamOptions {
  /** The subprotocols to offer: the server must choose one of them. */
  protocols?: readonly string[] | undefined;
  /** Gives up the attempt when it aborts. Afterwards it has no effect. */
  signal?: AbortSignal | undefined;
}

/** What {@linkcode WebSocketStreamFace.opened} gives. */
export interface WebSocketOpenInfo {
  /** The extensions in use; may be empty. */
  readonly extensions: string;
  /** The subprotocol in use; empty where there is none. */
  readonly protocol: string;
  /** Incoming messages: text as strings, bytes as `Uint8Array`s. The peer is stopped while there is no reader. */
  readonly readable: ReadableStream<string | Uint8Array>;
  /** Outgoing messages: bytes, and anything else as text. A write waits for room, `close` for the end. */
  readonly writable: WritableStream<unknown>;
}

/** A `WebSocketStream`: a connection as two Web Streams with backpressure. */
export interface WebSocketStreamFace {
  /** What it connects to, whole. */
  readonly url: string;
  /** Fulfils when the connection is open; rejects with a {@linkcode WebSocketError}, or the signal's reason. */
  readonly opened: Promise<WebSocketOpenInfo>;
  /**
   * Fulfils when the connection was closed cleanly; rejects with a {@linkcode WebSocketError} otherwise, also when the
   * peer closed while a write was waiting.
   */
  readonly closed: Promise<Required<WebSocketCloseInfo>>;
  /**
   * Closes the connection. While connecting it gives up.
   *
   * @param closeInfo The close code, 1000 or 3000–4999, and the reason; a reason without a code has 1000.
   * @throws {DOMException} `InvalidAccessError` for another code, `SyntaxError` for a reason that is too long.
   * @throws {TypeError} When it is no object, or the code is no number of two bytes.
   */
  close(closeInfo?: WebSocketCloseInfo): void;
}

/** A class of {@linkcode WebSocketStreamFace}s. */
export interface WebSocketStreamFaceClass {
  /** What all objects of the class have. */
  readonly prototype: WebSocketStreamFace;
  /**
   * Connects to a server.
   *
   * @param url Where to: as for `WebSocket`.
   * @param options See {@linkcode WebSocketStreamOptions}.
   * @throws {DOMException} `SyntaxError` when the URL or a subprotocol is malformed, or a subprotocol is offered twice.
   * @throws {TypeError} When an option is of the wrong type.
   */
  new (url: string | URL, options?: WebSocketStreamOptions): WebSocketStreamFace;
}

/** Web IDL: `BufferSource`, copied; anything else as `USVString`. */
function toMessage(chunk: unknown): string | Uint8Array {
  const bytes = bufferSource(chunk, "write");
  if (bytes === null) return toText(chunk);
  // The bytes of a detached buffer are none.
  return byteLengthOf(bytes) === 0 ? new Uint8Array(0) : copyOf(bytes);
}

/** One connection: its two streams, and what becomes of them. */
class StreamFace {
  readonly opened: Deferred<WebSocketOpenInfo> = new Deferred();
  readonly closed: Deferred<Required<WebSocketCloseInfo>> = new Deferred();
  #channel: WebSocketChannel | null = null;
  /** Whether the signal has ended the attempt. */
  #isAborted = false;
  #reading: ReadableStreamDefaultController<string | Uint8Array> | null = null;
  #writing: WritableStreamDefaultController | null = null;
  /** Whether a write waits for room. */
  #isWaiting = false;
  #isDrained = false;
  /** Whether this side has begun to close. */
  #hasClosed = false;
  /** Whether something was not sent when the peer's Close came. */
  #isUnsent = false;
  /** How the connection ended: `null` before it has. */
  #ending: { readonly error: WebSocketError | null } | null = null;
  readonly #ended: Deferred = new Deferred();

  /** Begins. */
  start(channel: WebSocketChannel, signal: AbortSignal | undefined): void {
    this.#channel = channel;
    const abort = (): void => {
      if (channel.state !== "connecting") return;
      this.#isAborted = true;
      this.fail(signal?.reason);
      channel.terminate();
    };
    const release = (): void => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort, { once: true });
    channel.ready.then(release, release);
    channel.ready.then(() => this.#open(channel), ignore);
    channel.closing.then(() => {
      this.#isUnsent = !this.#hasClosed && (this.#isWaiting || channel.sink.bufferedAmount > 0);
    });
    channel.closed.then((info) => this.#end(info));
  }

  /** The connection was not even tried, or was given up. */
  fail(reason: unknown): void {
    this.opened.reject(reason);
    this.closed.reject(reason);
  }

  #open(channel: WebSocketChannel): void {
    const readable = new ReadableStream<string | Uint8Array>({
      start: (controller) => void (this.#reading = controller),
      pull: () => this.#pull(channel),
      cancel: (reason) => {
        this.#reading = null;
        this.#closeFor(reason);
        // What the peer sends until its Close must not hold that up.
        void discard(channel);
      },
    });
    const writable = new WritableStream<unknown>({
      start: (controller) => void (this.#writing = controller),
      write: (chunk) => this.#write(channel, chunk),
      close: () => {
        this.close(null, "");
        return this.#outcome();
      },
      abort: (reason) => this.#closeFor(reason),
    });
    this.opened.resolve({
      extensions: channel.extensions,
      protocol: channel.protocol ?? "",
      readable,
      writable,
    });
  }

  async #pull(channel: WebSocketChannel): Promise<void> {
    const { done, value } = await channel.stream.next();
    if (!done) return this.#reading?.enqueue(value);
    this.#isDrained = true;
    this.#closeReadable();
  }

  /** All was read, and the connection was closed cleanly. */
  #closeReadable(): void {
    if (!this.#isDrained || this.#ending === null || this.#ending.error !== null) return;
    this.#reading?.close();
    this.#reading = null;
  }

  async #write(channel: WebSocketChannel, chunk: unknown): Promise<void> {
    const message = toMessage(chunk);
    const { sink } = channel;
    this.#isWaiting = true;
    const hasRoom = sink.hasRoom || await sink.whenReady();
    if (!hasRoom || !isAdded(channel, message)) return await this.#outcome(true);
    this.#isWaiting = false;
  }

  /** Waits for the end: rejects when it wasn't clean, or when something was not sent. */
  async #outcome(isUnsent = false): Promise<void> {
    await this.#ended.promise;
    const error = this.#ending?.error ?? null;
    if (error !== null) throw error;
    if (isUnsent) throw closedError();
  }

  /** The channel has ended. */
  #end(info: CloseInfo): void {
    if (this.#isAborted) return;
    const { code, reason, wasClean } = info;
    const isUnsent = this.#isUnsent;
    const isClean = wasClean && !isUnsent;
    const error = isClean
      ? null
      : uncleanClose(messageFor(info, isUnsent), { code, reason }, info.error);
    this.#ending = { error };
    if (error === null) {
      this.closed.resolve({ closeCode: code, reason });
      this.#writing?.error(closedError());
      this.#closeReadable();
    } else {
      this.opened.reject(error);
      this.closed.reject(error);
      this.#writing?.error(error);
      this.#reading?.error(error);
      this.#reading = null;
    }
    this.#ended.resolve();
  }

  /** See `WebSocketStream.close`, checked. */
  close(code: number | null, reason: string): void {
    validateClose(code, reason);
    this.#hasClosed = true;
    const sent = code ?? (reason === "" ? undefined : 1000);
    void this.#channel?.sink.close(sent, sent === undefined ? undefined : reason);
  }

  /** "Close using reason": with the code and the reason of a `WebSocketError`. */
  #closeFor(error: unknown): void {
    if (!(error instanceof WebSocketError)) return this.close(null, "");
    try {
      this.close(error.closeCode, error.reason);
    } catch {
      // A code of the peer's that can't be sent.
      this.close(null, "");
    }
  }
}

/** Hands a message to the channel; `false` when it is dropped. */
function isAdded({ sink }: WebSocketChannel, message: string | Uint8Array): boolean {
  try {
    return sink.add(message);
  } catch {
    // Closed by this side.
    return false;
  }
}

/** Drops all that comes. */
async function discard({ stream }: WebSocketChannel): Promise<void> {
  while (!(await stream.next()).done);
}

function closedError(): DOMException {
  return invalidState("Cannot write: the WebSocketStream is closed");
}

function messageFor({ code, error }: CloseInfo, isUnsent: boolean): string {
  if (isUnsent) return `The peer closed with ${code} before all was sent`;
  const message = messageOf(error);
  return message === "" ? "The connection was not closed cleanly" : message;
}

/**
 * Makes a class whose objects connect in one way.
 *
 * @param connector How its entry connects.
 * @param source What it connects with.
 */
export function webSocketStreamClass(
  connector: Connector,
  source: FaceOptionsSource,
): WebSocketStreamFaceClass {
  class WebSocketStream {
    readonly #url: string;
    readonly #face = new StreamFace();

    constructor(url: unknown, options: unknown = undefined) {
      checkArguments("create a WebSocketStream", 1, arguments.length);
      const text = toText(url);
      const given = dictionary(options);
      const protocols = textSequence(given.protocols, "protocols");
      const signal = given.signal as AbortSignal | undefined;
      if (signal !== undefined && typeof signal?.addEventListener !== "function") {
        throw new TypeError(
          `Cannot use the option signal: it must be an AbortSignal, got ${typeof signal}`,
        );
      }
      const target = parseTarget(text, protocols);
      this.#url = target.url.href;
      if (signal?.aborted) this.#face.fail(signal.reason);
      else {
        const given = optionsOf(connector, source, this.#url);
        const settings = { ...connector.streamOptions(given), ...given };
        this.#face.start(connectFace(connector, target, settings), signal);
      }
    }

    get url(): string {
      return this.#url;
    }

    get opened(): Promise<WebSocketOpenInfo> {
      return this.#face.opened.promise;
    }

    get closed(): Promise<Required<WebSocketCloseInfo>> {
      return this.#face.closed.promise;
    }

    // Web IDL: the length of a method is the number of its arguments that must be there.
    close(closeInfo: unknown = undefined): void {
      const { code, reason } = readCloseInfo(closeInfo);
      this.#face.close(code, reason);
    }
  }
  expose(WebSocketStream, "WebSocketStream", ["url", "opened", "closed", "close"]);
  inspectAs(WebSocketStream.prototype, "WebSocketStream", (it) => ({
    url: shownUrl(new URL(it.url)),
  }));
  return WebSocketStream as unknown as WebSocketStreamFaceClass;
}

/** See `createWebSocketStream`. */
export function createStreamClass(
  connector: Connector,
  source: FaceOptionsSource,
): WebSocketStreamFaceClass {
  if (typeof source !== "function") checkFaceOptions(connector, source);
  return webSocketStreamClass(connector, source);
}
