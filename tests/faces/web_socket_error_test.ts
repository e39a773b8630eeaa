/** How a WebSocketError is created. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { uncleanClose, WebSocketError } from "../../src/faces/web_socket_error.ts";
import { thrownBy } from "./support.ts";

Deno.test("WebSocketError: it is a DOMException with a code and a reason", () => {
  const error = new WebSocketError("message", { closeCode: 3000, reason: "reason" });
  assertInstanceOf(error, DOMException);
  assertInstanceOf(error, WebSocketError);
  const { name, message, code, closeCode, reason } = error;
  assertEquals([name, message, code, closeCode, reason], [
    "WebSocketError",
    "message",
    0,
    3000,
    "reason",
  ]);
});

Deno.test("WebSocketError: arguments are optional; a reason without a code has the code 1000", () => {
  const parts = (...args: unknown[]): unknown[] => {
    const error = new WebSocketError(...args as [string]);
    return [error.message, error.closeCode, error.reason];
  };
  assertEquals(parts(), ["", null, ""]);
  assertEquals(parts(undefined, undefined), ["", null, ""]);
  assertEquals(parts(null, null), ["null", null, ""]);
  assertEquals(parts("m", {}), ["m", null, ""]);
  assertEquals(parts("m", { reason: "" }), ["m", null, ""]);
  assertEquals(parts("m", { reason: "r" }), ["m", 1000, "r"]);
  assertEquals(parts("m", { closeCode: 4999 }), ["m", 4999, ""]);
  assertEquals(parts("m", { closeCode: "3000.9" }), ["m", 3000, ""]);
});

Deno.test("WebSocketError: throws for a code that can't be sent, a long reason, and invalid options", () => {
  const failure = (init: unknown): string | null =>
    thrownBy(() => new WebSocketError("", init as never));
  for (const closeCode of [0, 999, 1001, 1005, 2999, 5000]) {
    assertEquals(failure({ closeCode }), "InvalidAccessError");
  }
  for (const closeCode of [-1, 65_536, NaN, Infinity, "text"]) {
    assertEquals(failure({ closeCode }), "plain TypeError");
  }
  assertEquals(failure({ reason: "x".repeat(124) }), "SyntaxError");
  assertEquals(failure(true), "plain TypeError");
});

Deno.test("WebSocketError: an error of a connection may have any code, and has its cause", () => {
  const cause = new Error("cause");
  const error = uncleanClose("m", { code: 1006, reason: "" }, cause);
  assertEquals([error.closeCode, error.reason], [1006, ""]);
  assert(error.cause === cause);
});
