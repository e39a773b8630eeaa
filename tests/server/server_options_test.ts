import { assertEquals, assertThrows } from "@std/assert";
import { readOptions } from "../../src/stream_channel/options.ts";
import {
  checkServerOptions,
  fieldsOf,
  SERVER_KINDS,
  type ServerOptions,
} from "../../src/server/server_options.ts";

Deno.test("a server's options have safe defaults", () => {
  const settings = checkServerOptions();
  assertEquals(settings.admission.origin, "same-host");
  assertEquals(settings.handshakeTimeout, 10_000);
  assertEquals([settings.channel.pingInterval, settings.channel.compression], [30_000, false]);
  assertEquals([settings.compression, settings.fields], [null, []]);
});

Deno.test("a server's options are checked at once", () => {
  const bad: [options: ServerOptions, error: new (message: string) => Error][] = [
    [{ handshakeTimeout: -1 }, RangeError],
    [{ pingInterval: NaN }, RangeError],
    [{ closeTimeout: 2 ** 40 }, RangeError],
    [{ maxMessageSize: -1 }, RangeError],
    [{ compression: { level: 10 } }, RangeError],
    [{ protocols: ["a b"] }, SyntaxError],
    [{ protocols: [""] }, SyntaxError],
    [{ origin: ["example.com"] }, TypeError],
    [{ origin: ["https://example.com/path"] }, TypeError],
    [{ origin: true as unknown as false }, TypeError],
    [{ headers: { "a b": "c" } }, TypeError],
    [{ headers: [["A", "b\r\nc"]] }, TypeError],
    [{ headers: { Upgrade: "x" } }, TypeError],
    [{ headers: { "Sec-WebSocket-Accept": "x" } }, TypeError],
  ];
  for (const [options, error] of bad) {
    assertThrows(
      () => checkServerOptions(readOptions(options, SERVER_KINDS)),
      error,
      undefined,
      JSON.stringify(options),
    );
  }
  checkServerOptions({ origin: ["https://example.com:8443", "null"], protocols: ["a", "b"] });
});

Deno.test("header fields are given in any form, and kept in their order", () => {
  const fields = [["A", "1"], ["b", "2"]];
  assertEquals(fieldsOf({ A: "1", b: "2" }), fields as [string, string][]);
  assertEquals(fieldsOf([["A", "1"], ["b", "2"]]), fields as [string, string][]);
  assertEquals(fieldsOf(new Headers({ b: "2" })), [["b", "2"]]);
  assertEquals(fieldsOf(undefined), []);
  assertEquals(checkServerOptions({ headers: () => ({}) }).fields, null);
});
