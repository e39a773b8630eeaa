import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { InflateError, type MessageDeflate } from "../../src/protocol/message_deflate.ts";
import { createMessageDeflate } from "../../src/permessage_deflate/deflate.ts";
import { turns } from "../../src/web_socket/turns.ts";
import { inflate } from "../support/inflating.ts";
import { testSeed } from "../support/random.ts";

const LIMIT = 5000;

function pair(bits: number, noContextTakeover: boolean): [MessageDeflate, MessageDeflate] {
  const parameters = {
    serverNoContextTakeover: noContextTakeover,
    clientNoContextTakeover: noContextTakeover,
    serverMaxWindowBits: bits,
    clientMaxWindowBits: bits,
  };
  const client = createMessageDeflate(parameters, "client", { threshold: 0, turns });
  const server = createMessageDeflate(parameters, "server", { threshold: 0, turns });
  assert(client !== null && server !== null);
  return [client, server];
}

/** Messages that partly repeat one another. */
const MESSAGES = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.nat(255), fc.nat(LIMIT)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
    fc.tuple(fc.nat(7), fc.nat(3000)).map(([step, length]) =>
      Uint8Array.from({ length }, (_, i) => (i * step) >> 3)
    ),
  ),
  { maxLength: 20 },
);

Deno.test("fuzz: messages arrive as they were sent, with any agreed settings", async () => {
  const bits = fc.integer({ min: 8, max: 15 });
  await fc.assert(
    fc.asyncProperty(MESSAGES, bits, fc.boolean(), async (messages, window, alone) => {
      const [client, server] = pair(window, alone);
      for (const message of messages) {
        const payload = client.compress(message);
        if (payload === null) continue;
        assert(payload.length < message.length);
        assertEquals(await inflate(server, payload.slice(), message.length), message);
      }
    }),
    { seed: testSeed(), numRuns: 300 },
  );
});

Deno.test("fuzz: any payload gives bytes within the limit, or a typed error, and leaves the decompressor usable", async () => {
  const text = new TextEncoder().encode("a message, a message, a message of some length");
  const valid = pair(15, true)[0].compress(text)?.slice() ?? new Uint8Array(0);
  const change = fc.tuple(fc.nat(valid.length - 1), fc.nat(255));
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
      const bytes = valid.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    }),
  );
  const payloads = fc.array(payload, { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(payloads, fc.boolean(), async (given, alone) => {
      const [, server] = pair(15, alone);
      for (const bytes of given) {
        try {
          assert((await inflate(server, bytes, LIMIT)).length <= LIMIT);
        } catch (error) {
          if (!(error instanceof InflateError)) throw error;
        }
      }
      assertEquals(await inflate(server, valid, text.length), text);
    }),
    { seed: testSeed(), numRuns: 2000 },
  );
});
