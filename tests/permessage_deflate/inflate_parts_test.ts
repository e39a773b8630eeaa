import zlib from "node:zlib";
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { InflateError } from "../../src/protocol/message_deflate.ts";
import { zlibAbilities } from "../../src/permessage_deflate/deflate.ts";
import type { Zlib } from "../../src/permessage_deflate/inflate.ts";
import { InflationInParts } from "../../src/permessage_deflate/inflate_parts.ts";
import { SlidingWindow } from "../../src/permessage_deflate/sliding_window.ts";
import { Turns } from "../../src/web_socket/turns.ts";
import { joined } from "../support/bytes.ts";
import { deferred } from "../support/promises.ts";
import { seededRandom } from "../support/random.ts";
import { turn, until } from "../support/turns.ts";

/** Creates compressible bytes. */
function content(size: number): Uint8Array {
  const random = seededRandom();
  return Uint8Array.from(
    { length: size },
    (_, i) => i % 7 === 0 ? random.integer(0, 255) : i >> 6 & 255,
  );
}

/** Creates a DEFLATE stream that ends with BFINAL=1, or in the form of a message. RFC 7692 §7.2.1. */
function compressed(bytes: Uint8Array, isFinal = false): Uint8Array {
  if (isFinal) return new Uint8Array(zlib.deflateRawSync(bytes));
  const finishFlush = zlib.constants.Z_SYNC_FLUSH;
  return new Uint8Array(zlib.deflateRawSync(bytes, { finishFlush })).slice(0, -4);
}

interface Result {
  readonly bytes: Uint8Array;
  readonly error: unknown;
  readonly largest: number;
}

/** Decompresses a payload in pieces: it adds the next one on request, and pauses if the test asks for that. */
async function inflate(
  payload: Uint8Array,
  { size = 1000, maxLength = Infinity, pauses = false, window = new SlidingWindow(1 << 15) } = {},
): Promise<Result> {
  const parts: Uint8Array[] = [];
  const end = deferred<unknown>();
  let at = 0;
  const push = (): void => {
    const piece = payload.slice(at, at += size);
    inflation.push(piece, at >= payload.length);
  };
  const inflation = new InflationInParts({ zlib: zlib as unknown as Zlib, turns: new Turns() }, {
    maxLength,
    window,
    receiver: {
      onInflated: (bytes) => {
        parts.push(bytes.slice());
        if (!pauses) return;
        inflation.pause();
        void turn().then(() => inflation.resume());
      },
      onInflateMore: push,
      onInflateEnd: (error) => end.resolve(error),
    },
  });
  push();
  const error = await end.promise;
  return { bytes: joined(parts), error, largest: Math.max(0, ...parts.map((it) => it.length)) };
}

Deno.test("inflating in parts: with any pieces, paused or not, the output parts have a limited size", async () => {
  const bytes = content(500_000);
  for (const size of [1, 1000, 65_536, Infinity]) {
    const part = size === 1 ? bytes.subarray(0, 3000) : bytes;
    for (const pauses of [false, true]) {
      const result = await inflate(compressed(part), { size, pauses });
      assertEquals(result.error, null);
      assertEquals(result.bytes, part);
      assert(size === Infinity || result.largest <= 128 * 1024);
    }
  }
});

Deno.test("inflating in parts: blocks after one with BFINAL=1 belong to the message. RFC 7692 §7.2.3.4", async () => {
  const bytes = content(300_000);
  const [a, b, c] = [bytes.slice(0, 100_000), bytes.slice(100_000, 100_010), bytes.slice(100_010)];
  const payload = joined([compressed(a, true), compressed(b, true), compressed(c)]);
  for (const size of [977, 65_536, Infinity]) {
    for (const pauses of [false, true]) {
      const result = await inflate(payload, { size, pauses });
      assertEquals(result.error, null);
      assertEquals(result.bytes, bytes);
    }
  }
  // RFC 7692 §7.2.3.4: an extra byte follows a last block with BFINAL=1.
  const last = joined([compressed(a, true), Uint8Array.of(0)]);
  assertEquals((await inflate(last)).bytes, a);
});

Deno.test("inflating in parts: more than 1000 streams in a message are an error", async () => {
  const payload = joined(Array.from({ length: 1100 }, () => compressed(new Uint8Array(), true)));
  const { error } = await inflate(payload);
  assertInstanceOf(error, InflateError);
  assertEquals(error.reason, "corrupt");
});

Deno.test("inflating in parts: it uses the window of earlier messages, and keeps that of this one", async () => {
  const window = new SlidingWindow(1 << 15);
  const before = content(20_000);
  window.push(before);
  const finishFlush = zlib.constants.Z_SYNC_FLUSH;
  const options = { finishFlush, dictionary: before };
  const payload = new Uint8Array(zlib.deflateRawSync(before, options)).slice(0, -4);
  // Otherwise this runtime's compressor accepts no dictionary, and the payload refers to nothing.
  assertEquals(payload.length < 2000, zlibAbilities().dictionary);
  for (const size of [10, Infinity]) {
    assertEquals((await inflate(payload, { size, window })).bytes, before);
  }
});

Deno.test("inflating in parts: too many bytes, and corrupt or truncated ones, end it with an error", async () => {
  const bytes = content(300_000);
  const payload = compressed(bytes);
  assertEquals((await inflate(payload, { maxLength: bytes.length })).error, null);
  const big = (await inflate(payload, { maxLength: bytes.length - 1 })).error;
  assertInstanceOf(big, InflateError);
  assertEquals(big.reason, "too-big");
  // A block of type 3, which is invalid, and a block without its end.
  const broken = joined([compressed(bytes, true), Uint8Array.of(0x07, 0, 0)]);
  for (const bad of [broken, payload.slice(0, -100)]) {
    const { error } = await inflate(bad);
    assertInstanceOf(error, InflateError, `${bad === broken}`);
    assertEquals(error.reason, "corrupt");
  }
});

Deno.test("inflating in parts: after it is abandoned, it reports nothing more", async () => {
  let count = 0;
  const inflation: InflationInParts = new InflationInParts(
    { zlib: zlib as unknown as Zlib, turns: new Turns() },
    {
      maxLength: Infinity,
      window: new SlidingWindow(1 << 15),
      receiver: {
        onInflated: () => {
          count++;
          inflation.abandon();
        },
        onInflateMore: () => count++,
        onInflateEnd: () => count++,
      },
    },
  );
  inflation.push(compressed(content(1_000_000)), false);
  await until(() => count > 0);
  for (let i = 0; i < 20; i++) await turn();
  assertEquals(count, 1);
});
