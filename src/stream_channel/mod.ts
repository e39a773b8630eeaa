/**
 * Two-way streams with types and backpressure: Dart's `stream_channel` for TypeScript.
 *
 * @module
 */

export type { ChannelStream, ListenOptions, StreamSubscription } from "./channel_stream.ts";
export type { AddStreamOptions, ChannelSink } from "./channel_sink.ts";
export { DelegatingChannelSink } from "./channel_sink.ts";
export type { ChannelLike } from "./channel_like.ts";
export type { ChannelTransformer, StreamChannelStatic } from "./stream_channel.ts";
export { DelegatingStreamChannel, StreamChannel, StreamChannelBase } from "./stream_channel.ts";
export type { GuaranteeOptions } from "./stream_channel.ts";
export { withCloseGuarantee, withGuarantees } from "./stream_channel.ts";
export type { MessageTransform, StreamTransformer, TransformHandlers } from "./relay.ts";
export type { Codec, TransformStreamLike } from "./transformer.ts";
export { StreamChannelTransformer } from "./transformer.ts";
export type { ChannelPair, ChannelPairOptions } from "./channel_pair.ts";
export { channelPair } from "./channel_pair.ts";
export type {
  JsonDocument,
  JsonDocumentOptions,
  MalformedContext,
  MalformedPolicy,
  Skip,
} from "./json_document.ts";
export { jsonDocument } from "./json_document.ts";
export type {
  JsonText,
  StandardIssue,
  StandardResult,
  StandardSchema,
  StandardSchemaProps,
} from "./json_errors.ts";
export { MalformedJsonError, ValidationError } from "./json_errors.ts";
export type { StreamChannelCompleterOptions } from "./completer.ts";
export { StreamChannelCompleter } from "./completer.ts";
export type { DisconnectorOptions } from "./disconnector.ts";
export { Disconnector } from "./disconnector.ts";
export type { MultiChannelOptions, VirtualChannel } from "./multi_channel.ts";
export { MultiChannel } from "./multi_channel.ts";
export type { MessagePortLike, WorkerScope } from "./ports.ts";
export type { MessagePortChannelOptions } from "./message_port_channel.ts";
export { MessagePortChannel } from "./message_port_channel.ts";
