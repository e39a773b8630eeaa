/** Builtins that a library has replaced, and values of another realm. */

import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { type ConnectOptions, WebSocketChannel } from "../../mod.ts";
import type { BindOptions } from "../../src/server/bind_options.ts";
import {
  channelPair,
  jsonDocument,
  type StandardSchema,
  StreamChannel,
  StreamChannelCompleter,
} from "../../src/stream_channel/mod.ts";
import { nextChannel, withServer } from "../server/support.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { type Foreign, foreign } from "../support/foreign_realm.ts";
import { REPLACEMENTS, withPromise } from "../support/replaced_promise.ts";
import { assertNoUncaught } from "../support/unhandled.ts";

/** Connects over our own transport, sends both ways, and closes. */
async function exchange(
  serverOptions: BindOptions,
  options: ConnectOptions = {},
  toUrl: (url: string) => string | URL = (url) => url,
): Promise<WebSocketChannel> {
  let result: WebSocketChannel | null = null;
  await withServer(serverOptions, async (server) => {
    const client = WebSocketChannel.connect(toUrl(server.url), { transport: "net", ...options });
    const channel = await nextChannel(server);
    await client.ready;
    client.sink.add("to the server");
    assertEquals((await channel.stream.next()).value, "to the server");
    await channel.sink.addStream(["to", "the", "client"]);
    for (const word of ["to", "the", "client"]) {
      assertEquals((await client.stream.next()).value, word);
    }
    await channel.sink.flush();
    await client.sink.close(1000, "done");
    assertEquals((await channel.closed).reason, "done");
    result = client;
  });
  if (result === null) throw new Error("Nothing was exchanged");
  return result;
}

// This test runs first: the module's first connection loads the code that connects.
for (const [name, replacement] of Object.entries(REPLACEMENTS)) {
  Deno.test(`attack 63: with ${name} in place of Promise the first connection opens`, async () => {
    await assertNoUncaught(async () => {
      await withPromise(replacement, async () => {
        await exchange({ verify: () => Promise.resolve(true) });
      });
    });
  });

  Deno.test(`attack 63: with ${name} in place of Promise a failed connection rejects`, async () => {
    await assertNoUncaught(async () => {
      await withPromise(replacement, async () => {
        const channel = WebSocketChannel.connect("ws://127.0.0.1:1", { transport: "net" });
        const error = await channel.ready.then(() => null, (it: unknown) => it);
        assertEquals((error as Error).name, "ConnectError");
        assertEquals((await channel.closed).error, error);
        // Nothing handles these rejections.
        WebSocketChannel.connect("ws://127.0.0.1:1", { transport: "net" });
        WebSocketChannel.from(Promise.reject(new Error("none")));
      });
    });
  });

  Deno.test(`attack 63: with ${name} in place of Promise streams and schemas wait for promises`, async () => {
    await withPromise(replacement, async () => {
      const { local, foreign } = channelPair<string>();
      const channel = local.transform(jsonDocument<number, number>({ incoming: asyncSchema }));
      foreign.sink.add("1");
      assertEquals((await channel.stream.next()).value, 2);
      await channel.sink.close();
      const { local: near, foreign: far } = channelPair<string>();
      const other = near.transform(jsonDocument<number, number>({ incoming: nativeSchema }));
      far.sink.add("1");
      assertEquals((await other.stream.next()).value, 2);
      await other.sink.close();
      const pair = channelPair<number>();
      const late = StreamChannelCompleter.fromPromise(Promise.resolve(pair.local));
      pair.foreign.sink.add(3);
      assertEquals((await late.stream.next()).value, 3);
      await late.sink.close();
      const through = StreamChannel.from(new TransformStream<string>());
      through.sink.add("through");
      assertEquals((await through.stream.next()).value, "through");
      await Promise.all([through.sink.close(), through.stream.next()]);
    });
  });
}

/** Adds one to a number, asynchronously. */
const asyncSchema: StandardSchema<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => Promise.resolve({ value: (value as number) + 1 }),
  },
};

/** The same with native promises, even when the global class is replaced. */
const nativeSchema: StandardSchema<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    // deno-lint-ignore require-await
    validate: async (value) => ({ value: (value as number) + 1 }),
  },
};

/** Registers a test that needs another realm; it is ignored on platforms without one. */
function withRealm(name: string, body: (realm: Foreign) => Promise<void> | void): void {
  const realm = foreign();
  Deno.test({
    name: `attack 63: of another realm: ${name}`,
    ignore: realm === null,
    fn: async () => {
      if (realm !== null) await body(realm);
    },
  });
}

const EVERYTHING = `{
  protocols: ["a", "b"],
  headers: [["x-pair", "1"]],
  compression: { threshold: 0 },
  connectTimeout: 10000,
  followRedirects: 2,
  require: ["ping"],
}`;

withRealm("connect's options", async (realm) => {
  const seen: (string | null)[] = [];
  const verify = ({ headers }: { headers: Headers }): boolean => {
    seen.push(headers.get("x-pair"), headers.get("x-map"), headers.get("x-object"));
    return true;
  };
  const server: BindOptions = { protocols: ["b"], compression: true, verify };
  const channel = await exchange(server, realm(EVERYTHING));
  assertEquals(channel.protocol, "b");
  assertStringIncludes(channel.extensions, "permessage-deflate");
  await exchange(server, {
    headers: realm("new Map([['x-map', '2']])"),
    protocols: realm("['b']"),
  });
  await exchange(server, { headers: realm("({ 'x-object': '3' })"), protocols: realm("['b']") });
  assertEquals(seen.filter((it) => it !== null), ["1", "2", "3"]);
});

withRealm("a lookup function, which answers with an array", async (realm) => {
  const lookup = realm<NonNullable<ConnectOptions["lookup"]>>(
    "(host, options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])",
  );
  await exchange({}, { lookup }, (url) => url.replace("127.0.0.1", "name.test"));
});

withRealm("a URL, as a library's own class", async () => {
  // A signal such as jsdom's.
  const toUrl = (href: string): URL => ({ href, toString: () => href }) as URL;
  await exchange({}, {}, toUrl);
});

withRealm("the server's options and what its functions give", async (realm) => {
  const options = realm<BindOptions>(`{
    protocols: ["b"],
    headers: { "x-from": "vm" },
    origin: ["https://example.com"],
    verify: async () => true,
  }`);
  const channel = await exchange(options, { protocols: ["b"], origin: "https://example.com" });
  assertEquals([channel.protocol, channel.response?.headers.get("x-from")], ["b", "vm"]);
  const functions = realm<BindOptions>(`{
    protocols: () => "b",
    headers: () => [["x-from", "function"]],
    verify: () => new Promise((resolve) => resolve(true)),
  }`);
  const second = await exchange(functions, { protocols: ["b"] });
  assertEquals([second.protocol, second.response?.headers.get("x-from")], ["b", "function"]);
});

withRealm("sources of addStream", async (realm) => {
  const { local, foreign } = channelPair<number>();
  await local.sink.addStream(realm("[1]"));
  await local.sink.addStream(realm("new Set([2])"));
  await local.sink.addStream(realm("(async function* () { yield 3; })()"));
  for (const number of [1, 2, 3]) assertEquals((await foreign.stream.next()).value, number);
  await Promise.all([local.sink.close(), foreign.sink.close()]);
});

withRealm("promises and errors", async (realm) => {
  const socket = new FakeWebSocket();
  const promise = realm<(value: unknown) => Promise<FakeWebSocket>>("(it) => Promise.resolve(it)");
  const channel = WebSocketChannel.from(promise(socket));
  await channel.ready;
  socket.closed({ code: 1000 });
  await channel.closed;

  const failing = new FakeWebSocket(0);
  const failed = WebSocketChannel.from(failing);
  failing.emit("error", { error: realm("new Error('Unexpected server response: 404')") });
  failing.closed({ code: 1006 });
  const error = await failed.ready.then(() => null, (it: unknown) => it);
  assertInstanceOf(error, Error);
  assertStringIncludes(error.message, "the server answered 404");
  assertEquals((error as { status?: number }).status, 404);

  const { local, foreign } = channelPair<string>();
  const validate = realm<() => Promise<{ value: number }>>("async () => ({ value: 7 })");
  const schema: StandardSchema<unknown, number> = {
    "~standard": { version: 1, vendor: "test", validate },
  };
  const document = local.transform(jsonDocument({ incoming: schema }));
  foreign.sink.add("null");
  assertEquals((await document.stream.next()).value, 7);
  await document.sink.close();
});

withRealm("messages", async (realm) => {
  const { local, foreign } = channelPair<Uint8Array>();
  const client = WebSocketChannel.over(local, { side: "client" });
  const server = WebSocketChannel.over(foreign, { side: "server" });
  for (const code of ["new Uint8Array(N)", "new Uint8Array(N).buffer", "new Int32Array(N / 4)"]) {
    for (const size of [4, 400, 40_000]) {
      const message = realm<Uint8Array>(code.replace("N", String(size)));
      for (const [from, to] of [[client, server], [server, client]] as const) {
        assertEquals(from.sink.add(message), true);
        assertEquals((await to.stream.next()).value, new Uint8Array(size));
      }
    }
  }
  await Promise.all([client.sink.close(), server.closed]);
});

Deno.test("attack 63: Web Streams and signals of a library", async () => {
  const { local, foreign } = channelPair<string>();
  // Streams such as those of web-streams-polyfill, whose classes aren't the platform's.
  const values = ["a", "b"];
  const readable = {
    getReader: () => ({
      read: () => {
        const value = values.shift();
        return value === undefined
          ? new Promise(() => {})
          : Promise.resolve({ value, done: false });
      },
      cancel: () => Promise.resolve(),
    }),
  };
  const aborts: (() => void)[] = [];
  const signal = {
    aborted: false,
    reason: undefined as unknown,
    addEventListener: (_type: string, listener: () => void) => void aborts.push(listener),
    removeEventListener: () => {},
  };
  const end = new Error("enough");
  const adding = local.sink.addStream(readable as unknown as ReadableStream<string>, {
    signal: signal as unknown as AbortSignal,
  });
  for (const value of ["a", "b"]) assertEquals((await foreign.stream.next()).value, value);
  signal.aborted = true;
  signal.reason = end;
  for (const abort of aborts) abort();
  assertEquals(await adding.catch((it: unknown) => it), end);
  await Promise.all([local.sink.close(), foreign.sink.close()]);
});
