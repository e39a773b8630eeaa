/** A transformed WebSocket channel is a WebSocket channel: it has every member except the original's messages. */

import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import {
  channelPair,
  jsonDocument,
  StreamChannelTransformer,
} from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { over } from "../../src/web_socket/over.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { broadcast } from "../../src/server/mod.ts";
import { WebSocketChannel } from "../../mod.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { settled } from "../support/events.ts";

Deno.test("transform: the result is a WebSocket channel of the same connection", async () => {
  const { client, server } = webSocketChannelPair({ protocol: "chat" });
  const json = client.transform(jsonDocument);
  await json.ready;
  assertEquals([json.state, json.protocol, json.url, json.extensions], ["open", "chat", "", ""]);
  assertStrictEquals(json.capabilities, client.capabilities);
  assertStrictEquals(json.closed, client.closed);
  assertStrictEquals(json.ready, client.ready);
  server.stream.listen((message) => server.sink.add(message));
  assert(await json.ping() >= 0);
  json.sink.add({ say: "hello" });
  assertEquals((await json.stream.next()).value, { say: "hello" });
  json.terminate();
  assertEquals((await client.closed).initiator, "local");
});

Deno.test("transform: close sends the code and the reason after all added messages", async () => {
  const { client, server } = webSocketChannelPair();
  // The transformer keeps the added messages until the end.
  const batched = client.transformSink<string>({
    create() {
      const all: string[] = [];
      return {
        transform: (text) => void all.push(text),
        flush: (emit) => emit(all.join()),
      };
    },
  });
  batched.sink.add("a");
  batched.sink.add("b");
  const got: unknown[] = [];
  server.stream.listen((message) => got.push(message));
  await batched.sink.close(4001, "enough");
  const { code, reason, wasClean } = await server.closed;
  assertEquals([got, code, reason, wasClean], [["a,b"], 4001, "enough", true]);
  assertEquals((await batched.closed).sent, { code: 4001, reason: "enough" });
});

/** Ways to transform a sink that pass messages on after the call has returned. */
const ASYNCHRONOUS: ((channel: WebSocketChannel) => WebSocketChannel<unknown, string>)[] = [
  (it) =>
    it.transform(
      StreamChannelTransformer.fromTransformStreams<unknown, string, unknown, string>(
        () => new TransformStream(),
        () => new TransformStream(),
      ) as never,
    ),
  (it) => it.changeSink((sink) => sink.writable as WritableStream<string>),
  (it) => ASYNCHRONOUS[0]!(it).transformSink<string>(String),
  (it) => ASYNCHRONOUS[1]!(it.transformSink<string>(String) as never),
];

/** A derived channel with a reader, and the messages that its peer receives. */
function derived(way: (typeof ASYNCHRONOUS)[number]) {
  const { client, server } = webSocketChannelPair();
  const got: unknown[] = [];
  server.stream.listen((message) => got.push(message));
  const channel = way(client);
  channel.stream.listen(() => {});
  return { channel, server, got };
}

Deno.test("transform: an asynchronous sink also closes with the code and the reason", async () => {
  for (const way of ASYNCHRONOUS) {
    const { channel, server, got } = derived(way);
    channel.sink.add("a");
    const closed = channel.sink.close(4001, "why");
    assertStrictEquals(channel.state, "open");
    // The first close wins, even if one of its sinks is closed meanwhile.
    void channel.sink.close(4002);
    await closed;
    const { code, reason, wasClean } = await server.closed;
    assertEquals([got, code, reason, wasClean], [["a"], 4001, "why", true], `${way}`);
  }
});

Deno.test("transform: an error after close uses its own code, and the peer does not receive close's code", async () => {
  const { client, server } = webSocketChannelPair();
  server.stream.listen(() => {});
  const fail = (): never => {
    throw new Error("no end");
  };
  const channel = client.transform(
    StreamChannelTransformer.fromTransformStreams<unknown, string, unknown, string>(
      () => new TransformStream(),
      () => new TransformStream({ flush: fail }),
    ) as never,
  );
  await channel.sink.close(4001, "why").catch(() => {});
  assertEquals((await server.closed).code, 1011);
});

Deno.test("transform: disposing of it sends the added messages first", async () => {
  for (const way of ASYNCHRONOUS) {
    const { channel, server, got } = derived(way);
    channel.sink.add("a");
    await channel[Symbol.asyncDispose]();
    assertEquals([got, (await server.closed).code], [["a"], 1005], `${way}`);
    await channel[Symbol.asyncDispose]();
  }
});

Deno.test("transform: closeTimeout closes a sink that never finishes, together with its channel", async () => {
  const clock = new ManualClock();
  const { local, foreign } = channelPair<Uint8Array>();
  const client = over(local, { side: "client", closeTimeout: 100 }, clock);
  const server = over(foreign, { side: "server", closeTimeout: 100 }, clock);
  const stuck = client.changeSink(() =>
    new WritableStream<string>({ write: () => new Promise(() => {}) })
  );
  stuck.sink.add("a");
  void stuck.sink.close(4001);
  clock.advance(99);
  assertEquals(stuck.state, "open");
  clock.advance(1);
  assertEquals((await stuck.closed).initiator, "timeout");
  await server.closed;
  assertEquals(clock.pending, 0);
});

Deno.test("transform: each transform method returns a WebSocket channel, and so do the methods of its result", async () => {
  const identity = new StreamChannelTransformer<never, never, never, never>((it) => it, (it) => it);
  const ways: ((channel: WebSocketChannel) => WebSocketChannel<never, never>)[] = [
    (it) => it.transform(identity as never),
    (it) => it.transformStream((message) => message).cast(),
    (it) => it.transformSink<string>((message) => message).cast(),
    (it) => it.changeStream((stream) => stream).cast(),
    (it) => it.changeSink((sink) => sink).cast(),
    (it) => it.cast(),
    (it) => it.transformSink<string>(String).transformStream(String).cast(),
  ];
  for (const way of ways) {
    const { client, server } = webSocketChannelPair();
    const channel = way(client);
    assertEquals(channel.state, "open");
    server.stream.listen(() => {});
    await channel.sink.close(3000, "why");
    assertEquals((await server.closed).code, 3000, `${way}`);
  }
});

Deno.test("transform: close checks its arguments first, and an invalid call changes nothing", async () => {
  const { client } = webSocketChannelPair();
  const json = client.transform(jsonDocument);
  assertThrows(() => json.sink.close(1005), RangeError);
  assertThrows(() => json.sink.close(undefined, "why"), TypeError);
  assertThrows(() => json.sink.close(3000, "x".repeat(124)), SyntaxError);
  assertEquals(json.state, "open");
  client.terminate();
  const socket = new FakeWebSocket(0);
  const native = WebSocketChannel.from(socket).transformSink<string>((it) => it);
  socket.open();
  assertThrows(() => native.sink.close(1011), RangeError, "3000-4999");
  assertEquals(native.state, "open");
  void native.sink.close(1001);
  assertEquals(native.state, "closing");
  native.terminate();
  await native.closed;
});

Deno.test("transform: close ends an addStream, as on any WebSocket channel", async () => {
  const { client, server } = webSocketChannelPair();
  const json = client.transform(jsonDocument);
  let isCancelled = false;
  async function* source(): AsyncGenerator<number> {
    try {
      yield 1;
      await new Promise(() => {});
    } finally {
      isCancelled = true;
    }
  }
  const adding = json.sink.addStream(source());
  server.stream.listen(() => {});
  assertFalse(await settled(adding));
  await json.sink.close(4002);
  assertEquals((await server.closed).code, 4002);
  assert(await settled(adding));
  assertFalse(isCancelled, "a generator that waits can't be cancelled, and is not awaited");
});

Deno.test("transform: the options of add reach the connection; unknown options are rejected", async () => {
  const { client } = webSocketChannelPair();
  const json = client.transform(jsonDocument);
  assert(json.sink.add(1, { compress: false }));
  assertThrows(() => json.sink.add(1, { compres: false } as never), TypeError, "compres");
  const socket = new FakeWebSocket(0);
  const native = WebSocketChannel.from(socket).transformSink<string>((it) => it);
  socket.open();
  assertThrows(() => native.sink.add("x", { compress: false }), Error, "compress");
  client.terminate();
  native.terminate();
  await Promise.all([client.closed, native.closed]);
});

Deno.test("transform: a broadcast passes through the transformer", async () => {
  const { client, server } = webSocketChannelPair();
  const loud = server.transformSink<string | ArrayBuffer | ArrayBufferView>((it) => `${it}!`);
  broadcast([loud], "hello");
  assertEquals((await client.stream.next()).value, "hello!");
  await client.sink.close();
});

Deno.test("transform: an invalid transformer, and one that returns no channel, is a TypeError", () => {
  const { client } = webSocketChannelPair();
  const wrong: [use: (channel: WebSocketChannel) => unknown, text: string][] = [
    [(it) => it.transform({ transformChannel: () => undefined } as never), "must return a channel"],
    [(it) => it.transform({ transformChannel: () => Promise.resolve(it) } as never), "channel"],
    [(it) => it.transformStream(undefined as never), "a function"],
    [(it) => it.transformStream(5 as never), "a function"],
    [(it) => it.transformSink({} as never), "create"],
    [(it) => it.changeStream(undefined as never), "a function"],
    [(it) => it.changeSink({} as never), "a function"],
  ];
  for (const [use, text] of wrong) assertThrows(() => use(client), TypeError, text);
  // The channel is unchanged: it can still get its only reader.
  assertEquals(client.state, "open");
  client.stream.listen(() => {}).cancel();
  client.terminate();
});

Deno.test("transform: an encoder that changes bytes in place does not change them for other readers", async () => {
  const [a, b] = [webSocketChannelPair(), webSocketChannelPair()];
  const flipped = a.server.transformSink<string | ArrayBuffer | ArrayBufferView>((it) => {
    const bytes = it as Uint8Array;
    bytes.forEach((byte, i) => bytes[i] = byte ^ 255);
    return bytes;
  });
  broadcast([flipped, b.server], Uint8Array.of(1, 2, 3));
  assertEquals([...(await b.client.stream.next()).value as Uint8Array], [1, 2, 3]);
  assertEquals([...(await a.client.stream.next()).value as Uint8Array], [254, 253, 252]);
  for (const { client } of [a, b]) await client.sink.close();
});
