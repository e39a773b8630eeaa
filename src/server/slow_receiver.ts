import { internalServerError, tryAgainLater } from "../../status.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { CountedQueue } from "../stream_channel/counted_queue.ts";
import type { Clock } from "../web_socket/clock.ts";
import { closeAs } from "../web_socket/close_like.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { SendOptions } from "../web_socket/web_socket_sink.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";

/** How to treat a slow receiver. */
export interface SlowPolicy {
  readonly slow: "close" | "drop-oldest" | "latest";
  readonly maxQueueSize: number;
  readonly stallTimeout: number;
  /** How to send its messages. */
  readonly send: SendOptions | undefined;
}

/** The actions and events of a {@linkcode SlowReceiver}. */
export interface SlowReceiverEvents {
  /** Returns the number of bytes that the channel has buffered and its transport has not taken. */
  amount(): number;
  send(message: PreparedMessage, policy: SlowPolicy): void;
  /** Called when the queue is empty, or the channel has ended. */
  onCaughtUp(): void;
}

interface Waiting {
  readonly message: PreparedMessage;
  readonly policy: SlowPolicy;
}

/**
 * A channel that can't keep up, and the messages queued for it. It is judged by what it takes, not by the length of its
 * queue, because a slow connection isn't a dead one.
 */
export class SlowReceiver {
  readonly #channel: WebSocketChannel;
  readonly #clock: Clock;
  readonly #events: SlowReceiverEvents;
  readonly #waiting: CountedQueue<Waiting> = new CountedQueue<Waiting>();
  #policy: SlowPolicy | null = null;
  #hasEnded = false;
  /** How long the channel has been behind, in milliseconds. */
  #behindFor = 0;
  #amount: number;
  /** The deadline for taking something. */
  #deadline: Deadline | null = null;

  /**
   * Creates the queue of a channel that has no room.
   *
   * @param channel The channel.
   * @param clock The clock for `stallTimeout`.
   * @param events The actions and events.
   */
  constructor(channel: WebSocketChannel, clock: Clock, events: SlowReceiverEvents) {
    this.#channel = channel;
    this.#clock = clock;
    this.#events = events;
    this.#amount = events.amount();
  }

  /** The size of the queued messages, in bytes. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The number of queued messages. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Queues a message. */
  add(message: PreparedMessage, policy: SlowPolicy): void {
    if (this.#hasEnded) return;
    const isFirst = this.#policy === null;
    this.#policy = policy;
    if (policy.slow === "latest") this.#waiting.clear();
    this.#waiting.pushSized({ message, policy }, message.size);
    if (policy.slow === "drop-oldest") this.#dropOldest(policy.maxQueueSize);
    if (isFirst) {
      this.#deadline = new Deadline(this.#clock, {
        ms: policy.stallTimeout,
        onLook: (counted, stalled) => this.#checkProgress(counted, stalled),
        onTime: () => this.#closeStalled(),
      });
      void this.#pump();
    } else if (this.#deadline !== null) this.#deadline.limit = policy.stallTimeout;
  }

  /** Drops the oldest messages above the limit; always keeps the newest. */
  #dropOldest(maxQueueSize: number): void {
    const waiting = this.#waiting;
    while (waiting.size > maxQueueSize && waiting.length > 1) waiting.shift();
  }

  /** Sends the whole queue, even without room, because the channel is about to close. */
  handOver(): void {
    while (this.#canSend) this.#sendNext();
    this.#end();
  }

  async #pump(): Promise<void> {
    const { sink } = this.#channel;
    try {
      while (this.#canSend) {
        await sink.ready;
        // A sink of another implementation may lack `hasRoom`: it gets one message each time it is ready.
        do this.#sendNext(); while (this.#canSend && sink.hasRoom);
      }
    } catch {
      // A channel of another implementation fails, or its sink rejects the message: the queue is lost.
      closeAs(this.#channel, internalServerError, "Cannot send");
    }
    this.#end();
  }

  get #canSend(): boolean {
    return this.#waiting.length > 0 && this.#channel.state === "open";
  }

  #sendNext(): void {
    // The queue may have changed in the meantime.
    if (!this.#canSend) return;
    const { message, policy } = this.#waiting.shift();
    this.#events.send(message, policy);
    this.#progress();
  }

  #progress(): void {
    this.#deadline?.restart();
    this.#amount = this.#events.amount();
  }

  #checkProgress(counted: number, stalled: boolean): void {
    const amount = this.#events.amount();
    // The user's own messages also change this amount, so it is checked more often than the timeout requires.
    if (amount < this.#amount) this.#progress();
    this.#amount = amount;
    this.#behindFor += counted;
    if (!stalled && this.#isHopeless) this.#closeStalled();
  }

  get #isHopeless(): boolean {
    const policy = this.#policy;
    return policy?.slow === "close" && this.#waiting.size > policy.maxQueueSize &&
      this.#behindFor >= policy.stallTimeout;
  }

  #closeStalled(): void {
    this.#end();
    if (this.#channel.state === "open") closeAs(this.#channel, tryAgainLater, "Too slow");
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deadline?.clear();
    this.#events.onCaughtUp();
    this.#waiting.clear();
  }
}
