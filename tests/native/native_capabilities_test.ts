import { assertEquals, assertNotEquals } from "@std/assert";
import {
  firstUnsupported,
  hasNativeWebSocket,
  nativeCapabilities,
} from "../../src/native/native_capabilities.ts";
import { unsupported } from "../../src/native/missing.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";
import { platform } from "../../src/web_socket/platform.ts";

const URL_TEXT = "ws://example.com";

function missing(options: ConnectOptions, url = URL_TEXT): string | null {
  return firstUnsupported(options, parseConnect(url, options));
}

/** Runs `body` with another `globalThis.WebSocket`. */
function withGlobal(descriptor: PropertyDescriptor | null, body: () => void): void {
  const original = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  try {
    if (descriptor === null) Reflect.deleteProperty(globalThis, "WebSocket");
    else Object.defineProperty(globalThis, "WebSocket", { configurable: true, ...descriptor });
    body();
  } finally {
    Reflect.deleteProperty(globalThis, "WebSocket");
    if (original !== undefined) Object.defineProperty(globalThis, "WebSocket", original);
  }
}

Deno.test("native capabilities: header fields work, pings and inbound backpressure don't", {
  ignore: platform() === "browser" || !hasNativeWebSocket(),
}, () => {
  const { headers, ping, tls, proxy } = nativeCapabilities();
  assertEquals({ headers, ping, tls, proxy }, {
    headers: true,
    ping: false,
    tls: false,
    proxy: false,
  });
  assertEquals(nativeCapabilities()["inboundBackpressure"], false);
  assertEquals(nativeCapabilities()["terminate"], platform() === "bun");
  assertEquals(nativeCapabilities()["allCloseCodes"], platform() === "bun");
});

Deno.test("native capabilities: unknown for a WebSocket that replaced the platform's", () => {
  const before = nativeCapabilities();
  withGlobal({ value: class {}, writable: true }, () => {
    assertEquals([hasNativeWebSocket(), nativeCapabilities()], [true, NO_CAPABILITIES]);
    assertEquals(missing({ headers: { a: "b" } }), "headers");
    assertEquals(missing({}), null);
  });
  withGlobal({ get: () => class {} }, () => assertEquals(nativeCapabilities(), NO_CAPABILITIES));
  assertEquals(nativeCapabilities(), before);
});

Deno.test("native capabilities S78 without a global WebSocket, the error names the missing WebSocket", () => {
  withGlobal(null, () => {
    assertEquals(hasNativeWebSocket(), false);
    assertEquals(missing({}), "WebSocket");
  });
});

Deno.test("native capabilities: the error names an unsupported option, which is never ignored", {
  ignore: !hasNativeWebSocket(),
}, () => {
  for (
    const [options, name] of [
      [{ pingInterval: 1000 }, "ping"],
      [{ maxMessageSize: 1000 }, "messageLimit"],
      [{ compression: false }, "compressionOptions"],
      [{ compression: { threshold: 1 } }, "compressionOptions"],
      [{ tls: {} }, "tls"],
      [{ proxy: "http://localhost" }, "proxy"],
      [{ require: ["inboundBackpressure"] }, "inboundBackpressure"],
      [{ require: ["handshakeResponse"] }, "handshakeResponse"],
      [{ socketPath: "/socket" }, "socketPath"],
      [{ localAddress: "127.0.0.1" }, "localAddress"],
      [{ followRedirects: true }, "followRedirects"],
      [{ followRedirects: 3 }, "followRedirects"],
      [{ userAgent: "a" }, "userAgent"],
      [{ userAgent: null }, "userAgent"],
      [{ invalidText: "replace" }, "invalidText"],
      [{ invalidText: "bytes" }, "invalidText"],
      [{ afterClose: "deliver" }, "afterClose"],
      [{ compression: { offer: "bare" } }, "compressionOptions"],
    ] as [ConnectOptions, string][]
  ) {
    assertEquals(missing(options), name, JSON.stringify(options));
  }
  assertNotEquals(missing({ origin: "https://example.com" }), null);
});

Deno.test("native capabilities: the error names the option as the user wrote it, and a remedy", () => {
  const isPage = platform() === "browser";
  const remedy = isPage
    ? "Pages don't support it: leave it out, or connect on Deno, Node or Bun"
    : 'Use WebSocketChannel.connect with transport: "net"';
  const given: ConnectOptions = {
    pingInterval: 1000,
    maxMessageSize: 1,
    compression: false,
    tls: {},
    socketPath: "/a",
    require: ["inboundBackpressure", "tls"],
  };
  const texts: [missing: string, asked: string][] = [
    ["ping", "The option pingInterval"],
    ["messageLimit", "The option maxMessageSize"],
    ["compressionOptions", "The option compression"],
    ["socketPath", "The option socketPath"],
    ["inboundBackpressure", 'require: ["inboundBackpressure"]'],
    ["tls", 'require: ["tls"]'],
    ["WebSocket", 'transport: "native"'],
  ];
  for (const [missing, asked] of texts) {
    const error = unsupported(missing, given);
    const expected = `Unsupported on ${platform()}: ${missing}. ${asked} needs it. ${remedy}`;
    assertEquals(error.message, expected);
    assertEquals([error.capability, error.platform], [missing, platform()]);
  }
  const net = isPage ? remedy : "It needs node:net: Node must be 20.16 or later";
  assertEquals(
    unsupported("net", {}).message,
    `Unsupported on ${platform()}: net. transport: "net" needs it. ${net}`,
  );
});

Deno.test("native capabilities: three options need header fields", () => {
  const remedy = platform() === "browser"
    ? "Authenticate with a subprotocol, a cookie, the URL or the first message instead"
    : 'Use WebSocketChannel.connect with transport: "net"';
  const cases: [options: ConnectOptions, asked: string][] = [
    [{ headers: { a: "b" } }, "The option headers"],
    [{ origin: "http://a.test" }, "The option origin"],
    [{}, "The user info in the URL"],
    [{ require: ["headers"] }, 'require: ["headers"]'],
  ];
  for (const [options, asked] of cases) {
    const { message } = unsupported("headers", options);
    assertEquals(message, `Unsupported on ${platform()}: headers. ${asked} needs it. ${remedy}`);
  }
});

Deno.test("native capabilities: compression is present if the platform's socket offers it", {
  ignore: !hasNativeWebSocket(),
}, () => {
  const expected = platform() === "deno" ? "compressionOptions" : null;
  assertEquals(missing({ compression: true }), expected);
  withGlobal({ value: class {} }, () => {
    assertEquals(missing({ compression: true }), "compressionOptions");
  });
});

Deno.test(
  "native capabilities: supported options and options that request nothing are not missing",
  {
    ignore: platform() === "browser" || !hasNativeWebSocket(),
  },
  () => {
    for (
      const options of [
        {},
        { headers: { "X-Test": "1" } },
        { require: ["headers"] },
        { pingInterval: 0 },
        { followRedirects: false },
        { invalidText: "fail" },
        { afterClose: "drop" },
        { ownBuffers: true },
        { protocols: ["a"], closeTimeout: 1, connectTimeout: 0, highWaterMark: 1, maxQueueSize: 1 },
      ] as ConnectOptions[]
    ) {
      assertEquals(missing(options), null, JSON.stringify(options));
    }
    assertEquals(missing({}, "ws://user:password@example.com"), null);
  },
);
