import type { CompressionOptions } from "../permessage_deflate/deflate_parameters.ts";
import type { OptionKinds } from "../stream_channel/options.ts";
import { CHANNEL_KINDS, type ChannelOptions } from "./connect_options.ts";

/** The default of {@linkcode ProtocolOptions.maxMessageSize}: 100 MiB. */
export const DEFAULT_MAX_MESSAGE_SIZE: number = 100 * 1024 * 1024;

/** Options of every channel that speaks the protocol itself. */
export interface ProtocolOptions extends ChannelOptions {
  /**
   * How often to ping the peer, in milliseconds; 0: never. When no sign of life comes within
   * `pingTimeout`, the channel ends at once: 1006, initiator `"timeout"`. Default 0.
   */
  pingInterval?: number | undefined;
  /**
   * How long to wait for a sign of life after a ping, in milliseconds; 0: for ever. Default:
   * `pingInterval`.
   */
  pingTimeout?: number | undefined;
  /**
   * The largest message to receive, in bytes, before and after decompressing. A larger one fails the
   * connection with 1009. Default 100 MiB.
   */
  maxMessageSize?: number | undefined;
  /** Whether, and how, to compress messages (RFC 7692). Default `false`. */
  compression?: boolean | CompressionOptions | undefined;
}

/** The kinds of {@linkcode ProtocolOptions}. */
export const PROTOCOL_KINDS: OptionKinds<ProtocolOptions> = {
  ...CHANNEL_KINDS,
  pingInterval: "time",
  pingTimeout: "time",
  maxMessageSize: "limit",
  compression: "boolean|object",
};
