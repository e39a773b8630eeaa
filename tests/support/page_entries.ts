/** The behaviour of the `WebSocketChannel` of every entry for pages. */

import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import type { WebSocketChannel as PlatformEntry } from "../../src/platform_web_socket_channel.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { WebSocketChannel as Whole } from "../../src/web_socket_channel.ts";
import { FakeWebSocket } from "./fake_web_socket.ts";
import { withRecipe } from "./recipes.ts";

const ignore = !hasNativeWebSocket();

/** Registers the tests for one entry. */
export function testPageEntry(name: string, WebSocketChannel: typeof PlatformEntry): void {
  Deno.test(`${name}: has the members of the main entry's class`, () => {
    assertEquals(Object.keys(WebSocketChannel).sort(), Object.keys(Whole).sort());
    assertEquals(WebSocketChannel.signKey("a"), Whole.signKey("a"));
  });

  Deno.test(`${name}: connect and open use the global WebSocket`, {
    ignore,
  }, async () => {
    await withRecipe("echo", {}, async ({ url }) => {
      for (const transport of [undefined, "auto", "native"] as const) {
        const channel = WebSocketChannel.connect(url, { transport });
        channel.sink.add("hello");
        assertEquals((await channel.stream.next()).value, "hello");
        await channel.sink.close();
      }
      const channel = await WebSocketChannel.open(url, { protocols: ["a"] });
      assertEquals([channel.state, channel.protocol], ["open", "a"]);
      await channel.sink.close();
    });
    await assertRejects(() => WebSocketChannel.open("ftp://example.com"), SyntaxError);
  });

  Deno.test(
    `${name}: an option that needs our own transport is an UnsupportedError`,
    {
      ignore,
    },
    async () => {
      const url = "ws://127.0.0.1:1";
      const cases = [
        [{ transport: "net" }, "net", ": net. "],
        [{ maxMessageSize: 1 }, "messageLimit", "The option maxMessageSize needs it"],
        [{ require: ["ping"] }, "ping", ""],
      ] as const;
      for (const [options, capability, text] of cases) {
        const channel = WebSocketChannel.connect(url, options);
        const error = await channel.ready.catch((it: unknown) => it);
        assertInstanceOf(error, UnsupportedError);
        assertEquals([error.capability, error.platform], [capability, platform()]);
        assertEquals(error.message.includes(text), true, error.message);
        await assertRejects(() => channel.stream.next(), UnsupportedError);
        assertStrictEquals((await channel.closed).error, error);
        await assertRejects(() => WebSocketChannel.open(url, options), UnsupportedError);
      }
    },
  );

  Deno.test(`${name}: from wraps a socket`, async () => {
    const socket = new FakeWebSocket();
    const channel = WebSocketChannel.from(socket);
    assertStrictEquals(channel.socket, socket);
    socket.closed({ code: 1000, wasClean: true });
    assertEquals((await channel.closed).code, 1000);
  });

  Deno.test(`${name}: over loads its code, and loses no message`, async () => {
    const { local, foreign } = channelPair<Uint8Array>();
    const client = WebSocketChannel.over(local, { side: "client" });
    const server = Whole.over(foreign, { side: "server" });
    server.sink.add("early");
    client.sink.add("hello");
    assertEquals((await server.stream.next()).value, "hello");
    assertEquals((await client.stream.next()).value, "early");
    await client.sink.close(3000, "bye");
    const { code, reason } = await server.closed;
    assertEquals([code, reason], [3000, "bye"]);
  });

  Deno.test(`${name}: connectOver connects over a byte channel`, async () => {
    const { local, foreign } = channelPair<Uint8Array>();
    const client = WebSocketChannel.connectOver(local, "ws://host/path");
    const { value } = await foreign.stream.next();
    const head = new TextDecoder().decode(value);
    assertEquals(head.startsWith("GET /path HTTP/1.1\r\n"), true);
    const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? "";
    foreign.sink.add(
      new TextEncoder().encode(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: ${WebSocketChannel.signKey(key)}\r\n\r\n`,
      ),
    );
    await client.ready;
    assertEquals(client.response?.status, 101);
    client.terminate();
  });
}
