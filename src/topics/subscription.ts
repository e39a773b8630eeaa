import { Deferred, invalidState } from "../stream_channel/errors.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { Receiver, TopicFeed } from "./topic_feed.ts";
import { TopicsError } from "./topics_error.ts";
import type { SubscribeOptions } from "./topics_options.ts";

/** A channel's subscription to a topic. */
export interface TopicSubscription {
  /** The topic. */
  readonly topic: string;
  /** The offset at which the subscription began: the channel gets all later messages when they are published. */
  readonly offset: string;
  /** How many messages of the history the channel got. */
  readonly replayed: number;
  /** Whether `after` could not be resumed from: messages between it and the channel's first one may be missing. */
  readonly resync: boolean;
  /** Ends the subscription. The end of the channel does so, too. */
  unsubscribe(): void;
}

/** A subscription, from the call of `subscribe` to its end. */
export class Subscription implements TopicSubscription, Receiver {
  readonly channel: WebSocketChannel;
  readonly topic: string;
  readonly wrap: Receiver["wrap"];
  readonly onState: Receiver["onState"];
  offset = "";
  replayed = 0;
  resync = false;
  /** Where it receives live messages; `null`: it still reads history. */
  feed: TopicFeed | null = null;
  /** Takes the member away; `null`: it is none. */
  leave: (() => void) | null = null;
  /** Interrupts `subscribe`; `null` when that has fulfilled. */
  joining: Deferred<never> | null = new Deferred<never>();
  isOver = false;
  readonly #onUnsubscribe: (subscription: Subscription) => void;

  /** Creates a subscription that receives nothing yet. */
  constructor(
    channel: WebSocketChannel,
    topic: string,
    { wrap, onState }: Pick<SubscribeOptions, "wrap" | "onState">,
    onUnsubscribe: (subscription: Subscription) => void,
  ) {
    this.channel = channel;
    this.topic = topic;
    this.wrap = wrap;
    this.onState = onState;
    this.#onUnsubscribe = onUnsubscribe;
  }

  unsubscribe(): void {
    this.#onUnsubscribe(this);
  }

  /** What users see of it: it may be sent to a client. */
  toJSON(): Omit<TopicSubscription, "unsubscribe"> {
    const { topic, offset, replayed, resync } = this;
    return { topic, offset, replayed, resync };
  }
}

/** A channel with one topic, as most have, needs no map. */
type OfChannel = Subscription | Map<string, Subscription>;

/** The subscriptions of all channels. */
export class SubscriptionTable {
  readonly #channels: Map<WebSocketChannel, OfChannel> = new Map<WebSocketChannel, OfChannel>();
  /** Those whose end is waited for: once each, however often they subscribe. */
  readonly #watched: WeakSet<WebSocketChannel> = new WeakSet<WebSocketChannel>();
  readonly #onChannelClosed: (subscriptions: Subscription[]) => void;
  #size = 0;

  /** @param onChannelClosed Called with the subscriptions of a channel that has closed. */
  constructor(onChannelClosed: (subscriptions: Subscription[]) => void) {
    this.#onChannelClosed = onChannelClosed;
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** All of them, as they are now. */
  all(): Subscription[] {
    return [...this.#channels.values()].flatMap(listOf);
  }

  /**
   * Adds a subscription.
   *
   * @throws {InvalidStateError} When its channel is subscribed to its topic already.
   * @throws {TopicsError} When its channel is closed.
   */
  add(subscription: Subscription): void {
    const { channel, topic } = subscription;
    if (isEnding(channel)) throw channelClosed();
    const known = this.#channels.get(channel);
    if (known === undefined) {
      this.#channels.set(channel, subscription);
      this.#watch(channel);
    } else {
      const all = known instanceof Subscription ? new Map([[known.topic, known]]) : known;
      if (all.has(topic)) {
        throw invalidState("Cannot subscribe: the channel is subscribed to the topic already");
      }
      all.set(topic, subscription);
      this.#channels.set(channel, all);
    }
    this.#size++;
  }

  /** Removes a subscription that was added. */
  remove(subscription: Subscription): void {
    const { channel, topic } = subscription;
    const all = this.#channels.get(channel);
    if (all === subscription) this.#channels.delete(channel);
    else if (all !== undefined && !(all instanceof Subscription)) {
      all.delete(topic);
      if (all.size === 0) this.#channels.delete(channel);
    }
    this.#size--;
  }

  #watch(channel: WebSocketChannel): void {
    if (this.#watched.has(channel)) return;
    this.#watched.add(channel);
    const onClosed = (): void => {
      const subscriptions = this.#channels.get(channel);
      if (subscriptions !== undefined) this.#onChannelClosed(listOf(subscriptions));
    };
    // The promise of another implementation's channel may reject.
    Promise.resolve(channel.closed).then(onClosed, onClosed);
  }
}

function listOf(subscriptions: OfChannel): Subscription[] {
  return subscriptions instanceof Subscription ? [subscriptions] : [...subscriptions.values()];
}

/** Whether a channel takes no more messages. */
export function isEnding({ state }: WebSocketChannel): boolean {
  return state === "closing" || state === "closed";
}

/** The error of subscribing a closed channel. */
export function channelClosed(): TopicsError {
  return new TopicsError("Cannot subscribe: the channel is closed", { reason: "closed" });
}
