import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { hasNativeWebSocket } from "../src/native/native_capabilities.ts";
import { NativeWebSocketChannel } from "../src/page/native_web_socket_channel.ts";
import { WebSocketChannel } from "../src/page_web_socket_channel.ts";
import { ConnectError, UnsupportedError } from "../src/web_socket/errors.ts";
import { platform } from "../src/web_socket/platform.ts";
import { withRecipe } from "./support/recipes.ts";
import { testPageEntry } from "./support/page_entries.ts";

const ignore = !hasNativeWebSocket();

testPageEntry("a page's WebSocketChannel", WebSocketChannel);

Deno.test(
  "a page's WebSocketChannel: an option that no page supports fails, and its value is not read",
  {
    ignore,
  },
  async () => {
    const cases = [
      ["ws://127.0.0.1:1", { headers: { "a b": "c" } }, "headers"],
      ["ws://127.0.0.1:1", { headers: [["a", "b"]] }, "headers"],
      ["ws://user@127.0.0.1:1", {}, "headers"],
      ["ws://127.0.0.1:1", { proxy: "no URL" }, "proxy"],
      ["ws://127.0.0.1:1", { compression: { level: 99 } }, "compressionOptions"],
      ["ws://127.0.0.1:1", { followRedirects: 99 }, "followRedirects"],
    ] as const;
    for (const [url, options, capability] of cases) {
      const channel = WebSocketChannel.connect(url, options as never);
      const error = await channel.ready.catch((it: unknown) => it);
      assertInstanceOf(error, UnsupportedError);
      assertEquals(error.capability, capability);
      assertEquals(channel.url, "ws://127.0.0.1:1/");
    }
  },
);

Deno.test("a page's WebSocketChannel: malformed arguments throw at once", () => {
  const url = "ws://127.0.0.1:1";
  for (const { connect } of [WebSocketChannel, NativeWebSocketChannel]) {
    assertThrows(() => connect("ftp://example.com"), SyntaxError);
    assertThrows(() => connect(url, { protocols: ["a b"] }), SyntaxError);
    assertThrows(() => connect(url, { nonsense: 1 } as never), TypeError, "nonsense");
    assertThrows(() => connect(url, { headers: 1 } as never), TypeError, "headers");
    assertThrows(() => connect(url, { connectTimeout: -1 }), RangeError);
    assertThrows(() => connect(url, { pingTimeout: 1 }), TypeError, "pingInterval");
  }
  assertThrows(() => NativeWebSocketChannel.connect(url, { transport: "net" }), TypeError);
});

Deno.test(
  "a page's NativeWebSocketChannel: has its socket, and reports a connection that can't be opened",
  {
    ignore,
  },
  async () => {
    await withRecipe("echo", {}, async ({ url }) => {
      const channel = NativeWebSocketChannel.connect(url, { headers: {} });
      assertInstanceOf(channel.socket, WebSocket);
      channel.sink.add("hello");
      assertEquals((await channel.stream.next()).value, "hello");
      await channel.sink.close();
    });
    await withRecipe("http", { status: 401 }, async ({ url }) => {
      const error = await WebSocketChannel.connect(url).ready.catch((it: unknown) => it);
      assertInstanceOf(error, ConnectError);
      assertEquals(error.message.startsWith(`Cannot connect to ${new URL(url)}: `), true);
      assertEquals(error.retryable, true);
    });
  },
);

Deno.test(
  "a page's WebSocketChannel: an option that only net has is an error that names the entry for pages",
  {
    ignore: ignore || platform() === "browser",
  },
  async () => {
    const { ready } = WebSocketChannel.connect("ws://127.0.0.1:1", { transport: "net" });
    await assertRejects(() => ready, UnsupportedError, "This entry is for pages");
  },
);
