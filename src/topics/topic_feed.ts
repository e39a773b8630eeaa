import { isPromiseLike } from "../realm/kinds.ts";
import { broadcastAs, type BroadcastPlan } from "../server/broadcast.ts";
import { ignore } from "../stream_channel/errors.ts";
import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import { closeAs } from "../web_socket/close_like.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import { checkMessage } from "../web_socket/message_input.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { internalServerError } from "../../status.ts";
import type { LogEntry } from "./engine.ts";
import type { SubscriptionState, Wrap } from "./topics_options.ts";

/** How many bytes of live messages wait while history is read; above it, they are read as history as well. */
const MAX_BUFFER = 1024 * 1024;

/** What all feeds of one `Topics` share. */
export interface FeedHost {
  /** How messages are sent, and what is done with slow receivers. */
  readonly plan: BroadcastPlan;
  /** The offset of a position in the present epoch. */
  offsetOf(position: bigint): string;
  /** A function of the user's has thrown. */
  report(error: unknown): void;
}

/** Live messages that arrive while history is read. */
export class LiveBuffer {
  #entries: LogEntry[] = [];
  #size = 0;
  #isOverflown = false;

  /** Whether messages are missing: there were too many. */
  get isOverflown(): boolean {
    return this.#isOverflown;
  }

  /** Messages are missing: the log had a gap. */
  overflow(): void {
    this.#isOverflown = true;
    this.#entries = [];
  }

  /** Begins again, before history is read. */
  clear(): void {
    this.#entries = [];
    this.#size = 0;
    this.#isOverflown = false;
  }

  /** Keeps a message. */
  add(entry: LogEntry): void {
    this.#size += sizeOfMessage(entry.message);
    if (this.#size > MAX_BUFFER) this.overflow();
    else this.#entries.push(entry);
  }

  /** Takes those behind a position. */
  take(position: bigint): LogEntry[] {
    const entries = this.#entries.filter((entry) => entry.position > position);
    this.clear();
    return entries;
  }
}

/** What a feed needs of a subscription. */
export interface Receiver {
  readonly channel: WebSocketChannel;
  readonly wrap: Wrap | undefined;
  readonly onState:
    | ((state: SubscriptionState) => MessageInput | undefined | void)
    | undefined;
}

/**
 * One topic in this process: who receives it, and how far it was delivered. It has no connection, timer or clock.
 *
 * Receivers with the same `wrap` are one group: a message is wrapped, framed and compressed once for all of them.
 */
export class TopicFeed {
  readonly topic: string;
  /** The position up to which messages were delivered. */
  position: bigint;
  /** Live messages are kept while messages before them are read again; `null`: they are delivered at once. */
  behind: LiveBuffer | null = null;
  readonly #host: FeedHost;
  readonly #groups: Map<Wrap | undefined, Map<WebSocketChannel, Receiver>> = new Map();
  /** Those that have read more of the log than was reported live: each gets what is behind its position. */
  #early: Map<Receiver, bigint> | null = null;
  /** Those that read history. */
  #joining: Set<LiveBuffer> | null = null;

  /** Creates a feed without receivers. */
  constructor(topic: string, host: FeedHost) {
    this.topic = topic;
    this.#host = host;
    this.position = 0n;
  }

  /** Whether there are no receivers, and none that read history. */
  get isEmpty(): boolean {
    return this.#isWithoutReceivers && this.#joining === null;
  }

  /** Begins to keep live messages for a subscription that reads history. */
  join(buffer: LiveBuffer): void {
    this.#joining ??= new Set();
    this.#joining.add(buffer);
  }

  /** Ends that. */
  leaveJoining(buffer: LiveBuffer): void {
    if (this.#joining?.delete(buffer) && this.#joining.size === 0) this.#joining = null;
  }

  /** Adds a receiver that has got everything up to a position. */
  add(receiver: Receiver, position: bigint): void {
    if (this.#isWithoutReceivers) this.position = position;
    if (position <= this.position) this.#addLive(receiver);
    else {
      this.#early ??= new Map();
      this.#early.set(receiver, position);
    }
  }

  get #isWithoutReceivers(): boolean {
    return this.#groups.size === 0 && this.#early === null;
  }

  #addLive(receiver: Receiver): void {
    let group = this.#groups.get(receiver.wrap);
    if (group === undefined) this.#groups.set(receiver.wrap, group = new Map());
    group.set(receiver.channel, receiver);
  }

  /** Removes a receiver. */
  remove(receiver: Receiver): void {
    this.#removeEarly(receiver);
    const group = this.#groups.get(receiver.wrap);
    if (group?.get(receiver.channel) !== receiver) return;
    group.delete(receiver.channel);
    if (group.size === 0) this.#groups.delete(receiver.wrap);
  }

  /** A message has come from the log. */
  onEntry(entry: LogEntry): void {
    if (this.#joining !== null) { for (const buffer of this.#joining) buffer.add(entry); }
    if (this.behind === null) this.deliver(entry);
    else this.behind.add(entry);
  }

  /** Sends a message to all receivers that have not got it. */
  deliver(entry: Omit<LogEntry, "topic">): void {
    const { position } = entry;
    if (position <= this.position) return;
    this.position = position;
    if (this.#early !== null) this.#promote(this.#early, position);
    for (const [wrap, group] of this.#groups) {
      this.#send(group.keys(), wrap, entry);
    }
  }

  #removeEarly(receiver: Receiver): void {
    if (this.#early?.delete(receiver) && this.#early.size === 0) this.#early = null;
  }

  #promote(early: ReadonlyMap<Receiver, bigint>, position: bigint): void {
    for (const [receiver, until] of early) {
      if (until >= position) continue;
      this.#removeEarly(receiver);
      this.#addLive(receiver);
    }
  }

  #send(
    channels: Iterable<WebSocketChannel>,
    wrap: Wrap | undefined,
    entry: Omit<LogEntry, "topic">,
  ): void {
    let message: MessageInput;
    try {
      message = this.#wrapped(wrap, entry);
      checkReturned(message);
    } catch (error) {
      // They would miss the message and not know it.
      for (const channel of [...channels]) closeAs(channel, internalServerError, "Cannot send");
      return this.#host.report(error);
    }
    try {
      broadcastAs(this.#host.plan, channels, message);
    } catch (error) {
      this.#host.report(error);
    }
  }

  /** Sends a message of the history to one receiver. */
  sendTo({ channel, wrap }: Receiver, entry: Omit<LogEntry, "topic">): void {
    this.#send([channel], wrap, entry);
  }

  #wrapped(wrap: Wrap | undefined, { position, message }: Omit<LogEntry, "topic">): MessageInput {
    if (wrap === undefined) return message;
    return wrap(message, { topic: this.topic, offset: this.#host.offsetOf(position) });
  }

  /** Tells receivers of a state; what they return is sent to them. */
  tell(state: SubscriptionState): void {
    for (const group of [...this.#groups.values()]) {
      for (const receiver of [...group.values()]) this.tellOne(receiver, state);
    }
    for (const receiver of [...this.#early?.keys() ?? []]) this.tellOne(receiver, state);
  }

  /** As {@linkcode tell}, for one. */
  tellOne({ channel, onState }: Receiver, state: SubscriptionState): void {
    if (onState === undefined) return;
    try {
      const message = onState(state);
      if (message === undefined) return;
      checkReturned(message);
      broadcastAs(this.#host.plan, [channel], message);
    } catch (error) {
      this.#host.report(error);
    }
  }

  /**
   * Messages behind a position are to be read again: live ones are kept meanwhile.
   *
   * @returns Whether the caller has to begin to read; `false`: another call does, or there are no receivers.
   */
  startCatchingUp(after: bigint): boolean {
    for (const buffer of this.#joining ?? []) buffer.overflow();
    if (this.behind !== null) {
      this.behind.overflow();
      return false;
    }
    if (this.#isWithoutReceivers) return false;
    if (after > this.position) this.position = after;
    this.behind = new LiveBuffer();
    return true;
  }

  /** All was read: what was kept follows. */
  endCatchingUp(): void {
    const entries = this.behind?.take(this.position) ?? [];
    this.behind = null;
    for (const entry of entries) this.deliver(entry);
  }

  /** Another log has taken the place of the one before. */
  reset(): void {
    this.position = 0n;
    for (const receiver of this.#early?.keys() ?? []) this.#addLive(receiver);
    this.#early = null;
    this.behind = null;
    for (const buffer of this.#joining ?? []) buffer.clear();
  }
}

/** What a function of the user's returns may be a promise, although it must not: its rejection does no harm. */
function checkReturned(message: unknown): void {
  if (isPromiseLike(message)) message.then(ignore, ignore);
  checkMessage(message);
}
