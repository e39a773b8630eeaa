import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  channelPair,
  DelegatingChannelSink,
  jsonDocument,
  MultiChannel,
  type StreamChannel,
} from "../../src/stream_channel/mod.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { OpenSource, RawChannel } from "./raw_channel.ts";

async function assertOver(channel: StreamChannel<unknown>): Promise<void> {
  assertEquals(await channel.stream.next(), { done: true, value: undefined });
  await channel.sink.done;
}

// The wire: what Dart's MultiChannel sends and expects, as JSON documents.

interface Wire {
  readonly peer: RawChannel<string>;
  readonly channel: MultiChannel<unknown>;
  /** Returns the documents that were sent since the last call. */
  sent(): unknown[];
}

function wire(options?: ConstructorParameters<typeof MultiChannel>[1]): Wire {
  const peer = new RawChannel<string>();
  const channel = new MultiChannel<unknown>(jsonDocument.transformChannel(peer), options);
  return { peer, channel, sent: () => peer.out.splice(0) };
}

Deno.test("S65 S66 the wire: the default channel, created channels and attached channels", async () => {
  const { peer, channel, sent } = wire();
  channel.sink.add("hello");
  channel.sink.add(null);
  const [first, second] = [channel.virtualChannel(), channel.virtualChannel()];
  first.sink.add({ a: 1 });
  second.sink.add([]);
  assertEquals([first.id, second.id], [1, 3]);
  assertEquals(sent(), ['[0,"hello"]', "[0,null]", '[1,{"a":1}]', "[3,[]]"]);

  const attached = channel.virtualChannel(5);
  attached.sink.add(true);
  assertEquals(attached.id, 6);
  assertEquals(sent(), ["[6,true]"]);

  const events = [channel, first, second, attached].map((it) => record(it.stream).events);
  for (const text of ['[0,"hi"]', "[2,2]", "[4,4]", "[5,5]", "[5.0,[6]]", "[2.9,null]"]) {
    peer.in.add(text);
  }
  await microtasks();
  assertEquals(events, [["hi"], [2, null], [4], [5, [6]]]);
});

Deno.test("S65 S69 the wire: ends, and the answer to an end", async () => {
  const { peer, channel, sent } = wire();
  const made = channel.virtualChannel();
  const attached = channel.virtualChannel(1);
  await made.sink.close();
  assertEquals(sent(), ["[1]"]);
  peer.in.add("[2]");
  peer.in.add('[2,"late"]');
  peer.in.add("[1]");
  await assertOver(attached);
  assertEquals(sent(), ["[2]"]);
  peer.in.add("[0]");
  await assertOver(channel);
  assertEquals(sent(), ["[0]", "done"]);
});

Deno.test("S68 the wire: an end that arrived before attaching is answered on attaching", async () => {
  const { peer, channel, sent } = wire();
  peer.in.add('[7,"early"]');
  peer.in.add("[7]");
  peer.in.add('[7,"after the end"]');
  await microtasks();
  assertEquals(sent(), []);
  const { events } = record(channel.virtualChannel(7).stream);
  assertEquals(sent(), ["[8]"]);
  await microtasks();
  assertEquals(events, ["early", "done"]);
});

Deno.test("S70 the wire: the inner sink is closed after the last end", async () => {
  const { channel, sent } = wire();
  const made = channel.virtualChannel();
  channel.sink.close();
  assertEquals(sent(), ["[0]"]);
  await made.sink.close();
  assertEquals(sent(), ["[1]", "done"]);
});

Deno.test("S70 pending ids keep the inner channel open until a channel attaches and closes", async () => {
  const { peer, channel, sent } = wire();
  peer.in.add("[1,1]");
  await microtasks();
  await channel.sink.close();
  assertEquals(sent(), ["[0]"]);
  await channel.virtualChannel(1).sink.close();
  assertEquals(sent(), ["[2]", "done"]);
});

Deno.test("a message other than [id, …] fails the default stream and closes the inner channel", async () => {
  for (const text of ["{}", "[]", '["1",2]', "[null]", "[-1,2]", "[1e300]", "7", "null"]) {
    const { peer, channel, sent } = wire();
    const made = channel.virtualChannel();
    peer.in.add(text);
    peer.in.add('[0,"lost"]');
    const error = await assertRejects(() => channel.stream.next(), TypeError, "must be [id", text);
    await assertOver(made);
    assertEquals(sent(), [["error", error], "done"]);
    assertFalse(channel.sink.add(1));
  }
});

Deno.test("a value without JSON: add throws a TypeError, and the channel stays usable", () => {
  const { channel, sent } = wire();
  assertThrows(() => channel.sink.add(1n), TypeError);
  assert(channel.sink.add(1));
  assertEquals(sent(), ["[0,1]"]);
});

// Limits.

Deno.test("a virtual channel whose reader pauses pauses all others at its limit; the rest waits in the inner channel", async () => {
  const { peer, channel } = wire({ highWaterMark: 1000 });
  const made = channel.virtualChannel();
  const slow = record(made.stream);
  const fast = record(channel.stream);
  slow.subscription.pause();
  const text = "x".repeat(92);
  for (let i = 0; i < 100; i++) {
    peer.in.add(`[2,"${text}"]`);
    peer.in.add(`[0,${i}]`);
  }
  await microtasks(100);
  // 92 bytes a message: 1012 bytes are queued after the eleventh.
  assertEquals([slow.events.length, fast.events.length], [0, 10]);
  slow.subscription.resume();
  await microtasks(100);
  assertEquals([slow.events.length, fast.events.length], [100, 100]);
});

Deno.test("closing or cancelling a virtual channel that pauses all others resumes them", async () => {
  for (const leave of ["close", "cancel", "peer"]) {
    const { peer, channel } = wire({ highWaterMark: 1 });
    const made = channel.virtualChannel();
    const { subscription } = record(made.stream);
    const { events } = record(channel.stream);
    subscription.pause();
    peer.in.add("[2,1]");
    if (leave === "peer") peer.in.add("[2]");
    peer.in.add("[0,1]");
    await microtasks();
    assertEquals(events, []);
    if (leave === "close") made.sink.close();
    else if (leave === "cancel") subscription.cancel();
    else subscription.resume();
    await microtasks(100);
    assertEquals(events, [1]);
    peer.in.add("[2,1]");
    peer.in.add("[0,2]");
    await microtasks(100);
    assertEquals(events, [1, 2]);
  }
});

Deno.test("if the inner sink is done while a reader pauses, the queued messages are still delivered, then the end", async () => {
  const { peer, channel } = wire({ highWaterMark: 1 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  for (let i = 0; i < 5; i++) peer.in.add(`[0,${i}]`);
  peer.in.end();
  peer.finish();
  await channel.sink.done;
  assertEquals(events, []);
  subscription.resume();
  await microtasks(100);
  assertEquals(events, [0, 1, 2, 3, 4, "done"]);
});

Deno.test("S68 ids without a channel never pause the connection, and are closed beyond the limit", async () => {
  const { peer, channel, sent } = wire({ pendingLimit: 1000 });
  const { events } = record(channel.stream);
  const text = "x".repeat(92);
  for (let i = 0; i < 9; i++) peer.in.add(`[1,"${text}"]`);
  peer.in.add("[0,1]");
  await microtasks();
  assertEquals([events, sent()], [[1], []]);
  peer.in.add(`[3,"${text}"]`);
  peer.in.add("[0,2]");
  await microtasks();
  assertEquals([events, sent()], [[1, 2], ["[4]"]]);
  assertThrows(() => channel.virtualChannel(3), RangeError);
  assertEquals((await channel.virtualChannel(1).stream.next()).value, text);
});

Deno.test("S68 empty ids count as well: a million of them take no memory", async () => {
  const { peer, channel, sent } = wire();
  record(channel.stream);
  await microtasks();
  for (let id = 1; id < 2_000_000; id += 2) peer.in.add(`[${id}]`);
  const closed = sent();
  assertEquals(closed.length, 1_000_000 - 1024 * 1024 / 128);
  assertEquals(closed[0], "[16386]");
});

Deno.test("if the peer is full, a sink's ready, bufferedAmount and flush are the inner sink's", async () => {
  const peer = new RawChannel<unknown>();
  const channel = new MultiChannel<unknown>(peer);
  const { sink } = channel.virtualChannel();
  peer.bufferedAmount = 10;
  assertEquals(sink.bufferedAmount, 10);
  const [ready, flushed] = [sink.ready, sink.flush()];
  assertFalse(await settled(Promise.race([ready, flushed])));
  peer.bufferedAmount = 0;
  peer.control.drained();
  await ready;
  await flushed;
});

Deno.test("ready: the end of one virtual channel wakes the callers that wait for it", async () => {
  for (const end of ["close", "peer"]) {
    const peer = new RawChannel<unknown>();
    const { sink } = new MultiChannel<unknown>(peer).virtualChannel();
    peer.bufferedAmount = 10;
    const { ready } = sink;
    if (end === "close") sink.close();
    else peer.in.add([2]);
    await ready;
  }
});

Deno.test("if the inner sink drops values, an addStream on a virtual channel ends, also with an endless source", async () => {
  const { local } = channelPair<unknown>();
  const channel = new MultiChannel<unknown>({
    stream: local.stream,
    sink: new DroppingSink(local.sink),
  });
  const adding = channel.virtualChannel().sink.addStream((function* () {
    for (;;) yield 1;
  })());
  await assertRejects(() => adding, DOMException);
});

class DroppingSink extends DelegatingChannelSink<unknown> {
  override add(): boolean {
    return false;
  }
}

Deno.test("S71 if the inner channel ends while one reader pauses, the other and new channels end", async () => {
  const { local, foreign } = channelPair<unknown>();
  const channel = new MultiChannel<unknown>(local, { highWaterMark: 1 });
  const slow = record(channel.stream);
  slow.subscription.pause();
  const other = channel.virtualChannel();
  const { events } = record(other.stream);
  for (const message of [[0, 1], [0, 2], [2, 3]]) foreign.sink.add(message);
  await microtasks();
  assertEquals(events, []);
  await foreign.sink.close();
  await microtasks();
  assertEquals(events, [3, "done"]);
  await assertOver(channel.virtualChannel());
  slow.subscription.resume();
  await microtasks();
  assertEquals(slow.events, [1, 2, "done"]);
});

Deno.test("S71 if the inner sink is done and its stream still open, new channels have a closed sink", async () => {
  const peer = new RawChannel<unknown>();
  const channel = new MultiChannel<unknown>(peer);
  peer.finish();
  await channel.sink.done;
  const { sink } = channel.virtualChannel();
  await sink.done;
  assertFalse(sink.add(1));
});

Deno.test("S7 close settles at once while another caller's addStream holds the inner sink", async () => {
  const peer = new RawChannel<unknown>();
  const channel = new MultiChannel<unknown>(peer);
  const made = channel.virtualChannel();
  const added = peer.sink.addStream(new OpenSource<unknown>());
  await made.sink.close();
  await channel.sink.close();
  await assertOver(channel);
  peer.finish();
  await assertRejects(() => added, DOMException);
});

Deno.test("S68 a peer whose ids are rejected has to wait if it does not read the answers", async () => {
  const peer = new RawChannel<unknown>();
  const channel = new MultiChannel<unknown>(peer, { pendingLimit: 0 });
  const { events } = record(channel.stream);
  peer.in.add([1]);
  assertEquals(peer.out, [[2]]);
  peer.bufferedAmount = 10;
  for (const id of [3, 5, 7]) peer.in.add([id]);
  peer.in.add([0, "after"]);
  await microtasks();
  assertEquals([peer.out, events], [[[2], [4]], []]);
  peer.bufferedAmount = 0;
  peer.control.drained();
  await microtasks();
  assertEquals([peer.out, events], [[[2], [4], [6], [8]], ["after"]]);
});

Deno.test("S66 if a peer makes all ids count as closed, a created channel ends at once", () => {
  const peer = new RawChannel<unknown>();
  const channel = new MultiChannel<unknown>(peer, { pendingLimit: 0 });
  // If there are too many ranges, the two lowest ones become one.
  const far = 2 ** 52;
  peer.in.add([2]);
  for (let i = 0; i < 4096; i++) peer.in.add([far + i * 4]);
  assertEquals(channel.virtualChannel().id, far + 1);
  assertEquals(channel.virtualChannel().id, far + 5);
});

Deno.test("S66 S68 the answer to a rejected id uses the id that the peer listens to", () => {
  const peer = new RawChannel<unknown>();
  const channel = new MultiChannel<unknown>(peer, { pendingLimit: 0 });
  record(channel.stream);
  for (const id of [7, 12]) peer.in.add([id, "too much"]);
  assertEquals(peer.out, [[8], [11]]);
});
