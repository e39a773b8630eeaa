/** The cost of compressed messages in one turn of the event loop, and in memory. */

import zlib from "node:zlib";
import { assert, assertEquals, assertLess } from "@std/assert";
import { joined, utf8 } from "../support/bytes.ts";
import { closePayload, frame } from "../support/frames.ts";
import { seededRandom } from "../support/random.ts";
import { turn } from "../support/turns.ts";
import { attacked, over } from "./support.ts";

const MIB = 1024 * 1024;
const DEFLATE = "permessage-deflate";

/** Compresses a message, without the tail, which is not sent. */
function blocks(data: Uint8Array | string): Uint8Array {
  return zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

function message(payload: Uint8Array, opcode = 2): Uint8Array<ArrayBuffer> {
  return frame({ opcode, rsv: 4, payload });
}

/** A message of the maximum number of DEFLATE streams. */
const STREAMS = message(
  joined([...Array.from({ length: 999 }, () => zlib.deflateRawSync("")), blocks("!")]),
  1,
);

Deno.test("attack 55: compressed messages of one byte are delivered over many turns, in order", async () => {
  const it = attacked({ extensions: DEFLATE });
  const count = 20_000;
  const texts = Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i % 26));
  const wires = new Map([...new Set(texts)].map((text) => [text, message(blocks(text), 1)]));
  it.peer.sink.add(joined(texts.map((text) => wires.get(text) as Uint8Array)));
  const { turns, most } = await it.counter.until(() => it.log.length === count);
  assert(it.log.join("") === texts.join(""));
  assertLess(most, 2000);
  assert(turns > 10, `${turns}`);
  await over(it);
});

Deno.test("attack 55: 999 DEFLATE streams in a message take several turns, for each message", async () => {
  const it = attacked({ extensions: DEFLATE });
  const count = 20;
  const wires = Array.from({ length: count }, () => STREAMS);
  it.peer.sink.add(joined([...wires, frame({ opcode: 1, payload: "behind" })]));
  const { turns, most } = await it.counter.until(() => it.log.length === count + 1);
  assertEquals(it.log, [...Array.from({ length: count }, () => "!"), "behind"]);
  assert(most <= 2, `${most}`);
  assert(turns >= count, `${turns}`);
  await over(it);
});

Deno.test("attack 55: another connection's message doesn't wait for decompression", async () => {
  const bombs = joined(Array.from({ length: 3 }, () => message(blocks(new Uint8Array(8 * MIB)))));
  for (const load of [joined(Array.from({ length: 20 }, () => STREAMS)), bombs]) {
    const loaded = attacked({ extensions: DEFLATE });
    const other = attacked({ extensions: DEFLATE });
    loaded.peer.sink.add(load.slice());
    other.peer.sink.add(message(blocks("hello"), 1));
    const { turns } = await other.counter.until(() => other.log.length === 1);
    assertEquals(other.log, ["hello"]);
    assert(turns <= 3, `${turns}`);
    assertLess(loaded.log.length, 3);
    await over(loaded);
    await over(other);
  }
});

/** Bytes that are partly compressible. */
function sample(length: number, seed = seededRandom()): Uint8Array {
  const bytes = seed.bytes(length);
  for (let at = 0; at < length; at += 300) bytes.fill(at >> 8, at, at + 200);
  return bytes;
}

for (const extensions of ["permessage-deflate", "permessage-deflate; server_no_context_takeover"]) {
  Deno.test(`attack 55: large and small, binary and text, compressed and not, alternately: ${extensions}`, async () => {
    const it = attacked({ extensions });
    const text = "aä€😀 naïve 漢字 ".repeat(150_000);
    const expected: (string | Uint8Array)[] = [];
    const wires: Uint8Array[] = [];
    const deflater = new Deflater(extensions.includes("no_context"));
    for (const length of [10, 70_000, 3 * MIB, 1, 6 * MIB, MIB, MIB + 1, 300]) {
      const bytes = sample(length);
      wires.push(message(await deflater.message(bytes)));
      wires.push(frame({ opcode: 1, payload: `behind ${length}` }));
      wires.push(message(await deflater.message(new Uint8Array(length))));
      expected.push(bytes, `behind ${length}`, new Uint8Array(length));
      wires.push(message(await deflater.message(utf8(text)), 1));
      expected.push(text);
    }
    // A large message refers back to the one before it.
    const before = seededRandom().bytes(20_000);
    for (const bytes of [before, joined([before, sample(9 * MIB)])]) {
      wires.push(message(await deflater.message(bytes)));
      expected.push(bytes);
    }
    deflater.close();
    wires.push(frame({ opcode: 8, payload: closePayload(4000) }));
    it.peer.sink.add(joined(wires));
    await it.counter.until(() => it.log.includes("done"));
    assertEquals(it.log.length, expected.length + 1);
    for (const [i, value] of expected.entries()) {
      assert(same(it.log[i], value), `message ${i}, seed ${seededRandom().seed}`);
    }
    assertEquals(it.channel.closeCode, 4000);
    await over(it);
  });
}

function same(a: unknown, b: string | Uint8Array): boolean {
  if (typeof b === "string" || !(a instanceof Uint8Array)) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Compresses with a context of its own, as a peer does. */
class Deflater {
  readonly #alone: boolean;
  readonly #stream = zlib.createDeflateRaw();
  #parts: Uint8Array[] = [];

  constructor(alone: boolean) {
    this.#alone = alone;
    this.#stream.on("data", (part) => this.#parts.push(part));
  }

  async message(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#alone) return blocks(bytes);
    this.#stream.write(bytes);
    await new Promise<void>((resolve) => this.#stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
    await turn();
    const whole = joined(this.#parts);
    this.#parts = [];
    return whole.subarray(0, -4);
  }

  close(): void {
    this.#stream.close();
  }
}

Deno.test("attack 55: large streams with BFINAL=1", async () => {
  const it = attacked({ extensions: DEFLATE });
  const random = seededRandom();
  const parts = [sample(2 * MIB, random), sample(5, random), sample(3 * MIB, random), utf8("end")];
  const last = parts.pop() as Uint8Array;
  const payload = joined([...parts.map((part) => zlib.deflateRawSync(part)), blocks(last)]);
  it.peer.sink.add(joined([message(payload), message(blocks("next"), 1)]));
  await it.counter.until(() => it.log.length === 2);
  assert(same(it.log[0], joined([...parts, last])), `seed ${random.seed}`);
  assertEquals(it.log[1], "next");
  await over(it);
});

const BOMB: Uint8Array = message(blocks(new Uint8Array(24 * MIB)));

Deno.test("attack 55: a bomb within the limit is decompressed over many turns, without extra memory", async () => {
  const it = attacked({ maxMessageSize: 24 * MIB, extensions: DEFLATE });
  it.peer.sink.add(joined([BOMB, BOMB]));
  for (let i = 0; i < 2; i++) {
    const { turns } = await it.counter.until(() => it.log.length === 1);
    const bomb = it.log.pop() as Uint8Array;
    assertEquals([bomb.length, bomb.buffer.byteLength], [24 * MIB, 24 * MIB]);
    assert(bomb.every((byte) => byte === 0));
    assert(turns > 4, `${turns}`);
  }
  await over(it);
});

Deno.test("attack 55: a bomb beyond the limit fails with 1009, and allocates almost nothing", async () => {
  for (const opcode of [1, 2]) {
    const it = attacked({ maxMessageSize: 20 * MIB, extensions: DEFLATE });
    it.peer.sink.add(message(blocks(new Uint8Array(24 * MIB)), opcode));
    await it.counter.until(() => it.log.includes("done"));
    it.peer.sink.close();
    const { sent } = await it.channel.closed;
    assertEquals([it.log, sent?.code], [["done"], 1009]);
  }
});

Deno.test("attack 55: data that can't be decompressed fails with 1007, even if the fault is found late", async () => {
  const whole = blocks(sample(3 * MIB));
  const stored = zlib.deflateRawSync(new Uint8Array(3 * MIB), { level: 0 });
  const text = utf8("a".repeat(5 * MIB));
  text[4 * MIB + 7] = 0xff;
  const payloads: [Uint8Array, number][] = [
    [stored.subarray(0, stored.length - 1000), 2],
    [joined([whole.subarray(0, 100_000), new Uint8Array(1000).fill(255)]), 2],
    [joined([zlib.deflateRawSync(sample(3 * MIB)), Uint8Array.of(0xff)]), 2],
    [blocks(text), 1],
  ];
  for (const [i, [payload, opcode]] of payloads.entries()) {
    const it = attacked({ extensions: DEFLATE });
    it.peer.sink.add(joined([message(payload, opcode), frame({ opcode: 1, payload: "never" })]));
    await it.counter.until(() => it.log.includes("done"));
    it.peer.sink.close();
    const { sent } = await it.channel.closed;
    assertEquals([it.log, sent?.code], [["done"], 1007], `payload ${i}`);
  }
});

Deno.test("attack 55: terminate and close stop the decompression; no message arrives afterwards", async () => {
  for (const end of ["terminate", "close"] as const) {
    for (const load of [BOMB, STREAMS]) {
      const it = attacked({ extensions: DEFLATE });
      it.peer.sink.add(joined([load, frame({ opcode: 1, payload: "?" }), frame({ opcode: 8 })]));
      await turn();
      if (end === "terminate") it.channel.terminate();
      else it.channel.sink.close();
      // Our Close is sent at the end of the turn.
      await turn();
      it.peer.sink.close();
      const { wasClean } = await it.channel.closed;
      for (let i = 0; i < 5; i++) await turn();
      assertEquals([it.log, wasClean], [["done"], end === "close"]);
    }
  }
});
