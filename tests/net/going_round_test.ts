import { assert, assertEquals } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { createIdentity } from "../support/certificates.ts";
import { type Random, seededRandom } from "../support/random.ts";

// A buffer whose bytes are handed on is written to again. Were a socket still reading from it, the
// peer would get other bytes than were sent: so all of them are looked at, on every runtime.

const CONNECTIONS = 3;
const MESSAGES = 60;

/** The messages of one direction of one connection, ever the same for a number. */
function content(number: number, seed: number): Uint8Array[] {
  const random = seededRandom(seed + number);
  return Array.from(
    { length: MESSAGES },
    () => random.bytes(random.pick([3, 60, 500, 5000, 20_000, 70_000, 200_000])),
  );
}

/** Sends in bursts, and waits for room between some of them. */
async function sendAll(
  channel: WebSocketChannel,
  messages: Uint8Array[],
  random: Random,
): Promise<void> {
  for (const message of messages) {
    // The caller's bytes may be changed right away.
    const bytes = message.slice();
    channel.sink.add(bytes);
    bytes.fill(0);
    if (random.chance(0.3)) await channel.sink.ready;
    else if (random.chance(0.3)) await channel.sink.flush();
  }
}

async function checkAll(channel: WebSocketChannel, expected: Uint8Array[]): Promise<number> {
  let count = 0;
  for (const wanted of expected) {
    const { value } = await channel.stream.next();
    assert(value instanceof Uint8Array);
    assertEquals(value.length, wanted.length);
    if (value.every((byte, at) => byte === wanted[at])) count++;
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
      all.push(checkAll(channel, content(number, seed)));
      void sendAll(channel, content(100 + number, seed), random);
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
    void sendAll(channel, content(number, seed), random);
    return await checkAll(channel, content(100 + number, seed));
  });
  const whole = numbers.map(() => MESSAGES);
  assertEquals([await served, await Promise.all(read)], [whole, whole], `seed ${seed}`);
  await Promise.all(clients.map((channel) => channel.sink.close()));
}

Deno.test("sockets get the bytes that were sent, while their buffers go round", async () => {
  const server = await WebSocketServer.bind();
  try {
    await exchangeAll(server);
  } finally {
    await server.close();
  }
});

Deno.test("TLS sockets get the bytes that were sent, while their buffers go round", async () => {
  const { key, cert } = createIdentity({ names: ["127.0.0.1"] });
  const server = await WebSocketServer.bind({ tls: { key, cert } });
  try {
    await exchangeAll(server, cert);
  } finally {
    await server.close();
  }
});
