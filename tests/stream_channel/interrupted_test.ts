/** The errors of `addStream` and `flush` if the peer closes first, and values that are not sources. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { StreamChannelCompleter } from "../../src/stream_channel/completer.ts";
import { jsonDocument } from "../../src/stream_channel/json_document.ts";
import { MultiChannel } from "../../src/stream_channel/multi_channel.ts";
import type { StreamChannel } from "../../src/stream_channel/stream_channel.ts";
import { webSocketChannelPair } from "../../src/testing/web_socket_channel_pair.ts";
import { WebSocketChannel } from "../../mod.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { OpenSource } from "./raw_channel.ts";

const wrappers: Record<string, (channel: WebSocketChannel) => StreamChannel<unknown, string>> = {
  "its own sink": (channel) => channel,
  "jsonDocument": (channel) => channel.transform(jsonDocument),
  "two functions": (channel) =>
    channel.transformSink((text: string) => text).transformSink((text: string) => text),
  "a virtual channel": (channel) =>
    new MultiChannel<unknown, string>(channel.transform(jsonDocument)).virtualChannel(),
  "a completer": (channel) => {
    const completer = new StreamChannelCompleter<unknown, string>();
    completer.setChannel(channel);
    return completer.channel;
  },
};

const ENDINGS: readonly { args: [code?: number, reason?: string]; text: string }[] = [
  { args: [1000], text: "the peer closed with 1000 before" },
  {
    args: [1011, "disk full"],
    text: 'the peer closed with 1011 and the reason "disk full" before',
  },
  {
    args: [3000, 'a "b"\n'],
    text: 'the peer closed with 3000 and the reason "a \\"b\\"\\n" before',
  },
  { args: [], text: "the peer closed with 1005 before" },
];

for (const [name, wrap] of Object.entries(wrappers)) {
  for (const { args, text } of ENDINGS) {
    Deno.test(`the peer closes with ${args[0]} during addStream, ${name}: the error has the code`, async () => {
      const { client, server } = webSocketChannelPair();
      const { sink } = wrap(client);
      const source = new OpenSource<string>();
      const adding = sink.addStream(source);
      await server.sink.close(...args);
      const error = await assertRejects(() => adding, DOMException, text);
      assertEquals(error.name, "InvalidStateError");
      assertEquals((await client.closed).error, undefined);
      sink.add("late");
      await assertRejects(() => sink.flush(), DOMException, text);
      await assertRejects(() => sink.addStream(["late"]), DOMException, text);
      await assertRejects(() => sink.writable.getWriter().write("late"), DOMException, text);
    });
  }
}

Deno.test("the peer closes with a reason while bytes are queued: the error has the reason and the dropped bytes", async () => {
  const socket = new FakeWebSocket();
  const { sink, closed } = WebSocketChannel.from(socket);
  sink.add("12345");
  socket.bufferedAmount = 5;
  const flushed = sink.flush();
  socket.closed({ code: 1011, reason: "disk full", wasClean: true });
  const text =
    'the peer closed with 1011 and the reason "disk full" before the transport took 5 bytes';
  assertEquals(await assertRejects(() => flushed, Error, text), (await closed).error);
});

Deno.test("bytes are queued while the peer answers our Close: the error does not blame the peer", async () => {
  const socket = new FakeWebSocket();
  const { sink, closed } = WebSocketChannel.from(socket);
  sink.add("12345");
  socket.bufferedAmount = 5;
  const flushed = sink.flush();
  sink.close(1000).catch(() => {});
  socket.closed({ code: 1000, reason: "", wasClean: true });
  const text = "Cannot send everything: the channel ended before the transport took 5 bytes";
  assertEquals(await assertRejects(() => flushed, Error, text), (await closed).error);
});

Deno.test("addStream during an own terminate: the error does not mention the peer", async () => {
  const { client } = webSocketChannelPair();
  await client.ready;
  const adding = client.sink.addStream(new OpenSource<string>());
  client.terminate();
  await assertRejects(() => adding, DOMException, "Cannot send: the channel ended before");
});

const WRONG: readonly (readonly [source: unknown, text: string])[] = [
  ["secret", "got a string. Text is one message: use add"],
  [new Uint8Array(3), "got an object. Bytes are one message: use add"],
  [new ArrayBuffer(3), "got an ArrayBuffer. Bytes are one message: use add"],
  [new DataView(new ArrayBuffer(3)), "got a DataView. Bytes are one message: use add"],
  [undefined, "got undefined"],
  [null, "got null"],
  [42, "got 42"],
  [{}, "got an object"],
  [{ [Symbol.asyncIterator]: null }, "got an object"],
  [() => {}, "got a function"],
];

const channels: Record<string, () => StreamChannel<unknown, string>> = {
  "a pair": () => channelPair<string>().local,
  "a completer": () => new StreamChannelCompleter<string>().channel,
  ...Object.fromEntries(
    Object.entries(wrappers).map((
      [name, wrap],
    ) => [name, () => wrap(webSocketChannelPair().client)]),
  ),
};

for (const [name, open] of Object.entries(channels)) {
  Deno.test(`addStream of a value that is not a source, ${name}: a TypeError, and the channel stays usable`, () => {
    const { sink } = open();
    for (const [source, text] of WRONG) {
      const error = assertThrows(
        () => void sink.addStream(source as Iterable<string> & object),
        TypeError,
        "Cannot add a stream: the source must be an iterable, an async iterable or a ReadableStream, ",
      );
      assert(error.message.endsWith(text), error.message);
    }
    assert(sink.add("unharmed"));
    sink.close().catch(() => {});
  });
}

Deno.test("addStream: the types reject a string", () => {
  const { local } = channelPair<string>();
  // @ts-expect-error: a string is one message
  assertThrows(() => void local.sink.addStream("abc"), TypeError);
});
