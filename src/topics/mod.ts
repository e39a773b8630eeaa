/**
 * Topics on one machine or many. A message that is published to a topic is sent to all channels that are subscribed to
 * the topic, in every process. Subscribers that reconnect get the messages that they missed.
 *
 * @example
 * ```ts
 * import { Topics } from "@web-socket/channel/topics";
 *
 * const topics = new Topics(); // in the memory of this process
 * const { offset } = await topics.publish("news", "hello");
 * console.log(typeof offset); // "string"
 * await topics.close();
 * ```
 *
 * @module
 */

export { type Published, Topics, type TopicsStats } from "./topics.ts";
export type { TopicSubscription } from "./subscription.ts";
export type { TopicMember } from "./presence.ts";
export {
  EngineError,
  TopicsError,
  type TopicsErrorOptions,
  type TopicsErrorReason,
} from "./topics_error.ts";
export type {
  HistoryOptions,
  PublishOptions,
  SubscribeOptions,
  SubscriptionState,
  TopicsOptions,
  TopicsRequest,
  TopicsState,
  Wrap,
} from "./topics_options.ts";
export {
  type EngineEvents,
  type EngineLog,
  type EngineSettings,
  type HistoryPage,
  type HistoryRange,
  type LogEntry,
  type LogGap,
  type LogPlace,
  type LogPublishing,
  type TopicsEngine,
} from "./engine.ts";
export { memory } from "./memory.ts";
export { type RedisClient, redisStreams, type RedisStreamsOptions } from "./redis_streams.ts";
export {
  natsJetStream,
  type NatsJetStreamClients,
  type NatsJetStreamOptions,
} from "./nats_jet_stream.ts";
export type { SlowReceiverPolicy } from "../server/broadcast.ts";
export type { Clock } from "../web_socket/clock.ts";

export {
  ConnectError,
  LimitError,
  ProtocolError,
  QueueFullError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "../web_socket_channel.ts";
export type * from "../channel_types.ts";
