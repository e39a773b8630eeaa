import { assert, assertEquals, assertFalse } from "@std/assert";
import { PendingMessages } from "../../src/stream_channel/pending_messages.ts";

Deno.test("messages of an id are kept in order, until its end", () => {
  const pending = new PendingMessages();
  assert(pending.add(1, [1, "a"]));
  assert(pending.add(3, [3, "b"]));
  assert(pending.add(1, [1, "c"]));
  assert(pending.add(1, [1]));
  assert(pending.add(1, [1, "late"]));
  assertEquals(pending.count, 2);
  const taken = pending.take(1);
  assertEquals([taken?.values, taken?.closed], [["a", "c"], true]);
  assertEquals(pending.take(1), undefined);
  pending.clear();
  assertEquals([pending.count, pending.size], [0, 0]);
});

Deno.test("beyond the limit the id that was too much is dropped, the others stay", () => {
  const pending = new PendingMessages(1000);
  assert(pending.add(1, [1, "x".repeat(500)]));
  assert(pending.add(3, [3, "x".repeat(200)]));
  const { size } = pending;
  assertFalse(pending.add(3, [3, "x".repeat(200)]));
  assertEquals(pending.take(3), undefined);
  assertEquals(pending.size, size - 128 - 200);
  assertFalse(pending.add(5, [5, ["x".repeat(500), { key: "x".repeat(500) }]]));
  assertEquals(pending.count, 1);
});
