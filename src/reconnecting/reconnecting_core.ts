import { isSendable, normalClosure } from "../../status.ts";
import { adopted, isPromiseLike } from "../realm/kinds.ts";
import { sinkOwner } from "../stream_channel/channel_sink.ts";
import {
  MessageStream,
  type StreamEvents,
  streamFeed,
  type StreamSubscription,
} from "../stream_channel/channel_stream.ts";
import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import {
  callSafely,
  Deferred,
  ignore,
  invalidState,
  rethrowLater,
} from "../stream_channel/errors.ts";
import { checkOption } from "../stream_channel/options.ts";
import { Channel } from "../web_socket/channel.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { type Clock, MAX_TIMEOUT, systemClock } from "../web_socket/clock.ts";
import { parseProtocols } from "../web_socket/connect_url.ts";
import { LimitError, QueueFullError, WebSocketChannelError } from "../web_socket/errors.ts";
import { checkMessage } from "../web_socket/message_input.ts";
import {
  type ConnectOptions,
  DEFAULT_CLOSE_TIMEOUT,
  DEFAULT_CONNECT_TIMEOUT,
  DEFAULT_MAX_QUEUE_SIZE,
} from "../web_socket/options.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import {
  checkCloseArguments,
  type MessageInput,
  readSendOptions,
  type SendOptions,
  type WebSocketSinkTarget,
} from "../web_socket/web_socket_sink.ts";
import { Attempt, endQuietly, infoOf } from "./attempt.ts";
import { asksForPatience, decisiveCode, delayAfter, isWorthRetrying } from "./back_off.ts";
import type { Line, LineEvents, LineOpening } from "./line.ts";
import { Liveness, PROBE_TIMEOUT } from "./liveness.ts";
import { readAddress, readReconnectingOptions } from "./options.ts";
import { PlainLine } from "./plain_line.ts";
import type { ReconnectingOptions, Target, TargetAddress } from "./reconnecting_channel.ts";
import { EMPTY, FULL, ReconnectingSink, SOME } from "./reconnecting_sink.ts";
import { Life, type ReconnectingCloseInfo, type ReconnectingState } from "./state.ts";
import { States } from "./states.ts";
import { WakeUp, type WakeUpEvents } from "./wake_up.ts";

/** Connects to a URL with one transport or another. Throws when an argument is malformed. */
export type Connect = (
  url: string | URL,
  options: ConnectOptions,
  clock: Clock,
) => WebSocketChannel;

/** What a {@linkcode ReconnectingCore} depends on. */
export interface ReconnectingMeans {
  /** Connects to a URL. */
  readonly connect: Connect;
  /** Notices a sleep. Left out: the one that all channels of the clock share. */
  readonly wakeUp?: WakeUp;
}

const DEFAULT_MAX_BUFFER = 0x10_0000;

const NO_HEARTBEAT = { interval: 0, timeout: 0 };

/**
 * What a channel that reconnects does: its attempts and connections, its states, and the order of an ending.
 * Users hold a {@linkcode ReconnectingChannel}.
 */
export class ReconnectingCore
  implements StreamEvents, WebSocketSinkTarget, LineEvents, WakeUpEvents {
  /** Where received messages go. */
  readonly incoming: MessageStream<Message>;
  /** Where sent messages come from. */
  readonly sink: ReconnectingSink;
  readonly #life = new Life();
  readonly #closed = new Deferred<ReconnectingCloseInfo>();
  readonly #target: Target;
  readonly #options: ReconnectingOptions;
  readonly #clock: Clock;
  readonly #connect: Connect;
  readonly #wakeUp: WakeUp;
  readonly #line: Line;
  readonly #onAbort = (): void => {
    this.#cause ??= this.#options.signal?.reason;
    void sinkOwner.close(this.sink);
  };
  #states: States | null = null;
  /** What `onState` is still to be called with; `null`: nothing, and it can be called at once. */
  #unannounced: ReconnectingState[] | null = null;
  #attempt: Attempt | null = null;
  #timer: unknown;
  /** The server has asked for this delay. */
  #isPatient = false;
  #connection: WebSocketChannel | null = null;
  #subscription: StreamSubscription | null = null;
  /** The stream of the connection has given all. */
  #isDrained = false;
  #liveness: Liveness | null = null;
  #resumable = false;
  #protocol: string | null = null;
  /** Why this side has dropped the connection, in the place of what the connection reports. */
  #verdict: CloseInfo | null = null;
  /** Another connection would end as this one did. */
  #isMisuse = false;
  /** The next attempt comes at once. */
  #hurries = false;
  /** The user wants it, also while the platform is offline. */
  #insists = false;
  /** Why the user has closed the channel, if by an error. */
  #cause: unknown;
  #hasStarted = false;
  #hasOpened = false;
  #openedAt = 0;
  #awaySince: number;
  /** How many attempts and connections have ended since a connection that lasted. */
  #failures = 0;
  #attempts = 0;
  #lastClose: CloseInfo | null = null;

  /**
   * Begins to connect.
   *
   * @param target See {@linkcode Target}.
   * @param given See {@linkcode ReconnectingOptions}.
   * @param means See {@linkcode ReconnectingMeans}.
   * @throws {SyntaxError | TypeError | RangeError} When the target or an option is malformed.
   */
  constructor(
    target: Target,
    given: ReconnectingOptions | undefined,
    { connect, wakeUp }: ReconnectingMeans,
  ) {
    const options = this.#options = readReconnectingOptions(given);
    const { maxBuffer = DEFAULT_MAX_BUFFER, closeTimeout = DEFAULT_CLOSE_TIMEOUT } = options;
    const clock = this.#clock = options.clock ?? systemClock;
    this.#target = typeof target === "function" ? target : readAddress(target);
    this.#connect = connect;
    this.#wakeUp = wakeUp ?? WakeUp.of(clock);
    this.#awaySince = clock.now();
    this.incoming = new MessageStream<Message>(this, { sizeOf: sizeOfMessage });
    this.sink = new ReconnectingSink(this);
    this.#line = options.resume?.createLine(this, { maxBuffer, closeTimeout, clock }) ??
      new PlainLine(this, { maxBuffer });
    this.#start();
  }

  #start(): void {
    const { signal } = this.#options;
    // The user has yet to get the channel that `onState` may use.
    this.#unannounced = [];
    queueMicrotask(() => this.#announceAll());
    if (signal?.aborted) return this.#onAbort();
    if (this.#wakeUp.isOnline) this.#try();
    else this.#enter({ name: "paused" });
    this.#hasStarted = true;
    signal?.addEventListener("abort", this.#onAbort);
    this.#wakeUp.add(this);
  }

  // What users see.

  get state(): ReconnectingState {
    return this.#life.state;
  }

  get closed(): Promise<ReconnectingCloseInfo> {
    return this.#closed.promise;
  }

  /** The connection, while messages may pass on it. */
  get connection(): WebSocketChannel | null {
    return this.#isConnected ? this.#connection : null;
  }

  get resumable(): boolean {
    return this.#isConnected && this.#resumable;
  }

  get protocol(): string | null {
    return this.#isConnected ? this.#protocol : null;
  }

  get states(): MessageStream<ReconnectingState> {
    return (this.#states ??= new States(this.state)).stream;
  }

  get #isConnected(): boolean {
    const { name } = this.#life;
    return name === "open" || name === "reset" || name === "closing";
  }

  get #isClosing(): boolean {
    return this.#life.name === "closing";
  }

  get #isOver(): boolean {
    return this.#life.name === "closed";
  }

  /** See `ReconnectingChannel.reconnect`. */
  reconnect(): boolean {
    const { name } = this.#life;
    if (name === "closed" || name === "closing") return false;
    if (name === "waiting" || name === "paused") this.#try();
    else {
      // An attempt that runs is what the user wants.
      this.#insists = this.#attempt === null;
      if (name !== "connecting" && this.#connection !== null) {
        this.#drop(infoOf(undefined, "local"), true);
      }
    }
    return true;
  }

  // States.

  #enter(state: ReconnectingState): boolean {
    if (!this.#life.enter(state)) return false;
    this.#states?.add(state);
    if (this.#unannounced !== null) this.#unannounced.push(state);
    else {
      this.#unannounced = [state];
      this.#announceAll();
    }
    return true;
  }

  /** What a callback leads to is announced behind it. */
  #announceAll(): void {
    const all = this.#unannounced ?? [];
    for (let state = all.shift(); state !== undefined; state = all.shift()) {
      callSafely(this.#options.onState, state);
    }
    this.#unannounced = null;
  }

  // Attempts.

  #try(): void {
    this.#clock.clearTimeout(this.#timer);
    const attempt = this.#failures + 1;
    if (!this.#enter({ name: "connecting", attempt }) || this.#life.name !== "connecting") return;
    this.#attempts++;
    this.#isMisuse = false;
    const { connectTimeout = DEFAULT_CONNECT_TIMEOUT } = this.#options;
    const options = {
      attempt,
      lastClose: this.#lastClose,
      clock: this.#clock,
      timeout: connectTimeout,
    };
    try {
      this.#attempt = new Attempt(this.#target, this, options);
    } catch (error) {
      if (this.#hasStarted) return this.onFailed(infoOf(error, "local"), true);
      // It is made inside the user's call, which fails.
      this.#unannounced = [];
      throw error;
    }
  }

  /** Connects to an address. Throws when it is malformed. */
  connect(address: TargetAddress): WebSocketChannel {
    const { url, protocols, ...options } = readAddress(address);
    const { connectTimeout, closeTimeout } = this.#options;
    const offered = this.#line.offer(parseProtocols(protocols));
    const all = { connectTimeout, closeTimeout, ...options, protocols: offered };
    return this.#connect(url, all, this.#clock);
  }

  /** The attempt has an open connection. */
  onConnected(connection: WebSocketChannel): void {
    Channel.checkWhole(connection);
    this.#isDrained = false;
    this.#subscription = this.#listen(connection);
    this.#connection = connection;
    if (streamFeed.isPaused(this.incoming)) this.pause();
    const onClosed = (info: CloseInfo): void => this.#onClosed(info);
    adopted(connection.closed).then(onClosed, (error) => onClosed(infoOf(error)));
    this.#line.open(connection);
  }

  #listen({ stream }: WebSocketChannel): StreamSubscription {
    try {
      return stream.listen((message) => this.#receive(message), {
        onDone: () => this.#isDrained = true,
      });
    } catch {
      // It is left to its reader, which may be another channel of this kind.
      throw invalidState(
        "Cannot connect: the target function returned a channel that has a reader",
      );
    }
  }

  /** See {@linkcode LineEvents.onOpen}. */
  onOpen({ resumable, unacknowledged, protocol }: LineOpening): void {
    const now = this.#clock.now();
    this.#attempt?.done();
    this.#attempt = null;
    this.#hasOpened = true;
    this.#hurries = false;
    this.#openedAt = now;
    this.#resumable = resumable;
    this.#protocol = protocol;
    this.#liveness = new Liveness(this, this.#clock, this.#options.heartbeat ?? NO_HEARTBEAT);
    if (unacknowledged !== null) this.#enter({ name: "reset", unacknowledged });
    const downtime = now - this.#awaySince;
    this.#enter({ name: "open", attempt: this.#failures + 1, downtime, resumable });
  }

  /** The attempt has failed. */
  onFailed(info: CloseInfo, isMisuse: boolean): void {
    this.#attempt = null;
    this.#isMisuse = isMisuse;
    // There is a connection, but the peer never said hello on it: what follows is its end.
    if (this.#connection !== null) this.#drop(info, this.#hurries);
    else this.#decide(info);
  }

  /** See {@linkcode LineEvents.onFault}. */
  onFault(error: unknown, isFinal = false): void {
    this.#isMisuse = isFinal;
    this.#drop(infoOf(error, isFinal ? "local" : "protocol-error"), false);
  }

  // Losing a connection.

  /** This side gives the connection up; `hurries`: the next attempt comes at once. */
  #drop(verdict: CloseInfo, hurries: boolean): void {
    this.#verdict ??= verdict;
    this.#hurries = hurries;
    endQuietly(this.#connection);
  }

  #onClosed(info: CloseInfo): void {
    if (this.#isDrained) return this.#lose(info);
    // All that it has given comes before what the next one gives, although there is no reader.
    const subscription = this.#subscription;
    this.#subscription = null;
    subscription?.resume();
    queueMicrotask(() => queueMicrotask(() => this.#lose(info)));
  }

  #lose(ended: CloseInfo): void {
    if (this.#connection === null) return;
    const verdict = this.#verdict;
    const info = verdict === null ? ended : { ...ended, ...verdict };
    const now = this.#clock.now();
    const wasOpen = this.#isConnected;
    this.#connection = this.#subscription = this.#verdict = null;
    this.#endAttempt(info.error);
    this.#stopLiveness();
    if (wasOpen) {
      this.#awaySince = now;
      const { minUptime = 5000 } = this.#options;
      if (now - this.#openedAt >= minUptime) this.#failures = 0;
    }
    this.#line.lose(info);
    this.#decide(info);
  }

  #endAttempt(reason: unknown): void {
    this.#attempt?.giveUp(reason);
    this.#attempt = null;
  }

  /** Whether there is another attempt, and when. */
  #decide(info: CloseInfo): void {
    const attempt = this.#failures + 1;
    this.#lastClose = info;
    if (this.#isClosing) return this.#end(info);
    const size = streamFeed.queuedSize(this.incoming);
    if (size > DEFAULT_MAX_QUEUE_SIZE) return this.#end({ ...info, error: tooSlow(size) });
    let answer: boolean | number;
    let delay: number;
    try {
      answer = this.#ask(info, attempt);
      delay = answer === true ? this.#delayAfter(info) : +answer;
    } catch (error) {
      return this.#end({ ...info, error });
    }
    // `retry` may have closed the channel.
    if (this.#isClosing) return this.#end(info);
    if (this.#isOver) return;
    if (answer === false) return this.#end(withReason(info));
    // `retry` may have called `reconnect`.
    const insists = this.#insists;
    const hurries = insists || answer === true && this.#hurries;
    this.#hurries = this.#insists = false;
    this.#failures++;
    if (!this.#wakeUp.isOnline && !insists) return void this.#enter({ name: "paused" });
    this.#isPatient = answer === true && !hurries && asksForPatience(info);
    this.#wait(hurries ? 0 : delay, info);
  }

  #delayAfter(info: CloseInfo): number {
    const { firstDelay = 500, maxDelay = 30_000, random = Math.random } = this.#options;
    const chance = (): number => {
      const answer = random();
      checkAnswer("random", answer, "chance");
      return answer;
    };
    return delayAfter(this.#failures, info, { firstDelay, maxDelay, random: chance });
  }

  #ask(info: CloseInfo, attempt: number): boolean | number {
    const { retry } = this.#options;
    if (retry === undefined) return !this.#isMisuse && isWorthRetrying(info);
    const answer = retry(info, attempt);
    if (typeof answer !== "boolean") checkAnswer("retry", answer, "boolean|number");
    if (typeof answer === "number") checkOption("retry's result", answer, "time");
    return answer;
  }

  #wait(wanted: number, info: CloseInfo): void {
    const delay = Math.min(wanted, MAX_TIMEOUT);
    const until = (this.#clock.wall?.() ?? this.#clock.now()) + delay;
    this.#timer = this.#clock.setTimeout(() => this.#try(), delay);
    this.#enter({ name: "waiting", attempt: this.#failures + 1, delay, until, info });
  }

  // Receiving.

  #receive(message: Message): void {
    this.#liveness?.heard();
    const received = this.#line.receive(message);
    if (received === null || this.#isReply(received)) return;
    streamFeed.add(this.incoming, received);
  }

  #isReply(message: Message): boolean {
    const isReply = this.#options.heartbeat?.isReply;
    if (isReply === undefined) return false;
    try {
      const answer = isReply(message);
      if (isPromiseLike(answer as unknown)) checkAnswer("heartbeat.isReply", answer, "boolean");
      return answer;
    } catch (error) {
      rethrowLater(error);
      return false;
    }
  }

  pause(): void {
    if (this.#line.pause !== undefined) this.#line.pause();
    else this.#subscription?.pause();
  }

  resume(): void {
    if (this.#line.resume !== undefined) this.#line.resume();
    else this.#subscription?.resume();
  }

  // Sending.

  get bufferedAmount(): number {
    return this.#line.bufferedAmount;
  }

  get load(): number {
    if (!this.#line.hasRoom || this.#refuses) return FULL;
    return this.bufferedAmount === 0 ? EMPTY : SOME;
  }

  /** Whether messages don't wait for a connection. */
  get #refuses(): boolean {
    const { whileAway = "queue" } = this.#options;
    return whileAway !== "queue" && !this.#isConnected;
  }

  /** Whether a message that is added now is dropped. Throws when it is refused. */
  isDropped(): boolean {
    if (this.#refuses) {
      if (this.#options.whileAway === "drop") return true;
      throw invalidState("Cannot add: there is no connection");
    }
    if (!this.#line.isFull) return false;
    throw new QueueFullError("maxBuffer", this.#options.maxBuffer ?? DEFAULT_MAX_BUFFER);
  }

  check(message: MessageInput, options?: SendOptions): void {
    if (options !== undefined) readSendOptions(options);
    checkMessage(message);
  }

  add(message: MessageInput, options?: SendOptions): void {
    this.check(message, options);
    this.#line.add(message, options);
  }

  watch(): void {
    this.#line.watch();
  }

  onDrained(): void {
    sinkOwner.drained(this.sink);
    if (sinkOwner.isWaitedFor(this.sink)) this.#line.watch();
  }

  // Liveness.

  /**
   * Asks the peer for a sign of life.
   *
   * @returns Whether it could.
   */
  ask(): boolean {
    const connection = this.#connection;
    if (connection === null) return false;
    const { message } = this.#options.heartbeat ?? {};
    try {
      if (message !== undefined) this.#beat(message());
      else if (connection.capabilities.ping) {
        const liveness = this.#liveness;
        connection.ping().then(() => liveness?.heard(), ignore);
      } else if (this.#line.probe !== undefined) this.#line.probe();
      else return false;
      return true;
    } catch (error) {
      rethrowLater(error);
      return false;
    }
  }

  #beat(message: MessageInput): void {
    settle(message);
    checkMessage(message);
    this.#line.beat(message);
  }

  /** No sign of life came in time; `isProbe`: it was asked for after a sleep. */
  onDead(isProbe: boolean): void {
    const text = "The connection was lost: the peer gave no sign of life";
    this.#drop(infoOf(new WebSocketChannelError(text), "timeout"), isProbe);
  }

  onWake(): void {
    const { name } = this.#life;
    if (name === "waiting" && !this.#isPatient) this.#tryAfresh();
    else if (name === "connecting") this.#hurry();
    else if (this.#isConnected) this.#liveness?.probe();
  }

  /** What it waits for may have been lost in the sleep. */
  #hurry(): void {
    this.#hurries = true;
    this.#attempt?.hurry(PROBE_TIMEOUT);
  }

  #tryAfresh(): void {
    this.#failures = 0;
    this.#try();
  }

  onOnline(): void {
    if (this.#life.name === "paused") this.#tryAfresh();
    else this.onWake();
  }

  onOffline(): void {
    if (this.#life.name !== "waiting") return;
    this.#clock.clearTimeout(this.#timer);
    this.#enter({ name: "paused" });
  }

  // The end.

  /** See `WebSocketSink.close`. */
  closeWith(code: number | undefined, reason: string | undefined): Promise<void> {
    if (sinkOwner.isClosed(this.sink)) return this.sink.done;
    checkCloseArguments(code, reason, isSendable);
    this.#close(code, reason);
    return sinkOwner.close(this.sink);
  }

  /** See `closeUnasked` of the sink. */
  closeUnasked(code?: number, reason?: string): void {
    if (sinkOwner.isClosed(this.sink)) return;
    checkCloseArguments(code, reason, isSendable);
    this.#close(code, reason);
    sinkOwner.disconnect(this.sink);
  }

  close(): void {
    if (sinkOwner.isClosed(this.sink)) this.#close(undefined, undefined);
    else void sinkOwner.close(this.sink);
  }

  abort(error: unknown): void {
    this.#cause = error;
    if (!this.#isConnected) return this.#endLocally();
    this.#beginClosing();
    try {
      this.#connection?.sink.addError(error);
    } catch {
      endQuietly(this.#connection);
    }
  }

  #close(code: number | undefined, reason: string | undefined): void {
    const { name } = this.#life;
    if (name === "closing" || name === "closed") return;
    if (this.#isConnected) {
      this.#line.close(code, reason);
      this.#beginClosing();
    } else this.#endLocally();
  }

  #beginClosing(): void {
    this.#stopLiveness();
    streamFeed.discard(this.incoming);
    this.#enter({ name: "closing" });
  }

  #stopLiveness(): void {
    this.#liveness?.stop();
    this.#liveness = null;
  }

  #endLocally(): void {
    streamFeed.discard(this.incoming);
    const { code, reason, wasClean, error } = this.#lastClose ?? infoOf(undefined);
    const because = this.#cause ?? error;
    const known = because === undefined ? {} : { error: because };
    this.#end({ code, reason, wasClean, initiator: "local", ...known });
  }

  /** All has ended. The order is that of every channel. */
  #end(last: CloseInfo): void {
    if (this.#isOver) return;
    const error = this.#cause ?? last.error;
    const connection = this.#connection;
    this.#connection = null;
    this.#release(error);
    if (connection !== null) {
      endQuietly(connection);
      this.#line.lose(last);
    }
    const known = error === undefined ? {} : { error };
    const info = { ...last, ...known, attempts: this.#attempts, ...this.#line.end() };
    sinkOwner.disconnect(this.sink, error);
    if (!this.#hasOpened || this.#isMisuse) streamFeed.fail(this.incoming, error);
    else streamFeed.end(this.incoming);
    sinkOwner.finish(this.sink, error);
    this.#enter({ name: "closed", info });
    this.#states?.end();
    this.#closed.resolve(info);
  }

  /** No timer, listener or attempt is left. */
  #release(reason: unknown): void {
    this.#clock.clearTimeout(this.#timer);
    this.#stopLiveness();
    this.#endAttempt(reason);
    this.#wakeUp.remove(this);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }
}

/** How it ended, with an error that says why there is no other attempt; a normal closure is none. */
function withReason(info: CloseInfo): CloseInfo {
  const code = decisiveCode(info);
  if (info.error !== undefined || code === normalClosure) return info;
  const what = `the connection ended with ${code}, which is not retried`;
  const error = new WebSocketChannelError(`Cannot reconnect: ${what}. The option retry decides`);
  return { ...info, error };
}

/** Checks what a function of the user's has answered. An async one is a mistake, which is reported. */
function checkAnswer(option: string, answer: unknown, kind: string): void {
  settle(answer);
  checkOption(`${option}'s result`, answer, kind);
}

/** A rejection of the promise has no effect. */
function settle(answer: unknown): void {
  if (isPromiseLike(answer)) adopted(answer).catch(ignore);
}

function tooSlow(actual: number): LimitError {
  const what = `What waits to be read, ${actual} bytes,`;
  return new LimitError(what, { option: "maxQueueSize", limit: DEFAULT_MAX_QUEUE_SIZE, actual });
}
