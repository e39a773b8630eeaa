import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { hasNativeWebSocket } from "../src/native/native_capabilities.ts";
import { connect } from "../src/connect.ts";
import type { ConnectOptions } from "../src/web_socket/options.ts";
import { UnsupportedError } from "../src/web_socket/errors.ts";
import { platform } from "../src/web_socket/platform.ts";
import { NO_CAPABILITIES } from "../src/web_socket/capabilities.ts";
import { FakeWebSocket } from "./support/fake_web_socket.ts";
import { withRecipe } from "./support/recipes.ts";

/** Runs `body` as in a browser: without the globals of a server's runtime, but with a WebSocket. */
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

Deno.test("connect: throws only for malformed arguments", () => {
  assertThrows(() => connect("no URL"), SyntaxError);
  assertThrows(() => connect("ws://example.com", { protocols: ["a", "a"] }), SyntaxError);
  assertThrows(() => connect("ws://example.com", { headers: { "a b": "c" } }), TypeError);
  assertThrows(() => connect("ws://example.com", { connectTimeout: -1 }), RangeError);
});

Deno.test(
  "connect: an option that the native socket can't support is an UnsupportedError with transport native",
  {
    ignore: !hasNativeWebSocket(),
  },
  async () => {
    for (
      const [options, capability] of [
        [{ pingInterval: 1000 }, "ping"],
        [{ tls: { rejectUnauthorized: false } }, "tls"],
        [{ require: ["inboundBackpressure"] }, "inboundBackpressure"],
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
  },
);

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
      "Unsupported on browser: headers. The option headers needs it. " +
        "Authenticate with a subprotocol, a cookie, the URL or the first message instead",
    );
  });
});

// How connect chooses the transport.

/** The transport of a channel: only our own can ping. */
async function chosen(options: ConnectOptions, url?: string): Promise<string> {
  let result = "";
  const look = async (it: string): Promise<void> => {
    const channel = connect(it, options);
    const error = await channel.ready.then(() => null, (reason: unknown) => reason);
    if (error instanceof UnsupportedError) result = `unsupported: ${error.capability}`;
    else if (error !== null) result = String(error);
    else result = channel.capabilities.ping ? "net" : "native";
    await channel.sink.close();
  };
  if (url === undefined) await withRecipe("echo", { compression: true }, (it) => look(it.url));
  else await look(url);
  return result;
}

/** The transport for an option that the platform's own `WebSocket` supports. Node's reports no cause. */
const native = hasNativeWebSocket() && platform() !== "node" ? "native" : "net";

Deno.test("connect W5 W9: uses the native socket if it supports all options, otherwise net", async () => {
  const ignored = platform() === "deno" ? "net" : native;
  const cases: [options: ConnectOptions, transport: string][] = [
    [{}, native],
    [{ protocols: ["a"] }, native],
    [{ headers: { Fruit: "apple" } }, native],
    [{ headers: { Host: "a.test" } }, ignored],
    [{ headers: [["A", "1"], ["A", "2"]] }, "net"],
    [{ closeTimeout: 10, highWaterMark: 10, maxQueueSize: 10 }, native],
    [{ pingInterval: 0, followRedirects: false, require: [] }, native],
    [{ pingInterval: 10_000 }, "net"],
    [{ maxMessageSize: 1000 }, "net"],
    [{ compression: true }, platform() === "deno" ? "net" : native],
    [{ compression: false }, "net"],
    [{ compression: { threshold: 10 } }, "net"],
    [{ tls: {} }, "net"],
    [{ proxy: "environment" }, "net"],
    [{ proxy: null }, "net"],
    [{ addressDelay: 100 }, "net"],
    [{ onRedirect: () => {} }, "net"],
    [{ onRefusal: () => {} }, "net"],
    [{ origin: "http://a.test" }, "net"],
    [{ localAddress: "127.0.0.1" }, "net"],
    [{ lookup: (_name, _options, callback) => callback(null, "127.0.0.1", 4) }, "net"],
    [{ followRedirects: true }, "net"],
    [{ require: ["headers"] }, native],
    [{ require: ["ping"] }, "net"],
    [{ require: ["failureCause"] }, "net"],
    [{ require: ["inboundBackpressure", "handshakeResponse"] }, "net"],
    [{ transport: "net" }, "net"],
  ];
  for (const [options, transport] of cases) {
    assertEquals(await chosen(options), transport, Object.keys(options).join());
  }
});

Deno.test("connect: uses Node's own WebSocket when an option selects it", {
  ignore: platform() !== "node" || !hasNativeWebSocket(),
}, async () => {
  const options: ConnectOptions[] = [{}, { headers: { Fruit: "apple" } }, { compression: true }];
  for (const it of options) {
    assertEquals(await chosen(it), "net");
    assertEquals(await chosen({ ...it, transport: "native" }), "native");
  }
});

Deno.test("connect: user info in the URL works natively if header fields do", async () => {
  await withRecipe("echo", {}, async (echo) => {
    assertEquals(await chosen({}, echo.url.replace("//", "//user:secret@")), native);
    assertEquals((await echo.next("request")).headers["authorization"], "Basic dXNlcjpzZWNyZXQ=");
  });
});

/** A WebSocket that replaces the platform's, and records the constructor's arguments. */
class Mock extends FakeWebSocket {
  static readonly made: unknown[][] = [];

  constructor(...args: unknown[]) {
    super(0);
    Mock.made.push(args);
    queueMicrotask(() => this.open());
    this.onClose = (it) => it.closed({ code: 1000, reason: "", wasClean: true });
  }
}

async function withMock(body: () => Promise<void>): Promise<void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  try {
    Object.defineProperty(globalThis, "WebSocket", { value: Mock, configurable: true });
    Mock.made.length = 0;
    await body();
  } finally {
    Reflect.deleteProperty(globalThis, "WebSocket");
    if (before !== undefined) Object.defineProperty(globalThis, "WebSocket", before);
  }
}

Deno.test("connect: uses a WebSocket that replaces the platform's, or that the platform lacks", async () => {
  await withMock(async () => {
    // connect would contact a real host, and must not.
    const channel = connect("ws://no-such-host.invalid/", { protocols: [] });
    await channel.ready;
    assertEquals(channel.capabilities, NO_CAPABILITIES);
    await channel.sink.close(1000);
    assertEquals(Mock.made, [["ws://no-such-host.invalid/", []]]);
  });
});

Deno.test("connect: passes no header field to a constructor that may not support any", async () => {
  await withMock(async () => {
    assertEquals(await chosen({ headers: { A: "b" } }), "net");
    assertEquals(await chosen({}, "ws://user:secret@127.0.0.1:1").then(() => "failed"), "failed");
    assertEquals(
      await chosen({ transport: "native", headers: { A: "b" } }),
      "unsupported: headers",
    );
    assertEquals(Mock.made, []);
  });
});

Deno.test("connect: works without a global WebSocket", async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  try {
    Reflect.deleteProperty(globalThis, "WebSocket");
    assertEquals(await chosen({}), "net");
    assertEquals(await chosen({ transport: "native" }), "unsupported: WebSocket");
  } finally {
    if (before !== undefined) Object.defineProperty(globalThis, "WebSocket", before);
  }
});

Deno.test("connect: the error names each option that a browser lacks", {
  ignore: ["Deno", "Bun", "process"].some((name) =>
    Object.getOwnPropertyDescriptor(globalThis, name)?.configurable === false
  ),
}, async () => {
  const cases: [options: ConnectOptions, capability: string][] = [
    [{ headers: { a: "b" } }, "headers"],
    [{ origin: "http://a.test" }, "headers"],
    [{ pingInterval: 1 }, "ping"],
    [{ maxMessageSize: 1 }, "messageLimit"],
    [{ compression: false }, "compressionOptions"],
    [{ tls: {} }, "tls"],
    [{ proxy: "http://p.test" }, "proxy"],
    [{ socketPath: "/a" }, "socketPath"],
    [{ localAddress: "127.0.0.1" }, "localAddress"],
    [{ proxy: null }, "proxy"],
    [{ lookup: () => {} }, "lookup"],
    [{ addressDelay: 100 }, "addressDelay"],
    [{ onRedirect: () => {} }, "onRedirect"],
    [{ onRefusal: () => {} }, "onRefusal"],
    [{ followRedirects: 1 }, "followRedirects"],
    [{ require: ["terminate"] }, "terminate"],
    [{ transport: "net" }, "net"],
  ];
  for (const [options, capability] of cases) {
    const seen: unknown[] = [];
    await asInBrowser(async () => {
      // Some runtimes have no global WebSocket, which a browser has.
      const has = hasNativeWebSocket();
      if (!has) {
        Object.defineProperty(globalThis, "WebSocket", { value: class {}, configurable: true });
      }
      try {
        const error = await connect("ws://127.0.0.1:1", options).ready.catch((it: unknown) => it);
        seen.push((error as UnsupportedError).capability, (error as UnsupportedError).platform);
      } finally {
        if (!has) Reflect.deleteProperty(globalThis, "WebSocket");
      }
    });
    assertEquals(seen, [capability, "browser"]);
  }
});
