import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import { ignore } from "../stream_channel/errors.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import type { SendOptions } from "../web_socket/web_socket_sink.ts";
import {
  COUNT_REQUEST,
  formatCount,
  LAST_CLOSE,
  parseCount,
  TEXT_MARK,
} from "./resume_messages.ts";

/** A message that is kept until the peer has acknowledged it. */
export interface Kept {
  /** As it is sent: text with its mark; what many sessions share, framed once. */
  readonly wire: Message | PreparedMessage;
  readonly options: SendOptions | undefined;
  /** What it counts, in bytes. */
  readonly size: number;
}

/** Counts the bytes that sessions keep. */
export interface Pool {
  /** Whether nothing more should be kept. */
  readonly isFull: boolean;
  /** Counts a message that a session keeps. */
  keep(kept: Kept): void;
  /** A session keeps the message no more. */
  release(kept: Kept): void;
  /** Counts bytes that come or, below 0, go. */
  add(size: number): void;
}

/** The pool of a session that shares none. */
export const UNLIMITED: Pool = { isFull: false, keep: ignore, release: ignore, add: ignore };

/** What a message of the peer's was that isn't one of the user's: see {@linkcode Session.receive}. */
export type Control =
  | typeof FAULT
  | typeof ACKNOWLEDGED
  | typeof ASKED
  | typeof LAST;

/** The peer has broken the protocol: see {@linkcode Session.fault}. */
export const FAULT = 0;
/** The peer has acknowledged. */
export const ACKNOWLEDGED = 1;
/** The peer wants to know at once how much has been received. */
export const ASKED = 2;
/** The peer sends no other message in this session: its Close follows. */
export const LAST = 3;

/** How many bytes are received until they are acknowledged at once, unless the window is small; fewer after a second. */
const ACKNOWLEDGE_AFTER = 64 * 1024;

/** What a session may keep, and what the peer may send. */
export interface SessionLimits {
  /** Counts what is kept, in all sessions together. */
  readonly pool: Pool;
  /** Counts what was received and the user doesn't read, in all sessions together. */
  readonly unread: Pool;
  /** How many bytes this session may keep, and the peer may send that aren't acknowledged. At least 1. */
  readonly maxBuffer: number;
}

/**
 * One side of a session, as a value: it has no connection, timer or clock. It counts messages both ways, keeps
 * those sent until they are acknowledged, and says what the next message on the connection is.
 *
 * Both sides use it. A message's number is its place in the session: none travels.
 */
export class Session {
  /** What is wrong with what the peer has sent. */
  fault = "";
  /** Whether the peer has asked how much was received. */
  isAsked = false;
  /** How many bytes it may keep, and the peer may have in flight. */
  readonly maxBuffer: number;
  readonly #pool: Pool;
  #announced: number;
  /** What isn't acknowledged, from the index `#head` on. */
  #kept: Kept[] = [];
  #head = 0;
  #size = 0;
  /** How many of this side's messages the peer has acknowledged. */
  #acknowledged = 0;
  /** How many of them were handed to the present connection, or acknowledged. */
  #sent = 0;
  /** How many of them were ever handed to a connection. */
  #reached = 0;
  /** The bytes of those that were handed to the present connection and aren't acknowledged. */
  #inFlight = 0;
  /** How many bytes the peer lets be in flight. */
  #window = Infinity;
  #received = 0;
  /** How many messages the peer knows that they were received, and the bytes of those it doesn't know of. */
  #told = 0;
  #untold = 0;
  #isOver = false;

  /** Creates a session in which nothing was sent. */
  constructor({ pool, maxBuffer }: SessionLimits) {
    this.#pool = pool;
    this.maxBuffer = this.#announced = maxBuffer;
  }

  /** How many bytes it keeps. */
  get size(): number {
    return this.#size;
  }

  /** Whether nothing should be added: too much is kept here, or in all sessions together. */
  get isFull(): boolean {
    return this.#size >= this.maxBuffer || this.#pool.isFull;
  }

  /** How many of the peer's messages were received. */
  get received(): number {
    return this.#received;
  }

  /** Whether a message waits to be handed to a connection, and the peer lets it be sent. */
  get hasNext(): boolean {
    return !this.isHandedOn && this.#inFlight < this.#window;
  }

  /** Whether everything was handed to the connection. */
  get isHandedOn(): boolean {
    return this.#sent === this.#acknowledged + this.#kept.length - this.#head;
  }

  /** Keeps a message that is to be sent. */
  keep(kept: Kept): void {
    if (this.#isOver) return;
    this.#kept.push(kept);
    this.#size += kept.size;
    this.#pool.keep(kept);
  }

  /** The next message for the connection; ask only while {@linkcode hasNext}. */
  get first(): Kept {
    return this.#kept[this.#head + this.#sent - this.#acknowledged] as Kept;
  }

  /** Takes {@linkcode first}. */
  next(): Kept {
    const kept = this.first;
    this.#sent++;
    this.#inFlight += kept.size;
    this.#reached = Math.max(this.#reached, this.#sent);
    return kept;
  }

  /** What was handed to a connection and isn't acknowledged, in order. */
  get unacknowledged(): Message[] {
    return this.#slice(this.#acknowledged, this.#reached).map(contentOf);
  }

  /** What no connection has got, in order. */
  get unsent(): readonly Kept[] {
    return this.#slice(this.#reached, Infinity);
  }

  #slice(from: number, to: number): Kept[] {
    const first = this.#head - this.#acknowledged;
    return this.#kept.slice(first + from, first + to);
  }

  /**
   * Another connection of the session begins.
   *
   * @param received How many messages the peer has received.
   * @param window How many bytes it lets be in flight.
   * @param isAsked Whether the peer waits for an acknowledgement. What was received it knows from our hello.
   * @returns `false` when the number can't be: it would acknowledge what was never sent, or take back what was
   * acknowledged. Nothing has changed then.
   */
  resume(received: number, window: number, isAsked: boolean): boolean {
    if (!this.#acknowledge(received, this.#reached)) return false;
    this.#sent = received;
    this.#inFlight = 0;
    this.#window = window;
    this.isAsked = isAsked;
    this.#tellAll();
    return true;
  }

  /** Keeps {@linkcode first} no more: the connection has it, and its peer doesn't acknowledge. */
  letGo(): void {
    this.next();
    this.#acknowledge(this.#sent, this.#sent);
  }

  /** Whether {@linkcode resume} would take this number. */
  canResume(received: number): boolean {
    return received >= this.#acknowledged && received <= this.#reached;
  }

  #acknowledge(count: number, sent: number): boolean {
    if (count < this.#acknowledged || count > sent) return false;
    for (; this.#acknowledged < count; this.#acknowledged++) {
      this.#release(this.#kept[this.#head++] as Kept);
    }
    // Moved seldom enough to cost nothing a message.
    if (this.#head > 64 && 2 * this.#head > this.#kept.length || this.#size === 0) {
      this.#kept = this.#kept.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  #release(kept: Kept): void {
    this.#size -= kept.size;
    // What another connection had is not in flight on this one.
    this.#inFlight = Math.max(this.#inFlight - kept.size, 0);
    this.#pool.release(kept);
  }

  /**
   * Reads a message of the peer's, behind its hello.
   *
   * @returns The user's message, or what else it was.
   */
  receive(message: Message): Message | Control {
    if (typeof message !== "string") return this.#take(message);
    if (message[0] === TEXT_MARK) return this.#take(message.slice(1));
    if (message === LAST_CLOSE || message === COUNT_REQUEST) {
      this.isAsked = true;
      return message === LAST_CLOSE ? LAST : ASKED;
    }
    const count = parseCount(message);
    if (count !== null && this.#acknowledge(count, this.#sent)) return ACKNOWLEDGED;
    this.fault = count === null
      ? "it sent a message of no known kind"
      : `it acknowledged ${count} messages, not ${this.#acknowledged} to ${this.#sent}`;
    return FAULT;
  }

  #take(message: Message): Message {
    this.#received++;
    this.#untold += sizeOfMessage(message);
    return message;
  }

  /** Whether so much was received that it must be acknowledged at once. */
  get mustTell(): boolean {
    return this.#untold >= Math.min(ACKNOWLEDGE_AFTER, this.#announced / 4);
  }

  /** Whether the peer has sent far more than it may: it doesn't wait for acknowledgements. */
  get isOverrun(): boolean {
    return this.#untold >= 2 * this.#announced;
  }

  /** Whether something was received that the peer wasn't told of. */
  get canTell(): boolean {
    return this.#told < this.#received;
  }

  /**
   * An acknowledgement.
   *
   * @param isAll Whether to acknowledge everything that was received; otherwise what the peer knows already.
   */
  tell(isAll: boolean): string {
    if (isAll) this.#tellAll();
    this.isAsked = false;
    return formatCount(this.#told);
  }

  #tellAll(): void {
    this.#told = this.#received;
    this.#untold = 0;
  }

  /**
   * How many bytes the peer may have in flight on the connection that begins.
   *
   * @param held How many bytes wait for a stream that isn't read: a client that comes again and again gets less each
   * time, but never so little that a reader who catches up is slowed down.
   */
  announce(held: number): number {
    const { maxBuffer } = this;
    this.#announced = Math.ceil(Math.max(maxBuffer - held, maxBuffer / 8));
    return this.#announced;
  }

  /** The session has ended, and keeps nothing. Ask before for what it has kept. */
  end(): void {
    this.#isOver = true;
    for (const kept of this.#kept.splice(0).slice(this.#head)) this.#pool.release(kept);
    this.#head = 0;
    this.#size = 0;
  }
}

/** A message of the user's as it is kept. Bytes must be a copy. */
export function kept(message: Message, options: SendOptions | undefined): Kept {
  const wire = typeof message === "string" ? TEXT_MARK + message : message;
  return { wire, options, size: sizeOfMessage(message) };
}

/** The user's message. */
export function contentOf({ wire }: Kept): Message {
  const content = typeof wire === "object" && "frame" in wire ? wire.content : wire;
  return typeof content === "string" ? content.slice(1) : content;
}
