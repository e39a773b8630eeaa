import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { NativeWebSocketChannel } from "../../src/native/native_web_socket_channel.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { record } from "../support/events.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { withRecipe } from "../support/recipes.ts";

const ignore = !hasNativeWebSocket();

Deno.test("NativeWebSocketChannel.connect: uses the global WebSocket as its socket", {
  ignore,
}, async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const channel = NativeWebSocketChannel.connect(url);
    assertInstanceOf(channel.socket, globalThis.WebSocket);
    channel.sink.add("hello");
    assertEquals((await channel.stream.next()).value, "hello");
    await channel.sink.close();
  });
});

Deno.test("NativeWebSocketChannel.connect C43 sends header fields", {
  ignore: ignore || platform() === "browser",
}, async () => {
  await withRecipe("echo", {}, async (server) => {
    const channel = NativeWebSocketChannel.connect(server.url, { headers: { fruit: "apple" } });
    await channel.ready;
    assertEquals((await server.next("request")).headers["fruit"], "apple");
    channel.sink.add("Hello World!");
    assertEquals((await channel.stream.next()).value, "Hello World!");
    await channel.sink.close();
  });
});

Deno.test("NativeWebSocketChannel.connect: an unsupported option fails without an attempt", {
  ignore,
}, async () => {
  const channel = NativeWebSocketChannel.connect("ws://127.0.0.1:1", { maxMessageSize: 1 });
  assertEquals([channel.socket, channel.state], [null, "closed"]);
  const error = await channel.ready.catch((it: unknown) => it);
  assertInstanceOf(error, UnsupportedError);
  assertEquals([error.capability, error.platform], ["messageLimit", platform()]);
  assertStrictEquals((await channel.closed).error, error);
});

Deno.test("NativeWebSocketChannel.connect: malformed arguments throw", () => {
  assertThrows(() => NativeWebSocketChannel.connect("ftp://example.com"), SyntaxError);
  assertThrows(
    () => NativeWebSocketChannel.connect("ws://example.com", { closeTimeout: -1 }),
    RangeError,
  );
});

Deno.test("NativeWebSocketChannel.from: wraps any socket", async () => {
  const socket = new FakeWebSocket();
  const channel = NativeWebSocketChannel.from(socket);
  const { events } = record(channel.stream);
  assertStrictEquals(channel.socket, socket);
  socket.closed({ code: 1000, wasClean: true });
  await channel.closed;
  assertEquals(events, ["done"]);
});
