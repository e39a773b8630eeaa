import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { createIdentity } from "../support/certificates.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { turn } from "../support/turns.ts";

// The channel reuses a buffer after it has passed the bytes on. If a socket still read from it, the
// peer would get wrong bytes: so the test checks every byte, on every runtime.

const CONNECTIONS = 2;
/** More than the sockets' buffers: some of it waits within the process. */
const MESSAGES = 250;

/** The messages of one direction of a connection, deterministic for each number. */
function content(number: number, seed: number): Uint8Array[] {
  const random = seededRandom(seed + number);
  const block = random.bytes(0x4_0000);
  return Array.from({ length: MESSAGES }, () => {
    const length = random.pick([3, 60, 500, 5000, 20_000, 70_000, 200_000]);
    const start = random.integer(0, block.length - length);
    return block.subarray(start, start + length);
  });
}

/** Sends some messages per turn, even if nothing reads. */
async function sendAll(
  channel: WebSocketChannel,
  messages: Uint8Array[],
  random: Random,
): Promise<void> {
  for (const message of messages) {
    // The caller may change its bytes right away.
    const bytes = message.slice();
    channel.sink.add(bytes);
    bytes.fill(0);
    if (random.chance(0.5)) await turn();
  }
}

/** Starts to read after everything is sent. */
async function exchange(
  channel: WebSocketChannel,
  sent: Uint8Array[],
  expected: Uint8Array[],
  random: Random,
): Promise<number> {
  await sendAll(channel, sent, random);
  return await countRight(channel, expected);
}

async function countRight(channel: WebSocketChannel, expected: Uint8Array[]): Promise<number> {
  let count = 0;
  for (const wanted of expected) {
    const { value } = await channel.stream.next();
    assert(value instanceof Uint8Array);
    assertEquals(value.length, wanted.length);
    if (Buffer.compare(value, wanted) === 0) count++;
  }
  return count;
}

async function exchangeAll(server: WebSocketServer, ca?: string): Promise<void> {
  const random = seededRandom();
  const { seed } = random;
  const numbers = Array.from({ length: CONNECTIONS }, (_, number) => number);
  const served = (async () => {
    const all: Promise<number>[] = [];
    for await (const channel of server) {
      const number = Number(new URL(channel.request.url).pathname.slice(1));
      all.push(exchange(channel, content(100 + number, seed), content(number, seed), random));
      if (all.length === CONNECTIONS) break;
    }
    return await Promise.all(all);
  })();
  const origin = server.url.replace(/\/$/, "");
  const clients = numbers.map((number) =>
    NetWebSocketChannel.connect(`${origin}/${number}`, ca === undefined ? {} : { tls: { ca } })
  );
  const read = clients.map(async (channel, number) => {
    await channel.ready;
    return await exchange(channel, content(number, seed), content(100 + number, seed), random);
  });
  const whole = numbers.map(() => MESSAGES);
  assertEquals([await served, await Promise.all(read)], [whole, whole], `seed ${seed}`);
  await Promise.all(clients.map((channel) => channel.sink.close()));
}

Deno.test("sockets send the right bytes while the channel reuses buffers", async () => {
  const server = await WebSocketServer.bind();
  try {
    await exchangeAll(server);
  } finally {
    await server.close();
  }
});

Deno.test("TLS sockets send the right bytes while the channel reuses buffers", async () => {
  const { key, cert } = createIdentity({ names: ["127.0.0.1"] });
  const server = await WebSocketServer.bind({ tls: { key, cert } });
  try {
    await exchangeAll(server, cert);
  } finally {
    await server.close();
  }
});
