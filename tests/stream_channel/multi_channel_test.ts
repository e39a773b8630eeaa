/*
 * C130–C162. A test about both kinds of virtual channel runs for the one that was created locally
 * and for the one that was attached to it. For the wire format, see multi_channel_wire_test.ts.
 */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  type ChannelPair,
  channelPair,
  MultiChannel,
  type StreamChannel,
  type VirtualChannel,
} from "../../src/stream_channel/mod.ts";
import { assertInvalidState, microtasks, record, settled } from "../support/events.ts";

interface Ends {
  readonly pair: ChannelPair<unknown>;
  readonly one: MultiChannel<unknown>;
  readonly two: MultiChannel<unknown>;
}

/** Two MultiChannels over the two ends of a pair. */
function connect(): Ends {
  const pair = channelPair<unknown>();
  return { pair, one: new MultiChannel(pair.local), two: new MultiChannel(pair.foreign) };
}

interface VirtualEnds extends Ends {
  /** The end that the test acts on. */
  readonly here: VirtualChannel<unknown>;
  readonly there: VirtualChannel<unknown>;
}

/** The same with a virtual channel; `here` is the end that created it, or the one that attached. */
function connectVirtual(attached: boolean): VirtualEnds {
  const ends = connect();
  const made = ends.one.virtualChannel();
  const other = ends.two.virtualChannel(made.id);
  return { ...ends, here: attached ? other : made, there: attached ? made : other };
}

/** Defines a test for the end that created a virtual channel and for the end that attached. */
function testBoth(ids: string, what: string, test: (ends: VirtualEnds) => Promise<void>): void {
  Deno.test(`${ids} virtual channel: ${what}`, async () => {
    for (const attached of [false, true]) await test(connectVirtual(attached));
  });
}

async function assertOver(channel: StreamChannel<unknown>): Promise<void> {
  assertEquals(await channel.stream.next(), { done: true, value: undefined });
  await channel.sink.done;
}

Deno.test("C130 the default channel is connected from the start", async () => {
  const { one, two } = connect();
  const { events } = record(two.stream);
  one.sink.add(1);
  one.sink.add(2);
  await microtasks();
  assertEquals(events, [1, 2]);
});

Deno.test("C131 C132 closing a default sink ends both default channels", async () => {
  const { one, two } = connect();
  await one.sink.close();
  await assertOver(two);
  await assertOver(one);
});

Deno.test("C133 cancelling the default subscription does not end the sink", async () => {
  const { one } = connect();
  record(one.stream).subscription.cancel();
  assertFalse(await settled(one.sink.done));
});

Deno.test("C134 closing the only channel, the default one, closes the inner channel", async () => {
  const { pair, one } = connect();
  one.sink.close();
  await pair.local.sink.done;
  await pair.foreign.sink.done;
});

Deno.test("C135 closing the default channel does not close the inner channel if there is another one", async () => {
  const { pair, one } = connectVirtual(false);
  await one.sink.close();
  await microtasks(100);
  assertFalse(await settled(Promise.race([pair.local.sink.done, pair.foreign.sink.done])));
});

testBoth(
  "C136 C143",
  "only its counterpart receives its messages",
  async ({ one, two, here, there }) => {
    const others = [one, two];
    for (let i = 0; i < 10; i++) {
      const made = one.virtualChannel();
      two.virtualChannel(made.id);
      others.push(made as unknown as typeof one);
    }
    const wrong = others.map((channel) => record(channel.stream).events);
    const { events } = record(there.stream);
    here.sink.add(1);
    here.sink.add(2);
    await microtasks(100);
    assertEquals(events, [1, 2]);
    assertEquals(wrong.flat(), []);
  },
);

testBoth("C137 C138 C144 C145", "closing it ends both its ends", async ({ here, there }) => {
  await here.sink.close();
  await assertOver(there);
  await assertOver(here);
});

testBoth("C139 C146", "cancelling its subscription does not close it", async ({ here, there }) => {
  record(here.stream).subscription.cancel();
  assertFalse(await settled(here.sink.done));
  assert(here.sink.add("still"));
  assertEquals((await there.stream.next()).value, "still");
});

testBoth("C140 C147", "closing the last one closes the inner channel", async (ends) => {
  await ends.one.sink.close();
  await assertOver(ends.two);
  assertFalse(await settled(ends.pair.local.sink.done));
  await ends.here.sink.close();
  await ends.pair.local.sink.done;
  await ends.pair.foreign.sink.done;
});

testBoth(
  "C141 C148",
  "closing it while others are open does not close the inner channel",
  async ({ pair, here }) => {
    await here.sink.close();
    await microtasks(100);
    assertFalse(await settled(Promise.race([pair.local.sink.done, pair.foreign.sink.done])));
  },
);

Deno.test("C142 both ends create a channel: the ids are the same, and the messages stay separate", async () => {
  const { one, two } = connect();
  const [here, there] = [one.virtualChannel(), two.virtualChannel()];
  assertEquals(here.id, there.id);
  const [hereToo, thereToo] = [two.virtualChannel(here.id), one.virtualChannel(there.id)];
  const events = [here, there, hereToo, thereToo].map((it) => record(it.stream).events);
  here.sink.add("here");
  there.sink.add("there");
  hereToo.sink.add("hereToo");
  thereToo.sink.add("thereToo");
  await microtasks(100);
  assertEquals(events, [["hereToo"], ["thereToo"], ["here"], ["there"]]);
});

Deno.test("C149 attaching twice to one id throws, also after it was closed", async () => {
  const { two, here, there } = connectVirtual(false);
  assertThrows(() => two.virtualChannel(here.id), RangeError, "is already used");
  assertThrows(() => two.virtualChannel(0), RangeError);
  await there.sink.close();
  assertThrows(() => two.virtualChannel(here.id), RangeError);
  assertThrows(() => there.virtualChannel(here.id), RangeError);
  for (const id of [-1, 1.5, NaN, Infinity, Number.MAX_SAFE_INTEGER]) {
    assertThrows(() => two.virtualChannel(id), RangeError, "must be a whole number");
  }
});

Deno.test("C150 messages that were sent before the other end attaches are then delivered in order", async () => {
  const { one, two } = connect();
  const made = one.virtualChannel();
  made.sink.add(1);
  await microtasks();
  made.sink.add(2);
  await microtasks();
  const { events } = record(two.virtualChannel(made.id).stream);
  made.sink.add(3);
  await microtasks(100);
  assertEquals(events, [1, 2, 3]);
});

Deno.test("C151 closed before the other end attaches: the stream ends empty", async () => {
  const { one, two } = connect();
  const made = one.virtualChannel();
  await made.sink.close();
  await microtasks();
  await assertOver(two.virtualChannel(made.id));
});

Deno.test("C152 when the inner channel closes, all streams end and all sinks are done", async () => {
  for (const end of ["local", "foreign"] as const) {
    const { pair, one, two, here, there } = connectVirtual(false);
    pair[end].sink.close();
    for (const channel of [one, two, here, there]) await assertOver(channel);
  }
});

Deno.test("C153 after the inner channel has ended, a new channel has ended as well", async () => {
  const { pair, one } = connectVirtual(false);
  pair.foreign.sink.close();
  await one.sink.done;
  for (const id of [undefined, undefined, 1, 1]) {
    const late = one.virtualChannel(id);
    await assertOver(late);
    assertFalse(late.sink.add(1));
    await late.sink.close();
  }
});

Deno.test("C154 only the default stream reports an error of the inner stream", async () => {
  const { pair, two, there } = connectVirtual(false);
  const error = new Error("inner");
  pair.local.sink.addError(error);
  const events = [two, there].map((channel) => record(channel.stream).events);
  await microtasks();
  assertEquals(events, [[["error", error], "done"], ["done"]]);
});

interface Chosen {
  readonly here: StreamChannel<unknown>;
  readonly there: StreamChannel<unknown>;
}

/** The six guarantees, for the default channel and for both ends of a virtual channel. */
function testRules(ids: string, what: string, test: (ends: Chosen) => Promise<void>): void {
  Deno.test(`${ids} ${what}`, async () => {
    const { one, two } = connect();
    await test({ here: one, there: two });
    for (const attached of [false, true]) await test(connectVirtual(attached));
  });
}

testRules("C155 C159 S17", "closing on the first event drops the rest", async ({ here, there }) => {
  [1, 2, 3].forEach((value) => there.sink.add(value));
  const events: unknown[] = [];
  here.stream.listen((value) => {
    events.push(value);
    here.sink.close();
  }, { onDone: () => events.push("done") });
  await microtasks(100);
  assertEquals(events, [1, "done"]);
});

testRules(
  "C156 C160 S18",
  "after the end, the sink drops values and can be closed",
  async ({ here, there }) => {
    there.sink.close();
    await assertOver(here);
    assertFalse(here.sink.add(1));
    await here.sink.close();
    assertInvalidState(() => here.sink.add(1));
  },
);

testRules("C157 C161 S20", "cancelling leaves the sink usable", async ({ here, there }) => {
  record(here.stream).subscription.cancel();
  assert(here.sink.add(1));
  assertEquals((await there.stream.next()).value, 1);
});

testRules(
  "C158 C162 S20",
  "cancelling does not hide the other end's close",
  async ({ here, there }) => {
    record(here.stream).subscription.cancel();
    there.sink.close();
    await here.sink.done;
    assertFalse(here.sink.add(1));
  },
);

testRules("S21", "an error closes it, and rejects done", async ({ here, there }) => {
  const error = new Error("mine");
  here.sink.addError(error);
  assertEquals(await assertRejects(() => here.sink.done), error);
  assertFalse(here.sink.add(1));
  await assertOver(there);
});

Deno.test("S7 every close settles even if no end has a reader", async () => {
  const { here, there, one, two } = connectVirtual(false);
  for (const channel of [here, there, one, two]) channel.sink.add(1);
  await Promise.all([here, there, one, two].map((channel) => channel.sink.close()));
});
