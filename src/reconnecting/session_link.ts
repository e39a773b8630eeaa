import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import type { StreamSubscription } from "../stream_channel/channel_stream.ts";
import type { Clock } from "../web_socket/clock.ts";
import { ProtocolError } from "../web_socket/errors.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { COUNT_REQUEST, isUsers, LAST_CLOSE } from "./resume_messages.ts";
import {
  ACKNOWLEDGED,
  FAULT,
  type Kept,
  LAST,
  type Pool,
  Session,
  type SessionLimits,
} from "./session.ts";

/** How long after a message was received to acknowledge it at the latest, in milliseconds. */
const ACKNOWLEDGE_TIME = 1000;

/** The close code for a protocol error (RFC 6455 §7.4.1). */
const PROTOCOL_ERROR = 1002;

/** The actions and events of a {@linkcode SessionLink}; its owner implements them. */
export interface SessionLinkEvents {
  /** Adds a message to the sink of a connection. */
  transmit(connection: WebSocketChannel, wire: Kept["wire"], options: Kept["options"]): void;
  /** Called when fewer messages are kept. */
  onDrained(): void;
  /** Called when the peer has acknowledged everything. */
  onAcknowledged(): void;
  /** Called when the peer has sent far more than its window; further messages were not received. */
  onOverrun(): void;
  /** Called when the connection is unusable. */
  onFault(error: unknown): void;
}

/** Connects a {@linkcode Session} to its current connection; both sides use it. */
export class SessionLink {
  readonly session: Session;
  /** Whether the peer's next Close ends the session. */
  isLast = false;
  /**
   * Counts received messages that the user hasn't read. They are separate from kept ones, since they never make room
   * for a waiting sender.
   */
  readonly #unread: Pool;
  readonly #clock: Clock;
  readonly #events: SessionLinkEvents;
  #connection: WebSocketChannel | null = null;
  /** The subscription to the connection's stream, if it can be paused. */
  #subscription: StreamSubscription | null = null;
  #timer: unknown;
  #waitsForRoom = false;
  /** Whether the user's stream is full. Then nothing is acknowledged, so the peer stops after its window. */
  #isWithheld = false;
  /** The bytes received while the user's stream was full. */
  #held = 0;
  /** Whether to request an acknowledgement when everything is sent. */
  #asks = false;
  /** Whether only kept messages are still sent: see {@linkcode finish}. */
  #isFinishing = false;

  /**
   * Creates a session without a connection.
   *
   * @param limits The limits of the session.
   * @param clock The clock for acknowledgements.
   * @param events The actions and events.
   */
  constructor(limits: SessionLimits, clock: Clock, events: SessionLinkEvents) {
    this.session = new Session(limits);
    this.#unread = limits.unread;
    this.#clock = clock;
    this.#events = events;
  }

  /**
   * Continues on a connection on which both sides have sent their hello.
   *
   * @param connection The open connection.
   * @param subscription The owner's subscription to its stream.
   */
  open(connection: WebSocketChannel, subscription: StreamSubscription | null = null): void {
    this.#connection = connection;
    this.#subscription = subscription;
    this.isLast = false;
    this.#waitsForRoom = false;
    this.#regulate();
    if (this.#isFinishing) this.#asks = true;
    this.pump();
  }

  /** Stops using the connection, because it is lost or replaced. */
  lose(): void {
    this.#connection = null;
    this.#subscription = null;
    this.#stopTimer();
  }

  #stopTimer(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Sends a message, now or when the connection and the window allow. */
  send(kept: Kept): void {
    this.session.keep(kept);
    if (this.#isWithheld) this.#regulate();
    this.pump();
  }

  /**
   * Reads a message of the connection.
   *
   * @returns The user's message; `null` if it is another message.
   */
  receive(message: Message): Message | null {
    const { session } = this;
    // After the user has closed this side, user messages don't count as received.
    if (this.#isFinishing && isUsers(message)) return null;
    if (this.#isWithheld && isUsers(message) && this.#isTooMuch) {
      this.#events.onOverrun();
      return null;
    }
    const received = session.receive(message);
    if (typeof received !== "number") {
      if (this.#isWithheld) this.#hold(sizeOfMessage(received));
      else this.#acknowledge();
      return received;
    }
    if (received === FAULT) this.#events.onFault(brokenProtocol(session.fault));
    else if (received === ACKNOWLEDGED) this.#onAcknowledged();
    else {
      if (received === LAST) this.isLast = true;
      this.pump();
    }
    return null;
  }

  #onAcknowledged(): void {
    this.pump();
    this.#events.onDrained();
    if (this.session.size === 0) this.#events.onAcknowledged();
  }

  /** Acknowledges received messages: at once if they are large, otherwise within a second. */
  #acknowledge(): void {
    if (this.session.mustTell) this.pump();
    else if (this.#timer === undefined && this.session.canTell) {
      this.#timer = this.#clock.setTimeout(() => {
        this.#timer = undefined;
        if (!this.#isWithheld && this.session.canTell) this.#tell(true);
      }, ACKNOWLEDGE_TIME);
    }
  }

  #tell(isAll: boolean): void {
    const text = this.session.tell(isAll);
    if (isAll) this.#stopTimer();
    this.#say(text);
  }

  /** Stops acknowledging, because the user's stream is full. */
  withhold(): void {
    this.#isWithheld = true;
  }

  #hold(size: number): void {
    this.#held += size;
    this.#unread.add(size);
    this.#regulate();
  }

  /** Whether the peer has sent far more than the user reads. */
  get #isTooMuch(): boolean {
    const { session } = this;
    return this.#subscription === null ? session.isOverrun : this.#held >= 2 * session.maxBuffer;
  }

  /**
   * Pauses or resumes reading. It stops reading from a peer that ignores its window. When memory is short, it reads
   * only from peers whose acknowledgements the user may be waiting for.
   */
  #regulate(): void {
    const isShort = this.#isTooMuch || this.#unread.isFull;
    if (this.#isWithheld && isShort && this.session.size === 0) this.#subscription?.pause();
    else this.#subscription?.resume();
  }

  /** Returns the window for a new connection: see {@linkcode Session.announce}. */
  announce(): number {
    return this.session.announce(this.#held);
  }

  /** Acknowledges again, because the user's stream has room. */
  goOn(): void {
    this.#isWithheld = false;
    this.#hold(-this.#held);
    this.#acknowledge();
  }

  /** Requests an acknowledgement once everything is sent. */
  ask(): void {
    if (this.session.size === 0) return;
    this.#asks = true;
    this.pump();
  }

  /** Requests an acknowledgement at once, which a live peer answers. */
  probe(): void {
    this.#say(COUNT_REQUEST);
  }

  /** Stops accepting messages, so that the peer acknowledges everything, whether its user reads or not. */
  finish(): void {
    this.#isFinishing = true;
    this.#asks = true;
    this.pump();
  }

  /** Sends queued messages while there is room. */
  pump(): void {
    const connection = this.#connection;
    if (connection === null) return;
    const { session } = this;
    const { sink } = connection;
    const mustTell = session.isAsked || session.mustTell && !this.#isWithheld;
    if (mustTell && sink.hasRoom) this.#tell(!this.#isWithheld || this.isLast);
    while (session.hasNext && sink.hasRoom && connection.state === "open") {
      const { wire, options } = session.next();
      this.#say(wire, options);
    }
    if (this.#asks && session.isHandedOn && (sink.hasRoom || this.#isFinishing)) {
      this.#asks = false;
      if (this.#isFinishing) this.#tell(true);
      this.#say(this.#isFinishing ? LAST_CLOSE : COUNT_REQUEST);
    }
    if (session.hasNext || this.#asks || session.isAsked) this.#pumpLater(connection);
  }

  #pumpLater(connection: WebSocketChannel): void {
    if (this.#waitsForRoom || connection.sink.hasRoom) return;
    this.#waitsForRoom = true;
    connection.sink.ready.then(() => {
      if (this.#connection !== connection) return;
      this.#waitsForRoom = false;
      this.pump();
    });
  }

  /**
   * Sends a message on a connection unchanged. A closed sink is ignored, because the connection's end follows. Any
   * other unusable sink is a fault: the session would count messages of other senders.
   */
  say(connection: WebSocketChannel, wire: Kept["wire"], options?: Kept["options"]): void {
    try {
      this.#events.transmit(connection, wire, options);
    } catch (error) {
      if (connection.state === "open") this.#events.onFault(error);
    }
  }

  #say(wire: Kept["wire"], options?: Kept["options"]): void {
    if (this.#connection !== null) this.say(this.#connection, wire, options);
  }

  /** Ends the session. Read what it has kept before. */
  end(): void {
    this.lose();
    this.#hold(-this.#held);
    this.session.end();
  }
}

/** Creates the error of a peer that violates `resume.v1`. */
export function brokenProtocol(fault: string): ProtocolError {
  return new ProtocolError(`Cannot continue the session: ${fault}`, PROTOCOL_ERROR);
}
