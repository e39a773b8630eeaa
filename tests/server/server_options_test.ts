import { assertEquals, assertThrows } from "@std/assert";
import type { CompressionOptions } from "../../src/permessage_deflate/compression_options.ts";
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
  assertEquals(settings.channel.pingInterval, 30_000);
  assertEquals([settings.compression, settings.fields], [null, []]);
});

Deno.test("a server's options are checked at once", () => {
  const bad: [options: ServerOptions, error: new (message: string) => Error][] = [
    [{ handshakeTimeout: -1 }, RangeError],
    [{ pingInterval: NaN }, RangeError],
    [{ closeTimeout: 2 ** 40 }, RangeError],
    [{ maxMessageSize: -1 }, RangeError],
    [{ compression: { level: 10 } }, RangeError],
    [{ compression: { offer: "bare" } as CompressionOptions }, TypeError],
    [{ protocols: ["a b"] }, SyntaxError],
    [{ protocols: [""] }, SyntaxError],
    [{ origin: ["example.com"] }, TypeError],
    [{ origin: ["https://example.com/path"] }, TypeError],
    [{ origin: true as unknown as false }, TypeError],
    [{ origin: "https://example.com" as unknown as false }, TypeError],
    [{ origin: ["http://"] }, TypeError],
    [{ origin: ["https://example.com:99999"] }, TypeError],
    [{ origin: [/example/ as unknown as string] }, TypeError],
    [{ hosts: ["https://example.com"] }, TypeError],
    [{ hosts: true as unknown as false }, TypeError],
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
  const { admission } = checkServerOptions({
    origin: ["https://m\u00fcnchen.example:443", "HTTP://a:8080", "file://", "app://.", "null"],
    hosts: ["example.com"],
    protocols: ["a", "b"],
  });
  // As a browser sends it.
  const sent = ["https://xn--mnchen-3ya.example", "http://a:8080", "file://", "app://.", "null"];
  assertEquals(admission.origin, sent);
});

Deno.test("the error of an origin shows what one looks like, and never true", () => {
  const message = (origin: unknown): string =>
    assertThrows(
      () => checkServerOptions(readOptions({ origin } as ServerOptions, SERVER_KINDS)),
      TypeError,
    ).message;
  assertEquals(
    message(["https://a.test", "a.test"]),
    "Cannot use the option origin: element 2 of 2 is not an origin (scheme and host, no path), such as " +
      '"https://example.com" or "http://localhost:8080"',
  );
  for (const [value, shown] of [["https://a.test", "a string"], [true, "true"]]) {
    assertEquals(
      message(value),
      'Cannot use the option origin: it must be "same-host", a list, a function or false, got ' +
        shown,
    );
  }
  const { message: hosts } = assertThrows(
    () => readOptions({ hosts: true } as unknown as ServerOptions, SERVER_KINDS),
    TypeError,
  );
  assertEquals(
    hosts,
    "Cannot use the option hosts: it must be a list, a function or false, got true",
  );
});

Deno.test("header fields are given in any form, and kept in their order", () => {
  const fields = [["A", "1"], ["b", "2"]];
  assertEquals(fieldsOf({ A: "1", b: "2" }), fields as [string, string][]);
  assertEquals(fieldsOf([["A", "1"], ["b", "2"]]), fields as [string, string][]);
  assertEquals(fieldsOf(new Headers({ b: "2" })), [["b", "2"]]);
  assertEquals(fieldsOf(undefined), []);
  assertEquals(checkServerOptions({ headers: () => ({}) }).fields, []);
  for (const wrong of [1, "a: b", null, { a: 1 }, { a: undefined }, [["a"]], ["ab"], [[1, "b"]]]) {
    assertThrows(
      () => fieldsOf(wrong as never),
      TypeError,
      "Cannot use the option headers: ",
      JSON.stringify(wrong),
    );
  }
});
