/** Channels of our own protocol over any transport of bytes. */

import type { HandshakeAgreement } from "../../src/handshake/client_handshake.ts";
import type { Side } from "../../src/protocol/frame.ts";
import type { ChannelParts } from "../../src/stream_channel/channel_like.ts";
import { SinkController, StreamController } from "./controllers.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { ChannelCore } from "../../src/web_socket/channel_core.ts";
import { ChannelWire, type ChannelWireOptions } from "../../src/web_socket/channel_wire.ts";
import type { Clock } from "../../src/web_socket/clock.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import type { ConnectOptions, ProtocolOptions } from "../../src/web_socket/options.ts";
import { readConnectOptions } from "../../src/web_socket/read_options.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";
import { Exchange } from "../../src/web_socket/exchange.ts";
import { openOver } from "../../src/web_socket/open_handshake.ts";
import { offeredCompression, speak } from "../../src/web_socket/speaking.ts";
import type { Wire } from "../../src/web_socket/wire.ts";

/** A channel of bytes and its properties. */
export type ByteChannel = ChannelParts<Uint8Array, Uint8Array> & ChannelWireOptions;

/** A wire over any transport of bytes. */
export function wireOf(bytes: ByteChannel | Wire): Wire {
  return "stream" in bytes ? new ChannelWire(bytes, bytes) : bytes;
}

/** The capabilities of a channel over bytes, and others. */
const CAPABILITIES = {
  ...NO_CAPABILITIES,
  ping: true,
  compressionOptions: true,
  messageStreams: true,
};

/** The objects behind a connecting channel. */
export function coreWith(options: ProtocolOptions, clock: Clock): ChannelCore {
  return new ChannelCore(options, clock, {
    transport: "bytes",
    capabilities: CAPABILITIES,
    url: () => "",
  });
}

/** An open channel: the opening handshake is done. */
export function speakOver(
  side: Side,
  bytes: ByteChannel | Wire,
  options: ProtocolOptions,
  clock: Clock,
  agreement: HandshakeAgreement = { protocol: null, extensions: "", deflate: null },
): Channel {
  const core = coreWith(options, clock);
  speak(core, wireOf(bytes), { side, agreement, options });
  return new Channel(core);
}

/** A client that dials, then does the opening handshake over the connection. */
export function connectOver(
  dial: (url: string) => Promise<ByteChannel | Wire>,
  url: string,
  given: ConnectOptions | undefined,
  clock: Clock,
): Channel {
  const options = readConnectOptions(given);
  const request = parseConnect(url, options);
  const core = coreWith(options, clock);
  core.startConnectDeadline(options, () => "handshake");
  const open = async (): Promise<void> => {
    if (core.state === "closed") return;
    let wire: Wire;
    try {
      wire = wireOf(await dial(request.url.href));
    } catch (cause) {
      return core.failToOpen(new ConnectError(`Cannot connect to ${url}`, { cause, phase: "tcp" }));
    }
    const exchange = new Exchange(wire, { clock, ms: options.closeTimeout ?? 5000 });
    if (core.state as string === "closed") return exchange.destroy();
    const compression = offeredCompression(options.compression);
    await openOver(core, exchange, { request, options, compression }, speak)
      .catch((error) => core.failToOpen(error));
  };
  void open();
  return new Channel(core);
}

/** A wire as a channel of bytes. */
export function channelOf(wire: Wire): ByteChannel {
  const incoming = new StreamController<Uint8Array>({
    pause: () => wire.pause(),
    resume: () => wire.resume(),
  });
  const outgoing = new SinkController<Uint8Array>({
    get bufferedAmount(): number {
      return wire.bufferedAmount;
    },
    add: (chunk) => wire.write(chunk),
    close: () => void wire.end().then(() => outgoing.finish()),
    abort: () => wire.destroy(),
    watch: () => wire.watch(),
  });
  wire.listen({
    onChunk: (chunk) => incoming.add(chunk),
    onDrain: () => {
      outgoing.drained();
      if (outgoing.isWaitedFor) wire.watch();
    },
    onEnded: (failure) => outgoing.finish(failure?.error),
    onEnd: (failure) => {
      if (failure === null) return incoming.end();
      incoming.fail(failure.error);
      outgoing.finish(failure.error);
    },
  });
  const destroy = (): void => {
    wire.destroy();
    outgoing.finish();
  };
  return { stream: incoming.stream, sink: outgoing.sink, ownsChunks: true, destroy };
}
