import { byteLengthOf, copyOf, isBinary, ownBytes } from "../realm/bytes.ts";
import { DEFAULT_HIGH_WATER_MARK } from "../stream_channel/counted_queue.ts";
import type { StreamSubscription } from "../stream_channel/channel_stream.ts";
import { ignore } from "../stream_channel/errors.ts";
import { afterTurn } from "../stream_channel/loop_guard.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { utf8Length } from "../web_socket/message_input.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import { closeEvent, errorEvent, fire, messageEvent } from "./face_events.ts";
import { validateClose } from "./face_target.ts";
import { isBlob } from "./web_idl.ts";

/** The ready state of a connection that is not open yet. */
export const CONNECTING = 0;
/** The ready state of an open connection. */
export const OPEN = 1;
/** The ready state of a connection that one side has started to close. */
export const CLOSING = 2;
/** The ready state of a connection that has ended or could not be opened. */
export const CLOSED = 3;

/** The form in which binary messages are delivered. */
export type FaceBinaryType = "blob" | "arraybuffer";

const EMPTY = new Uint8Array(0);

/** Queues a task, as in HTML: each task runs in its own turn, followed by the microtasks that it causes. */
function queueTask(task: () => void): void {
  afterTurn(task);
}

/**
 * Implements a `WebSocket` over a channel: its states, its events in separate tasks, and its queue of messages to send.
 * The object that users hold delegates to it, and gets its events.
 */
export class SocketFace {
  /** The value of `WebSocket.binaryType`. */
  binaryType: FaceBinaryType = "blob";
  /** The value of `WebSocket.readyState`. */
  readyState: number;
  /** The value of `WebSocket.protocol`. */
  protocol = "";
  /** The value of `WebSocket.extensions`. */
  extensions = "";
  readonly #target: EventTarget;
  readonly #channel: WebSocketChannel;
  readonly #origin: string;
  readonly #subscription: StreamSubscription;
  /** Whether the connection was ever open. */
  #wasOpen: boolean;
  /** Whether the stream has ended, so that no message follows. */
  #hasDone = false;
  #info: CloseInfo | null = null;
  /** Whether `close` was called. */
  #hasClosed = false;
  /** The error of a Blob that could not be read. */
  #failure: { readonly error: unknown } | null = null;
  /** How many bytes of received messages wait for their tasks. */
  #pending = 0;
  /** The steps that wait until a Blob is read. */
  #steps: (() => void | Promise<void>)[] | null = null;
  /** How many bytes these steps will send. */
  #waiting = 0;
  /** How many bytes were passed to `send` when sending was no longer possible. */
  #dropped = 0;
  /** The value of `bufferedAmount` for the rest of this task; `null` until it is read. */
  #amount: number | null = null;

  /**
   * Takes over the messages and the sink of a channel.
   *
   * @param target The object that gets the events.
   * @param channel The channel.
   * @param url The URL of the connection.
   * @param isNew Whether the channel was created for it. If so, it starts as connecting, even if the channel has
   * already failed.
   * @throws {DOMException} `InvalidStateError` when the channel's stream has had a reader.
   */
  constructor(target: EventTarget, channel: WebSocketChannel, url: string, isNew: boolean) {
    this.#target = target;
    this.#channel = channel;
    this.#origin = URL.canParse(url) ? new URL(url).origin : "";
    this.#subscription = channel.stream.listen((message) => this.#onMessage(message), {
      onDone: () => this.#onDone(),
    });
    const state = isNew ? "connecting" : channel.state;
    this.readyState = STATES[state];
    this.#wasOpen = state !== "connecting";
    if (this.#wasOpen) this.#readOpening();
    else channel.ready.then(() => this.#onOpen(), ignore);
    channel.closed.then((info) => {
      this.#info = info;
      this.#finish();
    });
  }

  // Events of the channel.

  #onOpen(): void {
    if (this.#wasOpen) return;
    this.#wasOpen = true;
    queueTask(() => {
      if (this.readyState !== CONNECTING) return;
      this.readyState = OPEN;
      this.#readOpening();
      fire(this.#target, new Event("open"));
    });
  }

  #readOpening(): void {
    this.extensions = this.#channel.extensions;
    this.protocol = this.#channel.protocol ?? "";
  }

  #onMessage(message: Message): void {
    // A message may arrive in the same chunk as the answer to the opening handshake.
    this.#onOpen();
    const size = message.length;
    this.#pending += size;
    if (this.#pending > DEFAULT_HIGH_WATER_MARK) this.#subscription.pause();
    queueTask(() => {
      this.#pending -= size;
      if (this.#pending === 0 && this.#subscription.isPaused) this.#subscription.resume();
      if (this.readyState !== OPEN) return;
      fire(this.#target, messageEvent(this.#dataOf(message), this.#origin));
    });
  }

  #dataOf(message: Message): string | Blob | ArrayBufferLike {
    if (typeof message === "string") return message;
    if (this.binaryType === "arraybuffer") return ownBytes(message).buffer;
    return new Blob([message as Uint8Array<ArrayBuffer>]);
  }

  /** Called when the peer's Close was received, or the connection has ended; earlier messages have their tasks. */
  #onDone(): void {
    const onEnd = (): void => {
      this.#hasDone = true;
      queueTask(() => {
        if (this.readyState === OPEN) this.readyState = CLOSING;
      });
      this.#finish();
    };
    // After the open event, because the peer's Close may be in the same chunk as the answer to the opening handshake.
    this.#channel.ready.then(onEnd, onEnd);
  }

  /** Fires the last events once the channel has ended and no message follows. */
  #finish(): void {
    const info = this.#info;
    if (info === null || !this.#hasDone) return;
    queueTask(() => {
      this.readyState = CLOSED;
      const { error } = this.#failure ?? info;
      if (this.#isFailed(info)) fire(this.#target, errorEvent(error));
      const { wasClean, code, reason } = info;
      fire(this.#target, closeEvent({ wasClean, code, reason }));
    });
  }

  /**
   * Whether to fire an error event: if the connection failed (WHATWG WebSockets). A lost connection has failed (RFC
   * 6455 §7.2.1); one whose peer doesn't answer a Close has not.
   */
  #isFailed({ initiator, wasClean, error }: CloseInfo): boolean {
    if (!this.#wasOpen || this.#failure !== null) return true;
    if (wasClean || error === undefined || initiator === "remote") return false;
    return initiator !== "timeout" || !this.#hasClosed;
  }

  // Members that users call.

  /** The value of `WebSocket.bufferedAmount`, which never decreases within a task. */
  get bufferedAmount(): number {
    if (this.#amount === null) {
      this.#amount = this.#channel.sink.bufferedAmount + this.#waiting + this.#dropped;
      queueTask(() => void (this.#amount = null));
    }
    return this.#amount;
  }

  /**
   * Does the work of `WebSocket.send`.
   *
   * @param data The message, converted by Web IDL to a `BufferSource`, a `Blob` or a text.
   */
  send(data: MessageInput | Blob): void {
    if (this.readyState === CONNECTING) {
      throw new DOMException("Cannot send: the connection is not open yet", "InvalidStateError");
    }
    const size = sizeOf(data);
    this.#amount = this.bufferedAmount + size;
    if (this.readyState !== OPEN) this.#dropped += size;
    else if (isBlob(data)) this.#later(size, async () => this.#add(await bytesOf(data), size));
    else if (this.#steps === null) this.#add(data, size);
    else {
      const kept = typeof data === "string" || size === 0 ? data : copyOf(data);
      this.#later(size, () => this.#add(kept, size));
    }
  }

  #add(data: MessageInput, size: number): void {
    try {
      // A detached buffer has no bytes.
      const message = size === 0 && typeof data !== "string" ? EMPTY : data;
      if (!this.#channel.sink.add(message)) this.#dropped += size;
    } catch {
      // The owner of the channel has closed it, or uses its sink for a stream.
      this.#dropped += size;
    }
  }

  /**
   * Does the work of `WebSocket.close`.
   *
   * @throws {DOMException} `InvalidAccessError` or `SyntaxError`: see {@linkcode validateClose}.
   */
  close(code: number | null, reason: string): void {
    validateClose(code, reason);
    if (this.readyState >= CLOSING) return;
    this.readyState = CLOSING;
    this.#hasClosed = true;
    const close = (): void => {
      // A reason needs a code.
      const sent = code ?? (reason === "" ? undefined : 1000);
      void this.#channel.sink.close(sent, sent === undefined ? undefined : reason);
    };
    if (this.#steps === null || this.#channel.state === "connecting") close();
    else this.#later(0, close);
  }

  /** Runs a step after all pending Blobs are read. */
  #later(size: number, step: () => void | Promise<void>): void {
    this.#waiting += size;
    const waiting = async (): Promise<void> => {
      await step();
      this.#waiting -= size;
    };
    if (this.#steps !== null) return void this.#steps.push(waiting);
    this.#steps = [waiting];
    void this.#run(this.#steps);
  }

  async #run(steps: (() => void | Promise<void>)[]): Promise<void> {
    try {
      for (const step of steps) await step();
    } catch (error) {
      // The file behind a Blob is gone, so its message can't be sent.
      this.#failure ??= { error };
      this.#dropped += this.#waiting;
      this.#waiting = 0;
      this.#channel.terminate();
    }
    this.#steps = null;
  }
}

const STATES = { connecting: CONNECTING, open: OPEN, closing: CLOSING, closed: CLOSED } as const;

function sizeOf(data: MessageInput | Blob): number {
  if (typeof data === "string") return utf8Length(data);
  return isBinary(data) ? byteLengthOf(data) ?? 0 : data.size;
}

async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}
