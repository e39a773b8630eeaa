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

Deno.test("output: one that nothing was written to has no buffer", () => {
  const output = new WriteBuffer(true);
  assertEquals([output.buffer.length, output.take()], [0, []]);
  write(output, new Uint8Array(10));
  output.take();
  output.giveBack(0);
  assertEquals(output.buffer.length, 0);
});

Deno.test("output: a part that nothing was written to is the next one's", () => {
  freshSlab();
  const [a, b] = [new WriteBuffer(true), new WriteBuffer(true)];
  a.reserve(1000);
  const { buffer, end } = a;
  assertEquals(a.take(), []);
  b.reserve(1000);
  assertStrictEquals(b.buffer, buffer);
  assertEquals(b.end, end);
});

Deno.test("output: some room ends where another connection's part begins", () => {
  freshSlab();
  const [a, b] = [new WriteBuffer(true), new WriteBuffer(true)];
  a.reserve(2000);
  a.commit(a.end + 500);
  write(b, new Uint8Array(10));
  assertEquals(a.reserveSome(5000), 1500);
  assertEquals(new WriteBuffer(true).reserveSome(5000), 5000);
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

Deno.test("output: nothing is written to before it is given back, whoever gives back what, and when", () => {
  const random = seededRandom();
  const label = `seed ${random.seed}`;
  const lines = Array.from({ length: 4 }, () => ({
    output: new WriteBuffer(true),
    /** Taken, and read only when it is handed on: what a socket does. */
    waiting: [] as { chunk: Uint8Array; before: string }[],
    put: "",
    got: "",
  }));
  for (let round = 0; round < 1500; round++) {
    const line = random.pick(lines);
    const bytes = random.bytes(random.pick([1, 30, 200, 3000]));
    line.put += hex(bytes);
    if (random.chance(0.05)) line.output.append(bytes);
    else write(line.output, bytes, random.pick([0, 0, 500]));
    if (!random.chance(0.3)) continue;
    for (const chunk of line.output.take()) {
      line.waiting.push({ chunk, before: hex(chunk) });
    }
    for (const { chunk } of line.waiting.splice(0, random.pick([0, 1, 2, 100]))) {
      line.got += hex(chunk);
    }
    line.output.giveBack(line.waiting.reduce((sum, { chunk }) => sum + chunk.length, 0));
  }
  for (const { output, waiting, put, got } of lines) {
    for (const { chunk, before } of waiting) assert(hex(chunk) === before, label);
    const rest = [...waiting.map(({ chunk }) => chunk), ...output.take()];
    assert(got + hex(joined(rest)) === put, label);
  }
});

Deno.test("output: a connection that hands on at once writes to the same memory every time", () => {
  freshSlab();
  const output = new WriteBuffer(true);
  const places = new Set<number>();
  for (let i = 0; i < 100; i++) {
    write(output, new Uint8Array(1000));
    for (const chunk of output.take()) places.add(chunk.byteOffset);
    output.giveBack(0);
  }
  assertEquals(places.size, 1);
});

Deno.test("output: what isn't given back is never written to again", () => {
  const output = new WriteBuffer();
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < 500; i++) {
    write(output, new Uint8Array(1000).fill(i));
    chunks.push(...output.take());
    output.giveBack(0);
  }
  assertEquals(chunks.map((chunk) => chunk[0]), Array.from({ length: 500 }, (_, i) => i % 256));
});

Deno.test("output: some room is what is left, or a whole buffer where that is next to nothing", () => {
  freshSlab();
  const output = new WriteBuffer();
  write(output, new Uint8Array(60_000));
  assertEquals(output.reserveSome(100_000), 5536);
  output.commit(output.end + 5000);
  assertEquals(output.reserveSome(100_000), 65_536);
  output.commit(output.end + 65_536);
  assertEquals(output.reserveSome(10), 10);
});

Deno.test("output: much of it, given back late, goes through the same buffers again", () => {
  const output = new WriteBuffer(true);
  const used = (): Set<ArrayBufferLike> => {
    for (let i = 0; i < 300; i++) write(output, new Uint8Array(1000));
    const buffers = new Set(output.take().map((chunk) => chunk.buffer));
    output.giveBack(1000);
    output.giveBack(0);
    return buffers;
  };
  const before = used();
  assertEquals(before.size, 5);
  const fresh = [...used(), ...used()].filter((buffer) => !before.has(buffer));
  assertEquals(fresh, []);
});
