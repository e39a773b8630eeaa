import type { HandshakeAgreement } from "../handshake/client_handshake.ts";
import { checkDeflateAnswer, type DeflateParameters } from "../handshake/deflate_parameters.ts";
import { parseExtensions } from "../handshake/extensions.ts";
import type { Side } from "../protocol/frame.ts";
import type { ChannelLike } from "../stream_channel/channel_like.ts";
import { byteTransport } from "./byte_transport.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type AttemptOptions, type ConnectOptions, parseConnect } from "./connect_options.ts";
import { zlibAbilities } from "./deflate.ts";
import { UnsupportedError } from "./errors.ts";
import { platform } from "./platform.ts";
import { ProtocolChannel } from "./protocol_channel.ts";
import type { ProtocolOptions } from "./protocol_options.ts";
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

/** Options of {@linkcode WebSocketChannel.handshake}. */
export interface HandshakeOptions
  extends
    ProtocolOptions,
    AttemptOptions,
    Pick<ConnectOptions, "protocols" | "headers" | "origin"> {}

/** See {@linkcode WebSocketChannel.over}. */
export function over(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  options: OverOptions,
  clock: Clock = systemClock,
): WebSocketChannel {
  const { side, protocol = null, extensions = "" } = options;
  if (side !== "client" && side !== "server") {
    throw new TypeError(
      `Cannot make a channel: the side must be "client" or "server", got ${side}`,
    );
  }
  const agreement: HandshakeAgreement = {
    protocol,
    extensions,
    deflate: agreedDeflate(extensions),
  };
  const channel = new ProtocolChannel(side, options, clock);
  channel.begin(byteTransport(bytes), agreement);
  return channel;
}

function agreedDeflate(extensions: string): DeflateParameters | null {
  if (extensions === "") return null;
  if (!zlibAbilities().available) throw new UnsupportedError("permessage-deflate", platform());
  try {
    return checkDeflateAnswer(parseExtensions(extensions), {});
  } catch (cause) {
    throw new SyntaxError(`Cannot make a channel: unknown extensions: ${extensions}`, { cause });
  }
}

/** See {@linkcode WebSocketChannel.handshake}. */
export function handshake(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  url: string | URL,
  options: HandshakeOptions = {},
  clock: Clock = systemClock,
): WebSocketChannel {
  const request = parseConnect(url, options);
  const channel = new ProtocolChannel("client", options, clock);
  channel.bound(options, () => "handshake");
  channel.beginWithHandshake(byteTransport(bytes), { request, origin: options.origin });
  return channel;
}
