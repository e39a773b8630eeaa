import type { HandshakeAgreement } from "../handshake/client_handshake.ts";
import {
  checkCompressionOptions,
  checkDeflateAnswer,
  type DeflateParameters,
} from "../permessage_deflate/deflate_parameters.ts";
import { parseExtensions } from "../handshake/extensions.ts";
import type { Side } from "../protocol/frame.ts";
import type { ChannelLike } from "../stream_channel/channel_like.ts";
import { checkOption, type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { byteTransport } from "./byte_transport.ts";
import { type Clock, systemClock } from "./clock.ts";
import { readCompression } from "./compression_options.ts";
import {
  type ConnectDeadlineOptions,
  type ConnectOptions,
  parseConnect,
} from "./connect_options.ts";
import { zlibAbilities } from "../permessage_deflate/deflate.ts";
import { UnsupportedError } from "./errors.ts";
import { platform } from "./platform.ts";
import { ProtocolChannel } from "./protocol_channel.ts";
import { PROTOCOL_KINDS, type ProtocolOptions } from "./protocol_options.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";

/** Options of {@linkcode WebSocketChannel.over}. */
export interface OverOptions extends Omit<ProtocolOptions, "compression"> {
  /** Which end this is: a client masks what it sends, a server doesn't. */
  side: Side;
  /** The subprotocol that the opening handshake agreed on. Not checked. */
  protocol?: string | null | undefined;
  /** What it agreed on in `Sec-WebSocket-Extensions`: `permessage-deflate` or nothing. */
  extensions?: string | undefined;
  /** How to compress, where that was agreed. */
  compression?: { threshold?: number; level?: number } | undefined;
}

/** Options of {@linkcode WebSocketChannel.connectOver}. */
export interface ConnectOverOptions
  extends
    ProtocolOptions,
    ConnectDeadlineOptions,
    Pick<ConnectOptions, "protocols" | "headers" | "origin"> {}

const OVER_KINDS: OptionKinds<OverOptions> = {
  ...PROTOCOL_KINDS,
  side: '"client"|"server"',
  protocol: "string|null",
  extensions: "string",
  compression: "object",
};

const OVER_COMPRESSION: OptionKinds<NonNullable<OverOptions["compression"]>> = {
  threshold: "number",
  level: "number",
};

const CONNECT_OVER_KINDS: OptionKinds<ConnectOverOptions> = {
  ...PROTOCOL_KINDS,
  signal: "AbortSignal",
  connectTimeout: "time",
  protocols: "string|list",
  headers: "object",
  origin: "string",
};

/** See {@linkcode WebSocketChannel.over}. */
export function over(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  options: OverOptions,
  clock: Clock = systemClock,
): WebSocketChannel {
  const read = readOptions(options, OVER_KINDS);
  const { side, protocol = null, extensions = "" } = read;
  checkOption("side", side, OVER_KINDS.side);
  if (read.compression !== undefined) {
    read.compression = readOptions(read.compression, OVER_COMPRESSION, { within: "compression." });
    checkCompressionOptions(read.compression);
  }
  const agreement: HandshakeAgreement = {
    protocol,
    extensions,
    deflate: agreedDeflate(extensions),
  };
  const channel = new ProtocolChannel(side, read, clock);
  channel.begin(byteTransport(bytes), agreement);
  return channel;
}

function agreedDeflate(extensions: string): DeflateParameters | null {
  if (extensions === "") return null;
  if (!zlibAbilities().available) throw new UnsupportedError("permessage-deflate", platform());
  const fault = (cause?: unknown): SyntaxError =>
    new SyntaxError(
      `Cannot use the option extensions: it must be permessage-deflate as agreed on, got ${
        shown(extensions, true)
      }`,
      { cause },
    );
  let agreed: DeflateParameters | string | null;
  try {
    agreed = checkDeflateAnswer(parseExtensions(extensions), {});
  } catch (cause) {
    throw fault(cause);
  }
  if (typeof agreed === "string") throw fault(agreed);
  return agreed;
}

/** See {@linkcode WebSocketChannel.connectOver}. */
export function connectOver(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  url: string | URL,
  options: ConnectOverOptions = {},
  clock: Clock = systemClock,
): WebSocketChannel {
  const read = readOptions(options, CONNECT_OVER_KINDS);
  read.compression = readCompression(read.compression);
  const request = parseConnect(url, read);
  const channel = new ProtocolChannel("client", read, clock);
  channel.bound(read, () => "handshake");
  channel.beginWithHandshake(byteTransport(bytes), { request, origin: read.origin });
  return channel;
}
