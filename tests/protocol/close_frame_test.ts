import { assertEquals, assertThrows } from "@std/assert";
import { decodeClose, encodeClose, MAX_REASON_LENGTH } from "../../src/protocol/close_frame.ts";
import { isSendable } from "../../status.ts";
import { hex } from "../support/bytes.ts";
import { closePayload } from "../support/frames.ts";

Deno.test("G25 Close: it decodes and encodes every 16-bit code", () => {
  for (let code = 0; code < 65536; code++) {
    const { close, failure } = decodeClose(closePayload(code, "why"));
    if (isSendable(code)) {
      assertEquals(close, { code, reason: "why" });
      assertEquals(hex(encodeClose(code, "why")), hex(closePayload(code, "why")));
    } else {
      assertEquals(failure, { code: 1002, reason: "Invalid close code" });
      assertThrows(() => encodeClose(code), RangeError);
    }
  }
  assertThrows(() => encodeClose(1000.5), RangeError);
  assertThrows(() => encodeClose(66536), RangeError);
});

Deno.test("Close: 1005 in a payload means no code in the peer's answer, and is invalid otherwise", () => {
  const payload = closePayload(1005, "why");
  assertEquals(decodeClose(payload).failure?.code, 1002);
  assertEquals(decodeClose(payload, true).close, { code: 1005, reason: "" });
  for (const code of [0, 999, 1004, 1006, 1015, 5000]) {
    assertEquals(decodeClose(closePayload(code), true).failure?.code, 1002);
  }
});

Deno.test("Close: no payload, a payload of one byte, and a reason that is not UTF-8", () => {
  assertEquals(decodeClose(new Uint8Array(0)).close, { code: 1005, reason: "" });
  assertEquals(decodeClose(new Uint8Array(1)).failure?.code, 1002);
  assertEquals(decodeClose(closePayload(1000, Uint8Array.of(0xc3))).failure?.code, 1007);
  assertEquals(decodeClose(closePayload(1000, "\ufeffé")).close?.reason, "\ufeffé");
});

Deno.test("G5 Close: a reason of 123 UTF-8 bytes fits, and one of 124 does not", () => {
  assertEquals(MAX_REASON_LENGTH, 123);
  assertEquals(encodeClose(1000, "r".repeat(123)).length, 125);
  assertEquals(encodeClose(1000, "é".repeat(61) + "r").length, 125);
  assertThrows(() => encodeClose(1000, "r".repeat(124)), RangeError, "123");
  assertThrows(() => encodeClose(1000, "é".repeat(62)), RangeError, "124");
  assertThrows(() => encodeClose(undefined, "r"), RangeError);
  assertEquals(encodeClose(), new Uint8Array(0));
  assertEquals(decodeClose(encodeClose(1000, "\ud800")).close?.reason, "\ufffd");
});
