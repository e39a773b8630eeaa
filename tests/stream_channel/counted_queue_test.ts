import { assertEquals } from "@std/assert";
import { CountedQueue, sizeOfChunk } from "../../src/stream_channel/counted_queue.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("a queue counts its values", () => {
  const queue = new CountedQueue<string>((value) => value.length, 100);
  assertEquals([queue.length, queue.size], [0, 0]);
  queue.push("abc");
  queue.push("d");
  assertEquals([queue.length, queue.size], [2, 4]);
  assertEquals(queue.shift(), "abc");
  assertEquals([queue.length, queue.size], [1, 1]);
  assertEquals(queue.shift(), "d");
  assertEquals([queue.length, queue.size], [0, 0]);
});

Deno.test("a queue: a value that was changed while queued leaves no remainder", () => {
  const queue = new CountedQueue<number[]>((value) => value.length, 100);
  const value = [1, 2, 3];
  queue.push(value);
  value.length = 1;
  queue.shift();
  assertEquals(queue.size, 0);
  queue.push([1]);
  assertEquals(queue.size, 1);
});

Deno.test("a queue: a value is counted once, and only if the size is read while it is queued", () => {
  const counted: string[] = [];
  const queue = new CountedQueue<string>((value) => counted.push(value) * 0 + value.length, 100);
  queue.push("unread");
  queue.shift();
  queue.push("a");
  queue.push("bc");
  assertEquals([queue.size, queue.size], [3, 3]);
  queue.push("def");
  queue.shift();
  assertEquals(queue.size, 5);
  queue.shift();
  queue.shift();
  assertEquals([queue.size, counted], [0, ["a", "bc", "def"]]);
});

Deno.test("a queue: dropped values stay in the size", () => {
  const queue = new CountedQueue<string>((value) => value.length, 100);
  queue.push("abc");
  queue.drop();
  assertEquals([queue.length, queue.size], [0, 3]);
});

Deno.test("a queue: it passes on the amount at which counting may stop", () => {
  const told: number[] = [];
  const queue = new CountedQueue<string>((_, enough) => told.push(enough), 7);
  queue.push("abc");
  assertEquals([queue.size, told], [1, [7]]);
});
Deno.test("a queue: it is first in, first out, like an array, whenever its size is read", () => {
  const random = seededRandom();
  const fifo = new CountedQueue<number>((value) => value % 7, 100);
  const sizeOf = (values: number[]): number => values.reduce((sum, it) => sum + it % 7, 0);
  const array: number[] = [];
  for (let i = 0; i < 50_000; i++) {
    if (array.length > 0 && random.chance(i < 25_000 ? 0.3 : 0.7)) {
      assertEquals(fifo.shift(), array.shift(), `seed ${random.seed}, step ${i}`);
    } else {
      fifo.push(i);
      array.push(i);
    }
    assertEquals(fifo.length, array.length);
    if (random.chance(0.01)) assertEquals(fifo.size, sizeOf(array), `seed ${random.seed}`);
  }
  assertEquals([fifo.first, fifo.size], [array[0], sizeOf(array)]);
  fifo.clear();
  assertEquals([fifo.length, fifo.size], [0, 0]);
  fifo.push(7);
  assertEquals(fifo.shift(), 7);
});

Deno.test("a value that is pushed with its size counts as that size, also after values that are counted later", () => {
  const queue = new CountedQueue<string>((value) => value.length);
  queue.push("abc");
  for (let i = 0; i < 10; i++) queue.pushSized("x", 10);
  queue.push("de");
  assertEquals([queue.length, queue.size], [12, 105]);
  const left = Array.from({ length: 12 }, () => [queue.shift(), queue.size]);
  assertEquals(left[0], ["abc", 102]);
  assertEquals(left[10], ["x", 2]);
  assertEquals(left[11], ["de", 0]);
  const plain = new CountedQueue<string>();
  plain.push("abc");
  assertEquals(plain.size, 0);
});

Deno.test("a chunk counts its length, at least 32; an object counts 4 KiB with any content", () => {
  const chunks = [
    "",
    "x".repeat(50),
    new Uint8Array(100),
    new ArrayBuffer(200),
    new Float64Array(5),
  ];
  assertEquals(chunks.map(sizeOfChunk), [32, 50, 100, 200, 40]);
  assertEquals([{ a: "x".repeat(9000) }, 1, null, undefined].map(sizeOfChunk), [
    4096,
    4096,
    4096,
    4096,
  ]);
});
