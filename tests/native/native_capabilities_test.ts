import { assertEquals, assertNotEquals } from "@std/assert";
import {
  hasNativeWebSocket,
  missingNatively,
  nativeCapabilities,
  unsupported,
} from "../../src/native/native_capabilities.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";
import { platform } from "../../src/web_socket/platform.ts";

const URL_TEXT = "ws://example.com";

function missing(options: ConnectOptions, url = URL_TEXT): string | null {
  return missingNatively(options, parseConnect(url, options));
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

Deno.test("native capabilities: of a WebSocket that replaced the platform's, nothing is known", () => {
  const before = nativeCapabilities();
  withGlobal({ value: class {}, writable: true }, () => {
    assertEquals([hasNativeWebSocket(), nativeCapabilities()], [true, NO_CAPABILITIES]);
    assertEquals(missing({ headers: { a: "b" } }), "headers");
    assertEquals(missing({}), null);
  });
  withGlobal({ get: () => class {} }, () => assertEquals(nativeCapabilities(), NO_CAPABILITIES));
  assertEquals(nativeCapabilities(), before);
});

Deno.test("native capabilities: a lazy global that became its value is still the platform's", () => {
  const original = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  const before = nativeCapabilities();
  const value: unknown = globalThis.WebSocket;
  withGlobal({ value, writable: true, enumerable: original?.enumerable ?? false }, () => {
    assertEquals(nativeCapabilities(), before);
  });
});

Deno.test("native capabilities S78 without a global WebSocket, that is what is missing", () => {
  withGlobal(null, () => {
    assertEquals(hasNativeWebSocket(), false);
    assertEquals(missing({}), "WebSocket");
  });
});

Deno.test("native capabilities: an option that can't be honoured is named, never ignored", {
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
    ] as [ConnectOptions, string][]
  ) {
    assertEquals(missing(options), name, JSON.stringify(options));
  }
  assertNotEquals(missing({ origin: "https://example.com" }), null);
});

Deno.test("native capabilities: the error names what is missing and where, the option as written, and what to do instead", () => {
  const remedy = platform() === "browser"
    ? ""
    : '. Use WebSocketChannel.connect without transport: "native"';
  const given: ConnectOptions = { pingInterval: 1000, maxMessageSize: 1, compression: false };
  const texts: [missing: string, shown: string][] = [
    ["ping", "ping. The option pingInterval needs it"],
    ["messageLimit", "messageLimit. The option maxMessageSize needs it"],
    ["compressionOptions", "compressionOptions. The option compression needs it"],
    ["tls", "tls"],
    ["proxy", "proxy"],
    ["inboundBackpressure", "inboundBackpressure"],
  ];
  for (const [missing, shown] of texts) {
    const error = unsupported(missing, given);
    assertEquals(error.message, `Unsupported on ${platform()}: ${shown}${remedy}`);
    assertEquals([error.capability, error.platform], [missing, platform()]);
  }
  assertEquals(unsupported("net", {}).message, `Unsupported on ${platform()}: net`);
  // Nothing but `require` asks for it.
  const { message } = unsupported("ping", { require: ["ping"] });
  assertEquals(message, `Unsupported on ${platform()}: ping${remedy}`);
  const hinted = unsupported("headers", {}).message.includes("Authenticate with a subprotocol");
  assertEquals(hinted, platform() === "browser");
});

Deno.test("native capabilities: compression is there where the platform's socket offers it", {
  ignore: !hasNativeWebSocket(),
}, () => {
  const expected = platform() === "deno" ? "compressionOptions" : null;
  assertEquals(missing({ compression: true }), expected);
  withGlobal({ value: class {} }, () => {
    assertEquals(missing({ compression: true }), "compressionOptions");
  });
});

Deno.test("native capabilities: what it can do, and what asks for nothing, is not missing", {
  ignore: platform() === "browser" || !hasNativeWebSocket(),
}, () => {
  for (
    const options of [
      {},
      { headers: { "X-Test": "1" } },
      { require: ["headers"] },
      { pingInterval: 0 },
      { followRedirects: false },
      { protocols: ["a"], closeTimeout: 1, connectTimeout: 0, highWaterMark: 1, maxQueueSize: 1 },
    ] as ConnectOptions[]
  ) {
    assertEquals(missing(options), null, JSON.stringify(options));
  }
  assertEquals(missing({}, "ws://user:password@example.com"), null);
});
