/** The module that `over` and `connectOver` of a page load when they are first called. */

import type { ChannelCore } from "./channel_core.ts";
import { type BytesParts, ChannelWire } from "./channel_wire.ts";
import { parseConnect } from "./connect_request.ts";
import { Exchange } from "./exchange.ts";
import { type ConnectOverOptions, DEFAULT_CLOSE_TIMEOUT, type OverOptions } from "./options.ts";
import { readConnectOverOptions } from "./read_options.ts";
import { openOver } from "./open_handshake.ts";
import { LateTransport } from "./over_later.ts";
import { ProtocolTransport } from "./protocol_transport.ts";
import { speakWith } from "./speaking_plainly.ts";

/** Starts RFC 6455 over the bytes, and passes on all earlier calls of the late transport. */
export function speakLate(
  core: ChannelCore,
  bytes: BytesParts,
  late: LateTransport,
  options: OverOptions,
): void {
  const wire = new ChannelWire(bytes);
  const { side } = options;
  const transport = new ProtocolTransport(core, wire, { side, options, deflate: null });
  core.attach(transport);
  wire.listen(transport);
  transport.start(options);
  LateTransport.handOver(late, transport);
}

/**
 * Does the opening handshake over the bytes, and then starts RFC 6455.
 *
 * @throws {TypeError | RangeError} If an option that wasn't checked before is malformed.
 */
export function openLate(
  core: ChannelCore,
  bytes: BytesParts,
  url: URL,
  given: ConnectOverOptions,
): void {
  const options = readConnectOverOptions(given);
  const request = parseConnect(url, options);
  const { closeTimeout = DEFAULT_CLOSE_TIMEOUT } = options;
  const exchange = new Exchange(new ChannelWire(bytes), { clock: core.clock, ms: closeTimeout });
  const opening = { request, options, compression: null };
  openOver(core, exchange, opening, (core, over, spoken) => speakWith(core, over, spoken, null))
    .catch((error) => core.failToOpen(error));
}
