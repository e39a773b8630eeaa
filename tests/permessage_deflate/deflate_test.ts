import { Buffer } from "node:buffer";
import zlib from "node:zlib";
import { assert, assertEquals, assertLess } from "@std/assert";
// @ts-types="./ws_deflate.d.ts"
import { PerMessageDeflate } from "ws";
import type { DeflateParameters } from "../../src/permessage_deflate/deflate_parameters.ts";
import type { CompressionOptions } from "../../src/permessage_deflate/compression_options.ts";
import type { Side } from "../../src/protocol/frame.ts";
import type { MessageDeflate } from "../../src/protocol/message_deflate.ts";
import {
  createMessageDeflate,
  negotiableCompression,
  zlibAbilities,
} from "../../src/permessage_deflate/deflate.ts";
import { turns } from "../../src/web_socket/turns.ts";
import { inflate } from "../support/inflating.ts";
import { type Random, seededRandom } from "../support/random.ts";

const PLAIN: DeflateParameters = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
const NO_LIMIT = 2 ** 40;
const ALL: CompressionOptions = { threshold: 0 };

function create(
  side: Side,
  parameters: Partial<DeflateParameters> = {},
  options: CompressionOptions = ALL,
): MessageDeflate {
  const made = createMessageDeflate({ ...PLAIN, ...parameters }, side, { ...options, turns });
  assert(made !== null);
  return made;
}

function sameBits(bits: number, noContextTakeover: boolean): DeflateParameters {
  return {
    serverNoContextTakeover: noContextTakeover,
    clientNoContextTakeover: noContextTakeover,
    serverMaxWindowBits: bits,
    clientMaxWindowBits: bits,
  };
}

/** Random bytes between repeated words, so that windows matter. */
function* messages(random: Random, count: number): Generator<Uint8Array> {
  const words = Array.from({ length: 50 }, () => random.bytes(random.integer(3, 60)));
  for (let i = 0; i < count; i++) {
    const length = i % 100 === 99 ? 100_000 : random.pick([0, 1, 5, 64, 300, 1500, 5000]);
    const message = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const part = random.chance(0.8) ? random.pick(words) : random.bytes(random.integer(1, 30));
      message.set(part.subarray(0, length - at), at);
      at += part.length;
    }
    yield message;
  }
}

Deno.test("zlibAbilities: this platform has zlib, and the result is the same every time", () => {
  assertEquals(zlibAbilities().available, true);
  assertEquals(zlibAbilities(), zlibAbilities());
});

Deno.test("negotiation offers only what the platform's zlib supports", () => {
  const none = { available: false, dictionary: false };
  const alone = { available: true, dictionary: false };
  const able = { available: true, dictionary: true };
  const wishes = { threshold: 5, serverMaxWindowBits: 10 };
  assertEquals(negotiableCompression(wishes, "client", none), null);
  assertEquals(negotiableCompression(wishes, "client", able), wishes);
  const client = { ...wishes, clientNoContextTakeover: true };
  assertEquals(negotiableCompression(wishes, "client", alone), client);
  const server = { ...wishes, serverNoContextTakeover: true };
  assertEquals(negotiableCompression(wishes, "server", alone), server);
  assertEquals(negotiableCompression({}, "server") !== null, true);
});

Deno.test("Messages below the threshold, and those that would not shrink, are sent uncompressed", () => {
  const text = new Uint8Array(2000).fill(97);
  const usual = create("client", {}, {});
  assertEquals(usual.compress(text.subarray(0, 1023)), null);
  assert(usual.compress(text.subarray(0, 1024)) !== null);
  const own = create("client", {}, { threshold: 10 });
  assertEquals(own.compress(text.subarray(0, 9)), null);
  assert(own.compress(text.subarray(0, 10)) !== null);
  assertEquals(create("client").compress(new Uint8Array(0)), null);
  assertEquals(create("client").compress(seededRandom().bytes(5000)), null);
  assertEquals(create("client", {}, { threshold: 0, level: 0 }).compress(text), null);
});

Deno.test("The level changes the size", () => {
  const text = [...messages(seededRandom(), 100)].at(-1) as Uint8Array;
  const compressed = (level: number): number =>
    create("server", {}, { level }).compress(text)?.length ?? Infinity;
  assertLess(compressed(9), compressed(1));
  assertEquals(compressed(-1), compressed(6));
});

Deno.test("Both sides understand each other with every window size, with and without context takeover", async () => {
  for (const noContextTakeover of [false, true]) {
    for (let bits = 8; bits <= 15; bits++) {
      const random = seededRandom();
      const parameters = sameBits(bits, noContextTakeover);
      const client = create("client", parameters);
      const server = create("server", parameters);
      for (const message of messages(random, 300)) {
        const context = `${bits} bits, seed ${random.seed}`;
        for (const [from, to] of [[client, server], [server, client]] as const) {
          const compressed = from.compress(message);
          if (bits === 8) assertEquals(compressed, null);
          if (compressed === null) continue;
          assertEquals(await inflate(to, compressed.slice(), message.length), message, context);
        }
      }
    }
  }
});

Deno.test("Each direction has its own parameters", async () => {
  const parameters = {
    serverNoContextTakeover: true,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 8,
    clientMaxWindowBits: 9,
  };
  const client = create("client", parameters);
  const server = create("server", parameters);
  const text = new Uint8Array(700).fill(97);
  assertEquals(server.compress(text), null);
  for (let i = 0; i < 3; i++) {
    const compressed = client.compress(text);
    assert(compressed !== null);
    assertEquals(await inflate(server, compressed, 700), text);
  }
});

/** Wraps the callbacks of `ws` in promises. */
function call(
  peer: PerMessageDeflate,
  method: "compress" | "decompress",
  data: Uint8Array,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    // `ws` sends no tail, and expects a Buffer.
    peer[method](
      Buffer.from(data),
      true,
      (error, result) => error ? reject(error) : resolve(new Uint8Array(result)),
    );
  });
}

function wsPeer(isServer: boolean, parameters: DeflateParameters): PerMessageDeflate {
  const peer = new PerMessageDeflate({ isServer, threshold: 0, clientMaxWindowBits: true });
  const agreed: Record<string, (string | true)[]> = {
    server_max_window_bits: [String(parameters.serverMaxWindowBits)],
    client_max_window_bits: [String(parameters.clientMaxWindowBits)],
  };
  if (parameters.serverNoContextTakeover) agreed.server_no_context_takeover = [true];
  if (parameters.clientNoContextTakeover) agreed.client_no_context_takeover = [true];
  peer.accept([agreed]);
  return peer;
}

async function exchange(side: Side, parameters: DeflateParameters, count: number): Promise<void> {
  const random = seededRandom();
  const ours = create(side, parameters);
  const theirs = wsPeer(side === "client", parameters);
  try {
    let number = 0;
    for (const message of messages(random, count)) {
      const context = `${side}, ${JSON.stringify(parameters)}, message ${++number}, ` +
        `seed ${random.seed}`;
      const sent = ours.compress(message)?.slice();
      if (sent) assertEquals(await call(theirs, "decompress", sent), message, context);
      // Some messages are sent uncompressed, so neither end's window contains them.
      if (random.chance(0.2)) continue;
      const received = await call(theirs, "compress", message);
      assertEquals(await inflate(ours, received, message.length), message, context);
    }
  } finally {
    theirs.cleanup();
  }
}

for (let bits = 9; bits <= 15; bits++) {
  Deno.test(`ws and this package understand each other: window of 2^${bits} bytes, 1,000 messages`, async () => {
    await exchange("client", sameBits(bits, false), 1000);
    await exchange("server", sameBits(bits, false), 100);
    await exchange("client", sameBits(bits, true), 100);
    await exchange("server", sameBits(bits, true), 100);
  });
}

Deno.test("Our compressed data refers back at most by the window size", () => {
  const random = seededRandom();
  for (let bits = 9; bits <= 14; bits++) {
    const block = random.bytes(1 << bits);
    const twice = new Uint8Array(2 * block.length);
    twice.set(block);
    twice.set(block, block.length);
    // The second block is a copy of the first one, which is one byte too far back for zlib.
    const small = create("client", { clientMaxWindowBits: bits }).compress(twice);
    const large = create("client", { clientMaxWindowBits: bits + 1 }).compress(twice);
    assertEquals(small, null, `${bits} bits, seed ${random.seed}`);
    assertLess(large?.length ?? Infinity, 1.2 * block.length);
  }
});

Deno.test("A window shrinks a repeated message, if the platform supports that", async () => {
  const random = seededRandom();
  const client = create("client");
  const server = create("server");
  const message = random.bytes(3000);
  message.fill(97, 0, 300);
  const first = client.compress(message)?.length ?? 0;
  const second = client.compress(message)?.length ?? 0;
  if (zlibAbilities().dictionary) assertLess(second, 100);
  else assertEquals(second, first);
  // Every platform has the other direction's window.
  const { Z_SYNC_FLUSH } = zlib.constants;
  const compressed = zlib.deflateRawSync(message, { finishFlush: Z_SYNC_FLUSH }).subarray(0, -4);
  for (const payload of [compressed, copyBlock(), copyBlock(), compressed, copyBlock()]) {
    assertEquals(await inflate(server, payload, 3000), message);
  }
});

/** RFC 1951 §3.2.6: a message with one fixed block that copies 3,000 bytes from 3,000 bytes back. */
function copyBlock(): Uint8Array {
  const bits: number[] = [];
  const low = (value: number, count: number): void => {
    for (let i = 0; i < count; i++) bits.push((value >> i) & 1);
  };
  const high = (value: number, count: number): void => {
    for (let i = count - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  low(0b010, 3); // Not final, fixed codes.
  for (let left = 3000; left > 0; left -= 250) {
    high(0b11000100, 8); // Code 284: 227–257 bytes, 5 more bits.
    low(250 - 227, 5);
    high(22, 5); // Distance code 22: 2049–3072, 10 more bits.
    low(3000 - 2049, 10);
  }
  high(0, 7); // End of block.
  low(0, 3); // A stored block, whose length and complement are the tail.
  const out = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => out[i >> 3] = (out[i >> 3] ?? 0) | (bit << (i & 7)));
  return out;
}

Deno.test("A compressed message is valid for every length around zlib's buffers", async () => {
  const random = seededRandom();
  const client = create("client", sameBits(15, true));
  const server = create("server", sameBits(15, true));
  for (let length = 1; length < 700; length++) {
    // Random enough that the output size comes close to the buffer's size.
    const message = random.bytes(length + 8);
    message.fill(0, 0, 8);
    const compressed = client.compress(message);
    if (compressed === null) continue;
    assertEquals(await inflate(server, compressed, message.length), message, `${length}`);
  }
  for (const length of [127, 128, 129, 500].map((it) => it * 1024)) {
    const message = random.bytes(length);
    message.fill(0, 0, 2000);
    const compressed = client.compress(message);
    assert(compressed !== null);
    assertEquals(await inflate(server, compressed, length), message, `${length}`);
  }
});

Deno.test("A compressor neither changes nor keeps a payload, and returns plain bytes", async () => {
  const payload = new Uint8Array(100).fill(97);
  const client = create("client");
  const compressed = client.compress(payload)?.slice();
  assert(compressed);
  assertEquals(payload, new Uint8Array(100).fill(97));
  const server = create("server");
  const message = await inflate(server, compressed, NO_LIMIT);
  assertEquals(Object.getPrototypeOf(message), Uint8Array.prototype);
  message.fill(0);
  assertEquals(await inflate(server, compressed, NO_LIMIT), new Uint8Array(100).fill(97));
});
