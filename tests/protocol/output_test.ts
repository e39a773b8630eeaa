/** The sending half: its encoding, its buffers, and when it reuses their memory. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Output } from "../../src/protocol/output.ts";
import { SLAB_SIZE, slabFor } from "../../src/protocol/slab.ts";
import { seededRandom } from "../support/random.ts";
import { record, told } from "./support.ts";
import { hex, joined, utf8 } from "../support/bytes.ts";
import { frame, KEY, KEY_NUMBER } from "../support/frames.ts";

function write(output: Output, payload: Uint8Array): void {
  output.write(0x82, payload, payload.length);
}

function output(recycles = false): Output {
  return new Output(null, recycles);
}

/** Returns all the output, through takeChunk if possible. */
function take(output: Output): Uint8Array[] {
  const chunk = output.takeChunk();
  return chunk === null ? output.takeAll() : [chunk];
}

/** Starts a new shared buffer at a known position. */
function freshSlab(): void {
  slabFor(SLAB_SIZE);
}

Deno.test("output: frames of all kinds in order, and their sizes", () => {
  for (const masked of [false, true]) {
    const all = new Output(masked ? () => KEY_NUMBER : null, false);
    const key = masked ? { key: KEY } : {};
    const expected: Uint8Array[] = [];
    for (const length of [3, 20_000, 5, 0, 16_384, 16_383, 70_000, 1, 48, 33]) {
      const payload = new Uint8Array(length).fill(length);
      const text = "é".repeat(length >> 1);
      const encoded = frame({ opcode: 9, payload: new Uint8Array(length % 100) });
      write(all, payload);
      assertEquals(all.writeText(0x81, text), utf8(text).length);
      all.writeEncoded(encoded);
      expected.push(
        frame({ opcode: 2, payload, ...key }),
        frame({ opcode: 1, payload: text, ...key }),
        encoded,
      );
    }
    const bytes = joined(expected);
    assertEquals([all.size, all.isEmpty], [bytes.length, false]);
    assert(hex(joined(take(all))) === hex(bytes));
    assertEquals([all.size, all.isEmpty, take(all)], [0, true, []]);
  }
});

Deno.test("output: text that grows within a surrogate pair", () => {
  for (let before = 16_380; before < 16_390; before++) {
    const text = "x".repeat(before) + "😀".repeat(3000) + "\udc00";
    const one = output();
    one.writeText(0x81, text);
    const expected = frame({ opcode: 1, payload: utf8(text) });
    assert(hex(joined(take(one))) === hex(expected), `${before}`);
  }
});

Deno.test("output: each frame has its own masking key, requested in order", () => {
  let next = 1;
  const masked = new Output(() => next++, false);
  write(masked, new Uint8Array(4));
  masked.writeText(0x81, "\0\0");
  masked.write(0x89, new Uint8Array(0), 0);
  assertEquals(
    hex(joined(take(masked))),
    "828400000001" + "00000001" + "818200000002" + "0000" + "898000000003",
  );
});

Deno.test("output: without a masking key, the output is unchanged", () => {
  let fails = true;
  const masked = new Output(() => {
    if (fails) throw new Error("no key");
    return KEY_NUMBER;
  }, true);
  for (const length of [1, 20_000]) {
    assertThrows(() => write(masked, new Uint8Array(length)), Error, "no key");
  }
  assertEquals([masked.isEmpty, masked.takeChunk(), masked.takeAll()], [true, null, []]);
  assertThrows(() => write(masked, new Uint8Array(1)), Error, "no key");
  const encoded = frame({ opcode: 10 });
  masked.writeEncoded(encoded);
  assertEquals(masked.takeChunk(), encoded);
  fails = false;
  write(masked, Uint8Array.of(1));
  assertEquals(take(masked), [frame({ opcode: 2, payload: Uint8Array.of(1), key: KEY })]);
});

// As if another thread had enlarged it after the first look.
Deno.test("output: a payload longer than its reported size does not reach another connection's part", () => {
  const longer = new Uint8Array(200).fill(0xee);
  for (const side of ["client", "server"] as const) {
    const keys = side === "server" ? () => KEY_NUMBER : null;
    const key = side === "server" ? { key: KEY } : {};
    for (const length of [10, 32, 33, 50, 100]) {
      freshSlab();
      const [a, b] = [new Output(keys, true), new Output(keys, true)];
      for (let i = 0; i < 10; i++) {
        write(b, Uint8Array.of(i));
        a.write(0x82, longer, length);
      }
      const others = Array.from(
        { length: 10 },
        (_, i) => frame({ opcode: 2, payload: Uint8Array.of(i), ...key }),
      );
      assertEquals(hex(joined(take(b))), hex(joined(others)));
      const peer = record(side);
      for (const chunk of take(a)) peer.protocol.receive(chunk);
      const whole = [length, longer.length].map((it) => `binary ${"ee".repeat(it)}`);
      assertEquals(told(peer).length, 10);
      assert(told(peer).every((it) => whole.includes(it)), `${length} bytes`);
      for (const one of [a, b]) one.release(0);
    }
  }
});

Deno.test("output S184 the frames of a turn are one chunk, without an array", () => {
  freshSlab();
  const one = output();
  assertEquals(one.takeChunk(), null);
  for (let i = 0; i < 500; i++) write(one, new Uint8Array(64).fill(i));
  assertEquals(one.takeChunk()?.length, 500 * 66);
  assertEquals(one.isEmpty, true);
  for (let i = 0; i < 1000; i++) write(one, new Uint8Array(64).fill(i));
  assertEquals(one.takeChunk(), null);
  assertEquals([one.takeAll().length, one.size], [2, 0]);
});

Deno.test("output: an encoded frame that is the whole output is not copied; with other output it is, unless it is large", () => {
  const small = frame({ opcode: 1, payload: "small" });
  const large = frame({ opcode: 2, payload: new Uint8Array(0x4000) });
  const one = output(true);
  for (const encoded of [small, large]) {
    one.writeEncoded(encoded);
    assertStrictEquals(one.takeChunk(), encoded);
    one.writeEncoded(encoded);
    assertStrictEquals(one.takeAll()[0], encoded);
  }
  one.writeEncoded(small);
  one.writeEncoded(small);
  write(one, Uint8Array.of(1));
  assertEquals(
    one.takeChunk(),
    joined([small, small, frame({ opcode: 2, payload: Uint8Array.of(1) })]),
  );
  one.writeEncoded(large);
  one.writeEncoded(small);
  one.writeEncoded(large);
  assertEquals(one.takeAll().map((chunk) => chunk.length), [
    large.length,
    small.length,
    large.length,
  ]);
  // One buffer has no room for both.
  one.writeEncoded(small);
  write(one, new Uint8Array(0x3000));
  one.writeText(0x81, "x".repeat(21_840));
  assertEquals(joined(take(one)).length, small.length + 0x3004 + 21_844);
});

Deno.test("output: an encoded frame is copied if the transport may keep it or write to it", () => {
  for (const size of [10, 0x4000]) {
    const encoded = frame({ opcode: 2, payload: new Uint8Array(size) });
    const one = output();
    one.writeEncoded(encoded);
    one.takeChunk()?.fill(0xff);
    assertEquals(encoded[0], 0x82);
  }
});

Deno.test("output: it answers each Ping with a Pong, up to 64 and the latest", () => {
  const one = output();
  for (let i = 0; i < 70; i++) one.writePong(Uint8Array.of(i));
  assertEquals([one.size, one.takeChunk()], [65 * 3, null]);
  const pongs = joined(one.takeAll());
  assertEquals([pongs.length, pongs[63 * 3 + 2], pongs[64 * 3 + 2]], [65 * 3, 63, 69]);
  one.writePong(Uint8Array.of(1));
  one.flushPong();
  assertEquals(take(one), [Uint8Array.of(0x8a, 1, 1)]);
});

Deno.test("output: no Pong uses the array of its Ping", () => {
  const one = output();
  const payload = Uint8Array.of(7);
  for (let i = 0; i < 65; i++) one.writePong(payload);
  payload[0] = 0;
  assertEquals(
    joined(one.takeAll()),
    joined(Array.from({ length: 65 }, () => Uint8Array.of(0x8a, 1, 7))),
  );
});

Deno.test("output: two alternating connections each get their own bytes, and no pending buffer is reused", () => {
  const random = seededRandom();
  const label = `seed ${random.seed}`;
  const lines = Array.from({ length: 5 }, () => ({
    output: output(),
    put: [] as Uint8Array[],
    got: [] as Uint8Array[],
  }));
  for (let round = 0; round < 600; round++) {
    const { output, put, got } = random.pick(lines);
    const payload = random.bytes(random.pick([1, 30, 200, 3000, 20_000]));
    const encoded = frame({ opcode: 2, payload });
    put.push(encoded);
    if (random.chance(0.05)) output.writeEncoded(encoded);
    else write(output, payload);
    if (random.chance(0.05)) got.push(...take(output));
  }
  for (const { output, put, got } of lines) {
    assertEquals(output.size, joined(put).length - joined(got).length, label);
    got.push(...take(output));
    assert(hex(joined(got)) === hex(joined(put)), label);
  }
});

Deno.test("output: for alternating connections, the number of chunks grows with the logarithm of the bytes", () => {
  freshSlab();
  const [a, b] = [output(), output()];
  for (let i = 0; i < 2000; i++) {
    write(a, new Uint8Array(62));
    write(b, new Uint8Array(62));
  }
  for (const one of [a, b]) {
    assertEquals(one.size, 128_000);
    const chunks = take(one);
    assert(chunks.length <= 24, `${chunks.length}`);
  }
});

Deno.test("output: a connection that is not read does not keep the buffers of fast ones", () => {
  freshSlab();
  const [slow, fast] = [output(), output()];
  for (let i = 0; i < 20_000; i++) {
    write(slow, new Uint8Array(62));
    write(fast, new Uint8Array(640));
    take(fast);
  }
  const buffers = new Set(take(slow).map((chunk) => chunk.buffer));
  const held = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  assert(held <= 2 * 20_000 * 64, `${held}`);
});

Deno.test("output: no buffer is reused before it is released, in any order of connections", () => {
  const random = seededRandom();
  const label = `seed ${random.seed}`;
  const lines = Array.from({ length: 4 }, () => ({
    output: output(true),
    /** Output that is taken, and read only when it is passed on, as a socket does. */
    waiting: [] as { chunk: Uint8Array; before: string }[],
    put: "",
    got: "",
  }));
  for (let round = 0; round < 1500; round++) {
    const line = random.pick(lines);
    const payload = random.bytes(random.pick([1, 30, 200, 3000, 20_000]));
    const encoded = frame({ opcode: 2, payload });
    line.put += hex(encoded);
    if (random.chance(0.05)) line.output.writeEncoded(encoded);
    else write(line.output, payload);
    if (!random.chance(0.3)) continue;
    for (const chunk of take(line.output)) line.waiting.push({ chunk, before: hex(chunk) });
    for (const { chunk } of line.waiting.splice(0, random.pick([0, 1, 2, 100]))) {
      line.got += hex(chunk);
    }
    line.output.release(line.waiting.reduce((sum, { chunk }) => sum + chunk.length, 0));
  }
  for (const { output, waiting, put, got } of lines) {
    for (const { chunk, before } of waiting) assert(hex(chunk) === before, label);
    const rest = [...waiting.map(({ chunk }) => chunk), ...take(output)];
    assert(got + hex(joined(rest)) === put, label);
  }
});

Deno.test("output: connections that pass on their output at once reuse the same memory and view every time", () => {
  freshSlab();
  const [a, b] = [output(true), output(true)];
  const views = new Set<Uint8Array | null>();
  for (let i = 0; i < 100; i++) {
    for (const one of [a, b]) {
      write(one, new Uint8Array(1000).fill(i));
      const chunk = one.takeChunk();
      assertEquals(chunk?.[500], i);
      views.add(chunk);
      one.release(0);
    }
  }
  assertEquals(views.size, 1);
});

Deno.test("output: a part of the pending bytes can be released", () => {
  freshSlab();
  const one = output(true);
  const places = [1, 2, 3].map((i) => {
    write(one, new Uint8Array(100).fill(i));
    return one.takeChunk()?.byteOffset;
  });
  assertEquals(new Set(places).size, 3);
  one.release(2 * 102);
  one.release(2 * 102);
  one.release(1);
  one.release(0);
  write(one, new Uint8Array(100));
  assertEquals(one.takeChunk()?.byteOffset, places[0]);
  one.release(1);
  one.release(0);
});

Deno.test("output: memory that is not released is never reused", () => {
  const one = output();
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < 500; i++) {
    write(one, new Uint8Array(1000).fill(i));
    chunks.push(...take(one));
    one.release(0);
  }
  assertEquals(chunks.map((chunk) => chunk[4]), Array.from({ length: 500 }, (_, i) => i % 256));
});

Deno.test("output: a large payload fills the rest of a buffer, unless that is very small", () => {
  for (const [size, first] of [[10_000, 65_536], [16_200, 64_826]] as const) {
    freshSlab();
    const one = output();
    for (let i = 0; i < 4; i++) write(one, new Uint8Array(size));
    write(one, new Uint8Array(100_000));
    const chunks = take(one).map((chunk) => chunk.length);
    assertEquals([chunks[0], chunks[1]], [first, 65_536]);
  }
});

Deno.test("output: a large output that is released late reuses the same buffers", () => {
  const one = output(true);
  const used = (): Set<ArrayBufferLike> => {
    for (let i = 0; i < 300; i++) write(one, new Uint8Array(1000));
    const buffers = new Set(take(one).map((chunk) => chunk.buffer));
    one.release(1000);
    one.release(0);
    return buffers;
  };
  const before = used();
  assertEquals(before.size, 5);
  const fresh = [...used(), ...used()].filter((buffer) => !before.has(buffer));
  assertEquals(fresh, []);
});
