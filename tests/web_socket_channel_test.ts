import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { hasNativeWebSocket } from "../src/native/native_capabilities.ts";
import { ConnectError } from "../src/web_socket/errors.ts";
import { WebSocketChannel } from "../src/web_socket_channel.ts";
import { FakeWebSocket } from "./support/fake_web_socket.ts";
import { withRecipe } from "./support/recipes.ts";

const ignore = !hasNativeWebSocket();

Deno.test("WebSocketChannel.open: fulfils with an open channel", { ignore }, async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const channel = await WebSocketChannel.open(url, { protocols: ["a"] });
    assertEquals([channel.state, channel.protocol], ["open", "a"]);
    channel.sink.add("hello");
    assertEquals((await channel.stream.next()).value, "hello");
    await channel.sink.close();
  });
});

Deno.test(
  "WebSocketChannel.connect C59 C60 a text or a URL: text and bytes are echoed, bytes as such",
  {
    ignore,
  },
  async () => {
    await withRecipe("echo", {}, async ({ url }) => {
      for (const it of [url, new URL(url)]) {
        const channel = WebSocketChannel.connect(it);
        channel.sink.add("hello");
        channel.sink.add(Uint8Array.of(1, 2, 3));
        const got = [(await channel.stream.next()).value, (await channel.stream.next()).value];
        assertEquals(got, ["hello", Uint8Array.of(1, 2, 3)]);
        await channel.sink.close();
      }
    });
  },
);

Deno.test("WebSocketChannel.connect S149 a WebSocket whose constructor throws fails the channel for good", async () => {
  const original = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  const cause = new DOMException("A page from https: may not", "SecurityError");
  const given: unknown[] = [];
  class Refusing {
    constructor(...args: unknown[]) {
      given.push(...args);
      throw cause;
    }
  }
  try {
    Object.defineProperty(globalThis, "WebSocket", { value: Refusing, configurable: true });
    const channel = WebSocketChannel.connect(new URL("ws://example.com/a"), { protocols: "p" });
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assertStrictEquals(error.cause, cause);
    assertEquals(error.retryable, false);
    await assertRejects(() => channel.stream.next(), ConnectError, "may not");
    // A replacement may not support URL objects.
    assertEquals(given, ["ws://example.com/a", ["p"]]);
  } finally {
    Reflect.deleteProperty(globalThis, "WebSocket");
    if (original !== undefined) Object.defineProperty(globalThis, "WebSocket", original);
  }
});

Deno.test("WebSocketChannel.open: rejects with the error of ready or of connect", {
  ignore,
}, async () => {
  await withRecipe("http", { status: 401 }, async ({ url }) => {
    await assertRejects(() => WebSocketChannel.open(url), ConnectError, "Cannot connect");
  });
  await assertRejects(() => WebSocketChannel.open("ftp://example.com"), SyntaxError);
});

Deno.test("WebSocketChannel.from S150 wraps a socket, and the member socket returns it", async () => {
  const socket = new FakeWebSocket();
  const channel = WebSocketChannel.from(socket);
  assertStrictEquals(channel.socket, socket);
  socket.closed({ code: 1000, wasClean: true });
  assertEquals((await channel.closed).code, 1000);
});

Deno.test("WebSocketChannel.signKey S98 returns the accept value of the RFC's example. RFC 6455 §1.3", () => {
  const accept = WebSocketChannel.signKey("dGhlIHNhbXBsZSBub25jZQ==");
  assertEquals(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test(
  "WebSocketChannel: await using closes the channel, and never rejects for a failed channel",
  {
    ignore,
  },
  async () => {
    await withRecipe("http", { status: 503 }, async ({ url }) => {
      const channel = WebSocketChannel.connect(url);
      await channel[Symbol.asyncDispose]();
      assertEquals(channel.state, "closed");
      assertInstanceOf((await channel.closed).error, Error);
    });
  },
);
