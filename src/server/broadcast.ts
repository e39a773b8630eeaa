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
 * - `"close"`: no message is dropped; the receiver is closed when it has been behind for `stallTimeout` and
 *   its queue exceeds `maxQueueSize`;
 * - `"drop-oldest"`: above `maxQueueSize` the oldest queued messages are dropped;
 * - `"latest"`: only the latest message is queued: for states, such as a price.
 *
 * Whatever the policy, a receiver that takes nothing at all for `stallTimeout` is closed. Closing is
 * with 1013, try again later.
 */
export type SlowReceiverPolicy = "close" | "drop-oldest" | "latest";

/** Options of {@linkcode broadcast}. */
export interface BroadcastOptions {
  /** The channels to leave out, one or several, transformed or not: their connections get nothing. */
  except?:
    | WebSocketChannel<unknown, never>
    | Iterable<WebSocketChannel<unknown, never>>
    | undefined;
  /** `false` sends it uncompressed although compression was agreed. RFC 7692 §6. */
  compress?: boolean | undefined;
  /** What is done with slow receivers. Default `"close"`. */
  slow?: SlowReceiverPolicy | undefined;
  /** How many bytes of messages may wait for a receiver, beside its own buffer. Default 1 MiB. */
  maxQueueSize?: number | undefined;
  /** How long a receiver may take nothing, or be behind, in milliseconds. Default 30,000. */
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

/** Options that were read once, for any number of broadcasts. */
export class BroadcastPlan {
  /** What is done with slow receivers. */
  readonly policy: SlowPolicy;
  /** Whether a channel gets nothing; `null`: each gets the message. */
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

/** Sends messages to many channels, and remembers which of them are behind. */
export class Broadcaster implements Flushable {
  readonly #clock: Clock;
  /** How many messages were sent in this turn. */
  #count = 0;
  /**
   * Whether the next message is likely to be the only one of its turn, as that of the last turn was: then
   * nothing is gained by waiting for the turn's end, and each connection is visited only once.
   */
  #isOnly = true;
  readonly #slow: WeakMap<WebSocketChannel, SlowReceiver> = new WeakMap<
    WebSocketChannel,
    SlowReceiver
  >();

  /**
   * Creates a broadcaster. One serves any number of channels.
   *
   * @param clock Where times come from.
   */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** See {@linkcode broadcast}. */
  send(
    channels: Iterable<WebSocketChannel>,
    message: MessageInput,
    given?: BroadcastOptions | BroadcastPlan,
  ): void {
    checkMessage(message);
    const { policy, isLeftOut } = given instanceof BroadcastPlan ? given : new BroadcastPlan(given);
    if (typeof channels?.[Symbol.iterator] !== "function") {
      const got = shown(channels);
      throw new TypeError(`Cannot broadcast: channels must be an iterable of channels, got ${got}`);
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
        // A hand-written channel may throw, or a platform's own socket: the others get the message all the same.
        failure ??= { error };
      }
    }
    if (failure !== null) throw failure.error;
  }

  /** A turn has ended. */
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
      // Without what waits here: to drop some of that isn't to take it.
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
  const entry = Array.isArray(got) ? ". Of a Map, give its values()" : "";
  return new TypeError(
    `Cannot broadcast: each of the channels must be a channel, got ${shown(got)}${entry}`,
  );
}

/** A channel of another implementation gets the message through its sink. */
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
 * Sends a message that others get as well, on an open connection; also while an `addStream`
 * has the sink.
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
 * As {@linkcode sendPrepared}, if there is room and nothing is held back that it must wait behind.
 *
 * @param isOnly Whether nothing else is likely to be sent in this turn.
 * @returns `false` when nothing was done.
 * @throws {UnsupportedError} When it must not be compressed, and the transport gives no choice.
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
 * Registers messages that are held back until there is room.
 *
 * @returns Ends that: what is still held then counts as dropped.
 */
export function addHolder(core: ChannelCore, holder: Holder): () => void {
  const holders = core.holders ??= new Set();
  holders.add(holder);
  return () => {
    if (holders.delete(holder)) core.dropped += holder.size;
  };
}

/** A channel that may change the bytes it gets is given a copy. */
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
 * Sends one message to many channels: those that are open. It is framed once for all of them, and
 * compressed once for all that agreed on compression in the same way.
 *
 * A receiver that has no room waits in a queue of its own, and does not hold up the others; messages in that
 * queue are shared with the others', not copied. What is added to the channel's own sink meanwhile
 * overtakes them; broadcasts keep their order. When this side closes the channel, they are sent before
 * its Close; a hand-written channel, or one of another copy of this package, drops them.
 *
 * The message to a transformed channel goes through its transformer.
 *
 * @param channels The receivers, such as a server's `channels`.
 * @param message The message; bytes are copied.
 * @param options Who is left out, and what is done with slow receivers.
 * @throws {TypeError} When the channels are no iterable, the message is neither text nor bytes, or an
 * option is malformed.
 * @throws {RangeError} When a number is out of its range.
 * @throws {UnsupportedError} When it must not be compressed, and a channel's transport gives no choice; the
 * others have got the message.
 * @throws What the sink of a hand-written channel throws, likewise.
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
