import { assertEquals } from "@std/assert";
import { firstUnsupported, nativeCapabilities } from "../../src/native/native_capabilities.ts";
import { socketOwner } from "../../src/native/socket_owner.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { withProcess } from "../support/process.ts";

/** Runs `body` with another `globalThis.WebSocket`. */
function withGlobal(descriptor: PropertyDescriptor, body: () => void): void {
  const original = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  try {
    Object.defineProperty(globalThis, "WebSocket", { configurable: true, ...descriptor });
    body();
  } finally {
    Reflect.deleteProperty(globalThis, "WebSocket");
    if (original !== undefined) Object.defineProperty(globalThis, "WebSocket", original);
  }
}

const Original = globalThis.WebSocket as typeof WebSocket | undefined;
const own = Original === undefined ? null : platform();

Deno.test("socket owner: the platform's own is known", () => {
  assertEquals(socketOwner(), own);
});

Deno.test("socket owner: a lazy global that became its value is still the platform's", {
  ignore: Original === undefined,
}, () => {
  withGlobal({ value: Original, writable: true }, () => assertEquals(socketOwner(), own));
  withGlobal({ get: () => Original }, () => assertEquals(socketOwner(), own));
});

Deno.test("socket owner: a program's settings of stacks change nothing, and are left as they were", () => {
  const read = (): [unknown, unknown] => {
    const { prepareStackTrace, stackTraceLimit } = Error as unknown as Record<string, unknown>;
    return [prepareStackTrace, stackTraceLimit];
  };
  const [prepareBefore, stackTraceLimit] = read();
  const settings = [
    { stackTraceLimit: 0 },
    { prepareStackTrace: () => "hidden" },
    { prepareStackTrace: (_error: unknown, frames: unknown) => frames },
  ];
  for (const it of settings) {
    // What was looked at last is known.
    withGlobal({ value: class WebSocket {} }, () => assertEquals(socketOwner(), null));
    try {
      Object.assign(Error, it);
      const before = read();
      assertEquals(socketOwner(), own);
      assertEquals(read(), before);
    } finally {
      Object.assign(Error, { prepareStackTrace: prepareBefore, stackTraceLimit });
    }
  }
});

Deno.test("socket owner: a mock or a polyfill has no known owner, however it is built", () => {
  const Base = Original ?? class {};
  const url = { get: (): string => "ws://a.test" };
  const mocks: unknown[] = [
    class WebSocket {},
    class WebSocket extends (Base as typeof Object) {},
    // The way MSW, Sentry and others wrap it.
    new Proxy(Base, {}),
    Base.bind(null),
    function WebSocket() {},
    Object.defineProperty(class WebSocket {}.prototype, "url", url).constructor,
    // Its text can say what it wants, its code is the program's.
    class extends EventTarget {
      get url(): string {
        throw new TypeError("Illegal invocation");
      }
    },
    class WebSocket extends (Base as typeof globalThis.WebSocket) {
      override get url(): string {
        return super.url;
      }
    },
    {},
    null,
  ];
  for (const value of mocks) {
    withGlobal({ value }, () => assertEquals(socketOwner(), null, String(value)));
    withGlobal({ get: () => value }, () => assertEquals(socketOwner(), null, String(value)));
  }
  assertEquals(socketOwner(), own);
});

Deno.test(
  "socket owner: in Electron's renderer, which looks like Node, it is the browser's: no header fields",
  {
    ignore: platform() !== "browser",
  },
  () => {
    withProcess({ versions: { node: "24.0.0" }, type: "renderer" }, () => {
      assertEquals([platform(), socketOwner()], ["node", "browser"]);
      assertEquals(nativeCapabilities(), NO_CAPABILITIES);
      const options = { headers: { Fruit: "apple" } };
      assertEquals(firstUnsupported(options, parseConnect("ws://a.test", options)), "headers");
    });
  },
);
