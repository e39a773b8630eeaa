/**
 * Two-way streams: Dart's `stream_channel` for TypeScript, typed and with backpressure.
 *
 * @module
 */

export type {
  ChannelStream,
  ChannelStreamControllerOptions,
  ListenOptions,
  StreamSource,
  StreamSubscription,
} from "./channel_stream.ts";
export { ChannelStreamController } from "./channel_stream.ts";
export type {
  AddStreamOptions,
  ChannelSink,
  ChannelSinkControllerOptions,
  SinkTarget,
} from "./channel_sink.ts";
export { ChannelSinkController } from "./channel_sink.ts";
export type { StreamChannel } from "./stream_channel.ts";
export type { ChannelPair, ChannelPairOptions } from "./channel_pair.ts";
export { channelPair } from "./channel_pair.ts";
