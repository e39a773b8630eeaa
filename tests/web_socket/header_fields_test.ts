import { assertEquals, assertThrows } from "@std/assert";
import { readHeaders } from "../../src/web_socket/header_fields.ts";

function fault(headers: unknown): string {
  return assertThrows(() => readHeaders(headers), TypeError).message;
}

Deno.test("header fields: an object, pairs, Headers and any iterable of pairs, in their order", () => {
  const fields: [string, string][] = [["A", "1"], ["b", "2"]];
  for (const headers of [{ A: "1", b: "2" }, fields, new Map(fields), fields.values()]) {
    assertEquals(readHeaders(headers), fields);
  }
  assertEquals(readHeaders(new Headers(fields)), [["a", "1"], ["b", "2"]]);
});

Deno.test("header fields: what is none is named by its place, without its content", () => {
  const start =
    "Cannot use the option headers: field 2 of 2 must be a name and a value, both strings";
  for (
    const [field, got] of [
      [["X-A", 5], "string and number"],
      [["X-A", null], "string and null"],
      [[5, "secret"], "number and string"],
      [["secret"], "an array"],
      [["secret", "secret", "secret"], "an array"],
      ["xy", "a string"],
      [null, "null"],
    ] as const
  ) assertEquals(fault([["A", "1"], field]), `${start}, got ${got}`);
  assertEquals(fault({ a: "1", b: undefined }), `${start}, got string and undefined`);
});

Deno.test("header fields: neither the handshake's own nor what can't be sent", () => {
  assertEquals(
    fault({ Upgrade: "secret" }),
    "Cannot use the option headers: the header field Upgrade is the handshake's own",
  );
  assertEquals(fault({ "X-A": "secret\n" }).includes("secret"), false);
});
