import { systemClock } from "../../src/web_socket/clock.ts";
import type { Wire } from "../../src/web_socket/wire.ts";
import { byByte, dial, merged, reshaped, throughPair } from "../support/byte_channels.ts";
import { type ByteChannel, channelOf, connectOver } from "../support/own_channels.ts";
import { OWN_TRAITS, testWebSocketChannel } from "./mod.ts";

const transports: [name: string, wrap: (wire: Wire) => ByteChannel | Wire][] = [
  ["TCP", (wire) => wire],
  ["channelPair", (wire) => throughPair(channelOf(wire))],
  ["one byte at a time", (wire) => reshaped(channelOf(wire), byByte)],
  ["everything merged", (wire) => merged(channelOf(wire))],
];
for (const [name, wrap] of transports) {
  testWebSocketChannel(`protocol over ${name}`, {
    // A pair ends in both directions at once.
    traits: { ...OWN_TRAITS, mayLoseAnswer: name === "channelPair" },
    connect: (url, options) =>
      connectOver(async (to) => wrap(await dial(to)), url, options, systemClock),
  });
}
