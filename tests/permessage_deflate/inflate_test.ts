import zlib from "node:zlib";
import { assertEquals, assertRejects } from "@std/assert";
import { InflateError } from "../../src/protocol/message_deflate.ts";
import { chunkSize, Decompressor, type Zlib } from "../../src/permessage_deflate/inflate.ts";
import { Turns } from "../../src/web_socket/turns.ts";
import { inflate } from "../support/inflating.ts";
import { seededRandom } from "../support/random.ts";

const ZLIB = zlib as unknown as Zlib;

function decompressor(bits: number | null, zlib: Zlib = ZLIB): Decompressor {
  return new Decompressor({ zlib, turns: new Turns() }, bits);
}

/** A message in the form in which it is sent. */
function compress(data: Uint8Array): Uint8Array {
  const { Z_SYNC_FLUSH } = zlib.constants;
  return zlib.deflateRawSync(data, { finishFlush: Z_SYNC_FLUSH }).subarray(0, -4);
}

Deno.test("A message may be exactly as large as the limit, also with 0 and 1 bytes", async () => {
  for (const bits of [null, 15]) {
    const inflater = decompressor(bits);
    for (const length of [0, 1, 2, 5000]) {
      const data = seededRandom().bytes(length);
      const payload = compress(data);
      assertEquals(await inflate(inflater, payload, length), data);
      if (length === 0) continue;
      const error = await assertRejects(
        () => inflate(inflater, payload, length - 1),
        InflateError,
      );
      assertEquals(error.reason, "too-big");
    }
  }
});

Deno.test("Large and small messages may follow each other in any order", async () => {
  const random = seededRandom();
  const inflater = decompressor(15);
  for (const length of [10, 300_000, 10, 5000, 100_000, 1, 40_000, 2_000_000, 3]) {
    const data = random.bytes(length);
    assertEquals(await inflate(inflater, compress(data), length), data, `seed ${random.seed}`);
  }
});

Deno.test("A small message does not keep zlib's output buffer", async () => {
  for (const bits of [null, 15]) {
    const inflater = decompressor(bits);
    await inflate(inflater, compress(new Uint8Array(32_768)), 32_768);
    const message = await inflate(inflater, compress(new Uint8Array(10)), 10);
    assertEquals(message.buffer.byteLength, 10);
  }
});

Deno.test("An error of zlib itself is not the peer's failure", async () => {
  const fault = Object.assign(new Error("no memory"), { code: "Z_MEM_ERROR" });
  const broken: Zlib = {
    ...ZLIB,
    inflateRawSync: () => {
      throw fault;
    },
  };
  const inflater = decompressor(15, broken);
  const error = await assertRejects(() => inflate(inflater, Uint8Array.of(0), 1));
  assertEquals(error, fault);
});

Deno.test("zlib's buffers have 64 bytes to 128 KiB", () => {
  assertEquals([0, 63, 64, 5000, 2 ** 30].map(chunkSize), [64, 64, 64, 5000, 128 * 1024]);
});
