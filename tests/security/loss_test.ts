/** A lost connection: no promise fulfils for dropped messages. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { StreamChannelCompleter } from "../../src/stream_channel/completer.ts";
import { jsonDocument } from "../../src/stream_channel/json_document.ts";
import { MultiChannel } from "../../src/stream_channel/multi_channel.ts";
import { StreamChannelTransformer } from "../../src/stream_channel/transformer.ts";
import { faultyPair } from "../../src/testing/faulty_pair.ts";
import type { WebSocketChannelPair } from "../../src/testing/web_socket_channel_pair.ts";
import { type StreamChannel, WebSocketChannel } from "../../mod.ts";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { withRecipe } from "../support/recipes.ts";

const hasNet = "process" in globalThis;
const MESSAGE = "x".repeat(10_000);

/** A connection that is lost after `reset` bytes; bytes that have not arrived stay queued. */
function losing(reset: number): WebSocketChannelPair {
  const pair = faultyPair({ seed: 3, split: 1000, reset, highWaterMark: 20_000 });
  pair.server.stream.listen(() => {});
  return pair;
}

/** An endless source of messages, and how it ended. */
function endless(): { source: AsyncIterable<string>; cancelled: boolean; given: number } {
  const it = { cancelled: false, given: 0, source: generate() };
  async function* generate(): AsyncGenerator<string> {
    try {
      for (;; it.given++) yield await Promise.resolve(MESSAGE);
    } finally {
      it.cancelled = true;
    }
  }
  return it;
}

/** The promise's rejection, or "fulfilled". */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => "fulfilled", (error) => error);
}

/** The error that the channel itself reports. */
async function errorOf(channel: WebSocketChannel): Promise<unknown> {
  const { error, wasClean } = await channel.closed;
  assert(error instanceof Error, String(error));
  assertEquals(wasClean, false);
  return error;
}

/** The ways to send over a WebSocket channel: its own sink, and each wrapper of it. */
const wrappers: Record<string, (channel: WebSocketChannel) => StreamChannel<unknown, string>> = {
  "its own sink": (channel) => channel,
  "jsonDocument": (channel) => channel.transform(jsonDocument),
  "a function": (channel) => channel.transformSink((text: string) => text + "!"),
  "MultiChannel": (channel) => new MultiChannel<unknown, string>(channel.transform(jsonDocument)),
  "a virtual channel": (channel) =>
    new MultiChannel<unknown, string>(channel.transform(jsonDocument)).virtualChannel(),
  "a completer": (channel) => {
    const completer = new StreamChannelCompleter<unknown, string>();
    completer.setChannel(channel);
    return completer.channel;
  },
  "TransformStreams": (channel) =>
    channel.transform(StreamChannelTransformer.fromTransformStreams(
      () => new TransformStream<unknown, unknown>(),
      () => new TransformStream<string, string>(),
    )),
};

for (const [name, wrap] of Object.entries(wrappers)) {
  Deno.test(`attack 59: a loss in the middle of addStream, ${name}`, async () => {
    const { client } = losing(100_000);
    const { sink } = wrap(client);
    const it = endless();
    const result = await outcome(sink.addStream(it.source));
    assertStrictEquals(result, await errorOf(client));
    assertEquals(it.cancelled, true);
    assertStrictEquals(await outcome(sink.addStream(endless().source)), result);
    assertStrictEquals(await outcome(sink.flush()), result);
  });

  Deno.test(`attack 59: a loss before the added messages are sent, ${name}`, async () => {
    const { client } = losing(30_000);
    const { sink } = wrap(client);
    for (let i = 0; i < 10; i++) sink.add(MESSAGE);
    const flushed = outcome(sink.flush());
    const error = await errorOf(client);
    assertStrictEquals(await flushed, error);
    assertEquals(sink.add("late"), false);
    assertStrictEquals(await outcome(sink.flush()), error);
    assert(sink.bufferedAmount > 0);
  });

  Deno.test(`attack 59: a loss in the middle of writes, ${name}`, async () => {
    const { client } = losing(100_000);
    const writer = wrap(client).writable.getWriter();
    writer.closed.catch(() => {});
    let result: unknown;
    for (let i = 0; result === undefined; i++) {
      assert(i < 1000, "Nothing rejected");
      result = await writer.write(MESSAGE).then(() => undefined, (error) => error);
    }
    assertStrictEquals(result, await errorOf(client));
    assertStrictEquals(await outcome(writer.write("late")), result);
    assertStrictEquals(await outcome(writer.closed), result);
  });
}

Deno.test("attack 59: a loss in the middle of pipeTo", async () => {
  const { client } = losing(100_000);
  let cancelledWith: unknown;
  const source = new ReadableStream<string>({
    pull: (controller) => controller.enqueue(MESSAGE),
    cancel: (reason) => void (cancelledWith = reason),
  });
  const result = await outcome(source.pipeTo(client.writable));
  assertStrictEquals(result, await errorOf(client));
  assertStrictEquals(cancelledWith, result);
});

Deno.test("attack 59: a loss in the middle of pipe", async () => {
  const { client } = losing(100_000);
  const { local, foreign } = channelPair<string | Uint8Array, string>();
  const piped = outcome(foreign.pipe(client as unknown as StreamChannel<string>));
  const adding = outcome(local.sink.addStream(endless().source));
  assertStrictEquals(await piped, await errorOf(client));
  assert(await adding !== "fulfilled");
});

Deno.test("attack 59: the peer closes in the middle of addStream: addStream rejects, but an orderly end is no loss", async () => {
  const { client, server } = losing(Infinity);
  client.sink.add("everything");
  await client.sink.flush();
  const adding = outcome(client.sink.addStream(new ReadableStream<string>()));
  await server.sink.close(1000);
  const result = await adding as DOMException;
  assertEquals(result.name, "InvalidStateError");
  assertEquals((await client.closed).error, undefined);
  assertEquals(client.sink.add("late"), false);
  assertEquals((await outcome(client.sink.flush()) as DOMException).name, "InvalidStateError");
});

Deno.test("attack 59: messages sent before an orderly end stay sent", async () => {
  const { client, server } = losing(Infinity);
  client.sink.add("everything");
  const flushed = outcome(client.sink.flush());
  await client.sink.close(1000);
  assertEquals([await flushed, await outcome(client.sink.flush())], ["fulfilled", "fulfilled"]);
  const { wasClean, sent } = await client.closed;
  assertEquals([wasClean, sent?.code], [true, 1000]);
  await server.closed;
});

Deno.test({
  name: "attack 59: a server destroys the connection in the middle of an upload",
  ignore: !hasNet,
  fn: async () => {
    const { WebSocketServer } = await import("../../src/server/mod.ts");
    const server = await WebSocketServer.bind({ port: 0 });
    const serving = (async () => {
      for await (const channel of server) {
        let bytes = 0;
        channel.stream.listen((message) => {
          bytes += message.length;
          if (bytes > 1_000_000) channel.terminate();
        });
      }
    })();
    const client = NetWebSocketChannel.connect(server.url);
    await client.ready;
    const result = await outcome(client.sink.addStream(endless().source));
    assertStrictEquals(result, await errorOf(client));
    assertStrictEquals(await outcome(client.sink.flush()), result);
    const info = await client.closed;
    assertEquals([info.wasClean, info.sent], [false, undefined]);
    await server.close({ drainTimeout: 1000 });
    await serving;
  },
});

for (const end of ["terminate", "close"] as const) {
  Deno.test({
    name:
      `attack 59: a server that reads nothing, then ${end}: what the socket forgets is not sent`,
    ignore: !hasNet,
    fn: async () => {
      const { WebSocketServer } = await import("../../src/server/mod.ts");
      const server = await WebSocketServer.bind({ port: 0 });
      const client = NetWebSocketChannel.connect(server.url, { closeTimeout: 50 });
      await client.ready;
      for (let i = 0; i < 40; i++) client.sink.add(new Uint8Array(1_000_000));
      const flushed = outcome(client.sink.flush());
      const before = client.sink.bufferedAmount;
      if (end === "terminate") client.terminate();
      else await client.sink.close(1000);
      const error = await errorOf(client) as Error;
      const { bufferedAmount } = client.sink;
      assert(bufferedAmount > 1_000_000 && bufferedAmount <= before, `${bufferedAmount} bytes`);
      assert(error.message.includes(`${bufferedAmount} bytes`), error.message);
      assertStrictEquals(await flushed, error);
      assertEquals((await client.closed).sent, undefined);
      await server.close({ drainTimeout: 0 });
      assertEquals(client.sink.bufferedAmount, bufferedAmount);
    },
  });
}

Deno.test({
  name: "attack 59: a native socket is lost in the middle of an upload",
  ignore: !hasNativeWebSocket(),
  fn: () =>
    withRecipe("destroy", {}, async ({ url }) => {
      const client = WebSocketChannel.connect(url, { transport: "native" });
      await client.ready;
      const it = endless();
      const result = await outcome(client.sink.addStream(it.source));
      assertStrictEquals(result, await errorOf(client));
      assert(it.cancelled);
      assertEquals(client.sink.add("late"), false);
      assertStrictEquals(await outcome(client.sink.flush()), result);
      assertStrictEquals(await outcome(client.writable.getWriter().write("late")), result);
      assertEquals((await client.closed).sent, undefined);
    }),
});
