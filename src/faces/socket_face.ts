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

/** WHATWG WebSockets, the ready states. */
export const CONNECTING = 0;
/** See {@linkcode CONNECTING}. */
export const OPEN = 1;
/** See {@linkcode CONNECTING}. */
export const CLOSING = 2;
/** See {@linkcode CONNECTING}. */
export const CLOSED = 3;

/** In what form binary messages are given. */
export type FaceBinaryType = "blob" | "arraybuffer";

const EMPTY = new Uint8Array(0);

/** HTML, "queue a task": each task has a turn of its own, and what microtasks it leads to run behind it. */
function queueTask(task: () => void): void {
  afterTurn(task);
}

/**
 * What a `WebSocket` does, over a channel: its states, its events in tasks of their own, and what waits to be
 * sent. The object that users hold has its members, and is what the events are fired at.
 */
export class SocketFace {
  /** See `WebSocket.binaryType`. */
  binaryType: FaceBinaryType = "blob";
  /** See `WebSocket.readyState`. */
  readyState: number;
  /** See `WebSocket.protocol`. */
  protocol = "";
  /** See `WebSocket.extensions`. */
  extensions = "";
  readonly #target: EventTarget;
  readonly #channel: WebSocketChannel;
  readonly #origin: string;
  readonly #subscription: StreamSubscription;
  /** Whether the connection was ever open. */
  #wasOpen: boolean;
  /** The stream has ended: no message follows. */
  #hasDone = false;
  #info: CloseInfo | null = null;
  /** Whether `close` has begun to close. */
  #hasClosed = false;
  /** A Blob could not be read. */
  #failure: { readonly error: unknown } | null = null;
  /** How many bytes of messages wait for their tasks. */
  #pending = 0;
  /** What waits behind a Blob that is being read. */
  #steps: (() => void | Promise<void>)[] | null = null;
  /** How many bytes wait there. */
  #waiting = 0;
  /** How many bytes were sent when nothing could be sent any more. */
  #dropped = 0;
  /** What `bufferedAmount` is for the rest of this task; `null` before it is asked. */
  #amount: number | null = null;

  /**
   * Puts it over a channel, whose messages and sink it takes.
   *
   * @param target What the events are fired at.
   * @param channel The channel.
   * @param url What it connects to.
   * @param isNew Whether the channel was made for it: then it is connecting, even if it has failed by now.
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

  // Feedback from the protocol.

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
    // A message may come in the same chunk as the answer to the opening handshake.
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

  /** The peer's Close is in, or the connection has ended: all messages before have their tasks. */
  #onDone(): void {
    const onEnd = (): void => {
      this.#hasDone = true;
      queueTask(() => {
        if (this.readyState === OPEN) this.readyState = CLOSING;
      });
      this.#finish();
    };
    // Behind the open event: the peer's Close may be in the chunk that has the answer to the opening handshake.
    this.#channel.ready.then(onEnd, onEnd);
  }

  /** The channel has ended, and no message follows. */
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
   * WHATWG WebSockets: an error is fired when the connection was failed. RFC 6455 §7.2.1: one that is lost is; one whose
   * peer doesn't answer a Close isn't.
   */
  #isFailed({ initiator, wasClean, error }: CloseInfo): boolean {
    if (!this.#wasOpen || this.#failure !== null) return true;
    if (wasClean || error === undefined || initiator === "remote") return false;
    return initiator !== "timeout" || !this.#hasClosed;
  }

  // What users do.

  /** See `WebSocket.bufferedAmount`: within a task it never falls. */
  get bufferedAmount(): number {
    if (this.#amount === null) {
      this.#amount = this.#channel.sink.bufferedAmount + this.#waiting + this.#dropped;
      queueTask(() => void (this.#amount = null));
    }
    return this.#amount;
  }

  /**
   * See `WebSocket.send`.
   *
   * @param data What Web IDL makes a `BufferSource`, a `Blob` or a text.
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
      // The bytes of a detached buffer are none.
      const message = size === 0 && typeof data !== "string" ? EMPTY : data;
      if (!this.#channel.sink.add(message)) this.#dropped += size;
    } catch {
      // The owner of the channel has closed it, or has given its sink to a stream.
      this.#dropped += size;
    }
  }

  /**
   * See `WebSocket.close`.
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

  /** Does something behind the Blobs that are being read. */
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
      // A file that is gone: what was to be sent can't be.
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
