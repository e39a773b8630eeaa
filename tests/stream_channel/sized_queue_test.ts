import { assertEquals } from "@std/assert";
import { SizedQueue } from "../../src/stream_channel/sized_queue.ts";

Deno.test("a queue counts what waits", () => {
  const queue = new SizedQueue<string>((value) => value.length);
  assertEquals([queue.length, queue.size], [0, 0]);
  queue.push("abc");
  queue.push("d");
  assertEquals([queue.length, queue.size], [2, 4]);
  assertEquals(queue.shift(), "abc");
  assertEquals([queue.length, queue.size], [1, 1]);
  assertEquals(queue.shift(), "d");
  assertEquals([queue.length, queue.size], [0, 0]);
});

Deno.test("a queue: a value that was changed while it waited leaves no remainder", () => {
  const queue = new SizedQueue<number[]>((value) => value.length);
  const value = [1, 2, 3];
  queue.push(value);
  value.length = 1;
  queue.shift();
  assertEquals(queue.size, 0);
  queue.push([1]);
  assertEquals(queue.size, 1);
});
