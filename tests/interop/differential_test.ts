/**
 * The same legal streams are sent through npm `ws` and this package, in both roles: the same messages
 * and the same close codes must arrive.
 */

import type { AddressInfo } from "node:net";
import { assert, assertEquals } from "@std/assert";
// @ts-types="../support/ws.d.ts"
import { WebSocket, WebSocketServer } from "ws";
import { systemClock } from "../../src/web_socket/clock.ts";
import { zlibAbilities } from "../../src/permessage_deflate/deflate.ts";
import type { Channel } from "../../src/web_socket/channel.ts";
import type { ProtocolOptions } from "../../src/web_socket/options.ts";
import { dial } from "../support/byte_channels.ts";
import { connectOver } from "../support/own_channels.ts";
import { withServer } from "../support/own_server.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { closeServer } from "../support/loopback.ts";

/** The compression parameters, as options of `ws` and of this package. */
interface Settings {
  readonly name: string;
  readonly ws: boolean | object;
  readonly own: ProtocolOptions["compression"];
}

const PLAIN: Settings = { name: "uncompressed", ws: false, own: false };

function compression(name: string, parameters: Record<string, unknown>): Settings {
  return {
    name,
    ws: { threshold: 0, ...parameters },
    own: { threshold: 0, ...parameters },
  };
}

const ALL: Settings[] = [PLAIN];
if (zlibAbilities().available) {
  ALL.push(
    compression("compressed", {}),
    compression("without context", {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    }),
    compression("the server without context", { serverNoContextTakeover: true }),
    compression("windows of 9 and 12 bits", { serverMaxWindowBits: 9, clientMaxWindowBits: 12 }),
  );
}

type Content = string | Uint8Array;

/** The two ends of a connection. */
interface Ends {
  readonly channel: Channel;
  readonly socket: WebSocket;
}

type Role = "our client, ws's server" | "ws's client, our server";
const ROLES: Role[] = ["our client, ws's server", "ws's client, our server"];

/** Runs a body with an open connection between the two. */
function withEnds(
  role: Role,
  { ws, own }: Settings,
  body: (ends: Ends) => Promise<void>,
): Promise<void> {
  return role === "our client, ws's server"
    ? withOwnClient(ws, { compression: own }, body)
    : withOwnServer(ws, { compression: own }, body);
}

async function withOwnServer(
  perMessageDeflate: boolean | object,
  options: ProtocolOptions,
  body: (ends: Ends) => Promise<void>,
): Promise<void> {
  await withServer(() => {}, options, async (server) => {
    const socket = new WebSocket(server.url, [], { perMessageDeflate });
    await new Promise<void>((resolve) => socket.on("open", resolve));
    const [channel] = server.channels;
    if (channel === undefined) throw new Error("The server has no channel");
    await body({ channel, socket });
    await server.idle();
  });
}

async function withOwnClient(
  perMessageDeflate: boolean | object,
  options: ProtocolOptions,
  body: (ends: Ends) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate,
    maxPayload: 0,
  });
  await new Promise<void>((resolve) => server.on("listening", resolve));
  try {
    const accepted = new Promise<WebSocket>((resolve) => server.on("connection", resolve));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const channel = connectOver(dial, url, options, systemClock);
    const socket = await accepted;
    await channel.ready;
    await body({ channel, socket });
  } finally {
    await closeServer(server);
  }
}

/** Sizes at which the frame header or the buffers change, and some others. */
const SIZES = [0, 1, 2, 31, 48, 125, 126, 127, 1024, 16_384, 65_535, 65_536, 131_072];

function content(random: Random): Content {
  const size = random.chance(0.7) ? random.pick(SIZES) : random.integer(0, 300 * 1024);
  if (random.chance()) {
    // Only a few different bytes, so that the content is compressible.
    const few = random.bytes(16);
    return Uint8Array.from(
      { length: size },
      (_, i) => (few[(i * 7 + (i >> 5)) % 16] ?? 0) ^ (i >> 11),
    );
  }
  const alphabet = random.pick(["abcdef ghij", "äöüß€ 漢字", "🎨⛳🌈x"]);
  const letters = [...alphabet];
  let text = "";
  while (text.length < size) {
    text += (letters[random.integer(0, letters.length - 1)] ?? "").repeat(random.integer(1, 50));
  }
  return text;
}

function same(a: Content | undefined, b: Content): boolean {
  if (typeof a === "string" || typeof b === "string" || a === undefined) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Sends a message with `ws`, in fragments, with Pings between them. */
function sendFragments(socket: WebSocket, message: Content, random: Random): number {
  const binary = typeof message !== "string";
  const bytes = binary ? message : new TextEncoder().encode(message);
  const pieces = random.chance(0.4)
    ? random.split(bytes, Math.max(1, Math.ceil(bytes.length / random.integer(1, 8))))
    : [bytes];
  if (pieces.length === 0) pieces.push(bytes);
  // An empty last fragment is legal, too.
  if (random.chance(0.2)) pieces.push(new Uint8Array());
  const compress = random.chance(0.8);
  let pings = 0;
  for (const [i, piece] of pieces.entries()) {
    socket.send(piece, { binary, compress, fin: i === pieces.length - 1 });
    if (!random.chance(0.2)) continue;
    socket.ping(`${pings++}`);
  }
  return pings;
}

const CODES = [1000, 1001, 1003, 1008, 1011, 1013, 3000, 4999];
const MESSAGES = 12;

async function compare({ channel, socket }: Ends, random: Random): Promise<void> {
  const seed = `seed ${random.seed}`;
  const fromWs = Array.from({ length: MESSAGES }, () => content(random));
  const fromUs = Array.from({ length: MESSAGES }, () => content(random));
  const seenByUs: Content[] = [];
  const seenByWs: Content[] = [];
  let pongs = 0;
  socket.on("pong", () => pongs++);
  const wsIsDone = new Promise<void>((resolve) => {
    socket.on("message", (data, isBinary) => {
      seenByWs.push(isBinary ? new Uint8Array(data) : String(data));
      if (seenByWs.length === MESSAGES) resolve();
    });
  });
  const weAreDone = new Promise<void>((resolve) => {
    channel.stream.listen((message) => {
      seenByUs.push(typeof message === "string" ? message : message.slice());
      if (seenByUs.length === MESSAGES) resolve();
    });
  });
  const wsClosed = new Promise<[number, string]>((resolve) => {
    socket.on("close", (code, reason) => resolve([code, `${reason}`]));
  });
  let pings = 0;
  for (let i = 0; i < MESSAGES; i++) {
    pings += sendFragments(socket, fromWs[i] ?? "", random);
    channel.sink.add(fromUs[i] ?? "", random.chance(0.2) ? { compress: false } : {});
  }
  await weAreDone;
  await wsIsDone;
  for (let i = 0; i < MESSAGES; i++) {
    assert(same(seenByUs[i], fromWs[i] ?? ""), `message ${i} of ws, ${seed}`);
    assert(same(seenByWs[i], fromUs[i] ?? ""), `message ${i} of ours, ${seed}`);
  }
  // A Pong follows earlier frames, so the last Pong shows that all of them have arrived.
  const last = new Promise<void>((resolve) => {
    socket.on("pong", (data) => `${data}` === "last" && resolve());
  });
  socket.ping("last");
  await last;
  assert(pongs <= pings + 1 && pongs >= 1, `${pongs} pongs for ${pings} pings, ${seed}`);
  const code = random.pick(CODES);
  const reason = random.pick(["", "because", "weil 漢字"]);
  if (random.chance()) socket.close(code, reason);
  else void channel.sink.close(code, reason);
  assertEquals(await wsClosed, [code, reason], seed);
  const info = await channel.closed;
  assertEquals([info.code, info.reason, info.wasClean], [code, reason, true], seed);
}

const ROUNDS = 4;

for (const role of ROLES) {
  for (const settings of ALL) {
    Deno.test(`random legal streams: ${role}, ${settings.name}`, async () => {
      const { seed } = seededRandom();
      for (let round = 0; round < ROUNDS; round++) {
        await withEnds(role, settings, (ends) => compare(ends, seededRandom(seed + round)));
      }
    });
  }

  Deno.test(`a message of 16 MiB in one frame, both ways: ${role}`, async () => {
    await withEnds(role, PLAIN, async ({ channel, socket }) => {
      const large = new Uint8Array(16 << 20);
      for (let i = 0; i < large.length; i += 97) large[i] = i >> 3;
      socket.on("message", (data, binary) => socket.send(data, { binary }));
      channel.sink.add(large);
      const { value } = await channel.stream.next();
      assert(same(value, large));
      await channel.sink.close();
    });
  });

  Deno.test(`4 MiB in 65,536 fragments of 64 bytes: ${role}`, async () => {
    await withEnds(role, PLAIN, async ({ channel, socket }) => {
      const large = Uint8Array.from({ length: 4 << 20 }, (_, i) => 97 + i % 13);
      for (const binary of [true, false]) {
        for (let at = 0; at < large.length; at += 64) {
          socket.send(large.subarray(at, at + 64), { binary, fin: at + 64 === large.length });
        }
      }
      assert(same((await channel.stream.next()).value, large));
      assert(same((await channel.stream.next()).value, new TextDecoder().decode(large)));
      await channel.sink.close();
    });
  });

  if (!zlibAbilities().available) continue;

  for (const bits of [9, 10, 11, 12, 13, 14, 15]) {
    Deno.test(`compressed messages up to 128 KiB, windows of ${bits} bits: ${role}`, async () => {
      const settings = compression("", { serverMaxWindowBits: bits, clientMaxWindowBits: bits });
      await withEnds(role, settings, async ({ channel, socket }) => {
        assert(channel.extensions.includes("permessage-deflate"), channel.extensions);
        const random = seededRandom();
        socket.on("message", (data, binary) => socket.send(data, { binary }));
        for (const size of [16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072]) {
          for (let i = 0; i < 3; i++) {
            const message = JSON.stringify(random.bytes(64)).repeat(size / 64 + 1).slice(0, size);
            channel.sink.add(message);
            const { value } = await channel.stream.next();
            assert(value === message, `${size} bytes, seed ${random.seed}`);
          }
        }
        await channel.sink.close();
      });
    });
  }
}
