import { PreparedMessage } from "../protocol/prepared_message.ts";
import { ignore } from "../stream_channel/errors.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { Channel } from "../web_socket/channel.ts";
import { copyOf } from "../realm/bytes.ts";
import type { ChannelCore, Holder } from "../web_socket/channel_core.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { checkMessage } from "../web_socket/message_input.ts";
import { type Flushable, inTicks } from "../web_socket/flushes.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";
import { type SlowPolicy, SlowReceiver } from "./slow_receiver.ts";

/**
 * What happens to a receiver that can't keep up:
 *
 * - `"close"`: drops no message, and closes the receiver when it has been behind for `stallTimeout` and its queue
 *   exceeds `maxQueueSize`;
 * - `"drop-oldest"`: drops the oldest queued messages above `maxQueueSize`;
 * - `"latest"`: queues only the latest message; suits a state, such as a price.
 *
 * With every policy, a receiver that takes nothing at all for `stallTimeout` is closed. The close code is 1013 (try
 * again later).
 */
export type SlowReceiverPolicy = "close" | "drop-oldest" | "latest";

/** Options of {@linkcode broadcast}. */
export interface BroadcastOptions {
  /** The channels to leave out, one or several. A transformed channel stands for its connection. */
  except?:
    | WebSocketChannel<unknown, never>
    | Iterable<WebSocketChannel<unknown, never>>
    | undefined;
  /** `false` sends the message uncompressed even where compression was agreed on. RFC 7692 §6. */
  compress?: boolean | undefined;
  /** How to treat slow receivers. Default `"close"`. */
  slow?: SlowReceiverPolicy | undefined;
  /** How many bytes of messages a receiver's queue may hold, besides the channel's own buffer. Default 1 MiB. */
  maxQueueSize?: number | undefined;
  /** How long a receiver may take no message, or be behind, in milliseconds. Default 30,000. */
  stallTimeout?: number | undefined;
}

const BROADCAST_KINDS: OptionKinds<BroadcastOptions> = {
  except: "object",
  compress: "boolean",
  slow: '"close"|"drop-oldest"|"latest"',
  maxQueueSize: "size",
  stallTimeout: "time",
};

/** The default of {@linkcode BroadcastOptions.maxQueueSize}: 1 MiB. */
const DEFAULT_MAX_QUEUE_SIZE = 1024 * 1024;
/** The default of {@linkcode BroadcastOptions.stallTimeout}, in milliseconds. */
const DEFAULT_STALL_TIMEOUT = 30_000;

/** Checked options for any number of broadcasts. */
export class BroadcastPlan {
  /** How to treat slow receivers. */
  readonly policy: SlowPolicy;
  /** Returns whether to leave a channel out; `null`: every channel gets the message. */
  readonly isLeftOut: ((channel: WebSocketChannel) => boolean) | null;

  /**
   * Reads options.
   *
   * @throws {TypeError | RangeError} When an option is malformed.
   */
  constructor(given?: BroadcastOptions) {
    const options = readOptions(given, BROADCAST_KINDS);
    this.policy = policyOf(options);
    this.isLeftOut = leftOut(options.except);
  }
}

/** Sends messages to many channels, and keeps a queue for each that is behind. */
export class Broadcaster implements Flushable {
  readonly #clock: Clock;
  /** The number of messages sent in this turn. */
  #count = 0;
  /**
   * Whether the next message is likely the only one of its turn, as in the previous turn. If so, waiting for the end of
   * the turn gains nothing, and each connection is visited only once.
   */
  #isOnly = true;
  readonly #slow: WeakMap<WebSocketChannel, SlowReceiver> = new WeakMap<
    WebSocketChannel,
    SlowReceiver
  >();

  /**
   * Creates a broadcaster for any number of channels.
   *
   * @param clock The clock for `stallTimeout`.
   */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Does the work of {@linkcode broadcast}. */
  send(
    channels: Iterable<WebSocketChannel>,
    message: MessageInput,
    given?: BroadcastOptions | BroadcastPlan,
  ): void {
    checkMessage(message);
    const { policy, isLeftOut } = given instanceof BroadcastPlan ? given : new BroadcastPlan(given);
    if (typeof channels?.[Symbol.iterator] !== "function") {
      const got = shown(channels);
      throw new TypeError(`Cannot broadcast: the channels must be iterable, got ${got}`);
    }
    const prepared = new PreparedMessage(message);
    const isOnly = this.#isOnly;
    let failure: { readonly error: unknown } | null = null;
    if (this.#count++ === 0) inTicks.add(this);
    for (const channel of channels) {
      if (isLeftOut?.(channel)) continue;
      try {
        const own = Channel.coreOf(channel);
        if (own !== null && sendIfRoom(own, prepared, policy.send, isOnly)) continue;
        if (channel.state !== "open") {
          if (typeof channel.state !== "string") throw noChannel(channel);
          continue;
        }
        this.#sendTo(channel, prepared, policy);
      } catch (error) {
        // A channel of another implementation may throw. The other channels get the message all the same.
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
  }

  /** Ends a turn; called once at its end. */
  flush(): void {
    this.#isOnly = this.#count === 1;
    this.#count = 0;
  }

  #sendTo(channel: WebSocketChannel, message: PreparedMessage, policy: SlowPolicy): void {
    let receiver = this.#slow.get(channel);
    if (receiver === undefined) {
      if (channel.sink.hasRoom) return sendShared(channel, message, policy);
      receiver = this.#createReceiver(channel);
    }
    receiver.add(message, policy);
  }

  #createReceiver(channel: WebSocketChannel): SlowReceiver {
    const own = Channel.coreOf(channel);
    const receiver = new SlowReceiver(channel, this.#clock, {
      // Excludes this queue, because dropping messages from it is no progress of the receiver.
      amount: () => own === null ? channel.sink.bufferedAmount : own.transport?.bufferedAmount ?? 0,
      send: (waiting, how) => sendShared(channel, waiting, how),
      onCaughtUp: () => {
        release();
        this.#slow.delete(channel);
      },
    });
    const release = own === null ? ignore : addHolder(own, receiver);
    this.#slow.set(channel, receiver);
    return receiver;
  }
}

function noChannel(got: unknown): TypeError {
  const entry = Array.isArray(got) ? ". Pass the values() of a Map" : "";
  return new TypeError(
    `Cannot broadcast: each receiver must be a channel, got ${shown(got)}${entry}`,
  );
}

/** Sends a shared message; a channel of another implementation gets it through its sink. */
function sendShared(
  channel: WebSocketChannel,
  message: PreparedMessage,
  { send }: SlowPolicy,
): void {
  const own = Channel.coreOf(channel);
  if (own === null) channel.sink.add(ownContent(message), send);
  // The peer turns out to be gone.
  else if (!sendPrepared(own, message, send)) own.dropped += message.size;
}

/**
 * Sends a shared message on an open connection, even while an `addStream` uses the sink.
 *
 * @returns Whether it was sent.
 */
export function sendPrepared(
  core: ChannelCore,
  message: PreparedMessage,
  options?: SendOptions,
): boolean {
  return core.openTransport?.sendPrepared(message, options, false) ?? false;
}

/**
 * Sends a shared message like {@linkcode sendPrepared}, but only if there is room and no earlier message is held back.
 *
 * @param isOnly Whether the message is likely the only one of this turn.
 * @returns `false` when it did nothing.
 * @throws {UnsupportedError} When the message must not be compressed, but the transport decides that itself.
 */
export function sendIfRoom(
  core: ChannelCore,
  message: PreparedMessage,
  options: SendOptions | undefined,
  isOnly: boolean,
): boolean {
  const { openTransport, holders } = core;
  if (openTransport !== null && options !== undefined) core.checkAbility(options);
  if (openTransport === null) return false;
  if (openTransport.isFull ?? openTransport.load >= core.highWaterMark) return false;
  if (holders !== null && holders.size > 0) return false;
  // The peer turns out to be gone.
  if (!openTransport.sendPrepared(message, options, isOnly)) core.dropped += message.size;
  return true;
}

/**
 * Registers a holder of messages that wait for room.
 *
 * @returns A function that removes it; messages that it still holds then count as dropped.
 */
export function addHolder(core: ChannelCore, holder: Holder): () => void {
  const holders = core.holders ??= new Set();
  holders.add(holder);
  return () => {
    if (holders.delete(holder)) core.dropped += holder.size;
  };
}

/** Copies bytes, because a channel of another implementation may change them. */
function ownContent({ content }: PreparedMessage): MessageInput {
  return typeof content === "string" ? content : copyOf(content);
}

function policyOf(options: BroadcastOptions): SlowPolicy {
  const { slow = "close", maxQueueSize, stallTimeout, compress } = options;
  return {
    slow,
    maxQueueSize: maxQueueSize ?? DEFAULT_MAX_QUEUE_SIZE,
    stallTimeout: stallTimeout ?? DEFAULT_STALL_TIMEOUT,
    send: compress === false ? { compress } : undefined,
  };
}

function leftOut(
  except: BroadcastOptions["except"],
): ((channel: WebSocketChannel) => boolean) | null {
  if (except === undefined) return null;
  const all = Symbol.iterator in except ? [...except] : [except];
  const connections = new Set(all.map(Channel.connectionOf));
  return (channel) => connections.has(Channel.connectionOf(channel));
}

const everybody = new Broadcaster(systemClock);

/** As {@linkcode broadcast}, with options that were read before. */
export function broadcastAs(
  plan: BroadcastPlan,
  channels: Iterable<WebSocketChannel>,
  message: MessageInput,
): void {
  everybody.send(channels, message, plan);
}

/**
 * Sends one message to every open channel among many. The message is framed once for all of them, and compressed once
 * for all that agreed on the same compression.
 *
 * A receiver without room gets its own queue and doesn't slow down the others; the queues share the messages instead of
 * copying them. Messages added to that channel's own sink overtake its queue; broadcasts keep their order. When this
 * side closes the channel, it sends the queue before the Close. A channel of another implementation, or of another copy
 * of this package, drops the queue instead.
 *
 * A transformed channel transforms the message.
 *
 * @param channels The receivers, such as a server's `channels`.
 * @param message The message; bytes are copied.
 * @param options Which channels to leave out, and how to treat slow receivers.
 * @throws {TypeError} When the channels are not iterable, the message is neither text nor bytes, or an option is
 * malformed.
 * @throws {RangeError} When a number is out of its range.
 * @throws {UnsupportedError} When `compress` is `false`, but a channel's transport decides about compression itself.
 * The other channels have got the message.
 * @throws What the sink of a channel of another implementation throws. The other channels have got the message.
 *
 * @example
 * ```ts
 * import { broadcast } from "@web-socket/channel/server";
 * import type { ServerWebSocketChannel } from "@web-socket/channel/server";
 *
 * const room = new Set<ServerWebSocketChannel>();
 * broadcast(room, "hello, all");
 * ```
 */
export function broadcast(
  channels: Iterable<WebSocketChannel>,
  message: MessageInput,
  options?: BroadcastOptions,
): void {
  everybody.send(channels, message, options);
}
