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

Deno.test("socket owner: recognises the platform's own WebSocket", () => {
  assertEquals(socketOwner(), own);
});

Deno.test("socket owner: a lazy global that has become its value still belongs to the platform", {
  ignore: Original === undefined,
}, () => {
  withGlobal({ value: Original, writable: true }, () => assertEquals(socketOwner(), own));
  withGlobal({ get: () => Original }, () => assertEquals(socketOwner(), own));
});

Deno.test("socket owner: a program's stack settings have no effect and stay unchanged", () => {
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
    // The last checked class is cached.
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

Deno.test("socket owner: any mock or polyfill has no known owner", () => {
  const Base = Original ?? class {};
  const url = { get: (): string => "ws://a.test" };
  const mocks: unknown[] = [
    class WebSocket {},
    class WebSocket extends (Base as typeof Object) {},
    // MSW, Sentry and others wrap the class like this.
    new Proxy(Base, {}),
    Base.bind(null),
    function WebSocket() {},
    Object.defineProperty(class WebSocket {}.prototype, "url", url).constructor,
    // The class can fake its text, but its code belongs to the program.
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
  "socket owner: in Electron's renderer, which looks like Node, the browser owns it: no header fields",
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
