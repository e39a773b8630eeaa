import type { HandshakeAgreement } from "../handshake/client_handshake.ts";
import {
  checkDeflateAnswer,
  type DeflateParameters,
} from "../permessage_deflate/deflate_parameters.ts";
import type { Side } from "../protocol/frame.ts";
import { parseExtensions } from "../handshake/extensions.ts";
import { type ChannelLike, partsOf } from "../stream_channel/channel_like.ts";
import { shown } from "../stream_channel/options.ts";
import type { ConnectionEvents, ObservedRequest } from "./connection_events.ts";
import { BARE, type Capabilities, WITH_HANDSHAKE } from "./capabilities.ts";
import { Channel } from "./channel.ts";
import { ChannelCore } from "./channel_core.ts";
import { ChannelWire } from "./channel_wire.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ConnectRequest, parseConnect } from "./connect_request.ts";
import { zlibAbilities } from "../permessage_deflate/deflate.ts";
import { UnsupportedError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { openOver } from "./open_handshake.ts";
import { shownUrl } from "./shown_url.ts";
import { platform } from "./platform.ts";
import { offeredCompression, speak } from "./speaking.ts";
import type { Wire } from "./wire.ts";
import { type ConnectOverOptions, DEFAULT_CLOSE_TIMEOUT, type OverOptions } from "./options.ts";
import { readConnectOverOptions, readOverOptions } from "./read_options.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";

const unobserved = (request: ConnectRequest): ObservedRequest => ({ request, observer: null });

const noUrl = (): string => "";

const BARE_DESTROYABLE: Capabilities = Object.freeze({ ...BARE, terminate: true });

/** Speaks RFC 6455 over a channel of bytes. See {@linkcode WebSocketChannel.over}. */
export function over(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  options: OverOptions,
  clock: Clock = systemClock,
  observe?: (side: Side) => ConnectionEvents | null,
): WebSocketChannel {
  return overWire(() => new ChannelWire(partsOf(bytes)), options, clock, observe);
}

/** Speaks RFC 6455 over any wire, as {@linkcode over} does. */
export function overWire(
  wireOf: () => Wire,
  options: OverOptions,
  clock: Clock,
  observe?: (side: Side) => ConnectionEvents | null,
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
  core.observer = observe?.(side) ?? null;
  speak(core, wire, { side, agreement, options: read });
  return new Channel(core);
}

function agreedDeflate(extensions: string): DeflateParameters | null {
  if (extensions === "") return null;
  if (!zlibAbilities().available) throw new UnsupportedError("permessage-deflate", platform());
  const fault = (cause?: unknown): SyntaxError =>
    new SyntaxError(
      `Cannot use the option extensions: it must be the agreed permessage-deflate, got ${
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

/**
 * Does the opening handshake of a client over a channel of bytes. See
 * {@linkcode WebSocketChannel.connectOver}.
 */
export function connectOver(
  bytes: ChannelLike<Uint8Array, Uint8Array>,
  url: string | URL,
  options: ConnectOverOptions = {},
  clock: Clock = systemClock,
  observe?: (request: ConnectRequest) => ObservedRequest,
): WebSocketChannel {
  return connectOverWire(() => new ChannelWire(partsOf(bytes)), url, options, clock, observe);
}

/** Does the opening handshake over any wire, as {@linkcode connectOver} does. */
export function connectOverWire(
  wireOf: () => Wire,
  url: string | URL,
  options: ConnectOverOptions,
  clock: Clock,
  observe: (request: ConnectRequest) => ObservedRequest = unobserved,
): WebSocketChannel {
  const read = readConnectOverOptions(options);
  const parsed = parseConnect(url, read);
  const wire = wireOf();
  const { request, observer } = observe(parsed);
  const core = new ChannelCore(read, clock, {
    transport: "bytes",
    capabilities: WITH_HANDSHAKE,
    url: () => shownUrl(request.url),
  });
  core.observer = observer;
  const { closeTimeout = DEFAULT_CLOSE_TIMEOUT } = read;
  // This comes before the attempt has a timer, because it throws if the bytes have another reader.
  const exchange = read.signal?.aborted ? null : new Exchange(wire, { clock, ms: closeTimeout });
  core.startConnectDeadline(read, () => "handshake");
  if (exchange === null) wire.destroy();
  else {
    const compression = offeredCompression(read.compression);
    const opening = { request, options: read, compression };
    openOver(core, exchange, opening, speak).catch((error) => core.failToOpen(error));
  }
  return new Channel(core);
}
