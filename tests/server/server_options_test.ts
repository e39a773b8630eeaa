import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createServer } from "node:http";
import type { CompressionOptions } from "../../src/permessage_deflate/compression_options.ts";
import {
  acceptUpgrade,
  type BindOptions,
  bunWebSocket,
  ConnectionLimits,
  upgradeWebSocket,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { readOptions } from "../../src/stream_channel/options.ts";
import {
  checkServerOptions,
  fieldsOf,
  SERVER_KINDS,
  type ServerOptions,
} from "../../src/server/server_options.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { withServer } from "./support.ts";

/** An entry point checks its options before it reads anything else. */
const NO_UPGRADE = [{} as never, {} as never, new Uint8Array()] as const;

Deno.test("a server's options have safe defaults", () => {
  const settings = checkServerOptions();
  assertEquals(settings.admission.origin, "same-host");
  assertEquals(settings.handshakeTimeout, 10_000);
  assertEquals(settings.channel.pingInterval, 30_000);
  assertEquals([settings.compression, settings.fields], [null, []]);
});

Deno.test("the server checks its options at once", () => {
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

Deno.test("the error of an invalid origin shows a valid example, and never suggests true", () => {
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

Deno.test("header fields are accepted in any form, and keep their order", () => {
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

const BIND_ONLY: readonly BindOptions[] = [
  { maxConnections: 1.5 },
  { maxConnectionsPerAddress: 1.5 },
  { connectionRate: { total: 1.5, per: 1000 } },
  { connectionRate: { perAddress: 1.5, per: 1000 } },
  { maxSilentConnections: 1.5 },
  { port: 80.5 },
];

const SHARED: readonly ServerOptions[] = [
  { highWaterMark: 1.5 },
  { maxMessageSize: 1.5 },
  { rateLimit: { messages: 1.5, per: 1000, action: "close" } },
  { rateLimit: { bytes: 1.5, per: 1000, action: "close" } },
];

Deno.test("every entry point requires integers for counts and sizes", async () => {
  for (const options of [...BIND_ONLY, ...SHARED]) {
    const error = await assertRejects(() => WebSocketServer.bind(options), RangeError);
    assert(error.message.includes("it must be an integer, got "), error.message);
  }
  for (const options of SHARED) {
    assertThrows(() => acceptUpgrade(...NO_UPGRADE, options), RangeError, "an integer");
    assertThrows(() => bunWebSocket(options), RangeError, "an integer");
    // Deno's own socket can't limit these, so this entry point doesn't check them.
    const request = new Request("http://localhost/");
    await assertRejects(() => upgradeWebSocket(request, options), RangeError, "an integer");
  }
  assertThrows(() => bunWebSocket({ maxQueueSize: 1.5 }), RangeError, "an integer");
  assertThrows(() => new ConnectionLimits({ maxConnections: 1.5 }), RangeError, "an integer");
});

Deno.test("every entry point refuses onConnection, and suggests handler instead", async () => {
  const text = "Cannot use the option onConnection: there is no such option, got a function. " +
    "Give it as handler";
  const options = { onConnection: () => {} } as ServerOptions;
  const request = new Request("http://localhost/");
  const { message } = await assertRejects(() => WebSocketServer.bind(options), TypeError);
  assertEquals(message, text);
  await assertRejects(() => upgradeWebSocket(request, options), TypeError, text);
  for (
    const act of [
      () => WebSocketServer.attach(createServer(), options),
      () => acceptUpgrade(...NO_UPGRADE, options),
      () => bunWebSocket(options),
    ]
  ) assertEquals(assertThrows(act, TypeError).message, text);
});

Deno.test("path: accepts one or several complete paths of requests, and no pattern", async () => {
  const wrong: [path: unknown, part: string][] = [
    [[], "a list that isn't empty"],
    ["", "it must begin with a slash"],
    ["chat", "it must begin with a slash"],
    [["/a", 5], "it must begin with a slash"],
    ["/chat/*", 'without a pattern or a query, got "/chat/*"'],
    ["/chat/:room", "without a pattern"],
    ["/chat?room=1", "without a pattern or a query"],
    ["/chat#a", "without a pattern or a query"],
  ];
  for (const [path, part] of wrong) {
    const options = { path } as BindOptions;
    await assertRejects(() => WebSocketServer.bind(options), TypeError, part);
    assertThrows(() => WebSocketServer.attach(createServer(), options), TypeError, part);
  }
  const path = ["/caf\u00e9 au lait", "/a:b"];
  await withServer({ path, handler: () => {} }, async (server) => {
    const statusAt = async (target: string): Promise<string | undefined> => {
      const client = new RawClient(server.url);
      client.request(target);
      const status = (await client.response()).split(" ")[1];
      await client.destroy();
      return status;
    };
    const targets = ["/caf%C3%A9%20au%20lait", "/a:b?x=1", "/a:b/", "/A:b", "/a:b/c"];
    const statuses = await Promise.all(targets.map(statusAt));
    assertEquals(statuses, ["101", "101", "404", "404", "404"]);
  });
});
