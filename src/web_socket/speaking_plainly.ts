/** Speaking RFC 6455 without a compressor of its own: a page has none, and loads none. */

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

/** What is spoken, once the opening handshake is done. */
export interface Spoken {
  readonly side: Side;
  readonly agreement: HandshakeAgreement;
  /** The server's answer, where this package has seen it. */
  readonly response?: HandshakeResponse;
  readonly options: ProtocolOptions;
  /** Where what passes is counted. */
  readonly traffic?: Traffic | undefined;
  /** What bounds how much the peer sends. Left out: nothing does. */
  readonly rate?: MessageRate | undefined;
}

/** What the option `compression` asks for. */
export function chosenCompression(
  compression: ConnectOptions["compression"] = false,
): ClientCompressionOptions | null {
  if (typeof compression === "object") return compression;
  return compression ? {} : null;
}

/**
 * Speaks RFC 6455 from now on: the channel is open.
 *
 * @param core The channel; when it is over meanwhile, the wire is ended.
 * @param over The bytes, or what has done the opening handshake over them.
 * @param spoken What was agreed on.
 * @param createDeflate Creates the compressor; `null` where none can have been agreed on.
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
