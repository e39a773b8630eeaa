import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { connect } from "../../src/web_socket/connect.ts";
import type { ConnectOptions } from "../../src/web_socket/connect_options.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { withRecipe } from "../support/recipes.ts";

/** Runs `body` as in a browser: nothing of a server's runtime is there, and a WebSocket is. */
async function asInBrowser(body: () => Promise<void>): Promise<void> {
  const lacksSocket = !hasNativeWebSocket();
  const hidden = ["Deno", "Bun", "process"].map((name) =>
    [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const
  );
  try {
    for (const [name] of hidden) Reflect.deleteProperty(globalThis, name);
    if (lacksSocket) Object.assign(globalThis, { WebSocket: class {} });
    await body();
  } finally {
    if (lacksSocket) Reflect.deleteProperty(globalThis, "WebSocket");
    for (const [name, it] of hidden) {
      if (it !== undefined) Object.defineProperty(globalThis, name, it);
    }
  }
}

Deno.test("connect S97 returns at once, with a channel that is connecting", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const channel = connect(url);
    assertEquals([channel.state, channel.protocol], ["connecting", null]);
    await channel.ready;
    assertEquals(channel.state, "open");
    await channel.sink.close();
  });
});

Deno.test("connect: throws for malformed arguments, and for nothing else", () => {
  assertThrows(() => connect("no URL"), SyntaxError);
  assertThrows(() => connect("ws://example.com", { protocols: ["a", "a"] }), SyntaxError);
  assertThrows(() => connect("ws://example.com", { headers: { "a b": "c" } }), TypeError);
  assertThrows(() => connect("ws://example.com", { connectTimeout: -1 }), RangeError);
});

Deno.test("connect: what the native socket can't do is an UnsupportedError when it must be that", {
  ignore: !hasNativeWebSocket(),
}, async () => {
  for (
    const [options, capability] of [
      [{ pingInterval: 1000 }, "ping"],
      [{ tls: { rejectUnauthorized: false } }, "tls"],
      [{ require: ["inbound-backpressure"] }, "inbound-backpressure"],
    ] as [ConnectOptions, string][]
  ) {
    const channel = connect("ws://127.0.0.1:1", { ...options, transport: "native" });
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, UnsupportedError);
    assertEquals([error.capability, error.platform], [capability, platform()]);
    assertEquals((await channel.closed).error, error);
    const told = await channel.stream.next().catch((it: unknown) => it);
    assertEquals(told, error);
  }
});

Deno.test("connect W5 header fields in a browser: an UnsupportedError that says what to do", {
  ignore: ["Deno", "Bun", "process"].some((name) =>
    Object.getOwnPropertyDescriptor(globalThis, name)?.configurable === false
  ),
}, async () => {
  await asInBrowser(async () => {
    const channel = connect("ws://127.0.0.1:1", { headers: { Authorization: "Bearer token" } });
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, UnsupportedError);
    assertEquals(
      error.message,
      "Unsupported on browser: headers. " +
        "Authenticate with a subprotocol, a cookie, the URL or the first message instead",
    );
  });
});
