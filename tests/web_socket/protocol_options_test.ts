import { assertThrows } from "@std/assert";
import { readOptions } from "../../src/stream_channel/options.ts";
import { readCompression } from "../../src/web_socket/compression_options.ts";
import { PROTOCOL_KINDS, type ProtocolOptions } from "../../src/web_socket/protocol_options.ts";

function check(options: ProtocolOptions): void {
  readCompression(readOptions(options, PROTOCOL_KINDS).compression);
}

Deno.test("protocol options: those that make sense pass", () => {
  const all: ProtocolOptions[] = [
    {},
    { pingInterval: 0, pingTimeout: 0, maxMessageSize: 1, compression: false },
    { pingInterval: 20_000, maxMessageSize: Infinity, compression: true },
    { compression: { level: 9, threshold: 0 } },
  ];
  for (const options of all) check(options);
});

Deno.test("protocol options: the others are a RangeError that names the option", () => {
  const wrong: [name: string, options: ProtocolOptions][] = [
    ["pingInterval", { pingInterval: -1 }],
    ["pingTimeout", { pingTimeout: NaN }],
    ["maxMessageSize", { maxMessageSize: 0 }],
    ["maxMessageSize", { maxMessageSize: NaN }],
    ["level", { compression: { level: 10 } }],
    ["closeTimeout", { closeTimeout: -1 }],
  ];
  for (const [name, options] of wrong) {
    assertThrows(() => check(options), RangeError, name);
  }
});
