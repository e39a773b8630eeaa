import { createMessageDeflate, negotiableCompression } from "../permessage_deflate/deflate.ts";
import type { ClientCompressionOptions } from "../permessage_deflate/compression_options.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { Exchange } from "./exchange.ts";
import type { ConnectOptions } from "./options.ts";
import { chosenCompression, speakWith, type Spoken } from "./speaking_plainly.ts";
import type { Wire } from "./wire.ts";

/** Returns the compression that a client offers, or `null`. */
export function offeredCompression(
  compression: ConnectOptions["compression"],
): ClientCompressionOptions | null {
  const chosen = chosenCompression(compression);
  return chosen === null ? null : negotiableCompression(chosen, "client");
}

/** Starts RFC 6455 with the platform's zlib as the compressor. See {@linkcode speakWith}. */
export function speak(core: ChannelCore, over: Wire | Exchange, spoken: Spoken): void {
  speakWith(core, over, spoken, createMessageDeflate);
}
