import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { WriteBuffer } from "../../src/protocol/write_buffer.ts";
import { seededRandom } from "../support/random.ts";
import { hex, joined } from "./support.ts";

function write(output: WriteBuffer, bytes: Uint8Array, ahead = 0): void {
  output.reserve(bytes.length + ahead);
  output.buffer.set(bytes, output.end);
  output.commit(output.end + bytes.length);
}

/** Begins a new shared buffer, so that a test knows where it is. */
function freshSlab(): void {
  const output = new WriteBuffer();
  write(output, new Uint8Array(65536));
  output.take();
}

Deno.test("output: connections by turns get what they wrote, and nothing taken is written again", () => {
  const random = seededRandom();
  const label = `seed ${random.seed}`;
  const outputs = Array.from({ length: 5 }, () => ({
    output: new WriteBuffer(),
    put: [] as Uint8Array[],
    got: [] as Uint8Array[],
  }));
  for (let round = 0; round < 3000; round++) {
    const { output, put, got } = random.pick(outputs);
    const bytes = random.bytes(random.pick([1, 30, 200, 3000]));
    put.push(bytes);
    if (random.chance(0.05)) output.append(bytes);
    else write(output, bytes, random.pick([0, 0, 500]));
    if (random.chance(0.05)) got.push(...output.take());
  }
  for (const { output, put, got } of outputs) {
    const size = joined(put).length - joined(got).length;
    assertEquals(output.size, size, label);
    got.push(...output.take());
    assert(hex(joined(got)) === hex(joined(put)), label);
    assertEquals([output.size, output.take()], [0, []], label);
  }
});

Deno.test("output: frames of one turn are one chunk", () => {
  freshSlab();
  const output = new WriteBuffer();
  for (let i = 0; i < 500; i++) write(output, new Uint8Array(64).fill(i));
  assertEquals(output.take().length, 1);
});

Deno.test("output: what was set aside and not used goes to the next", () => {
  freshSlab();
  const output = new WriteBuffer();
  write(output, new Uint8Array(10), 1000);
  const [first] = output.take();
  write(output, new Uint8Array(10));
  const [second] = output.take();
  assert(first !== undefined && second !== undefined);
  assertStrictEquals(first.buffer, second.buffer);
  assertEquals(second.byteOffset, first.byteOffset + 10);
});

Deno.test("output: by turns the number of chunks grows with the logarithm of the bytes", () => {
  freshSlab();
  const [a, b] = [new WriteBuffer(), new WriteBuffer()];
  for (let i = 0; i < 2000; i++) {
    write(a, new Uint8Array(64));
    write(b, new Uint8Array(64));
  }
  for (const output of [a, b]) {
    assertEquals(output.size, 128_000);
    const chunks = output.take();
    assert(chunks.length <= 24, `${chunks.length}`);
  }
});

Deno.test("output: a connection that isn't read doesn't keep the buffers of fast ones", () => {
  freshSlab();
  const slow = new WriteBuffer();
  const fast = new WriteBuffer();
  for (let i = 0; i < 20_000; i++) {
    write(slow, new Uint8Array(64));
    write(fast, new Uint8Array(640));
    fast.take();
  }
  const buffers = new Set(slow.take().map((chunk) => chunk.buffer));
  const held = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  assert(held <= 2 * 20_000 * 64, `${held}`);
});
