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
  /** The message as it is sent: text with its mark; a message that many sessions share is framed once. */
  readonly wire: Message | PreparedMessage;
  readonly options: SendOptions | undefined;
  /** The size that it counts, in bytes. */
  readonly size: number;
}

/** A counter of the bytes that sessions keep. */
export interface Pool {
  /** Whether the limit is reached. */
  readonly isFull: boolean;
  /** Counts a message that a session keeps. */
  keep(kept: Kept): void;
  /** Stops counting a message that a session no longer keeps. */
  release(kept: Kept): void;
  /** Changes the number of kept bytes by `size`, which may be negative. */
  add(size: number): void;
}

/** The pool of a session without a shared limit. */
export const UNLIMITED: Pool = { isFull: false, keep: ignore, release: ignore, add: ignore };

/** The type of a peer's message that isn't a user's message: see {@linkcode Session.receive}. */
export type Control =
  | typeof FAULT
  | typeof ACKNOWLEDGED
  | typeof ASKED
  | typeof LAST;

/** The peer broke the protocol: see {@linkcode Session.fault}. */
export const FAULT = 0;
/** The peer acknowledged messages. */
export const ACKNOWLEDGED = 1;
/** The peer requests an acknowledgement at once. */
export const ASKED = 2;
/** The peer sends no more messages in this session; its Close follows. */
export const LAST = 3;

/**
 * After how many received bytes to acknowledge at once, unless the window is small. Fewer bytes are acknowledged within
 * a second.
 */
const ACKNOWLEDGE_AFTER = 64 * 1024;

/** Limits of what a session may keep, and of what the peer may send. */
export interface SessionLimits {
  /** The pool that counts kept messages of all sessions. */
  readonly pool: Pool;
  /** The pool that counts received messages of all sessions that the user hasn't read. */
  readonly unread: Pool;
  /** How many bytes this session may keep, and how many unacknowledged bytes the peer may send. At least 1. */
  readonly maxBuffer: number;
}

/**
 * One side of a session, without a connection, timer or clock. It counts messages in both directions, keeps sent ones
 * until they are acknowledged, and provides the next message for the connection.
 *
 * Both sides use it. A message's number is its position in the session, and is never sent.
 */
export class Session {
  /** What was wrong with the peer's last message. */
  fault = "";
  /** Whether the peer has requested an acknowledgement. */
  isAsked = false;
  /** How many bytes the session may keep, and the peer may have in flight. */
  readonly maxBuffer: number;
  readonly #pool: Pool;
  #announced: number;
  /** The unacknowledged messages, from the index `#head` on. */
  #kept: Kept[] = [];
  #head = 0;
  #size = 0;
  /** How many of this side's messages the peer has acknowledged. */
  #acknowledged = 0;
  /** How many of them were sent on the current connection, or acknowledged. */
  #sent = 0;
  /** How many of them were ever sent on a connection. */
  #reached = 0;
  /** The bytes of those sent on the current connection and not acknowledged. */
  #inFlight = 0;
  /** How many bytes the peer allows in flight. */
  #window = Infinity;
  #received = 0;
  /** How many received messages were acknowledged, and the bytes of those that were not. */
  #told = 0;
  #untold = 0;
  #isOver = false;

  /** Creates a session without messages. */
  constructor({ pool, maxBuffer }: SessionLimits) {
    this.#pool = pool;
    this.maxBuffer = this.#announced = maxBuffer;
  }

  /** The number of bytes that the session keeps. */
  get size(): number {
    return this.#size;
  }

  /** Whether nothing should be added, because this session or all sessions together keep too much. */
  get isFull(): boolean {
    return this.#size >= this.maxBuffer || this.#pool.isFull;
  }

  /** How many of the peer's messages were received. */
  get received(): number {
    return this.#received;
  }

  /** Whether a message can be sent now: one is queued, and the peer's window allows it. */
  get hasNext(): boolean {
    return !this.isHandedOn && this.#inFlight < this.#window;
  }

  /** Whether everything was sent on the current connection. */
  get isHandedOn(): boolean {
    return this.#sent === this.#acknowledged + this.#kept.length - this.#head;
  }

  /** Queues a message, and keeps it until it is acknowledged. */
  keep(kept: Kept): void {
    if (this.#isOver) return;
    this.#kept.push(kept);
    this.#size += kept.size;
    this.#pool.keep(kept);
  }

  /** The next message to send. Read it only while {@linkcode hasNext}. */
  get first(): Kept {
    return this.#kept[this.#head + this.#sent - this.#acknowledged] as Kept;
  }

  /** Returns {@linkcode first}, and counts it as sent. */
  next(): Kept {
    const kept = this.first;
    this.#sent++;
    this.#inFlight += kept.size;
    this.#reached = Math.max(this.#reached, this.#sent);
    return kept;
  }

  /** The messages that were sent on a connection and are not acknowledged, in order. */
  get unacknowledged(): Message[] {
    return this.#slice(this.#acknowledged, this.#reached).map(contentOf);
  }

  /** The messages that were never sent on a connection, in order. */
  get unsent(): readonly Kept[] {
    return this.#slice(this.#reached, Infinity);
  }

  #slice(from: number, to: number): Kept[] {
    const first = this.#head - this.#acknowledged;
    return this.#kept.slice(first + from, first + to);
  }

  /**
   * Continues the session on another connection.
   *
   * @param received How many messages the peer has received.
   * @param window How many bytes the peer allows in flight.
   * @param isAsked Whether the peer waits for an acknowledgement. It knows from our hello what was received.
   * @returns `false` if the number is impossible: it includes messages that were never sent, or excludes acknowledged
   * ones. Nothing has changed then.
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

  /** Drops {@linkcode first}: the connection has it, and its peer doesn't acknowledge. */
  letGo(): void {
    this.next();
    this.#acknowledge(this.#sent, this.#sent);
  }

  /** Whether {@linkcode resume} would accept this number. */
  canResume(received: number): boolean {
    return received >= this.#acknowledged && received <= this.#reached;
  }

  #acknowledge(count: number, sent: number): boolean {
    if (count < this.#acknowledged || count > sent) return false;
    for (; this.#acknowledged < count; this.#acknowledged++) {
      this.#release(this.#kept[this.#head++] as Kept);
    }
    // The array is shortened rarely, so that it costs almost nothing for each message.
    if (this.#head > 64 && 2 * this.#head > this.#kept.length || this.#size === 0) {
      this.#kept = this.#kept.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  #release(kept: Kept): void {
    this.#size -= kept.size;
    // Messages sent on an earlier connection are not in flight on this one.
    this.#inFlight = Math.max(this.#inFlight - kept.size, 0);
    this.#pool.release(kept);
  }

  /**
   * Reads a message that the peer sent after its hello.
   *
   * @returns The user's message, or the type of any other message.
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

  /** Whether enough was received to acknowledge it at once. */
  get mustTell(): boolean {
    return this.#untold >= Math.min(ACKNOWLEDGE_AFTER, this.#announced / 4);
  }

  /** Whether the peer has sent far more than its window, without waiting for acknowledgements. */
  get isOverrun(): boolean {
    return this.#untold >= 2 * this.#announced;
  }

  /** Whether some received messages are not acknowledged yet. */
  get canTell(): boolean {
    return this.#told < this.#received;
  }

  /**
   * Returns the next acknowledgement to send.
   *
   * @param isAll Whether to acknowledge everything that was received; otherwise repeats the last acknowledgement.
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
   * Returns how many bytes the peer may have in flight on a new connection.
   *
   * @param held How many received bytes the user hasn't read. A client that reconnects repeatedly gets less each time,
   * but always enough not to slow down a reader that catches up.
   */
  announce(held: number): number {
    const { maxBuffer } = this;
    this.#announced = Math.ceil(Math.max(maxBuffer - held, maxBuffer / 8));
    return this.#announced;
  }

  /** Ends the session, and drops all messages. Read what it has kept before. */
  end(): void {
    this.#isOver = true;
    for (const kept of this.#kept.splice(0).slice(this.#head)) this.#pool.release(kept);
    this.#head = 0;
    this.#size = 0;
  }
}

/** Prepares a user's message for keeping. Bytes must be a copy. */
export function kept(message: Message, options: SendOptions | undefined): Kept {
  const wire = typeof message === "string" ? TEXT_MARK + message : message;
  return { wire, options, size: sizeOfMessage(message) };
}

/** Returns the user's message that is kept. */
export function contentOf({ wire }: Kept): Message {
  const content = typeof wire === "object" && "frame" in wire ? wire.content : wire;
  return typeof content === "string" ? content.slice(1) : content;
}
