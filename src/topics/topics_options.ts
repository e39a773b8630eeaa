import type { SlowReceiverPolicy } from "../server/broadcast.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import type { Clock } from "../web_socket/clock.ts";
import { utf8Length } from "../web_socket/message_input.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { TopicsEngine } from "./engine.ts";

/** How much of each topic is kept, for subscribers that reconnect and for new ones. */
export interface HistoryOptions {
  /** How many messages of a topic to keep: an integer from 1 to 1,000,000. Default 1,000. */
  size?: number | undefined;
  /** How long to keep a message, in milliseconds. Default 300,000. */
  age?: number | undefined;
}

/** What a channel wants to do: the argument of {@linkcode TopicsOptions.authorize}. */
export interface TopicsRequest {
  /** The action. */
  readonly action: "subscribe" | "publish";
  /** The topic's name, as it was given: it may come from a client. */
  readonly topic: string;
  /** The channel that subscribes, or on whose behalf a message is published. */
  readonly channel: WebSocketChannel;
}

/**
 * The state of the connection to the engine: live, lost for now, or ended for good. The `error` of `lost` is an
 * {@linkcode EngineError}, or the refusal of the engine's server.
 */
export type TopicsState =
  | { readonly name: "live" }
  | { readonly name: "lost"; readonly error: unknown }
  | { readonly name: "ended"; readonly error: unknown };

/**
 * The state of a subscription.
 *
 * - `"live"`: the channel gets new messages;
 * - `"resync"`: messages may be missing before the next one, because the history is too short, or the log is a new
 *   one. Reported before the channel gets a message after the gap;
 * - `"lost"`: the connection to the engine is lost. After reconnecting, `"live"` follows, and no message is skipped;
 * - `"ended"`: the topics or the engine's client were closed.
 */
export type SubscriptionState =
  | { readonly name: "live" | "resync"; readonly topic: string }
  | { readonly name: "lost" | "ended"; readonly topic: string; readonly error: unknown };

/** Returns what a subscriber gets for a message, such as the message with its offset. */
export type Wrap = (
  message: Message,
  place: { readonly topic: string; readonly offset: string },
) => MessageInput;

/** Options of `Topics`. Times are in milliseconds, sizes in bytes. */
export interface TopicsOptions {
  /** The engine that keeps the messages. Default `memory()`. */
  engine?: TopicsEngine | undefined;
  /** How much of each topic is kept. */
  history?: HistoryOptions | undefined;
  /**
   * Returns whether a channel may subscribe, or a message may be published with `from`: `true` or a promise of it.
   * Anything else refuses, and so does an error, or no answer within 10 seconds. Default: everything is allowed.
   */
  authorize?: ((request: TopicsRequest) => boolean | Promise<boolean>) | undefined;
  /**
   * What `publish`, `subscribe` and `presence` do while the connection to the engine is lost: `"wait"` until the engine
   * has reconnected, or `"fail"` with a `TopicsError`. If the server refuses this process, for example its password,
   * they reject in either case. Default `"wait"`.
   */
  whileLost?: "wait" | "fail" | undefined;
  /** How many bytes of messages may be queued to be published; above it `publish` rejects. Default 16 MiB. */
  maxPending?: number | undefined;
  /** How long `presence` still lists the members in a killed process, in milliseconds. Default 15,000. */
  lease?: number | undefined;
  /** How to treat slow receivers, as in `broadcast`. Default `"close"`. */
  slow?: SlowReceiverPolicy | undefined;
  /** How many bytes of messages the queue of a slow receiver may hold. Default 1 MiB. */
  maxQueueSize?: number | undefined;
  /** How long a receiver may take no message, or be behind, in milliseconds. Default 30,000. */
  stallTimeout?: number | undefined;
  /** `false` sends messages uncompressed even if compression was agreed. */
  compress?: boolean | undefined;
  /** Called when the connection to the engine is lost, is open again, or has ended permanently. */
  onState?: ((state: TopicsState) => void) | undefined;
  /** Called with errors that `wrap` or `onState` throws. Default: they are thrown from a microtask. */
  onError?: ((error: unknown) => void) | undefined;
  /** The clock for all times. A test can pass its own and needs no real time. Default: the system clock. */
  clock?: Clock | undefined;
}

/** Options of `Topics.subscribe`. */
export interface SubscribeOptions {
  /**
   * The offset of the last message that the subscriber has, from `publish`, a subscription or `wrap`. The channel first
   * gets all messages after it. It may come from a client: an offset that can't be resumed from causes a `resync`.
   */
  after?: string | undefined;
  /**
   * How many of the latest messages to send first, without `after` or if it can't be resumed from. Up to 10,000.
   * Default 0.
   */
  last?: number | undefined;
  /** Returns what this subscriber gets for a message. A function that many subscribers share is called once for all. */
  wrap?: Wrap | undefined;
  /** Makes the subscriber a member that `presence` lists: any value that JSON can hold, of up to 4,096 characters. */
  presence?: unknown;
  /** Called with each state of the subscription. A message that it returns is sent to the channel, in order. */
  onState?: ((state: SubscriptionState) => MessageInput | undefined | void) | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
}

/** Options of `Topics.publish`. */
export interface PublishOptions {
  /**
   * A name for the message, 1 to 256 characters. If the topic already got a message with this id within the history's
   * age, `publish` does not send this one again, and returns the first one's offset.
   */
  id?: string | undefined;
  /** The channel on whose behalf the message is published: `authorize` is called. Default: it is not. */
  from?: WebSocketChannel | undefined;
  /** Aborts the call. The message may be published all the same. */
  signal?: AbortSignal | undefined;
}

const TOPICS_KINDS: OptionKinds<TopicsOptions> = {
  engine: "object",
  history: "object",
  authorize: "function",
  whileLost: '"wait"|"fail"',
  maxPending: "limit",
  lease: "period",
  slow: '"close"|"drop-oldest"|"latest"',
  maxQueueSize: "size",
  stallTimeout: "time",
  compress: "boolean",
  onState: "function",
  onError: "function",
  clock: "object",
};

const HISTORY_KINDS: OptionKinds<HistoryOptions> = { size: "number", age: "period" };

const SUBSCRIBE_KINDS: OptionKinds<Omit<SubscribeOptions, "presence">> = {
  after: "string",
  last: "number",
  wrap: "function",
  onState: "function",
  signal: "AbortSignal",
};

const PUBLISH_KINDS: OptionKinds<PublishOptions> = {
  id: "string",
  from: "object",
  signal: "AbortSignal",
};

/** The longest name of a topic, in bytes of UTF-8, and the longest `id`, in characters. */
const MAX_TOPIC = 1024;
const MAX_ID = 256;
const MAX_SIZE = 1_000_000;
const MAX_LAST = 10_000;
const MAX_PRESENCE = 4096;

/** Reads the options of `Topics`. */
export function readTopicsOptions(given: TopicsOptions | undefined): TopicsOptions {
  const options = readOptions(given, TOPICS_KINDS);
  if (options.engine !== undefined && typeof options.engine.open !== "function") {
    const got = shown(options.engine);
    throw new TypeError(`Cannot use the option engine: it must be a topics' engine, got ${got}`);
  }
  const { history } = options;
  if (history === undefined) return options;
  const read = readOptions(history, HISTORY_KINDS, { within: "history." });
  if (read.size !== undefined) checkInteger("history.size", read.size, 1, MAX_SIZE);
  return { ...options, history: read };
}

/** Reads the options of `subscribe`; `presence` as JSON. */
export function readSubscribeOptions(
  given: SubscribeOptions | undefined,
): Omit<SubscribeOptions, "presence"> & { readonly presence: string | null } {
  // Whatever holds no options is refused as a whole.
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    readOptions(given, SUBSCRIBE_KINDS);
  }
  const { presence, ...rest } = given ?? {};
  const options = readOptions(rest, SUBSCRIBE_KINDS);
  if (options.last !== undefined) checkInteger("last", options.last, 0, MAX_LAST);
  return { ...options, presence: presence === undefined ? null : presenceText(presence) };
}

/** Reads the options of `publish`. */
export function readPublishOptions(given: PublishOptions | undefined): PublishOptions {
  const options = readOptions(given, PUBLISH_KINDS);
  const { id } = options;
  if (id !== undefined && (id === "" || id.length > MAX_ID || LONE_SURROGATE.test(id))) {
    throw new RangeError(
      `Cannot use the option id: it must be well-formed text of 1–${MAX_ID} characters, got ${id.length}`,
    );
  }
  return options;
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot use the option ${name}: it must be an integer from ${min} to ${max}, got ${value}`,
  );
}

function presenceText(presence: unknown): string {
  let text: string | undefined;
  let failure: ErrorOptions | undefined;
  try {
    text = JSON.stringify(presence);
  } catch (cause) {
    failure = { cause };
  }
  if (text === undefined) {
    throw new TypeError(
      `Cannot use the option presence: it must be a value that JSON can hold, got ${
        shown(presence)
      }`,
      failure,
    );
  }
  if (text.length <= MAX_PRESENCE) return text;
  throw new RangeError(
    `Cannot use the option presence: it must have at most ${MAX_PRESENCE} characters as JSON, got ${text.length}`,
  );
}

/** Two names that differ in these only would be one in UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Checks a topic's name: any text that isn't empty.
 *
 * @throws {TypeError} When it is no string.
 * @throws {RangeError} When it is empty, too long or malformed.
 */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== "string") {
    throw new TypeError(`Cannot use the topic: it must be a string, got ${shown(topic)}`);
  }
  const isFit = topic !== "" && topic.length <= MAX_TOPIC && !LONE_SURROGATE.test(topic);
  if (isFit && utf8Length(topic) <= MAX_TOPIC) return;
  throw new RangeError(
    `Cannot use the topic: it must be well-formed text of 1–${MAX_TOPIC} bytes in UTF-8, got ${topic.length} characters`,
  );
}
