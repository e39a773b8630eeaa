import { assert, assertEquals, assertFalse, assertStrictEquals } from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import {
  ByteConnection,
  type ByteTransport,
  byteTransport,
  type OverListener,
} from "../../src/web_socket/byte_transport.ts";
import { microtasks, settled } from "../support/events.ts";
import { FakeBytes } from "./support.ts";

interface Connected {
  readonly connection: ByteConnection;
  readonly events: unknown[];
}

function connect(transport: ByteTransport): Connected {
  const events: unknown[] = [];
  const connection = new ByteConnection(transport, {
    onChunk: (chunk) => events.push([...chunk]),
    onOver: () => events.push("over"),
    onEnd: (failure) => events.push(["end", failure]),
  });
  return { connection, events };
}

Deno.test("chunks come as they are, and the end once", async () => {
  const bytes = new FakeBytes();
  const { events } = connect(bytes);
  bytes.receive(Uint8Array.of(1, 2), Uint8Array.of(3));
  bytes.incoming.end();
  bytes.outgoing.finish();
  await microtasks();
  assertEquals(events, [[1, 2], [3], ["end", null]]);
});

Deno.test("a failure is told with the end", async () => {
  const bytes = new FakeBytes();
  const { connection, events } = connect(bytes);
  const error = new Error("reset");
  bytes.fail(error);
  await microtasks();
  assertEquals(events, [["end", { error }]]);
  assertStrictEquals(connection.failure?.error, error);
});

Deno.test("a transport that is lost while paused gives what it has, and its end", async () => {
  const bytes = new FakeBytes();
  const { connection, events } = connect(bytes);
  connection.pause();
  bytes.receive(Uint8Array.of(1));
  const error = new Error("reset");
  bytes.fail(error);
  assertEquals(events, []);
  await microtasks();
  assertEquals(events, ["over", [1], ["end", { error }]]);
});

Deno.test("a sink that is over, with a stream that isn't", async () => {
  const bytes = new FakeBytes();
  const { connection, events } = connect(bytes);
  const error = new Error("broken");
  bytes.outgoing.fail(error);
  await microtasks();
  assertEquals(events, ["over"]);
  assertStrictEquals(connection.failure?.error, error);
  connection.write([Uint8Array.of(1)]);
  assertEquals(bytes.written, []);
});

Deno.test("a transport that tells of its end itself isn't asked for its sink's", async () => {
  const bytes = new FakeBytes();
  const listeners: OverListener[] = [];
  const { connection, events } = connect(Object.assign(bytes, {
    whenOver: (listener: OverListener) => void listeners.push(listener),
  }));
  bytes.outgoing.finish();
  await microtasks();
  assertEquals(events, []);
  const failure = { error: new Error("broken") };
  for (const listener of listeners) listener.onSinkOver(failure);
  assertEquals(events, ["over"]);
  assertStrictEquals(connection.failure, failure);
});

Deno.test("a sink that throws is a transport that is over", async () => {
  const { local } = channelPair<Uint8Array>();
  const { connection, events } = connect(local);
  void local.sink.close();
  connection.write([Uint8Array.of(1), Uint8Array.of(2)]);
  assertEquals((connection.failure?.error as DOMException).name, "InvalidStateError");
  await microtasks();
  assertEquals(events, ["over", ["end", connection.failure]]);
});

Deno.test("several chunks are written together", () => {
  const bytes: ByteTransport & FakeBytes = new FakeBytes();
  bytes.cork = () => bytes.log.push("cork");
  bytes.uncork = () => bytes.log.push("uncork");
  const { connection } = connect(bytes);
  connection.write([Uint8Array.of(1)]);
  assertEquals(bytes.log, []);
  connection.write([Uint8Array.of(2), Uint8Array.of(3)]);
  assertEquals(bytes.log, ["cork", "uncork"]);
  assertEquals(bytes.sent(), "010203");
});

Deno.test("bytes: what is held back leaves, also when somebody else has closed the sink meanwhile", () => {
  const bytes: ByteTransport & FakeBytes = new FakeBytes();
  const connection = new ByteConnection(bytes, {
    onChunk: () => {},
    onOver: () => void bytes.log.push("over"),
    onEnd: () => {},
  });
  bytes.cork = () => bytes.log.push("cork");
  bytes.uncork = () => bytes.log.push("uncork");
  bytes.ends = false;
  void bytes.sink.close();
  connection.write([Uint8Array.of(1), Uint8Array.of(2)]);
  assertEquals(bytes.log, ["close", "cork", "over", "uncork"]);
});

Deno.test("closing: nothing is written any more, and nobody is told that it is over", async () => {
  const bytes = new FakeBytes();
  const { connection, events } = connect(bytes);
  assertFalse(await settled(bytes.sink.done));
  assert(await settled(connection.close()));
  connection.write([Uint8Array.of(1)]);
  assertEquals([bytes.written, bytes.log, events], [[], ["close"], []]);
});

Deno.test("closing a sink that somebody else holds does no harm", async () => {
  const { local } = channelPair<Uint8Array>();
  const { connection } = connect(local);
  void local.sink.addStream(new ReadableStream<Uint8Array>());
  await connection.close();
});

Deno.test("destroying: at once where the transport can, else by closing", async () => {
  const bytes = new FakeBytes();
  const { connection, events } = connect(bytes);
  assert(connection.canDestroy);
  connection.destroy();
  bytes.receive(Uint8Array.of(1));
  connection.write([Uint8Array.of(1)]);
  assertEquals([bytes.log, bytes.written], [["cancel", "destroy"], []]);
  const other = new FakeBytes({ canDestroy: false });
  const plain = connect(other);
  assertFalse(plain.connection.canDestroy);
  plain.connection.destroy();
  await microtasks();
  assertEquals([other.log, events, plain.events], [["cancel", "close"], [], []]);
});

Deno.test("room, amount and flush are the sink's", async () => {
  const bytes = new FakeBytes({ highWaterMark: 2 });
  const { connection } = connect(bytes);
  assert(await settled(connection.ready));
  bytes.full = true;
  connection.write([Uint8Array.of(1, 2, 3)]);
  assertEquals(connection.bufferedAmount, 3);
  const { ready } = connection;
  const flushed = connection.flush();
  assertFalse(await settled(ready));
  assertFalse(await settled(flushed));
  bytes.drain();
  assert(await settled(ready));
  assert(await settled(flushed));
});

Deno.test("flush settles, and doesn't reject, when the transport ends before", async () => {
  const bytes = new FakeBytes();
  const { connection } = connect(bytes);
  bytes.full = true;
  connection.write([Uint8Array.of(1)]);
  const flushed = connection.flush();
  bytes.outgoing.finish(new Error("reset"));
  await flushed;
});

Deno.test("ref, unref and ownsChunks pass through, and may be missing", () => {
  const log: string[] = [];
  const { stream, sink } = new FakeBytes();
  const { connection } = connect({
    stream,
    sink,
    ownsChunks: true,
    ref: () => log.push("ref"),
    unref: () => log.push("unref"),
  });
  connection.ref();
  connection.unref();
  assertEquals([log, connection.ownsChunks], [["ref", "unref"], true]);
  const plain = connect(new FakeBytes()).connection;
  plain.ref();
  plain.unref();
  assertFalse(plain.ownsChunks);
});

Deno.test("whatever counts as a channel of bytes is a transport", async () => {
  const { local } = channelPair<Uint8Array>();
  assertStrictEquals<unknown>(byteTransport(local), local);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const { connection, events } = connect(byteTransport({ readable, writable }));
  connection.write([Uint8Array.of(7)]);
  await connection.flush();
  assertEquals(events, [[7]]);
  connection.destroy();
});
