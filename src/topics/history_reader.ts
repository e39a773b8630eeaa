import type { Clock } from "../web_socket/clock.ts";
import { closeAs } from "../web_socket/close_like.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { tryAgainLater } from "../../status.ts";
import type { EngineLog, HistoryPage, HistoryRange } from "./engine.ts";
import type { EngineLink } from "./engine_link.ts";
import { formatOffset, parseOffset } from "./offset.ts";
import { channelClosed, isEnding, type Subscription } from "./subscription.ts";
import { LiveBuffer, type TopicFeed } from "./topic_feed.ts";
import { EngineError } from "./topics_error.ts";

/** How many answers of an unknown epoch, or without an end, are read before the engine counts as faulty. */
const MAX_UNKNOWN = 10;

/** What a {@linkcode HistoryReader} has. */
export interface HistoryReaderOptions {
  readonly link: EngineLink;
  readonly log: EngineLog;
  readonly clock: Clock;
  /** How long a channel may take nothing of its history, in milliseconds. */
  readonly stallTimeout: number;
  /** What could not be read again is reported here. */
  readonly report: (error: unknown) => void;
}

/** Which part of the history a subscriber asks for: see `SubscribeOptions`. */
export interface HistoryWish {
  readonly after: string | undefined;
  readonly last: number;
}

/** Reads history: for subscriptions that begin, and for topics whose live messages have a gap. */
export class HistoryReader {
  /** How many times a subscriber or a topic could not be resumed. */
  resyncs = 0;
  readonly #options: HistoryReaderOptions;

  /** Creates a reader of a log. */
  constructor(options: HistoryReaderOptions) {
    this.#options = options;
  }

  /**
   * Sends history to a new subscriber until it meets what is reported live, and makes it live. Live messages are kept from
   * before the last page is read, so that none is missed, and what the page has of them is left out.
   */
  async join(subscription: Subscription, feed: TopicFeed, wish: HistoryWish): Promise<void> {
    const buffer = new LiveBuffer();
    feed.join(buffer);
    try {
      await this.#join(subscription, feed, buffer, wish);
    } finally {
      feed.leaveJoining(buffer);
    }
  }

  async #join(
    subscription: Subscription,
    feed: TopicFeed,
    buffer: LiveBuffer,
    { after, last }: HistoryWish,
  ): Promise<void> {
    const { link, log } = this.#options;
    const interrupted = subscription.joining?.promise as Promise<never>;
    const parsed = after === undefined ? null : parseOffset(after);
    const isKnown = parsed !== null && parsed.epoch === link.epoch;
    let epoch = link.epoch;
    let range: HistoryRange = { after: isKnown ? parsed.position : null, last };
    if (after !== undefined && !isKnown) this.#resync(subscription, feed);
    for (let unknown = 0;;) {
      buffer.clear();
      const wait = { what: "subscribe", interrupted };
      const page = await link.ask(wait, () => log.history(feed.topic, range));
      const isOther = page.epoch !== epoch;
      if (page.epoch !== link.epoch || !page.isLast && page.entries.length === 0) unknown++;
      if (unknown > MAX_UNKNOWN) throw brokenEngine();
      if (isOther || !page.isComplete) {
        epoch = link.epoch;
        const isNew = after === undefined && subscription.replayed === 0;
        if (!isNew) this.#resync(subscription, feed);
        // What has begun goes on with what is still there.
        if (isOther || subscription.replayed === 0) {
          range = { after: null, last };
          continue;
        }
      }
      await this.#replay(subscription, feed, page);
      if (subscription.isOver) await interrupted;
      const position = page.isLast ? page.end : page.entries.at(-1)?.position ?? page.end;
      range = { after: position, last: 0 };
      if (!page.isLast || buffer.isOverflown || epoch !== link.epoch) continue;
      return this.#goLive(subscription, feed, buffer, position);
    }
  }

  #goLive(subscription: Subscription, feed: TopicFeed, buffer: LiveBuffer, from: bigint): void {
    let position = from;
    for (const entry of buffer.take(position)) {
      // A `wrap` may have ended it.
      if (subscription.isOver) return;
      feed.sendTo(subscription, entry);
      position = entry.position;
    }
    if (subscription.isOver) return;
    subscription.offset = formatOffset({ epoch: this.#options.link.epoch, position });
    subscription.feed = feed;
    feed.add(subscription, position);
    feed.tellOne(subscription, { name: "live", topic: feed.topic });
  }

  #resync(subscription: Subscription, feed: TopicFeed): void {
    subscription.resync = true;
    this.resyncs++;
    feed.tellOne(subscription, { name: "resync", topic: feed.topic });
  }

  async #replay(
    subscription: Subscription,
    feed: TopicFeed,
    { entries }: HistoryPage,
  ): Promise<void> {
    const { channel, joining } = subscription;
    for (const entry of entries) {
      if (subscription.isOver) return;
      await this.#waitForRoom(channel, joining?.promise as Promise<never>);
      feed.sendTo(subscription, entry);
      subscription.replayed++;
    }
  }

  async #waitForRoom(channel: WebSocketChannel, interrupted: Promise<never>): Promise<void> {
    const { sink } = channel;
    if (isEnding(channel)) throw channelClosed();
    if (sink.hasRoom !== false) return;
    const { clock, stallTimeout } = this.#options;
    const deadline = new Deadline(clock, {
      ms: stallTimeout,
      onTime: () => closeAs(channel, tryAgainLater, "Too slow"),
    });
    try {
      await Promise.race([sink.ready, interrupted]);
      if (isEnding(channel)) throw channelClosed();
    } finally {
      deadline.clear();
    }
  }

  /** Another log has taken the place of the one before. */
  reset(feed: TopicFeed): void {
    feed.reset();
    this.resyncs++;
    feed.tell({ name: "resync", topic: feed.topic });
  }

  /** Reads what a topic's subscribers have missed. What is reported meanwhile follows it. */
  async catchUp(feed: TopicFeed, after: bigint): Promise<void> {
    if (!feed.startCatchingUp(after)) return;
    const { link, log, report } = this.#options;
    const buffer = feed.behind as LiveBuffer;
    const { topic } = feed;
    while (feed.behind === buffer) {
      buffer.clear();
      let page: HistoryPage | null = null;
      try {
        const range = { after: feed.position, last: 0 };
        const wait = { what: "catch up", mayFail: false };
        page = await link.ask(wait, () => log.history(topic, range));
      } catch (error) {
        // The engine's server refuses it: what is missing stays missing.
        if (link.state.name !== "ended") report(error);
      }
      if (feed.behind !== buffer) return;
      if (page === null || !page.isComplete) {
        this.resyncs++;
        feed.tell({ name: "resync", topic });
      }
      for (const entry of page?.entries ?? []) feed.deliver(entry);
      const isBroken = page !== null && !page.isLast && page.entries.length === 0;
      if (isBroken) report(brokenEngine());
      if (page === null || isBroken || page.isLast && !buffer.isOverflown) feed.endCatchingUp();
    }
  }
}

/** The error of an engine that does not keep its interface's promises. */
export function brokenEngine(): EngineError {
  return new EngineError(
    "The engine is faulty: it answers with an epoch that it has not reported, or with pages without an end",
  );
}
