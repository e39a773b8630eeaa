import { BroadcastPlan } from "../server/broadcast.ts";
import { copyOf } from "../realm/bytes.ts";
import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import {
  callSafely,
  Deferred,
  ignore,
  invalidState,
  rethrowLater,
} from "../stream_channel/errors.ts";
import { shown } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { closeAs } from "../web_socket/close_like.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { checkMessage } from "../web_socket/message_input.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { tryAgainLater } from "../../status.ts";
import type { EngineLog, HistoryPage, HistoryRange, LogGap } from "./engine.ts";
import { memory } from "./memory.ts";
import { formatOffset, parseOffset, randomName } from "./offset.ts";
import { membersIn, Presence, type TopicMember } from "./presence.ts";
import { type FeedHost, LiveBuffer, type Receiver, TopicFeed } from "./topic_feed.ts";
import { EngineError, TopicsError } from "./topics_error.ts";
import {
  checkTopic,
  type PublishOptions,
  readPublishOptions,
  readSubscribeOptions,
  readTopicsOptions,
  type SubscribeOptions,
  type TopicsOptions,
  type TopicsRequest,
  type TopicsState,
} from "./topics_options.ts";

const DEFAULT_SIZE = 1000;
const DEFAULT_AGE = 300_000;
const DEFAULT_LEASE = 15_000;
const DEFAULT_MAX_PENDING = 16 * 1024 * 1024;
const DEFAULT_STALL_TIMEOUT = 30_000;

/** How long `authorize` may take, in milliseconds. */
const AUTHORIZE_TIMEOUT = 10_000;
/** How long to wait before another attempt, where the engine failed and has not reported that it is lost. */
const RETRY_DELAY = 100;
/** How many answers of an unknown epoch, or without an end, are read before the engine counts as faulty. */
const MAX_UNKNOWN = 10;

/** A channel's subscription to a topic. */
export interface TopicSubscription {
  /** The topic. */
  readonly topic: string;
  /** Where the subscription began: everything behind it is sent live. */
  readonly offset: string;
  /** How many messages of the history were sent. */
  readonly replayed: number;
  /** Whether `after` could not be resumed from: messages between it and the first one sent may be missing. */
  readonly resync: boolean;
  /** Ends the subscription. The end of the channel does so, too. */
  unsubscribe(): void;
}

/** What a topic's publishing has led to. */
export interface Published {
  /** Where the message is: give it as `after` to continue behind it. */
  readonly offset: string;
}

/** What `Topics` does at this moment, and has done. */
export interface TopicsStats {
  /** How it is connected to its engine. */
  readonly state: TopicsState["name"];
  /** How many topics have subscribers in this process. */
  readonly topics: number;
  /** How many subscriptions there are in this process, those that read history included. */
  readonly subscriptions: number;
  /** How many subscribers of this process are members that `presence` lists. */
  readonly members: number;
  /** How many bytes of messages wait until the engine has them. */
  readonly pendingAmount: number;
  /** How many messages were published by this process. */
  readonly published: number;
  /** How many messages have come from the log, for whichever topic. */
  readonly received: number;
  /** How many times a subscriber or a topic could not be resumed. */
  readonly resyncs: number;
}

/** A subscription, from the first moment on. */
class Subscription implements TopicSubscription, Receiver {
  readonly channel: WebSocketChannel;
  readonly topic: string;
  readonly wrap: Receiver["wrap"];
  readonly onState: Receiver["onState"];
  offset = "";
  replayed = 0;
  resync = false;
  feed: TopicFeed | null = null;
  leave: (() => void) | null = null;
  /** While it isn't live: what interrupts that. */
  joining: Deferred<never> | null = new Deferred<never>();
  isOver = false;
  readonly #onEnd: (subscription: Subscription) => void;

  constructor(
    channel: WebSocketChannel,
    topic: string,
    options: Pick<SubscribeOptions, "wrap" | "onState">,
    onEnd: (subscription: Subscription) => void,
  ) {
    this.#onEnd = onEnd;
    this.channel = channel;
    this.topic = topic;
    this.wrap = options.wrap;
    this.onState = options.onState;
  }

  unsubscribe(): void {
    this.#onEnd(this);
  }
}

/** A channel with one topic, as most have, needs no map. */
type Subscriptions = Subscription | Map<string, Subscription>;

/**
 * Topics: who gets what, on one machine or many. A message that is published to a topic, in any process that shares the
 * engine's log, is sent to all channels that are subscribed to it; those that come back get what they have missed.
 *
 * Each topic has one order, the same for all. A message is framed once for all subscribers, and compressed once for all
 * that agreed on compression in the same way; slow receivers do not delay the others.
 *
 * The caller closes it, and afterwards the engine's client.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@web-socket/channel/server";
 * import { Topics } from "@web-socket/channel/topics";
 *
 * const topics = new Topics({ history: { size: 100 } });
 * const server = await WebSocketServer.bind({
 *   async handler(channel) {
 *     await topics.subscribe(channel, "news", { last: 10 });
 *     for await (const message of channel.stream) await topics.publish("news", message);
 *   },
 * });
 * await server.close();
 * await topics.close();
 * ```
 */
export class Topics implements AsyncDisposable {
  readonly #options: TopicsOptions;
  readonly #clock: Clock;
  readonly #log: EngineLog;
  readonly #feeds: Map<string, TopicFeed> = new Map<string, TopicFeed>();
  readonly #channels: Map<WebSocketChannel, Subscriptions> = new Map();
  /** Those whose end is waited for: once each, however often they subscribe. */
  readonly #watched: WeakSet<WebSocketChannel> = new WeakSet<WebSocketChannel>();
  readonly #presence: Presence;
  readonly #host: FeedHost;
  readonly #process: string = randomName();
  #epoch = "";
  #state: TopicsState = { name: "live" };
  /** Settles when the connection to the engine is back, or has ended. */
  #restored: Deferred | null = null;
  /** Fulfils when the connection to the engine is lost for the first time. */
  readonly #lost: Deferred = new Deferred();
  #retry: Deferred | null = null;
  #retryTimer: unknown;
  #subscriptions = 0;
  #pendingAmount = 0;
  #attempts = 0;
  #published = 0;
  #received = 0;
  #resyncs = 0;
  /** The highest position that was reported. */
  #position = 0n;
  #closed: Promise<void> | null = null;

  /**
   * Creates topics on an engine's log.
   *
   * @param given See {@linkcode TopicsOptions}.
   * @throws {TypeError} When an option is unknown or of the wrong type.
   * @throws {RangeError} When a number is out of its range.
   */
  constructor(given?: TopicsOptions) {
    const options = this.#options = readTopicsOptions(given);
    const { engine = memory(), history = {}, clock = systemClock } = options;
    this.#clock = clock;
    const { lease = DEFAULT_LEASE } = options;
    this.#host = {
      plan: planOf(options),
      offsetOf: (position) => formatOffset({ epoch: this.#epoch, position }),
      report: (error) => this.#report(error),
    };
    this.#log = engine.open({
      onEntry: (entry) => {
        this.#received++;
        if (entry.position > this.#position) this.#position = entry.position;
        this.#feeds.get(entry.topic)?.onEntry(entry);
      },
      onEpoch: (epoch) => this.#onEpoch(epoch),
      onGap: (gap) => this.#onGap(gap),
      onLost: (error) => this.#onLost(error),
      onRestored: () => this.#onRestored(),
      onClosed: (error) => this.#end(error),
    }, {
      size: history.size ?? DEFAULT_SIZE,
      age: history.age ?? DEFAULT_AGE,
      lease,
      clock,
    });
    this.#presence = new Presence(
      (topic, slot, text) => this.#log.announce(topic, slot, text),
      lease,
      clock,
    );
    this.#log.ready.catch(ignore);
  }

  /** How many subscriptions there are, and more. */
  stats(): TopicsStats {
    return {
      state: this.#state.name,
      topics: this.#feeds.size,
      subscriptions: this.#subscriptions,
      members: this.#presence.size,
      pendingAmount: this.#pendingAmount,
      published: this.#published,
      received: this.#received,
      resyncs: this.#resyncs,
    };
  }

  /**
   * Sends a channel what is published to a topic, in order: first what `after` or `last` asks for, then what is
   * published from then on, without a gap and without a repetition. The subscription ends with the channel.
   *
   * @param channel The subscriber: a server's channel, or any other.
   * @param topic The topic's name: any text of 1 to 1,024 bytes in UTF-8.
   * @param given See {@linkcode SubscribeOptions}.
   * @returns The subscription, when the history was sent.
   * @throws {TypeError | RangeError} When an argument or an option is malformed.
   * @throws {InvalidStateError} When the channel is subscribed to the topic already.
   * @throws {TopicsError} When `authorize` refuses it, the channel or the topics are closed, or the connection to the
   * engine is lost and `whileLost` is `"fail"`.
   * @throws What the `signal` aborts with.
   */
  async subscribe(
    channel: WebSocketChannel,
    topic: string,
    given?: SubscribeOptions,
  ): Promise<TopicSubscription> {
    checkTopic(topic);
    const { presence, signal, after, last = 0, ...rest } = readSubscribeOptions(given);
    checkChannel(channel);
    signal?.throwIfAborted();
    this.#checkOpen("subscribe");
    const subscription = new Subscription(channel, topic, rest, this.#onUnsubscribe);
    this.#register(subscription);
    const joining = subscription.joining as Deferred<never>;
    const onAbort = (): void => {
      joining.reject(signal?.reason);
      this.#remove(subscription);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await this.#authorize({ action: "subscribe", topic, channel }, joining.promise);
      if (channel.state === "connecting") await Promise.race([channel.ready, joining.promise]);
      await this.#join(subscription, after, last);
      if (presence !== null && !subscription.isOver) {
        const { leave, announced } = this.#presence.enter(topic, presence);
        subscription.leave = leave;
        await Promise.race([announced, joining.promise]);
      }
      if (subscription.isOver) await joining.promise;
      subscription.joining = null;
    } catch (error) {
      this.#remove(subscription);
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    return subscription;
  }

  /**
   * Publishes a message to a topic.
   *
   * Messages that one process publishes to a topic keep their order; where the connection to the engine may be lost,
   * wait for each before the next.
   *
   * @param topic The topic's name: any text of 1 to 1,024 bytes in UTF-8.
   * @param message The message; bytes are copied.
   * @param given See {@linkcode PublishOptions}.
   * @returns A promise that fulfils when the engine has the message.
   * @throws {TypeError | RangeError} When an argument or an option is malformed.
   * @throws {TopicsError} When `authorize` refuses it, too much waits to be published, the topics are closed, or the
   * connection to the engine is lost and `whileLost` is `"fail"`.
   * @throws What the engine's server refuses it with.
   */
  async publish(topic: string, message: MessageInput, given?: PublishOptions): Promise<Published> {
    checkTopic(topic);
    checkMessage(message);
    const { id, from, signal } = readPublishOptions(given);
    signal?.throwIfAborted();
    this.#checkOpen("publish");
    const content = typeof message === "string" ? message : copyOf(message);
    const size = sizeOfMessage(content);
    const { maxPending = DEFAULT_MAX_PENDING } = this.#options;
    if (this.#pendingAmount > 0 && this.#pendingAmount + size > maxPending) {
      throw new TopicsError(
        `Cannot publish: the messages that wait have reached maxPending (${maxPending} bytes)`,
        { reason: "full" },
      );
    }
    this.#pendingAmount += size;
    const interrupted = signal && interruptedBy(signal);
    try {
      if (from !== undefined) {
        checkChannel(from);
        await this.#authorize({ action: "publish", topic, channel: from }, interrupted?.promise);
      }
      const token = `${this.#process}${(++this.#attempts).toString(36)}`;
      const after = this.#position;
      let isRetry = false;
      const place = await this.#ask("publish", () => {
        const published = this.#log.publish(topic, content, { id, token, isRetry, after });
        isRetry = true;
        return published;
      }, interrupted?.promise);
      this.#published++;
      return { offset: formatOffset(place) };
    } finally {
      this.#pendingAmount -= size;
      interrupted?.release();
    }
  }

  /**
   * The members of a topic: its subscribers with `presence`, in all processes. Those of a process that was killed are
   * listed until the lease ends.
   *
   * @param topic The topic's name.
   * @returns A promise of the members, in no order.
   * @throws {TypeError | RangeError} When the topic's name is malformed.
   * @throws {TopicsError} As {@linkcode subscribe}.
   */
  async presence(topic: string): Promise<TopicMember[]> {
    checkTopic(topic);
    this.#checkOpen("list members");
    return membersIn(await this.#ask("list members", () => this.#log.announced(topic)));
  }

  /**
   * Ends all subscriptions, takes this process's members away and lets go of the engine. Channels stay open, and so does
   * the engine's client. What waits to be published rejects.
   *
   * @returns A promise that fulfils when the engine is let go of.
   */
  close(): Promise<void> {
    if (this.#closed === null) {
      // Known before the first callback: it may close them again.
      const { promise, resolve } = new Deferred<Promise<void> | void>();
      this.#closed = promise as Promise<void>;
      resolve(this.#close());
    }
    return this.#closed;
  }

  /** See {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const isLive = this.#state.name === "live";
    this.#end(new TopicsError("The topics were closed", { reason: "closed" }));
    if (isLive) await this.#presence.close();
    else this.#presence.stop();
    await this.#log.close();
  }

  // What the engine reports.

  #onEpoch(epoch: string): void {
    const isFirst = this.#epoch === "";
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#position = 0n;
    if (isFirst) return;
    for (const feed of this.#feeds.values()) {
      feed.reset();
      this.#resyncs++;
      feed.tell({ name: "resync", topic: feed.topic });
    }
    this.#presence.renew();
  }

  #onGap(gap: LogGap): void {
    for (const feed of this.#feeds.values()) {
      if (gap.includes(feed.topic)) void this.#catchUp(feed, gap.after);
    }
  }

  #onLost(error: unknown): void {
    if (this.#state.name !== "live") return;
    this.#restored = new Deferred();
    this.#lost.resolve();
    this.#setState({ name: "lost", error });
  }

  #onRestored(): void {
    if (this.#state.name !== "lost") return;
    this.#setState({ name: "live" });
    this.#restored?.resolve();
    this.#restored = null;
    this.#presence.renew();
  }

  #setState(state: TopicsState): void {
    this.#state = state;
    try {
      this.#options.onState?.(state);
    } catch (error) {
      this.#report(error);
    }
    for (const feed of [...this.#feeds.values()]) feed.tell({ topic: feed.topic, ...state });
  }

  /** The engine has ended, or the topics are closed. */
  #end(error: unknown): void {
    if (this.#state.name === "ended") return;
    this.#setState({ name: "ended", error });
    this.#endPause();
    this.#restored?.resolve();
    this.#restored = null;
    for (const subscriptions of [...this.#channels.values()]) {
      for (const subscription of listOf(subscriptions)) {
        subscription.joining?.reject(this.#endedError("subscribe"));
        this.#remove(subscription);
      }
    }
  }

  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError === undefined) rethrowLater(error);
    else callSafely(onError, error);
  }

  // How it waits.

  #endedError(what: string): TopicsError {
    const cause = this.#state.name === "ended" ? this.#state.error : undefined;
    const text = this.#closed === null ? "the engine has ended" : "the topics are closed";
    return new TopicsError(`Cannot ${what}: ${text}`, { reason: "closed", cause });
  }

  #checkOpen(what: string): void {
    if (this.#state.name === "ended") throw this.#endedError(what);
  }

  /** Fulfils when the log was opened; an engine that can't be reached at first is lost, too. */
  async #whenReady(what: string, mayFail: boolean): Promise<void> {
    if (this.#epoch !== "") return;
    try {
      await (mayFail ? Promise.race([this.#log.ready, this.#lost.promise]) : this.#log.ready);
    } catch {
      throw this.#endedError(what);
    }
    const state = this.#state;
    if (mayFail && state.name === "lost") throw lostError(what, state.error, false);
  }

  /** Asks the engine, again and again while the connection to it is lost, if the options say so. */
  async #ask<T>(
    what: string,
    call: () => Promise<T>,
    interrupted?: Promise<never>,
    mayFail: boolean = this.#options.whileLost === "fail",
  ): Promise<T> {
    let attempts = 0;
    const within = <R>(promise: Promise<R>): Promise<R> =>
      interrupted === undefined ? promise : Promise.race([promise, interrupted]);
    // Nothing is awaited before a call on a live connection: `publish` in memory delivers at once.
    if (this.#epoch === "") await within(this.#whenReady(what, mayFail));
    for (;;) {
      this.#checkOpen(what);
      const mayBePublished = what === "publish" && attempts > 0;
      const state = this.#state;
      if (state.name === "lost") {
        if (mayFail) throw lostError(what, state.error, mayBePublished);
        await within(this.#restored?.promise ?? Promise.resolve());
        continue;
      }
      attempts++;
      try {
        return await within(call());
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        this.#checkOpen(what);
        if (mayFail) throw lostError(what, error, what === "publish");
        if (this.#restored === null) await within(this.#pause());
      }
    }
  }

  /** A short while: the same for all that try again. */
  #pause(): Promise<void> {
    const retry = this.#retry ??= new Deferred();
    this.#retryTimer ??= this.#clock.setTimeout(() => this.#endPause(), RETRY_DELAY);
    return retry.promise;
  }

  #endPause(): void {
    this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#retry?.resolve();
    this.#retry = null;
  }

  async #authorize(request: TopicsRequest, interrupted?: Promise<never>): Promise<void> {
    const { authorize } = this.#options;
    if (authorize === undefined) return;
    const what = request.action;
    const late = new Deferred<never>();
    const deadline = new Deadline(this.#clock, {
      ms: AUTHORIZE_TIMEOUT,
      onTime: () =>
        late.reject(
          new DOMException(`authorize took longer than ${AUTHORIZE_TIMEOUT} ms`, "TimeoutError"),
        ),
    });
    let isAllowed: unknown;
    let failure: { readonly cause: unknown } | undefined;
    try {
      const asked = (async () => await authorize(request))();
      isAllowed = await Promise.race([asked, late.promise, interrupted ?? late.promise]);
    } catch (cause) {
      failure = { cause };
    } finally {
      deadline.clear();
    }
    if (isAllowed === true) return;
    // What has interrupted it is the reason, not a refusal.
    if (interrupted !== undefined) await Promise.race([interrupted, null]);
    throw new TopicsError(`Cannot ${what}: it is not authorized`, {
      reason: "unauthorized",
      ...failure,
    });
  }

  // Subscriptions.

  readonly #onUnsubscribe = (subscription: Subscription): void => this.#remove(subscription);

  #register(subscription: Subscription): void {
    const { channel, topic } = subscription;
    if (isEnding(channel)) throw channelClosed();
    const known = this.#channels.get(channel);
    if (known === undefined) {
      this.#channels.set(channel, subscription);
      if (!this.#watched.has(channel)) {
        this.#watched.add(channel);
        channel.closed.then(() => this.#onChannelClosed(channel));
      }
    } else {
      const isSingle = known instanceof Subscription;
      const all = isSingle ? new Map([[known.topic, known]]) : known;
      if (all.has(topic)) {
        throw invalidState("Cannot subscribe: the channel is subscribed to the topic already");
      }
      all.set(topic, subscription);
      this.#channels.set(channel, all);
    }
    this.#subscriptions++;
  }

  #onChannelClosed(channel: WebSocketChannel): void {
    const subscriptions = this.#channels.get(channel);
    if (subscriptions === undefined) return;
    for (const subscription of listOf(subscriptions)) {
      subscription.joining?.reject(channelClosed());
      this.#remove(subscription);
    }
  }

  #remove(subscription: Subscription): void {
    if (subscription.isOver) return;
    subscription.isOver = true;
    this.#subscriptions--;
    const { channel, topic, feed } = subscription;
    const all = this.#channels.get(channel);
    if (all === subscription) this.#channels.delete(channel);
    else if (all !== undefined && !(all instanceof Subscription)) {
      all.delete(topic);
      if (all.size === 0) this.#channels.delete(channel);
    }
    subscription.leave?.();
    feed?.remove(subscription);
    if (feed !== null) this.#tidy(feed);
  }

  #feedOf(topic: string): TopicFeed {
    let feed = this.#feeds.get(topic);
    if (feed === undefined) this.#feeds.set(topic, feed = new TopicFeed(topic, this.#host));
    return feed;
  }

  #tidy(feed: TopicFeed): void {
    if (feed.isEmpty && this.#feeds.get(feed.topic) === feed) this.#feeds.delete(feed.topic);
  }

  /**
   * Reads history until it meets what is reported live. Live messages are kept from before the last page is read, so
   * that none is missed, and what the page has of them is left out.
   */
  async #join(
    subscription: Subscription,
    after: string | undefined,
    last: number,
  ): Promise<void> {
    const interrupted = (subscription.joining as Deferred<never>).promise;
    const mayFail = this.#options.whileLost === "fail";
    await Promise.race([this.#whenReady("subscribe", mayFail), interrupted]);
    const feed = this.#feedOf(subscription.topic);
    const buffer = new LiveBuffer();
    feed.join(buffer);
    try {
      const parsed = after === undefined ? null : parseOffset(after);
      const isKnown = parsed !== null && parsed.epoch === this.#epoch;
      let epoch = this.#epoch;
      let range: HistoryRange = { after: isKnown ? parsed.position : null, last };
      if (after !== undefined && !isKnown) this.#resync(feed, subscription);
      for (let unknown = 0;;) {
        buffer.clear();
        const page = await this.#ask(
          "subscribe",
          () => this.#log.history(feed.topic, range),
          interrupted,
        );
        const isOther = page.epoch !== epoch;
        if (page.epoch !== this.#epoch || !page.isLast && page.entries.length === 0) unknown++;
        if (unknown > MAX_UNKNOWN) throw brokenEngine();
        if (isOther || !page.isComplete) {
          epoch = this.#epoch;
          const isNew = after === undefined && subscription.replayed === 0;
          if (!isNew) this.#resync(feed, subscription);
          // What has begun goes on with what is still there.
          if (isOther || subscription.replayed === 0) {
            range = { after: null, last };
            continue;
          }
        }
        await this.#replay(feed, subscription, page, interrupted);
        if (subscription.isOver) await interrupted;
        const position = page.isLast ? page.end : page.entries.at(-1)?.position ?? page.end;
        range = { after: position, last: 0 };
        if (!page.isLast || buffer.isOverflown || epoch !== this.#epoch) continue;
        return this.#goLive(feed, subscription, buffer, position);
      }
    } finally {
      feed.leaveJoining(buffer);
      this.#tidy(feed);
    }
  }

  #goLive(
    feed: TopicFeed,
    subscription: Subscription,
    buffer: LiveBuffer,
    from: bigint,
  ): void {
    let position = from;
    for (const entry of buffer.take(position)) {
      // A `wrap` may have ended it.
      if (subscription.isOver) return;
      feed.sendTo(subscription, entry);
      position = entry.position;
    }
    if (subscription.isOver) return;
    subscription.offset = this.#host.offsetOf(position);
    subscription.feed = feed;
    feed.add(subscription, position);
    feed.tellOne(subscription, { name: "live", topic: feed.topic });
  }

  #resync(feed: TopicFeed, subscription: Subscription): void {
    subscription.resync = true;
    this.#resyncs++;
    feed.tellOne(subscription, { name: "resync", topic: feed.topic });
  }

  async #replay(
    feed: TopicFeed,
    subscription: Subscription,
    { entries }: HistoryPage,
    interrupted: Promise<never>,
  ): Promise<void> {
    for (const entry of entries) {
      if (subscription.isOver) return;
      await this.#waitForRoom(subscription.channel, interrupted);
      feed.sendTo(subscription, entry);
      subscription.replayed++;
    }
  }

  async #waitForRoom(channel: WebSocketChannel, interrupted: Promise<never>): Promise<void> {
    const { sink } = channel;
    if (isEnding(channel)) throw channelClosed();
    if (sink.hasRoom !== false) return;
    const deadline = new Deadline(this.#clock, {
      ms: this.#options.stallTimeout ?? DEFAULT_STALL_TIMEOUT,
      onTime: () => closeAs(channel, tryAgainLater, "Too slow"),
    });
    try {
      await Promise.race([sink.ready, interrupted]);
      if (isEnding(channel)) throw channelClosed();
    } finally {
      deadline.clear();
    }
  }

  /** Reads what a topic's subscribers have missed, in front of what is reported meanwhile. */
  async #catchUp(feed: TopicFeed, after: bigint): Promise<void> {
    if (!feed.startCatchingUp(after)) return;
    const buffer = feed.behind as LiveBuffer;
    const { topic } = feed;
    while (feed.behind === buffer) {
      buffer.clear();
      let page: HistoryPage | null = null;
      try {
        const range = { after: feed.position, last: 0 };
        page = await this.#ask("catch up", () => this.#log.history(topic, range), undefined, false);
      } catch (error) {
        // The engine's server refuses it: what is missing is missing.
        if (this.#state.name !== "ended") this.#report(error);
      }
      if (feed.behind !== buffer) return;
      if (page === null || !page.isComplete) {
        this.#resyncs++;
        feed.tell({ name: "resync", topic });
      }
      for (const entry of page?.entries ?? []) feed.deliver(entry);
      const isBroken = page !== null && !page.isLast && page.entries.length === 0;
      if (isBroken) this.#report(brokenEngine());
      if (page === null || isBroken || page.isLast && !buffer.isOverflown) feed.endCatchingUp();
    }
  }
}

/** The subscriptions of a channel, as they are now. */
function listOf(subscriptions: Subscriptions): Subscription[] {
  return subscriptions instanceof Subscription ? [subscriptions] : [...subscriptions.values()];
}

function planOf({ slow, maxQueueSize, stallTimeout, compress }: TopicsOptions): BroadcastPlan {
  return new BroadcastPlan({ slow, maxQueueSize, stallTimeout, compress });
}

function checkChannel(channel: unknown): asserts channel is WebSocketChannel {
  const { sink, closed, state } = (channel ?? {}) as Partial<WebSocketChannel>;
  const isChannel = typeof sink?.add === "function" && typeof closed?.then === "function" &&
    typeof state === "string";
  if (isChannel) return;
  throw new TypeError(`Cannot use the channel: it must be a channel, got ${shown(channel)}`);
}

function brokenEngine(): EngineError {
  return new EngineError(
    "The engine is faulty: it answers with an epoch that it has not reported, or with pages without an end",
  );
}

function isEnding({ state }: WebSocketChannel): boolean {
  return state === "closing" || state === "closed";
}

function channelClosed(): TopicsError {
  return new TopicsError("Cannot subscribe: the channel is closed", { reason: "closed" });
}

function lostError(what: string, cause: unknown, mayBePublished: boolean): TopicsError {
  return new TopicsError(`Cannot ${what}: the connection to the engine is lost`, {
    reason: "lost",
    cause,
    mayBePublished,
  });
}

/** A promise that rejects when a signal aborts, until it is released. */
function interruptedBy(signal: AbortSignal): { promise: Promise<never>; release: () => void } {
  const { promise, reject } = new Deferred<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return { promise, release: () => signal.removeEventListener("abort", onAbort) };
}
