/** `sink.bufferedAmount`: the payload bytes that the user added and the transport has not taken. */

import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { faultyPair } from "../../src/testing/faulty_pair.ts";
import { WebSocketChannel } from "../../mod.ts";

const hasNet = "process" in globalThis;

/** Reads everything that a server receives, until its connection is closed. */
async function readAll(server: WebSocketServer): Promise<void> {
  for await (const channel of server) channel.stream.listen(() => {});
}

Deno.test({
  name: "bufferedAmount: counts only added messages, from before the handshake to the end",
  ignore: !hasNet,
  fn: async () => {
    const server = await WebSocketServer.bind({ port: 0 });
    const reading = readAll(server);
    for (const transport of ["net", "auto"] as const) {
      const client = WebSocketChannel.connect(server.url, { transport, headers: { a: "b" } });
      assertEquals(client.sink.bufferedAmount, 0);
      client.sink.add("early");
      assertEquals(client.sink.bufferedAmount, 5);
      await client.ready;
      await client.sink.flush();
      assertEquals(client.sink.bufferedAmount, 0);
      client.sink.add("ä".repeat(100));
      client.sink.add("");
      client.sink.add(new Uint8Array(300));
      assert(client.sink.bufferedAmount === 500 || transport === "auto");
      assert(client.sink.bufferedAmount <= 500, `${client.sink.bufferedAmount} bytes`);
      await client.sink.flush();
      assertEquals(client.sink.bufferedAmount, 0);
      await client.sink.close();
      assertEquals(client.sink.bufferedAmount, 0);
    }
    await server.close();
    await reading;
  },
});

for (const compression of [false, true]) {
  const how = compression ? "compressed" : "uncompressed";
  Deno.test({
    name: `bufferedAmount: ${how}, until the transport has taken the message`,
    ignore: !hasNet,
    fn: async () => {
      const server = await WebSocketServer.bind({ port: 0, compression: { threshold: 0 } });
      const reading = readAll(server);
      const client = NetWebSocketChannel.connect(server.url, { compression });
      await client.ready;
      assertEquals(client.extensions !== "", compression);
      const text = "the same again and again ".repeat(1000);
      const wide = "ä".repeat(30_000);
      client.sink.add(text);
      client.sink.add(wide);
      client.sink.add(new TextEncoder().encode(text));
      const { bufferedAmount } = client.sink;
      // Output that is expensive to produce is flushed before the end of the turn.
      assert(bufferedAmount <= 2 * text.length + 60_000, `${bufferedAmount} bytes`);
      await client.sink.flush();
      assertEquals(client.sink.bufferedAmount, 0);
      await client.sink.close();
      await server.close();
      await reading;
    },
  });
}

Deno.test("bufferedAmount: counts exactly the payloads while the peer reads nothing", async () => {
  const { client, server } = faultyPair({ seed: 5, stall: { after: 0 } });
  client.sink.add("1");
  await delay(0);
  let amount = client.sink.bufferedAmount;
  for (let i = 0; i < 20; i++) {
    client.sink.add("x".repeat(1000 * i));
    client.sink.add("");
    amount += 1000 * i;
    await Promise.resolve();
    assertEquals(client.sink.bufferedAmount, amount);
  }
  // Messages without a payload use memory too.
  const small = faultyPair({ seed: 5, stall: { after: 0 }, highWaterMark: 1000 });
  small.client.sink.add("1");
  await delay(0);
  for (let i = 0; i < 2000; i++) small.client.sink.add("");
  assertEquals([small.client.sink.hasRoom, small.client.sink.bufferedAmount <= 1], [false, true]);
  for (const channel of [client, server, small.client, small.server]) channel.terminate();
});
