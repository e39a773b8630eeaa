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

/** After how long what was received is acknowledged, in milliseconds. */
const ACKNOWLEDGE_TIME = 1000;

/** RFC 6455 §7.4.1. */
const PROTOCOL_ERROR = 1002;

/** What a {@linkcode SessionLink} reports, and what it leaves to its owner. */
export interface SessionLinkEvents {
  /** Adds a message to the sink of a connection. */
  transmit(connection: WebSocketChannel, wire: Kept["wire"], options: Kept["options"]): void;
  /** Less is kept. */
  onDrained(): void;
  /** The peer has acknowledged all that was sent. */
  onAcknowledged(): void;
  /** The peer has sent far more than the user reads: what follows wasn't received. */
  onOverrun(): void;
  /** The connection can't go on. */
  onFault(error: unknown): void;
}

/** A session on its present connection: what both sides do alike with the {@linkcode Session}'s messages. */
export class SessionLink {
  readonly session: Session;
  /** Whether the peer's Close, once it comes, ends the session. */
  isLast = false;
  /** Counts what is held: apart from what is kept, which never makes room for a waiting user. */
  readonly #unread: Pool;
  readonly #clock: Clock;
  readonly #events: SessionLinkEvents;
  #connection: WebSocketChannel | null = null;
  /** Stops what the connection delivers, where that can be done. */
  #subscription: StreamSubscription | null = null;
  #timer: unknown;
  #waitsForRoom = false;
  /** Whether the user's stream is full: then nothing is acknowledged, which stops the peer after its window. */
  #isWithheld = false;
  /** What was received meanwhile, in bytes. */
  #held = 0;
  /** Whether to ask for an acknowledgement when everything is handed on. */
  #asks = false;
  /** Whether nothing more is sent but what is kept: see {@linkcode finish}. */
  #isFinishing = false;

  /**
   * Creates a session without a connection.
   *
   * @param limits See {@linkcode SessionLimits}.
   * @param clock Where times come from.
   * @param events What it reports.
   */
  constructor(limits: SessionLimits, clock: Clock, events: SessionLinkEvents) {
    this.session = new Session(limits);
    this.#unread = limits.unread;
    this.#clock = clock;
    this.#events = events;
  }

  /**
   * Goes on, on a connection on which both sides have said hello.
   *
   * @param connection It is open.
   * @param subscription Of its stream, which the owner reads.
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

  /** The connection is lost, or silenced. */
  lose(): void {
    this.#connection = null;
    this.#subscription = null;
    this.#stopTimer();
  }

  #stopTimer(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Sends a message, now or later. */
  send(kept: Kept): void {
    this.session.keep(kept);
    if (this.#isWithheld) this.#regulate();
    this.pump();
  }

  /**
   * Reads a message of the connection.
   *
   * @returns The user's; `null` if it is none.
   */
  receive(message: Message): Message | null {
    const { session } = this;
    // What the user has closed his side to wasn't received.
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

  /** Acknowledges what was received: at once if it is much, else within a second. */
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

  /** The user's stream is full. */
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
   * Who ignores its window isn't read any further; nor is anybody without need, when memory is short. Acknowledgements
   * are needed: the user may wait for them with all else.
   */
  #regulate(): void {
    const isShort = this.#isTooMuch || this.#unread.isFull;
    if (this.#isWithheld && isShort && this.session.size === 0) this.#subscription?.pause();
    else this.#subscription?.resume();
  }

  /** What to say of the window on the connection that begins: see {@linkcode Session.announce}. */
  announce(): number {
    return this.session.announce(this.#held);
  }

  /** There is room in the user's stream. */
  goOn(): void {
    this.#isWithheld = false;
    this.#hold(-this.#held);
    this.#acknowledge();
  }

  /** Asks the peer to acknowledge, once it has got everything. */
  ask(): void {
    if (this.session.size === 0) return;
    this.#asks = true;
    this.pump();
  }

  /** Asks at once: a peer that is there answers. */
  probe(): void {
    this.#say(COUNT_REQUEST);
  }

  /** Nothing is added any more: the peer acknowledges all, whether its user reads or not. */
  finish(): void {
    this.#isFinishing = true;
    this.#asks = true;
    this.pump();
  }

  /** Sends what there is to send, while there is room. */
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
   * Sends a message on a connection, as it is. Of a sink that is closed nothing is said: the connection's end follows.
   * One that can't be used otherwise is a fault: messages of others on it would be counted.
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

  /** The session has ended. Ask before for what it has kept. */
  end(): void {
    this.lose();
    this.#hold(-this.#held);
    this.session.end();
  }
}

/** The error of a peer that doesn't keep to `resume.v1`. */
export function brokenProtocol(fault: string): ProtocolError {
  return new ProtocolError(`Cannot go on with the session: ${fault}`, PROTOCOL_ERROR);
}
