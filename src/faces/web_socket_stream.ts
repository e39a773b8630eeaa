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
  /** The subprotocols to offer. The server must choose one of them. */
  protocols?: readonly string[] | undefined;
  /** Cancels the attempt to connect when it aborts. It has no effect on an open connection. */
  signal?: AbortSignal | undefined;
}

/** The result of {@linkcode WebSocketStreamFace.opened}. */
export interface WebSocketOpenInfo {
  /** The extensions in use; may be empty. */
  readonly extensions: string;
  /** The subprotocol in use; empty if there is none. */
  readonly protocol: string;
  /** Incoming messages: text as strings, bytes as `Uint8Array`s. Without a reader, the peer has to stop sending. */
  readonly readable: ReadableStream<string | Uint8Array>;
  /**
   * Outgoing messages: bytes, and anything else as text. A write waits for room, `close` waits for the end of the
   * connection.
   */
  readonly writable: WritableStream<unknown>;
}

/** A `WebSocketStream`: a connection as two Web Streams with backpressure. */
export interface WebSocketStreamFace {
  /** The complete URL that it connects to. */
  readonly url: string;
  /** Fulfils when the connection is open; rejects with a {@linkcode WebSocketError}, or the signal's reason. */
  readonly opened: Promise<WebSocketOpenInfo>;
  /**
   * Fulfils when the connection was closed cleanly. Otherwise it rejects with a {@linkcode WebSocketError}, also when
   * the peer closed while a write was pending.
   */
  readonly closed: Promise<Required<WebSocketCloseInfo>>;
  /**
   * Closes the connection. While connecting, it cancels the attempt.
   *
   * @param closeInfo The close code, 1000 or 3000–4999, and the reason. With a reason and no code, the code is 1000.
   * @throws {DOMException} `InvalidAccessError` for another code, `SyntaxError` for a reason that is too long.
   * @throws {TypeError} When it is no object, or the code is no integer from 0 to 65535.
   */
  close(closeInfo?: WebSocketCloseInfo): void;
}

/** A class of {@linkcode WebSocketStreamFace}s. */
export interface WebSocketStreamFaceClass {
  /** The prototype of the class's objects. */
  readonly prototype: WebSocketStreamFace;
  /**
   * Connects to a server.
   *
   * @param url The URL, as for `WebSocket`.
   * @param options The subprotocols to offer, and a signal.
   * @throws {DOMException} `SyntaxError` when the URL or a subprotocol is malformed, or a subprotocol is offered twice.
   * @throws {TypeError} When an option is of the wrong type.
   */
  new (url: string | URL, options?: WebSocketStreamOptions): WebSocketStreamFace;
}

/** Converts a written value to a message: Web IDL's `BufferSource`, copied, or anything else as a `USVString`. */
function toMessage(chunk: unknown): string | Uint8Array {
  const bytes = bufferSource(chunk, "write");
  if (bytes === null) return toText(chunk);
  // A detached buffer has no bytes.
  return byteLengthOf(bytes) === 0 ? new Uint8Array(0) : copyOf(bytes);
}

/** Implements a `WebSocketStream`: one connection and its two streams. */
class StreamFace {
  readonly opened: Deferred<WebSocketOpenInfo> = new Deferred();
  readonly closed: Deferred<Required<WebSocketCloseInfo>> = new Deferred();
  #channel: WebSocketChannel | null = null;
  /** Whether the signal has ended the attempt. */
  #isAborted = false;
  #reading: ReadableStreamDefaultController<string | Uint8Array> | null = null;
  #writing: WritableStreamDefaultController | null = null;
  /** Whether a write is waiting for room. */
  #isWaiting = false;
  #isDrained = false;
  /** Whether this side has started to close. */
  #hasClosed = false;
  /** Whether the peer's Close arrived before everything was sent. */
  #isUnsent = false;
  /** How the connection ended; `null` before that. */
  #ending: { readonly error: WebSocketError | null } | null = null;
  readonly #ended: Deferred = new Deferred();

  /** Starts using a channel. */
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

  /** Fails the attempt, because it was not started or was given up. */
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
        // Messages that arrive before the peer's Close must not block it.
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

  /** Closes the readable, after everything was read and the connection closed cleanly. */
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

  /** Waits for the end. Rejects if it was not clean, or if something was not sent. */
  async #outcome(isUnsent = false): Promise<void> {
    await this.#ended.promise;
    const error = this.#ending?.error ?? null;
    if (error !== null) throw error;
    if (isUnsent) throw closedError();
  }

  /** Handles the end of the channel. */
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

  /** Closes the connection with a checked code and reason. */
  close(code: number | null, reason: string): void {
    validateClose(code, reason);
    this.#hasClosed = true;
    const sent = code ?? (reason === "" ? undefined : 1000);
    void this.#channel?.sink.close(sent, sent === undefined ? undefined : reason);
  }

  /**
   * Closes because of an error: with the code and reason of a `WebSocketError` ("close using reason" of the standard).
   */
  #closeFor(error: unknown): void {
    if (!(error instanceof WebSocketError)) return this.close(null, "");
    try {
      this.close(error.closeCode, error.reason);
    } catch {
      // The code is a peer's, and can't be sent.
      this.close(null, "");
    }
  }
}

/** Adds a message to the channel; returns `false` if it was dropped. */
function isAdded({ sink }: WebSocketChannel, message: string | Uint8Array): boolean {
  try {
    return sink.add(message);
  } catch {
    // This side has closed the sink.
    return false;
  }
}

/** Reads and drops all messages. */
async function discard({ stream }: WebSocketChannel): Promise<void> {
  while (!(await stream.next()).done);
}

function closedError(): DOMException {
  return invalidState("Cannot write: the WebSocketStream is closed");
}

function messageFor({ code, error }: CloseInfo, isUnsent: boolean): string {
  if (isUnsent) return `The peer closed with ${code} before everything was sent`;
  const message = messageOf(error);
  return message === "" ? "The connection was not closed cleanly" : message;
}

/**
 * Creates a class whose objects connect with the given options.
 *
 * @param connector The way in which its entry connects.
 * @param source The options of its connections.
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

    // As Web IDL says, the `length` of a method is the number of its required arguments.
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

/** Does the work of `createWebSocketStream`. */
export function createStreamClass(
  connector: Connector,
  source: FaceOptionsSource,
): WebSocketStreamFaceClass {
  if (typeof source !== "function") checkFaceOptions(connector, source);
  return webSocketStreamClass(connector, source);
}
