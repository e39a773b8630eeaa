import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  ConnectError,
  type HandshakeResponse,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../../src/web_socket/errors.ts";

const RESPONSE: HandshakeResponse = {
  status: 503,
  statusText: "Service Unavailable",
  headers: new Headers(),
  body: new Uint8Array(),
};

Deno.test("errors C38 without a message: the message is empty, and the text is only the name", () => {
  const error = new WebSocketChannelError();
  assertEquals([error.message, String(error)], ["", "WebSocketChannelError"]);
});

Deno.test("errors C39 C42 with a message: the name, a colon and the message", () => {
  const error = new WebSocketChannelError("bad connection");
  assertEquals(String(error), "WebSocketChannelError: bad connection");
  assertEquals(String(new ConnectError("refused")), "ConnectError: refused");
});

Deno.test("errors C40 (changed) C41 an empty message stays empty: no class has a default message", () => {
  assertEquals(String(new WebSocketChannelError("")), "WebSocketChannelError");
  assertEquals(String(new ConnectError("")), "ConnectError");
  assertEquals(String(new ProtocolError("", 1002)), "ProtocolError");
});

Deno.test("errors: all are in one class hierarchy, each with its own name", () => {
  for (
    const [error, name] of [
      [new WebSocketChannelError("x"), "WebSocketChannelError"],
      [new ConnectError("x"), "ConnectError"],
      [new ProtocolError("x", 1002), "ProtocolError"],
      [new UnsupportedError("ping", "deno"), "UnsupportedError"],
    ] as const
  ) {
    assertInstanceOf(error, WebSocketChannelError);
    assertInstanceOf(error, Error);
    assertEquals(error.name, name);
  }
});

Deno.test("errors: each has its cause, if any", () => {
  const cause = new Error("the platform's");
  assertStrictEquals(new WebSocketChannelError("x", { cause }).cause, cause);
  assertStrictEquals(new ConnectError("x", { cause }).cause, cause);
  assertStrictEquals(new ProtocolError("x", 1002, { cause }).cause, cause);
  assertEquals("cause" in new ConnectError("x"), false);
  assertEquals("cause" in new ConnectError("x", { cause: undefined }), true);
});

Deno.test("ConnectError: unknown values are null, and another attempt may succeed", () => {
  const { phase, status, response, retryable, retryAfter } = new ConnectError("x");
  assertEquals([phase, status, response, retryable, retryAfter], [null, null, null, true, null]);
});

Deno.test("ConnectError: its status is the response's, unless the caller sets another", () => {
  assertEquals(new ConnectError("x", { response: RESPONSE }).status, 503);
  assertEquals(new ConnectError("x", { response: RESPONSE, status: 401 }).status, 401);
  assertEquals(new ConnectError("x", { status: 401 }).response, null);
});

Deno.test("ConnectError W3 attack 45: only temporary refusals are worth another attempt", () => {
  const retryable = [200, 301, 400, 401, 403, 404, 408, 425, 429, 500, 501, 502, 503, 504, 505, 520]
    .filter((status) => new ConnectError("x", { status }).retryable);
  assertEquals(retryable, [408, 425, 429, 500, 502, 503, 504, 520]);
  assertEquals(new ConnectError("x", { status: 503, retryable: false }).retryable, false);
  assertEquals(new ConnectError("x", { status: 404, retryable: true }).retryable, true);
});

Deno.test("ConnectError W3 attack 45: it has the phase and the time to wait", () => {
  const error = new ConnectError("x", { phase: "proxy", retryAfter: 3000 });
  assertEquals([error.phase, error.retryAfter], ["proxy", 3000]);
});

Deno.test("ProtocolError: it has the close code that was sent", () => {
  assertEquals(new ProtocolError("no UTF-8", 1007).closeCode, 1007);
});

Deno.test("LimitError: it names the limit, and has both numbers", () => {
  const error = new LimitError("Message of 9 bytes", { option: "maxSize", limit: 4, actual: 9 });
  assertEquals(error.message, "Message of 9 bytes exceeds maxSize (4 bytes)");
  assertEquals([error.option, error.limit, error.actual], ["maxSize", 4, 9]);
});

Deno.test("UnsupportedError: it names the feature, the platform and an alternative", () => {
  const error = new UnsupportedError("headers", "browser", "Use a cookie");
  assertEquals(error.message, "Unsupported on browser: headers. Use a cookie");
  assertEquals([error.capability, error.platform], ["headers", "browser"]);
  assertEquals(new UnsupportedError("ping", "node").message, "Unsupported on node: ping");
});
