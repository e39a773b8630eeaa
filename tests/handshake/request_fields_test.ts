import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  basicCredentials,
  isFieldValue,
  isReservedHeader,
} from "../../src/handshake/request_fields.ts";

Deno.test("A field's value consists of tabs, spaces and visible Latin-1 characters", () => {
  for (let code = 0; code < 0x180; code++) {
    const legal = code === 9 || (code >= 32 && code <= 126) || (code >= 128 && code <= 255);
    assertEquals(isFieldValue(`a${String.fromCharCode(code)}`), legal, `U+${code.toString(16)}`);
  }
  assert(isFieldValue(""));
  assertFalse(isFieldValue("value\n"));
});

Deno.test("S136 user info in a URL is sent as Basic credentials. RFC 7617 §2", () => {
  const cases: [string, string][] = [
    ["ws://user:pass@a/", "user:pass"],
    ["ws://user@a/", "user:"],
    ["ws://:pass@a/", ":pass"],
    ["ws://%C3%A9:%3a%zz%@a/", "\xc3\xa9::%zz%"],
    ["ws://é@a/", "\xc3\xa9:"],
  ];
  for (const [url, plain] of cases) {
    assertEquals(basicCredentials(new URL(url)), `Basic ${btoa(plain)}`, url);
  }
  assertEquals(basicCredentials(new URL("ws://a/")), null);
});

Deno.test("S136 the handshake's own headers are recognized", () => {
  const reserved = [
    "Connection",
    "UPGRADE",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Accept",
    "sec-websocket-anything",
    "Content-Length",
    "Transfer-Encoding",
    "Trailer",
    "TE",
    "Expect",
  ];
  for (const name of reserved) {
    assertEquals(isReservedHeader(name), true, name);
  }
  for (const name of ["Authorization", "Cookie", "User-Agent", "__proto__"]) {
    assertEquals(isReservedHeader(name), false, name);
  }
});
