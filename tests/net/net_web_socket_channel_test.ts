import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ConnectError, NetWebSocketChannel, UnsupportedError } from "../../src/net/mod.ts";
import { withRecipe } from "../support/recipes.ts";

Deno.test("NetWebSocketChannel: connects at once", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(new URL(url), { transport: "net" });
    assertEquals([channel.state, channel.url], ["connecting", `${url}/`]);
    channel.sink.add("early");
    assertEquals((await channel.stream.next()).value, "early");
    assertEquals(channel.capabilities.ping, true);
    await channel.sink.close();
  });
});

Deno.test("NetWebSocketChannel: malformed arguments throw at once", () => {
  assertThrows(
    () => NetWebSocketChannel.connect("ws://a.test", { transport: "native" }),
    TypeError,
    'Cannot use the option transport: it must be "auto" or "net", got "native"',
  );
  assertThrows(() => NetWebSocketChannel.connect("no URL"), SyntaxError);
  assertThrows(
    () => NetWebSocketChannel.connect("ws://a.test", { headers: { "a b": "" } }),
    TypeError,
  );
  assertThrows(() => NetWebSocketChannel.connect("ws://a.test", { pingInterval: -1 }), RangeError);
});

Deno.test("NetWebSocketChannel: ready rejects when the connection fails", async () => {
  await withRecipe("silent", {}, async (server) => {
    const { url } = server;
    await server.close();
    const channel = NetWebSocketChannel.connect(url);
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assertEquals([error.phase, error.retryable], ["tcp", true]);
    assertEquals(error.message, `Cannot connect to ${url}/: the connection was refused`);
    assertEquals((error.cause as { code?: string }).code, "ECONNREFUSED");
  });
});

Deno.test("NetWebSocketChannel: connect fails on a platform without node:net", async () => {
  const process = Object.getOwnPropertyDescriptor(globalThis, "process");
  let channel: NetWebSocketChannel;
  try {
    Object.defineProperty(globalThis, "process", { value: undefined, configurable: true });
    channel = NetWebSocketChannel.connect("ws://127.0.0.1:1");
  } finally {
    if (process !== undefined) Object.defineProperty(globalThis, "process", process);
  }
  const error = await channel.ready.catch((it: unknown) => it);
  assertInstanceOf(error, UnsupportedError);
  assertEquals(error.capability, "net");
});
