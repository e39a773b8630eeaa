import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { ByteQueue, compact, joined as joinedOf } from "../../src/protocol/byte_queue.ts";
import { seededRandom } from "../support/random.ts";
import { hex, joined } from "../support/bytes.ts";

function takeAll(queue: ByteQueue): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  while (queue.size > 0) chunks.push(queue.shift());
  return chunks;
}

Deno.test("queue: the output is the input in order, for any chunk sizes", () => {
  const random = seededRandom();
  const label = `seed ${random.seed}`;
  const queue = new ByteQueue();
  const put: Uint8Array[] = [];
  const got: Uint8Array[] = [];
  for (let round = 0; round < 400; round++) {
    const chunk = random.bytes(random.pick([0, 1, 10, 4095, 4096, 5000]));
    put.push(chunk);
    queue.push(chunk, random.chance());
    while (random.chance(0.4) && queue.size > 0) {
      const taken = queue.shift();
      const used = random.integer(0, taken.length);
      got.push(taken.subarray(0, used));
      if (used < taken.length) queue.unshift(taken.subarray(used), random.chance());
    }
  }
  got.push(...takeAll(queue));
  assert(hex(joined(got)) === hex(joined(put)), label);
});

Deno.test("queue: an empty queue returns an empty chunk", () => {
  const queue = new ByteQueue();
  assertEquals(queue.shift().length, 0);
  assertEquals(queue.size, 0);
});

Deno.test("queue: it copies a chunk that the caller keeps, and keeps a large one that is transferred", () => {
  const chunk = new Uint8Array(8192).fill(1);
  const queue = new ByteQueue();
  queue.push(chunk, true);
  queue.push(chunk, false);
  assertStrictEquals(queue.shift(), chunk);
  const copy = queue.shift();
  assertNotStrictEquals(copy.buffer, chunk.buffer);
  queue.unshift(chunk, true);
  assertStrictEquals(queue.shift(), chunk);
  queue.unshift(chunk, false);
  assertNotStrictEquals(queue.shift().buffer, chunk.buffer);
});

Deno.test("attack 7: small chunks are joined, and small views do not keep large buffers", () => {
  const socket = new Uint8Array(65536);
  const queue = new ByteQueue();
  for (let i = 0; i < 100_000; i++) queue.push(socket.subarray(i % 1000, i % 1000 + 1), true);
  queue.push(socket.subarray(0, 5000), true);
  const chunks = takeAll(queue);
  const held = chunks.reduce((sum, chunk) => sum + chunk.buffer.byteLength, 0);
  assert(held <= 2 * 105_000 + 65536, `${held}`);
  assert(chunks.length < 5, `${chunks.length}`);
});

Deno.test("queue: compact copies chunks that use less than half of their buffer", () => {
  const whole = new Uint8Array(100);
  assertStrictEquals(compact(whole), whole);
  assertStrictEquals(compact(whole.subarray(50)).buffer, whole.buffer);
  assertEquals(compact(whole.subarray(51)).buffer.byteLength, 49);
});

Deno.test("joined: it returns all bytes in order, in a new buffer", () => {
  const chunks = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(9, 3, 9).subarray(1, 2)];
  const bytes = joinedOf(chunks, 3);
  assertEquals(bytes, Uint8Array.of(1, 2, 3));
  assertEquals(bytes.buffer.byteLength, 3);
  assertEquals(joinedOf([], 0).length, 0);
});
