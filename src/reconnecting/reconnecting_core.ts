import { isSendable, normalClosure } from "../../status.ts";
import { adopted, isPromiseLike } from "../realm/kinds.ts";
import { sinkControl } from "../stream_channel/channel_sink.ts";
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

/** Connects to a URL over some transport. Throws when an argument is malformed. */
export type Connect = (
  url: string | URL,
  options: ConnectOptions,
  clock: Clock,
) => WebSocketChannel;

/** The dependencies of a {@linkcode ReconnectingCore}. */
export interface ReconnectingMeans {
  /** Connects to a URL. */
  readonly connect: Connect;
  /** Detects sleep and network changes. Default: the one that all channels of the clock share. */
  readonly wakeUp?: WakeUp;
}

const DEFAULT_MAX_BUFFER = 0x10_0000;

const NO_HEARTBEAT = { interval: 0, timeout: 0 };

/**
 * The core of a channel that reconnects: its attempts and connections, its states, and the order of its end. Users hold
 * a {@linkcode ReconnectingChannel}.
 */
export class ReconnectingCore
  implements StreamEvents, WebSocketSinkTarget, LineEvents, WakeUpEvents {
  /** The stream of received messages. */
  readonly incoming: MessageStream<Message>;
  /** The sink of messages to send. */
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
    void sinkControl.close(this.sink);
  };
  #states: States | null = null;
  /** The states that `onState` hasn't got yet; `null` if it can be called at once. */
  #unannounced: ReconnectingState[] | null = null;
  #attempt: Attempt | null = null;
  #timer: unknown;
  /** Whether the server asked for the current delay. */
  #isPatient = false;
  #connection: WebSocketChannel | null = null;
  #subscription: StreamSubscription | null = null;
  /** Whether the connection's stream has ended. */
  #isDrained = false;
  #liveness: Liveness | null = null;
  #resumable = false;
  #protocol: string | null = null;
  /** The reason why this side dropped the connection; replaces what the connection reports. */
  #verdict: CloseInfo | null = null;
  /** Whether another connection would end in the same way. */
  #isMisuse = false;
  /** Whether the next attempt starts at once. */
  #hurries = false;
  /** Whether the user asked for an attempt, even while the platform is offline. */
  #insists = false;
  /** The error with which the user closed the channel, if any. */
  #cause: unknown;
  #hasStarted = false;
  #hasOpened = false;
  #openedAt = 0;
  #awaySince: number;
  /** How many attempts and connections have ended since the last stable connection. */
  #failures = 0;
  #attempts = 0;
  #lastClose: CloseInfo | null = null;

  /**
   * Starts connecting.
   *
   * @param target The target to connect to.
   * @param given The user's options.
   * @param means Its dependencies.
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
    // In a microtask, because `onState` may use the channel that `connect` hasn't returned yet.
    this.#unannounced = [];
    queueMicrotask(() => this.#announceAll());
    if (signal?.aborted) return this.#onAbort();
    if (this.#wakeUp.isOnline) this.#try();
    else this.#enter({ name: "paused" });
    this.#hasStarted = true;
    signal?.addEventListener("abort", this.#onAbort);
    this.#wakeUp.add(this);
  }

  // Members of the public channel.

  get state(): ReconnectingState {
    return this.#life.state;
  }

  get closed(): Promise<ReconnectingCloseInfo> {
    return this.#closed.promise;
  }

  /** The connection, while messages may use it. */
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

  /** Does the work of `ReconnectingChannel.reconnect`. */
  reconnect(): boolean {
    const { name } = this.#life;
    if (name === "closed" || name === "closing") return false;
    if (name === "waiting" || name === "paused") this.#try();
    else {
      // A running attempt already does what the user asks for.
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

  /** Calls `onState` with each pending state; states that a call causes follow afterwards. */
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
      // The first attempt runs inside the user's call, which throws.
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

  /** Starts using the open connection of the attempt. */
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
      // The reader keeps the connection; it may be another channel that reconnects.
      throw invalidState(
        "Cannot connect: the target function returned a channel with a reader",
      );
    }
  }

  /** Opens the channel: the line is ready for messages. */
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

  /** Handles a failed attempt. */
  onFailed(info: CloseInfo, isMisuse: boolean): void {
    this.#attempt = null;
    this.#isMisuse = isMisuse;
    // There is a connection, but the peer never sent its hello: drop it, and wait for its end.
    if (this.#connection !== null) this.#drop(info, this.#hurries);
    else this.#decide(info);
  }

  /** Drops the connection, because the peer broke the line's protocol. */
  onFault(error: unknown, isFinal = false): void {
    this.#isMisuse = isFinal;
    this.#drop(infoOf(error, isFinal ? "local" : "protocol-error"), false);
  }

  // Losing a connection.

  /** Drops the connection; with `hurries` the next attempt starts at once. */
  #drop(verdict: CloseInfo, hurries: boolean): void {
    this.#verdict ??= verdict;
    this.#hurries = hurries;
    endQuietly(this.#connection);
  }

  #onClosed(info: CloseInfo): void {
    if (this.#isDrained) return this.#lose(info);
    // Messages of this connection precede those of the next one, even without a reader.
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

  /** Decides whether and when to try again. */
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

  /** Whether messages are rejected or dropped now, instead of queued. */
  get #refuses(): boolean {
    const { whileAway = "queue" } = this.#options;
    return whileAway !== "queue" && !this.#isConnected;
  }

  /** Whether to drop a message that is added now. Throws when it must be rejected. */
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
    sinkControl.drained(this.sink);
    if (sinkControl.isWaitedFor(this.sink)) this.#line.watch();
  }

  // Liveness.

  /**
   * Asks the peer to answer.
   *
   * @returns Whether it could ask.
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

  /** Drops the connection, because the peer has sent nothing in time; `isProbe` if it was asked after a sleep. */
  onDead(isProbe: boolean): void {
    const text = "The connection was lost: the peer did not answer";
    this.#drop(infoOf(new WebSocketChannelError(text), "timeout"), isProbe);
  }

  onWake(): void {
    const { name } = this.#life;
    if (name === "waiting" && !this.#isPatient) this.#tryAfresh();
    else if (name === "connecting") this.#hurry();
    else if (this.#isConnected) this.#liveness?.probe();
  }

  /** Shortens the running attempt, whose packets may have been lost during the sleep. */
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

  /** Does the work of `WebSocketSink.close`. */
  closeWith(code: number | undefined, reason: string | undefined): Promise<void> {
    if (sinkControl.isClosed(this.sink)) return this.sink.done;
    checkCloseArguments(code, reason, isSendable);
    this.#close(code, reason);
    return sinkControl.close(this.sink);
  }

  /** Does the work of the sink's `closeUnasked`. */
  closeUnasked(code?: number, reason?: string): void {
    if (sinkControl.isClosed(this.sink)) return;
    checkCloseArguments(code, reason, isSendable);
    this.#close(code, reason);
    sinkControl.disconnect(this.sink);
  }

  close(): void {
    if (sinkControl.isClosed(this.sink)) this.#close(undefined, undefined);
    else void sinkControl.close(this.sink);
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

  /** Ends the channel, in the same order as every channel. */
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
    sinkControl.disconnect(this.sink, error);
    if (!this.#hasOpened || this.#isMisuse) streamFeed.fail(this.incoming, error);
    else streamFeed.end(this.incoming);
    sinkControl.finish(this.sink, error);
    this.#enter({ name: "closed", info });
    this.#states?.end();
    this.#closed.resolve(info);
  }

  /** Releases all timers, listeners and the attempt. */
  #release(reason: unknown): void {
    this.#clock.clearTimeout(this.#timer);
    this.#stopLiveness();
    this.#endAttempt(reason);
    this.#wakeUp.remove(this);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }
}

/** Adds an error that says why there is no other attempt; a normal closure is no error. */
function withReason(info: CloseInfo): CloseInfo {
  const code = decisiveCode(info);
  if (info.error !== undefined || code === normalClosure) return info;
  const what = `the connection ended with ${code}, which is not retried`;
  const error = new WebSocketChannelError(`Cannot reconnect: ${what}. The option retry decides`);
  return { ...info, error };
}

/** Checks the answer of a user's function. A promise is a mistake, which is reported. */
function checkAnswer(option: string, answer: unknown, kind: string): void {
  settle(answer);
  checkOption(`${option}'s result`, answer, kind);
}

/** Ignores the rejection of an answer that is a promise. */
function settle(answer: unknown): void {
  if (isPromiseLike(answer)) adopted(answer).catch(ignore);
}

function tooSlow(actual: number): LimitError {
  const what = `What waits to be read, ${actual} bytes,`;
  return new LimitError(what, { option: "maxQueueSize", limit: DEFAULT_MAX_QUEUE_SIZE, actual });
}
