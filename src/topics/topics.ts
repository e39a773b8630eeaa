import { BroadcastPlan } from "../server/broadcast.ts";
import { copyOf } from "../realm/bytes.ts";
import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import { callSafely, Deferred, rethrowLater } from "../stream_channel/errors.ts";
import { shown } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { checkMessage } from "../web_socket/message_input.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { checkAuthorized } from "./authorization.ts";
import type { EngineLog, LogEntry, LogGap } from "./engine.ts";
import { EngineLink, isRefusal } from "./engine_link.ts";
import { brokenEngine, HistoryReader } from "./history_reader.ts";
import { memory } from "./memory.ts";
import { formatOffset, randomName } from "./offset.ts";
import { membersIn, Presence, type TopicMember } from "./presence.ts";
import {
  channelClosed,
  Subscription,
  SubscriptionTable,
  type TopicSubscription,
} from "./subscription.ts";
import { type FeedHost, TopicFeed } from "./topic_feed.ts";
import { TopicsError } from "./topics_error.ts";
import {
  checkTopic,
  type PublishOptions,
  readPublishOptions,
  readSubscribeOptions,
  readTopicsOptions,
  type SubscribeOptions,
  type TopicsOptions,
  type TopicsState,
} from "./topics_options.ts";

const DEFAULT_SIZE = 1000;
const DEFAULT_AGE = 300_000;
const DEFAULT_LEASE = 15_000;
const DEFAULT_MAX_PENDING = 16 * 1024 * 1024;
const DEFAULT_STALL_TIMEOUT = 30_000;

/** The result of `Topics.publish`. */
export interface Published {
  /** The offset of the message. A subscription with this `after` begins with the next message. */
  readonly offset: string;
}

/** Figures of one `Topics`. */
export interface TopicsStats {
  /** The state of the connection to the engine. */
  readonly state: TopicsState["name"];
  /** How many topics have subscribers in this process. */
  readonly topics: number;
  /** How many subscriptions there are in this process, those that read history included. */
  readonly subscriptions: number;
  /** How many subscribers of this process are members that `presence` lists. */
  readonly members: number;
  /** How many bytes of messages are queued to be published. */
  readonly pendingAmount: number;
  /** How many messages were published by this process. */
  readonly published: number;
  /** How many messages the log has reported, of all topics. */
  readonly received: number;
  /** How many times a subscriber or a topic could not be resumed. */
  readonly resyncs: number;
}

/**
 * Publish and subscribe, in one process or many. A message that is published to a topic, in any process that shares the
 * engine's log, is sent to all channels that are subscribed to the topic. Subscribers that reconnect get the messages
 * that they missed.
 *
 * Each topic has one order, the same for all. A message is framed once for all subscribers, and compressed once for all
 * that agreed on compression in the same way; slow receivers do not delay the others.
 *
 * Close it when you are done, and then the engine's client.
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
  readonly #link: EngineLink;
  readonly #log: EngineLog;
  readonly #feeds: Map<string, TopicFeed> = new Map<string, TopicFeed>();
  readonly #subscriptions: SubscriptionTable;
  readonly #reader: HistoryReader;
  readonly #presence: Presence;
  readonly #host: FeedHost;
  readonly #process: string = randomName();
  #pendingAmount = 0;
  #attempts = 0;
  #published = 0;
  #received = 0;
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
    const { lease = DEFAULT_LEASE, stallTimeout = DEFAULT_STALL_TIMEOUT } = options;
    const report = (error: unknown): void => this.#report(error);
    this.#clock = clock;
    const link = this.#link = new EngineLink(clock, options.whileLost === "fail");
    this.#host = {
      plan: planOf(options),
      offsetOf: (position) => formatOffset({ epoch: link.epoch, position }),
      report,
    };
    this.#subscriptions = new SubscriptionTable((all) => this.#reject(all, channelClosed()));
    const log = this.#log = engine.open({
      onEntry: (entry) => this.#onEntry(entry),
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
    this.#reader = new HistoryReader({ link, log, clock, stallTimeout, report });
    this.#presence = new Presence(
      (topic, slot, text) => log.announce(topic, slot, text),
      lease,
      clock,
    );
    log.ready.then(
      () => link.epoch === "" ? this.#end(brokenEngine()) : link.wake(),
      (error) => this.#end(error),
    );
  }

  /** Returns the current figures. */
  stats(): TopicsStats {
    return {
      state: this.#link.state.name,
      topics: this.#feeds.size,
      subscriptions: this.#subscriptions.size,
      members: this.#presence.size,
      pendingAmount: this.#pendingAmount,
      published: this.#published,
      received: this.#received,
      resyncs: this.#reader.resyncs,
    };
  }

  /**
   * Subscribes a channel to a topic. The channel gets the messages in order, each once: first the history that `after`
   * or `last` asks for, then what is published from then on. The subscription ends with the channel.
   *
   * @param channel The subscriber: a server's channel, or any other.
   * @param topic The topic's name: any text of 1 to 1,024 bytes in UTF-8.
   * @param given See {@linkcode SubscribeOptions}.
   * @returns A promise of the subscription, which fulfils when the channel has sent the history.
   * @throws {TypeError | RangeError} When an argument or an option is malformed.
   * @throws {InvalidStateError} When the channel is subscribed to the topic already.
   * @throws {TopicsError} When `authorize` refuses it, the channel or the topics are closed, the engine's server refuses
   * this process, or the connection to it is lost and `whileLost` is `"fail"`.
   * @throws The signal's reason, when it aborts.
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
    this.#link.checkOpen("subscribe");
    const subscription = new Subscription(channel, topic, rest, (it) => this.#remove(it));
    this.#subscriptions.add(subscription);
    const { promise: interrupted, reject } = subscription.joining as Deferred<never>;
    const onAbort = (): void => {
      reject(signal?.reason);
      this.#remove(subscription);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const { authorize } = this.#options;
      if (authorize !== undefined) {
        const request = { action: "subscribe", topic, channel } as const;
        await checkAuthorized(authorize, request, this.#clock, interrupted);
      }
      if (channel.state === "connecting") await Promise.race([channel.ready, interrupted]);
      await this.#link.whenLive({ what: "subscribe", interrupted });
      const feed = this.#feedOf(topic);
      try {
        await this.#reader.join(subscription, feed, { after, last });
      } finally {
        this.#tidy(feed);
      }
      if (presence !== null && !subscription.isOver) {
        const { leave, announced } = this.#presence.enter(topic, presence);
        subscription.leave = leave;
        await Promise.race([announced, interrupted]);
      }
      if (subscription.isOver) await interrupted;
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
   * Messages that one process publishes to a topic keep their order. If the connection to NATS may be lost, or
   * `authorize` is asked, await each call before the next.
   *
   * @param topic The topic's name: any text of 1 to 1,024 bytes in UTF-8.
   * @param message The message; bytes are copied.
   * @param given See {@linkcode PublishOptions}.
   * @returns A promise that fulfils when the engine has the message.
   * @throws {TypeError | RangeError} When an argument or an option is malformed.
   * @throws {TopicsError} When `authorize` refuses it, the pending messages have reached `maxPending`, the topics are
   * closed, the engine's server refuses this process, or the connection to it is lost and `whileLost` is `"fail"`.
   * @throws The signal's reason, when it aborts; the error of a server that refuses this message.
   */
  async publish(topic: string, message: MessageInput, given?: PublishOptions): Promise<Published> {
    checkTopic(topic);
    checkMessage(message);
    const { id, from, signal } = readPublishOptions(given);
    if (from !== undefined) checkChannel(from);
    signal?.throwIfAborted();
    this.#link.checkOpen("publish");
    const content = typeof message === "string" ? message : copyOf(message);
    const size = sizeOfMessage(content);
    const { authorize, maxPending = DEFAULT_MAX_PENDING } = this.#options;
    if (this.#pendingAmount > 0 && this.#pendingAmount + size > maxPending) {
      throw new TopicsError(
        `Cannot publish: the messages that wait have reached maxPending (${maxPending} bytes)`,
        { reason: "full" },
      );
    }
    this.#pendingAmount += size;
    const interruption = signal && interruptedBy(signal);
    const interrupted = interruption?.promise;
    try {
      if (from !== undefined && authorize !== undefined) {
        const request = { action: "publish", topic, channel: from } as const;
        await checkAuthorized(authorize, request, this.#clock, interrupted);
      }
      const token = `${this.#process}${++this.#attempts}`;
      const after = this.#position;
      let isRetry = false;
      const place = await this.#link.ask({ what: "publish", interrupted }, () => {
        const published = this.#log.publish(topic, content, { id, token, isRetry, after });
        isRetry = true;
        return published;
      });
      this.#published++;
      return { offset: formatOffset(place) };
    } finally {
      this.#pendingAmount -= size;
      interruption?.release();
    }
  }

  /**
   * Returns the members of a topic: its subscribers with `presence`, in all processes. The members in a killed process
   * stay in the list until their lease ends.
   *
   * @param topic The topic's name.
   * @returns A promise of the members, in no order.
   * @throws {TypeError | RangeError} When the topic's name is malformed.
   * @throws {TopicsError} For the same reasons as {@linkcode subscribe}.
   */
  async presence(topic: string): Promise<TopicMember[]> {
    checkTopic(topic);
    this.#link.checkOpen("list members");
    return membersIn(
      await this.#link.ask({ what: "list members" }, () => this.#log.announced(topic)),
    );
  }

  /**
   * Ends all subscriptions, removes the members of this process and detaches from the engine. Channels and the engine's
   * client stay open. Pending calls reject.
   *
   * @returns A promise that fulfils when the engine is detached.
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

  /** Ends all subscriptions: see {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const isLive = this.#link.state.name === "live";
    this.#link.close();
    this.#end(new TopicsError("The topics were closed", { reason: "closed" }));
    if (isLive) await this.#presence.close();
    else this.#presence.stop();
    await this.#log.close();
  }

  // What the engine reports.

  #onEntry(entry: LogEntry): void {
    this.#received++;
    if (entry.position > this.#position) this.#position = entry.position;
    this.#feeds.get(entry.topic)?.onEntry(entry);
  }

  #onEpoch(epoch: string): void {
    const isFirst = this.#link.epoch === "";
    if (epoch === this.#link.epoch) return;
    this.#link.epoch = epoch;
    this.#position = 0n;
    if (isFirst) return;
    for (const feed of [...this.#feeds.values()]) this.#reader.reset(feed);
    this.#presence.renew();
  }

  #onGap(gap: LogGap): void {
    for (const feed of [...this.#feeds.values()]) {
      if (gap.includes(feed.topic)) void this.#reader.catchUp(feed, gap.after);
    }
  }

  #onLost(error: unknown): void {
    const { state } = this.#link;
    if (state.name === "live") return this.#setState({ name: "lost", error });
    // A server that was away and refuses now, or the other way round.
    const isNews = state.name === "lost" && isRefusal(state.error) !== isRefusal(error);
    if (isNews) this.#setState({ name: "lost", error });
  }

  #onRestored(): void {
    if (this.#link.state.name !== "lost") return;
    this.#setState({ name: "live" });
    this.#presence.renew();
  }

  #setState(state: TopicsState): void {
    const isOther = state.name !== this.#link.state.name;
    this.#link.enter(state);
    try {
      this.#options.onState?.(state);
    } catch (error) {
      this.#report(error);
    }
    if (!isOther) return;
    for (const feed of [...this.#feeds.values()]) feed.tell({ topic: feed.topic, ...state });
  }

  /** The engine has ended, or the topics are closed. */
  #end(error: unknown): void {
    if (this.#link.state.name === "ended") return;
    this.#setState({ name: "ended", error });
    this.#reject(this.#subscriptions.all(), this.#link.endedError("subscribe"));
  }

  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError === undefined) rethrowLater(error);
    else callSafely(onError, error);
  }

  // Subscriptions.

  /** Ends subscriptions; the calls of `subscribe` that have not fulfilled reject. */
  #reject(subscriptions: readonly Subscription[], error: TopicsError): void {
    for (const subscription of subscriptions) {
      subscription.joining?.reject(error);
      this.#remove(subscription);
    }
  }

  #remove(subscription: Subscription): void {
    if (subscription.isOver) return;
    subscription.isOver = true;
    this.#subscriptions.remove(subscription);
    subscription.leave?.();
    const { feed } = subscription;
    if (feed === null) return;
    feed.remove(subscription);
    this.#tidy(feed);
  }

  #feedOf(topic: string): TopicFeed {
    let feed = this.#feeds.get(topic);
    if (feed === undefined) this.#feeds.set(topic, feed = new TopicFeed(topic, this.#host));
    return feed;
  }

  #tidy(feed: TopicFeed): void {
    if (feed.isEmpty && this.#feeds.get(feed.topic) === feed) this.#feeds.delete(feed.topic);
  }
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

/** A promise that rejects when a signal aborts, until it is released. */
function interruptedBy(signal: AbortSignal): { promise: Promise<never>; release: () => void } {
  const { promise, reject } = new Deferred<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  return { promise, release: () => signal.removeEventListener("abort", onAbort) };
}
