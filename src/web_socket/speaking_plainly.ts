/** Starting RFC 6455 without importing a compressor: a page has none, and loads none. */

import type { HandshakeAgreement } from "../handshake/client_handshake.ts";
import type { createMessageDeflate } from "../permessage_deflate/deflate.ts";
import type { ClientCompressionOptions } from "../permessage_deflate/compression_options.ts";
import type { Side } from "../protocol/frame.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { HandshakeResponse } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { ConnectOptions, ProtocolOptions } from "./options.ts";
import { ProtocolTransport } from "./protocol_transport.ts";
import type { MessageRate } from "./message_rate.ts";
import type { Traffic } from "./traffic.ts";
import { turns } from "./turns.ts";
import type { Wire } from "./wire.ts";

/** The result of the opening handshake, and the options. */
export interface Spoken {
  readonly side: Side;
  readonly agreement: HandshakeAgreement;
  /** The server's answer, if this package has received it. */
  readonly response?: HandshakeResponse;
  readonly options: ProtocolOptions;
  /** Counts messages and bytes, if given. */
  readonly traffic?: Traffic | undefined;
  /** Limits how much the peer sends. Default: no limit. */
  readonly rate?: MessageRate | undefined;
}

/** Converts the option `compression` to settings; `null` for no compression. */
export function chosenCompression(
  compression: ConnectOptions["compression"] = false,
): ClientCompressionOptions | null {
  if (typeof compression === "object") return compression;
  return compression ? {} : null;
}

/**
 * Starts RFC 6455, and opens the channel.
 *
 * @param core The channel. If it has ended meanwhile, the wire is destroyed.
 * @param over The wire, or the exchange that has done the opening handshake.
 * @param spoken The agreement and the options.
 * @param createDeflate Creates the compressor; `null` if no compression can have been agreed.
 */
export function speakWith(
  core: ChannelCore,
  over: Wire | Exchange,
  spoken: Spoken,
  createDeflate: typeof createMessageDeflate | null,
): void {
  if (core.state === "closed") return over.destroy();
  const { side, agreement, response = null, options } = spoken;
  const { protocol, extensions, deflate } = agreement;
  const compression = agreement.compression ?? chosenCompression(options.compression) ?? {};
  const wire = "wire" in over ? over.wire : over;
  const Kind = (core.observer?.protocolTransport as typeof ProtocolTransport | undefined) ??
    ProtocolTransport;
  const transport = new Kind(core, wire, {
    side,
    options,
    traffic: spoken.traffic,
    rate: spoken.rate,
    deflate: deflate === null || createDeflate === null
      ? null
      : createDeflate(deflate, side, { ...compression, turns }),
  });
  core.attach(transport);
  core.open({ protocol, extensions, response });
  if ("wire" in over) over.handOver(transport);
  else wire.listen(transport);
  transport.start(options);
}
