import { assertEquals } from "@std/assert";
import { EarlyMessages } from "../../src/web_socket/early_messages.ts";

Deno.test("early messages: in order, with their options, counted in bytes", () => {
  const early = new EarlyMessages();
  early.add("é", undefined);
  early.add(Uint8Array.of(1, 2, 3), { compress: false });
  assertEquals([early.length, early.amount], [2, 5]);
  assertEquals(early.shift(), { message: "é", options: undefined });
  const second = early.shift();
  assertEquals([second.message, second.options], [Uint8Array.of(1, 2, 3), { compress: false }]);
  assertEquals(early.length, 0);
});

Deno.test("early messages: the caller's bytes aren't kept, nor those of a part of a buffer", () => {
  const early = new EarlyMessages();
  const bytes = Uint8Array.of(1, 2, 3, 4);
  early.add(bytes.subarray(1, 3), undefined);
  early.add(bytes.buffer, undefined);
  bytes.fill(9);
  assertEquals(early.shift().message, Uint8Array.of(2, 3));
  assertEquals(early.shift().message, Uint8Array.of(1, 2, 3, 4));
});

Deno.test("early messages: what is dropped was never sent, so it counts still", () => {
  const early = new EarlyMessages();
  early.add("abc", undefined);
  early.drop();
  assertEquals([early.length, early.amount], [0, 3]);
});
