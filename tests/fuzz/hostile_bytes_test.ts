/**
 * Random bytes that misreport their size, 1 byte to 1 MiB, on connections that share buffers. A failure
 * prints its seed; `TEST_SEED=…` reproduces it, and another seed tests other cases.
 */

import { assertEquals } from "@std/assert";
import { WebSocketChannel } from "../../mod.ts";
import { broadcast } from "../../src/server/mod.ts";
import { nextChannel, withServer } from "../server/support.ts";
import {
  type HostileBytes,
  hostileBytes,
  randomHostileBytes,
  withoutBytes,
} from "../support/hostile_bytes.ts";
import { type Random, seededRandom } from "../support/random.ts";

const CONNECTIONS = 4;
const ROUNDS = 40;

/** The message that a receiver must get next. */
interface Sent {
  readonly what: string;
  readonly expected: Uint8Array | string;
}

/** Adds a random message, or a value that the sink refuses. */
function send(channel: WebSocketChannel, random: Random): Sent[] {
  if (random.chance(0.1)) {
    const [name, value] = random.pick(withoutBytes());
    let error: unknown = null;
    try {
      channel.sink.add(value);
    } catch (thrown) {
      error = thrown;
    }
    assertEquals(error instanceof TypeError, true, `${name}, seed ${random.seed}`);
    return [];
  }
  if (random.chance(0.3)) {
    const text = String(random.integer(0, 2 ** 31));
    channel.sink.add(text);
    return [{ what: "text", expected: text }];
  }
  return [sent(randomHostileBytes(random), (value) => channel.sink.add(value))];
}

function sent({ name, value, expected }: HostileBytes, add: (value: Uint8Array) => void): Sent {
  add(value);
  return { what: `${name}, ${expected.length} bytes`, expected };
}

function isSame(actual: unknown, expected: Uint8Array | string): boolean {
  if (typeof expected === "string" || !(actual instanceof Uint8Array)) return actual === expected;
  return actual.length === expected.length && actual.every((byte, i) => byte === expected[i]);
}

for (const [who, compression] of [["plain", false], ["compressed", true]] as const) {
  Deno.test(`fuzz: bytes that misreport their size arrive whole, and at no other connection, ${who}`, async () => {
    const random = seededRandom();
    await withServer({ compression }, async (server) => {
      const clients: WebSocketChannel[] = [];
      const channels: WebSocketChannel[] = [];
      for (let i = 0; i < CONNECTIONS; i++) {
        clients.push(WebSocketChannel.connect(server.url, { transport: "net", compression }));
        channels.push(await nextChannel(server));
        await clients[i]?.ready;
      }
      for (let round = 0; round < ROUNDS; round++) {
        const isFromServer = random.chance();
        const [senders, receivers] = isFromServer ? [channels, clients] : [clients, channels];
        const expected = senders.map((): Sent[] => []);
        for (let i = random.integer(1, 6); i > 0; i--) {
          const at = random.integer(0, CONNECTIONS - 1);
          expected[at]?.push(...send(senders[at] as WebSocketChannel, random));
        }
        if (isFromServer && random.chance(0.3)) {
          // Small enough for every receiver to keep up.
          const bytes = hostileBytes(randomHostileBytes(random).name, random.bytes(1000));
          const all = sent(bytes, (value) => broadcast(channels, value));
          for (const its of expected) its.push(all);
        }
        for (const [i, its] of expected.entries()) {
          for (const it of its) {
            const { value } = await (receivers[i] as WebSocketChannel).stream.next();
            const what = `${it.what}, connection ${i}, round ${round}, seed ${random.seed}`;
            assertEquals(isSame(value, it.expected), true, what);
          }
        }
      }
      await Promise.all(clients.map((it) => it.sink.close(1000)));
    });
  });
}
