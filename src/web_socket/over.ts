import type { HandshakeAgreement } from "../handshake/client_handshake.ts";
import {
  checkDeflateAnswer,
  type DeflateParameters,
} from "../permessage_deflate/deflate_parameters.ts";
import { parseExtensions } from "../handshake/extensions.ts";
import { type ChannelLike, partsOf } from "../stream_channel/channel_like.ts";
import { shown } from "../stream_channel/options.ts";
import { type Capabilities, NO_CAPABILITIES } from "./capabilities.ts";
import { Channel } from "./channel.ts";
import { ChannelCore } from "./channel_core.ts";
import { ChannelWire } from "./channel_wire.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ConnectRequest, parseConnect } from "./connect_request.ts";
import { zlibAbilities } from "../permessage_deflate/deflate.ts";
import { UnsupportedError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { openHandshake } from "./open_handshake.ts";
import { platform } from "./platform.ts";
import { shownUrl } from "./shown_url.ts";
import { offeredCompression, speak } from "./speaking.ts";
import type { Wire } from "./wire.ts";
import {
  type ConnectOverOptions,
  DEFAULT_CLOSE_TIMEOUT,
  type OverOptions,
  readConnectOverOptions,
  readOverOptions,
} from "./options.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";

/** What a channel over bytes can do: the same for all, as an object of its own for each takes 400 bytes. */
const BARE: Capabilities = Object.freeze({
  ...NO_CAPABILITIES,
  ping: true,
  inboundBackpressure: true,
  messageLimit: true,
  compressionOptions: true,
  allCloseCodes: true,
});

const BARE_DESTROYABLE: Capabilities = Object.freeze({ ...BARE, terminate: true });

/** The capabilities of a connection whose opening handshake was done here. */
const WITH_HANDSHAKE: Capabilities = Object.freeze({
  ...BARE,
  headers: true,
  handshakeResponse: true,
  failureCause: true,
});

const noUrl = (): string => "";

/** See {@linkcode WebSocketChannel.over}. */
export function over(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  options: OverOptions,
  clock: Clock = systemClock,
): WebSocketChannel {
  return overWire(() => new ChannelWire(partsOf(bytes)), options, clock);
}

/** {@linkcode over} whatever carries bytes. */
export function overWire(
  wireOf: () => Wire,
  options: OverOptions,
  clock: Clock,
): WebSocketChannel {
  const read = readOverOptions(options);
  const { side, protocol = null, extensions = "" } = read;
  const agreement: HandshakeAgreement = {
    protocol,
    extensions,
    deflate: agreedDeflate(extensions),
  };
  const wire = wireOf();
  const capabilities = wire.canDestroy ? BARE_DESTROYABLE : BARE;
  const core = new ChannelCore(read, clock, { transport: "bytes", capabilities, url: noUrl });
  speak(core, wire, { side, agreement, options: read });
  return new Channel(core);
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
  return connectOverWire(() => new ChannelWire(partsOf(bytes)), url, options, clock);
}

/** {@linkcode connectOver} whatever carries bytes. */
export function connectOverWire(
  wireOf: () => Wire,
  url: string | URL,
  options: ConnectOverOptions,
  clock: Clock,
): WebSocketChannel {
  const read = readConnectOverOptions(options);
  const request = parseConnect(url, read);
  const wire = wireOf();
  const core = new ChannelCore(read, clock, {
    transport: "bytes",
    capabilities: WITH_HANDSHAKE,
    url: () => shownUrl(request.url),
  });
  const { closeTimeout = DEFAULT_CLOSE_TIMEOUT } = read;
  // Before the attempt has a timer: it throws if the bytes have another reader.
  const exchange = read.signal?.aborted ? null : new Exchange(wire, { clock, ms: closeTimeout });
  core.bound(read, () => "handshake");
  if (exchange === null) wire.destroy();
  else void openOver(core, exchange, request, read);
  return new Channel(core);
}

async function openOver(
  core: ChannelCore,
  exchange: Exchange,
  request: ConnectRequest,
  options: ConnectOverOptions,
): Promise<void> {
  const { origin, userAgent } = options;
  core.opener = exchange;
  try {
    const { agreement, response } = await openHandshake(exchange, {
      request,
      origin,
      userAgent,
      compression: offeredCompression(options.compression),
      wantsBody: () => true,
    });
    speak(core, exchange, { side: "client", agreement, response, options });
  } catch (error) {
    exchange.destroy();
    core.failToOpen(error);
  }
}
