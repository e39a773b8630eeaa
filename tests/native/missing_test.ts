import { assertEquals } from "@std/assert";
import { missingFrom } from "../../src/native/missing.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";

const PAGE = { capabilities: NO_CAPABILITIES, compresses: true };

Deno.test("missing: returns the first capability that an option needs and the WebSocket lacks", () => {
  const cases: [options: ConnectOptions, missing: string | null][] = [
    [{}, null],
    [{ protocols: "a", closeTimeout: 1, compression: true, transport: "native" }, null],
    [{ pingInterval: 0, autoPong: true, followRedirects: false }, null],
    [{ require: ["terminate"] }, "terminate"],
    [{ origin: "http://a" }, "headers"],
    [{ pingInterval: 1 }, "ping"],
    [{ maxMessageSize: 1 }, "messageLimit"],
    [{ compression: false }, "compressionOptions"],
    [{ tls: {} }, "tls"],
    [{ proxy: "http://a" }, "proxy"],
    [{ autoPong: false }, "autoPong"],
    [{ socketPath: "/a" }, "socketPath"],
    [{ followRedirects: 1 }, "followRedirects"],
  ];
  for (const [options, missing] of cases) {
    assertEquals(missingFrom(options, false, PAGE), missing, JSON.stringify(options));
  }
  assertEquals(missingFrom({}, true, PAGE), "headers");
});

Deno.test("missing: returns nothing if the WebSocket has every needed capability", () => {
  const capabilities = { ...NO_CAPABILITIES, headers: true, terminate: true };
  const able = { capabilities, compresses: false };
  assertEquals(missingFrom({ require: ["terminate"] }, true, able), null);
  assertEquals(missingFrom({ compression: true }, false, able), "compressionOptions");
});
