import { lacking } from "../web_socket/capabilities.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { checkCode } from "../web_socket/web_socket_sink.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";
import type { Line, LineEvents, LineOpening, LineOptions, LineRest } from "./line.ts";
import { formatHello, type Hello, parseHello, RESUME_PROTOCOL } from "./resume_messages.ts";
import { copied, give } from "./plain_line.ts";
import { contentOf, type Kept, kept, type SessionLimits, UNLIMITED } from "./session.ts";
import { brokenProtocol, SessionLink, type SessionLinkEvents } from "./session_link.ts";

/** The state of the current connection. */
type Stage =
  /** There is no connection, or it has not received the server's hello. */
  | "away"
  /** The server resumes: messages are acknowledged. */
  | "resumable"
  /** The server doesn't resume: messages are sent unchanged. */
  | "plain";

/** The line of a channel with resumption. `docs/reference/resume_protocol.md` specifies the protocol. */
export class ResumeLine implements Line, SessionLinkEvents {
  readonly #events: LineEvents;
  readonly #options: LineOptions;
  readonly #limits: SessionLimits;
  #link: SessionLink;
  #stage: Stage = "away";
  #connection: WebSocketChannel | null = null;
  /** The session's id; `null` if there is no session to resume. */
  #id: string | null = null;
  #attempt = 0;
  /** Whether there was a session, resumable or not. */
  #hasBegun = false;
  /** Messages that wait for a new session. */
  #waiting: readonly Kept[] = [];
  /** Whether the user's stream is full. */
  #isPaused = false;
  /** How to close once everything is acknowledged; `null` if not closing. */
  #closing: { readonly code: number | undefined; readonly reason: string | undefined } | null =
    null;
  #deadline: Deadline | null = null;

  /** Creates a line without a connection. */
  constructor(events: LineEvents, options: LineOptions) {
    this.#events = events;
    this.#options = options;
    const maxBuffer = Math.max(options.maxBuffer, 1);
    this.#limits = { pool: UNLIMITED, unread: UNLIMITED, maxBuffer };
    this.#link = this.#createLink();
  }

  #createLink(): SessionLink {
    const link = new SessionLink(this.#limits, this.#options.clock, this);
    if (this.#isPaused) link.withhold();
    return link;
  }

  get isFull(): boolean {
    return this.#link.session.isFull;
  }

  get hasRoom(): boolean {
    if (this.#stage === "plain") return this.#connection?.sink.hasRoom !== false;
    return !this.isFull;
  }

  get bufferedAmount(): number {
    const { size } = this.#link.session;
    return this.#stage === "plain" ? size + (this.#connection?.sink.bufferedAmount ?? 0) : size;
  }

  offer(protocols: readonly string[]): readonly string[] {
    return [RESUME_PROTOCOL, ...protocols];
  }

  open(connection: WebSocketChannel): void {
    this.#connection = connection;
    if (connection.protocol !== RESUME_PROTOCOL) return this.#openPlainly(connection);
    const hello = formatHello({
      session: this.#id ?? undefined,
      attempt: ++this.#attempt,
      received: this.#link.session.received,
      window: this.#link.announce(),
    });
    this.#link.say(connection, hello);
  }

  /** Continues without resumption: the server doesn't support it, so the previous session is lost. */
  #openPlainly(connection: WebSocketChannel): void {
    const { protocol } = connection;
    const unacknowledged = this.#startOver();
    this.#id = null;
    this.#hasBegun = false;
    this.#report({ resumable: false, unacknowledged, protocol });
    if (this.#connection !== connection) return;
    this.#stage = "plain";
    this.#sendPlainly();
  }

  /**
   * Starts a new session. Messages that no connection has got wait for it.
   *
   * @returns The unacknowledged messages of the previous session; `null` if there was none.
   */
  #startOver(): Message[] | null {
    const { unacknowledged, unsent } = this.#link.session;
    this.#link.end();
    this.#link = this.#createLink();
    this.#waiting = unsent;
    return this.#hasBegun ? unacknowledged : null;
  }

  #keepWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const it of waiting) this.#link.session.keep(it);
  }

  /** Reports that the connection is ready for messages, then sends the queued ones. */
  #report(opening: LineOpening): void {
    // Messages that the user adds because a session was lost precede the queued ones.
    if (opening.unacknowledged === null) this.#keepWaiting();
    this.#events.onOpen(opening);
    this.#keepWaiting();
  }

  #welcome(connection: WebSocketChannel, hello: Hello): void {
    const { session: id, received, window, protocol } = hello;
    const isSame = id === this.#id;
    const isPossible = isSame ? this.#link.session.canResume(received) : received === 0;
    if (id === null || !isPossible) {
      return this.onFault(brokenProtocol("its hello does not fit the session"));
    }
    const unacknowledged = isSame ? null : this.#startOver();
    // The acknowledgement confirms the id; the server then calls its handler.
    this.#link.session.resume(received, window, true);
    this.#id = id;
    this.#hasBegun = true;
    this.#stage = "resumable";
    this.#report({ resumable: true, unacknowledged, protocol });
    if (this.#connection === connection) this.#link.open(connection);
    // There may be room now: the hello acknowledges messages, or the previous session was lost.
    this.#events.onDrained();
  }

  receive(message: Message): Message | null {
    if (this.#stage === "plain") return message;
    if (this.#stage === "resumable") return this.#link.receive(message);
    const hello = parseHello(message);
    const connection = this.#connection;
    if (hello === null) this.onFault(brokenProtocol("it sent no hello"));
    else if (connection !== null) this.#welcome(connection, hello);
    return null;
  }

  add(message: MessageInput, options: SendOptions | undefined): void {
    const connection = this.#connection;
    if (options?.compress === false && connection?.capabilities.compressionOptions === false) {
      throw lacking("compressionOptions");
    }
    this.#link.send(kept(copied(message), options));
    if (this.#stage === "plain") this.#sendPlainly();
  }

  /** Sends everything, as a channel without resumption does. */
  #sendPlainly(): void {
    const { session } = this.#link;
    try {
      while (session.hasNext) {
        const { first } = session;
        if (!give(this.#connection, contentOf(first), first.options)) return;
        session.letGo();
      }
    } catch (error) {
      session.letGo();
      return this.#events.onFault(error, true);
    }
    this.#events.onDrained();
  }

  /** Sends a heartbeat. A session has no uncounted messages, so it uses its own request instead. */
  beat(message: MessageInput): void {
    if (this.#stage === "plain") give(this.#connection, message);
    else this.probe();
  }

  probe(): void {
    this.#link.probe();
  }

  watch(): void {
    if (this.#stage !== "plain") return this.#link.ask();
    const connection = this.#connection;
    // Messages that the connection's sink doesn't take wait for the next connection.
    if (connection === null || this.#link.session.size > 0) return;
    const tell = (): void => {
      if (this.#connection === connection) this.#events.onDrained();
    };
    connection.sink.ready.then(tell);
    connection.sink.flush().then(tell, tell);
  }

  pause(): void {
    this.#isPaused = true;
    this.#link.withhold();
  }

  resume(): void {
    this.#isPaused = false;
    this.#link.goOn();
  }

  lose(_info: CloseInfo): void {
    this.#connection = null;
    this.#stage = "away";
    this.#link.lose();
    // The server has ended the session, so the next connection starts a new one.
    if (this.#link.isLast) this.#id = null;
  }

  close(code: number | undefined, reason: string | undefined): void {
    const connection = this.#connection;
    if (connection === null) return;
    checkCode(code, connection.capabilities);
    this.#closing = { code, reason };
    if (this.#stage !== "resumable") return this.#closeNow();
    this.#link.finish();
    if (this.#link.session.size === 0) return this.#closeNow();
    const { clock, closeTimeout: ms } = this.#options;
    this.#deadline ??= new Deadline(clock, { ms, onTime: () => this.#closeNow() });
  }

  #closeNow(): void {
    const { code, reason } = this.#closing ?? {};
    this.#deadline?.clear();
    this.#closing = null;
    void this.#connection?.sink.close(code, reason);
  }

  transmit({ sink }: WebSocketChannel, wire: Kept["wire"], options: Kept["options"]): void {
    sink.add(wire as Message, options);
  }

  onDrained(): void {
    this.#events.onDrained();
  }

  onAcknowledged(): void {
    if (this.#closing !== null) this.#closeNow();
  }

  onOverrun(): void {
    this.onFault(brokenProtocol("it ignored the window"));
  }

  onFault(error: unknown): void {
    // Another connection with this id would fail in the same way.
    this.#id = null;
    this.#events.onFault(error);
  }

  end(): LineRest {
    this.#deadline?.clear();
    this.#keepWaiting();
    const { unacknowledged, unsent: queued } = this.#link.session;
    const unsent = queued.map(contentOf);
    this.#link.end();
    return unacknowledged.length === 0 ? { unsent } : { unsent, unacknowledged };
  }
}
