import zlib from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import type { DeflateParameters } from "../../src/permessage_deflate/deflate_parameters.ts";
import { acceptRequest, checkRequest } from "../../src/handshake/server_handshake.ts";
import { InflateError, type MessageDeflate } from "../../src/protocol/message_deflate.ts";
import { createMessageDeflate } from "../../src/permessage_deflate/deflate.ts";
import { turns } from "../../src/web_socket/turns.ts";
import { requestHead } from "../handshake/support.ts";
import { joined } from "../support/bytes.ts";
import { inflate } from "../support/inflating.ts";
import { seededRandom } from "../support/random.ts";

const MIB = 1024 * 1024;
const HELLO = new TextEncoder().encode("hello hello hello, a message; a message");
const EMPTY = new Uint8Array(0);

function create(noContextTakeover = false, bits = 15): MessageDeflate {
  const parameters: DeflateParameters = {
    serverNoContextTakeover: noContextTakeover,
    clientNoContextTakeover: noContextTakeover,
    serverMaxWindowBits: bits,
    clientMaxWindowBits: bits,
  };
  const made = createMessageDeflate(parameters, "server", { threshold: 0, turns });
  assert(made !== null);
  return made;
}

/** Every kind of decompressor: without a window, with an empty one, with a full one. */
async function* decompressors(): AsyncGenerator<MessageDeflate> {
  yield create(true);
  yield create();
  const used = create();
  await inflate(used, blocks(seededRandom().bytes(40_000)), MIB);
  yield used;
}

/** Blocks with BFINAL=0 that end at a byte boundary, without the tail, which is not sent. */
function blocks(data: Uint8Array): Uint8Array {
  const { Z_SYNC_FLUSH } = zlib.constants;
  return zlib.deflateRawSync(data, { finishFlush: Z_SYNC_FLUSH }).subarray(0, -4);
}

/** The same blocks with the tail, as in the middle of a message. */
function flushed(data: Uint8Array): Uint8Array {
  return zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
}

/** Blocks, the last with BFINAL=1. */
function final(data: Uint8Array): Uint8Array {
  return zlib.deflateRawSync(data);
}

async function reason(body: () => Promise<unknown>): Promise<string> {
  try {
    await body();
  } catch (error) {
    if (error instanceof InflateError) return error.reason;
    throw error;
  }
  return "none";
}

Deno.test("attack 20: a bomb ends at the limit", async () => {
  const zeros = flushed(new Uint8Array(64 * MIB));
  const bomb = joined([...Array.from({ length: 16 }, () => zeros), blocks(HELLO)]);
  for await (const deflate of decompressors()) {
    for (const limit of [0, 1, 1000, MIB]) {
      assertEquals(await reason(() => inflate(deflate, bomb, limit)), "too-big", `${limit}`);
    }
  }
});

Deno.test("attack 20: the limit is exact, and counts all streams of a message", async () => {
  const data = new Uint8Array(100_000);
  const payloads = [
    blocks(data),
    final(data),
    joined([final(data.subarray(1)), blocks(data.subarray(0, 1))]),
    joined([...Array.from({ length: 10 }, () => final(data.subarray(0, 10_000)))]),
  ];
  for await (const deflate of decompressors()) {
    for (const payload of payloads) {
      assertEquals(await inflate(deflate, payload, 100_000), data);
      assertEquals(await reason(() => inflate(deflate, payload, 99_999)), "too-big");
    }
    assertEquals(await inflate(deflate, Uint8Array.of(0), 0), EMPTY);
    assertEquals(await reason(() => inflate(deflate, blocks(HELLO), 0)), "too-big");
  }
});

Deno.test("attack 20: a message of a million streams is refused", async () => {
  const empty = final(EMPTY);
  for await (const deflate of decompressors()) {
    const some = joined([...Array.from({ length: 999 }, () => empty), blocks(HELLO)]);
    assertEquals(await inflate(deflate, some, MIB), HELLO);
    const many = joined([...Array.from({ length: 100_000 }, () => empty)]);
    assertEquals(await reason(() => inflate(deflate, many, MIB)), "corrupt");
  }
});

Deno.test("attack 22: window bits of 8: we send uncompressed, and read compressed messages", async () => {
  const deflate = create(false, 8);
  assertEquals(deflate.compress(new Uint8Array(5000)), null);
  const data = seededRandom().bytes(256);
  const twice = joined([data, data]);
  assertEquals(await inflate(deflate, blocks(twice), 512), twice);
  assertEquals(await inflate(deflate, blocks(data), 256), data);
});

Deno.test("attack 23: BFINAL=1 at the end of messages leaves the following ones whole", async () => {
  // RFC 7692 §7.2.3.4: a zero byte follows, because the tail needs the header of a stored block.
  const ends = [final(HELLO), joined([final(HELLO), Uint8Array.of(0)]), blocks(HELLO)];
  for await (const deflate of decompressors()) {
    for (let i = 0; i < 12; i++) {
      const payload = ends[i % ends.length] ?? EMPTY;
      assertEquals(await inflate(deflate, payload, HELLO.length), HELLO, `message ${i}`);
    }
  }
});

Deno.test("attack 23: the example of RFC 7692 §7.2.3.4", async () => {
  const payload = Uint8Array.of(0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00);
  assertEquals(new TextDecoder().decode(await inflate(create(), payload, 5)), "Hello");
});

Deno.test("attack 23: the examples of RFC 7692 §7.2.3.1 to §7.2.3.3 and §7.2.3.5", async () => {
  const read = async (deflate: MessageDeflate, bytes: number[]): Promise<string> =>
    new TextDecoder().decode(await inflate(deflate, Uint8Array.from(bytes), 5));
  const deflate = create();
  assertEquals(await read(deflate, [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]), "Hello");
  assertEquals(await read(deflate, [0xf2, 0x00, 0x11, 0x00, 0x00]), "Hello");
  const stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
  assertEquals(await read(create(), stored), "Hello");
  const two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
  assertEquals(await read(create(), two), "Hello");
});

Deno.test("attack 23: BFINAL=1 in the middle of a message", async () => {
  const random = seededRandom();
  const first = random.bytes(50_000);
  const second = random.bytes(30);
  const whole = joined([first, second, HELLO, first]);
  const payload = joined([final(first), final(second), flushed(HELLO), blocks(first)]);
  for await (const deflate of decompressors()) {
    for (let i = 0; i < 3; i++) {
      assertEquals(await inflate(deflate, payload, whole.length), whole, `seed ${random.seed}`);
    }
    assertEquals(await inflate(deflate, blocks(HELLO), HELLO.length), HELLO);
  }
});

Deno.test("attack 23: several blocks, of every kind, and empty ones", async () => {
  const stored = zlib.deflateRawSync(HELLO, { level: 0, finishFlush: zlib.constants.Z_SYNC_FLUSH });
  const fixed = zlib.deflateRawSync(HELLO, {
    strategy: zlib.constants.Z_FIXED,
    finishFlush: zlib.constants.Z_FULL_FLUSH,
  });
  const empty = flushed(EMPTY);
  const payload = joined([stored, empty, empty, fixed, empty, blocks(HELLO)]);
  const whole = joined([HELLO, HELLO, HELLO]);
  for await (const deflate of decompressors()) {
    assertEquals(await inflate(deflate, payload, whole.length), whole);
  }
});

Deno.test("attack 23: empty messages, compressed", async () => {
  const payloads = [
    // RFC 7692 §7.2.3.6: one zero byte; and the forms that other implementations send.
    Uint8Array.of(0),
    EMPTY,
    Uint8Array.of(2, 0),
    Uint8Array.of(1),
    Uint8Array.of(3, 0),
    Uint8Array.of(3, 0, 0),
    joined([flushed(EMPTY), Uint8Array.of(0)]),
  ];
  for await (const deflate of decompressors()) {
    for (const payload of payloads) {
      assertEquals(await inflate(deflate, payload, 0), EMPTY, `${payload}`);
      assertEquals(await inflate(deflate, blocks(HELLO), 100), HELLO);
    }
  }
});

Deno.test("attack 23: an uncompressed message between compressed ones doesn't change the window", async () => {
  const sender = create();
  const receiver = create();
  const random = seededRandom();
  for (let i = 0; i < 20; i++) {
    // Compression doesn't shrink it, so it is sent uncompressed.
    assertEquals(sender.compress(random.bytes(300)), null);
    const payload = sender.compress(HELLO);
    assert(payload !== null);
    assertEquals(await inflate(receiver, payload, 100), HELLO);
  }
});

Deno.test("attack 23: data that isn't DEFLATE is corrupt, and so are truncated messages", async () => {
  const whole = blocks(seededRandom().bytes(200));
  const text = blocks(joined([HELLO, HELLO]));
  const payloads = [
    Uint8Array.of(0xff),
    Uint8Array.of(0x06),
    Uint8Array.of(0x06, 0x06, 0x06, 0x06),
    Uint8Array.of(0, 1, 0, 0, 0),
    // A reference to before the first byte.
    Uint8Array.of(0x02, 0x82, 0x3e, 0x00),
    whole.subarray(0, 100),
    text.subarray(0, text.length - 6),
    joined([final(HELLO), Uint8Array.of(0xff)]),
  ];
  for (const payload of payloads) {
    for await (const deflate of decompressors()) {
      assertEquals(await reason(() => inflate(deflate, payload, MIB)), "corrupt", `${payload}`);
    }
  }
});

Deno.test("attack 24: no output stays behind in the compressor between two calls", async () => {
  const broken = create();
  const other = create();
  assertEquals(await reason(() => inflate(broken, Uint8Array.of(0xff), MIB)), "corrupt");
  const payload = broken.compress(HELLO);
  assert(payload !== null);
  assertEquals(await inflate(other, payload, 100), HELLO);
  assertEquals(await inflate(other, payload, 100), HELLO);
});

Deno.test("attack 25: a server agrees to compression only if its option is set", () => {
  const { request } = checkRequest(
    requestHead({ "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" }),
  );
  assert(request !== null);
  assertEquals(acceptRequest(request).extensions, "");
  assertEquals(acceptRequest(request, { compression: null }).deflate, null);
  assertEquals(acceptRequest(request, { compression: {} }).extensions, "permessage-deflate");
});
