/** Popular schema libraries, unmodified: over a WebSocket, synchronous and asynchronous. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import {
  channelPair,
  jsonDocument,
  type StandardSchema,
  type StreamChannel,
  ValidationError,
} from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";

interface Order {
  item: string;
  count: number;
}

const inTime = async (): Promise<boolean> => await Promise.resolve(true);

const synchronous: Readonly<Record<string, StandardSchema<unknown, Order>>> = {
  zod: z.object({ item: z.string(), count: z.number().int() }),
  valibot: v.object({ item: v.string(), count: v.pipe(v.number(), v.integer()) }),
  arktype: type({ item: "string", count: "number.integer" }),
};

const asynchronous: Readonly<Record<string, StandardSchema<unknown, Order>>> = {
  zod: z.object({ item: z.string().refine(inTime), count: z.number() }),
  valibot: v.objectAsync({
    item: v.pipeAsync(v.string(), v.checkAsync(inTime)),
    count: v.number(),
  }),
};

const all = [
  ...Object.entries(synchronous),
  ...Object.entries(asynchronous).map(([name, schema]) =>
    [`${name}, asynchronous`, schema] as const
  ),
];

for (const [name, incoming] of all) {
  Deno.test(`attack 64: ${name}: valid messages pass in order, invalid ones end the connection with 1007`, async () => {
    const { client, server } = webSocketChannelPair();
    const orders: StreamChannel<Order, unknown> = server.transform(jsonDocument({ incoming }));
    for (let count = 1; count <= 3; count++) {
      client.sink.add(JSON.stringify({ item: "tea", count }));
    }
    client.sink.add('{"item":["hunter2"],"count":"hunter2"}');
    for (let count = 1; count <= 3; count++) {
      assertEquals((await orders.stream.next()).value, { item: "tea", count });
    }
    const error = await assertRejects(() => orders.stream.next(), ValidationError);
    assert(
      /^Cannot receive: .+ \(at (item|count), \d issues?\)$/.test(error.message),
      error.message,
    );
    assertFalse(error.message.includes("hunter2"), error.message);
    assert(error.issues.length > 0);
    const { sent, initiator, error: told } = await server.closed;
    assertEquals([sent?.code, initiator, told], [1007, "local", error]);
    assertEquals((await client.closed).code, 1007);
  });

  Deno.test(`attack 64: ${name}: "skip" skips only invalid messages`, async () => {
    const { local, foreign } = channelPair<string>();
    const orders = local.transform(jsonDocument({ incoming, malformed: "skip" }));
    for (const item of ["a", 7, "b", null, "c"]) {
      foreign.sink.add(JSON.stringify({ item, count: 1 }));
    }
    foreign.sink.close();
    const items: string[] = [];
    for await (const { item } of orders.stream) items.push(item);
    assertEquals(items, ["a", "b", "c"]);
  });
}

for (const [name, outgoing] of Object.entries(synchronous)) {
  Deno.test(`attack 64: ${name}: outgoing messages are validated`, async () => {
    const { local, foreign } = channelPair<string>();
    const orders = local.transform(jsonDocument({ outgoing }));
    orders.sink.add({ item: "tea", count: 2 });
    assertEquals((await foreign.stream.next()).value, '{"item":"tea","count":2}');
    const wrong = { item: "tea", count: "hunter2" };
    const error = assertThrows(() => orders.sink.add(wrong), ValidationError);
    assert(error.message.startsWith("Cannot send: "), error.message);
    assertFalse(error.message.includes("hunter2"), error.message);
  });
}

for (const [name, outgoing] of Object.entries(asynchronous)) {
  Deno.test(`attack 64: ${name}: an asynchronous schema for outgoing messages is a TypeError`, () => {
    const { sink } = channelPair<string>().local.transform(jsonDocument({ outgoing }));
    assertThrows(
      () => sink.add({ item: "tea", count: 2 }),
      TypeError,
      "the schema is asynchronous",
    );
  });
}

Deno.test("attack 64: a zod schema with an asynchronous transform validates incoming messages", async () => {
  const incoming = z.string().transform(async (text) => `${await inTime()} ${text}`);
  const { local, foreign } = channelPair<string>();
  const texts: StreamChannel<string, unknown> = local.transform(jsonDocument({ incoming }));
  foreign.sink.add('"tea"');
  assertEquals((await texts.stream.next()).value, "true tea");
});

Deno.test("attack 64: recursive schemas validate a very deep document", async () => {
  interface Tree {
    [key: string]: Tree;
  }
  const tree: z.ZodType<Tree> = z.record(z.string(), z.lazy(() => tree));
  const valibotTree: v.GenericSchema<Tree> = v.record(v.string(), v.lazy(() => valibotTree));
  const depth = 100_000;
  const text = '{"a":'.repeat(depth) + "{}" + "}".repeat(depth);
  for (const incoming of [tree, valibotTree]) {
    const { client, server } = webSocketChannelPair();
    const trees = server.transform(jsonDocument<Tree, unknown>({ incoming, malformed: "skip" }));
    client.sink.add(text);
    client.sink.add('{"a":{}}');
    // The library overflows the stack: the stream fails, or continues if that counts as malformed.
    const result = await trees.stream.next().catch((error: unknown) => error);
    if (result instanceof Error) {
      assertEquals((await client.closed).code, 1011);
    } else {
      await server.sink.close();
    }
  }
});
