import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { Relay } from "../../src/stream_channel/relay.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { OpenSource, RawChannel } from "./raw_channel.ts";

Deno.test("a message passes inside the call that adds it, in both directions", () => {
  const raw = new RawChannel<number>();
  const relay = new Relay<number, number, string, string>(raw, { decode: String, encode: Number });
  const { events } = record(relay.stream);
  raw.in.add(1);
  assertEquals(events, ["1"]);
  assert(relay.sink.add("2"));
  assertEquals(raw.out, [2]);
});

Deno.test("the relay holds one message of any size; the others stay in the source", async () => {
  const raw = new RawChannel<string>();
  const relay = new Relay<string, string, string, string>(raw);
  for (let i = 0; i < 10; i++) raw.in.add(`${i}`);
  await microtasks();
  assertEquals(raw.in.queuedSize, 9 * 32);
  const { value } = await relay.stream.next();
  await microtasks();
  assertEquals([value, raw.in.queuedSize], ["0", 8 * 32]);
});

Deno.test("next, for await and readable deliver all messages in order", async () => {
  for (const how of ["next", "for await", "readable"]) {
    const raw = new RawChannel<number>();
    const relay = new Relay<number, number, number, number>(raw, { decode: (it) => it + 1 });
    for (let i = 0; i < 100; i++) raw.in.add(i);
    raw.in.end();
    const got: number[] = [];
    if (how === "readable") { for await (const value of relay.stream.readable) got.push(value); }
    else if (how === "for await") { for await (const value of relay.stream) got.push(value); }
    else {
      for (let it = await relay.stream.next(); !it.done; it = await relay.stream.next()) {
        got.push(it.value);
      }
    }
    assertEquals(got, Array.from({ length: 100 }, (_, i) => i + 1), how);
  }
});

Deno.test("cancelling readable closes the channel", async () => {
  const raw = new RawChannel<number>();
  const relay = new Relay<number, number, number, number>(raw);
  await relay.stream.readable.cancel();
  assertEquals(raw.out, ["done"]);
});

Deno.test("an asynchronous message delays the next one and the end", async () => {
  const raw = new RawChannel<number>();
  const going: (() => void)[] = [];
  const relay = new Relay<number, number, number, number>(raw, {
    decode: {
      create: () => ({
        transform: (value, emit) =>
          new Promise<void>((resolve) =>
            going.push(() => {
              emit(value);
              resolve();
            })
          ),
      }),
    },
  });
  const { events } = record(relay.stream);
  [1, 2].forEach((value) => raw.in.add(value));
  raw.in.end();
  await microtasks();
  assertEquals([events, going.length], [[], 1]);
  going.shift()?.();
  await microtasks();
  assertEquals([events, going.length], [[1], 1]);
  going.shift()?.();
  await microtasks();
  assertEquals(events, [1, 2, "done"]);
});

Deno.test("disconnect: the stream ends, the sink drops values, and the inner sink is closed", async () => {
  const raw = new RawChannel<number>({ holdClose: true });
  const relay = new Relay<number, number, number, number>(raw);
  const { events } = record(relay.stream);
  const source = new OpenSource<number>();
  const added = relay.sink.addStream(source);
  const disconnected = relay.disconnect();
  await assertRejects(() => added, DOMException);
  assertEquals([events, source.cancelled, raw.out], [["done"], true, ["done"]]);
  assertFalse(relay.sink.add(1));
  assertFalse(await settled(disconnected));
  raw.finish();
  await disconnected;
  await relay.sink.done;
});

Deno.test("disconnect rejects while another caller's addStream holds the inner sink", async () => {
  const raw = new RawChannel<number>();
  const relay = new Relay<number, number, number, number>(raw);
  const added = raw.sink.addStream(new OpenSource<number>());
  await assertRejects(() => relay.disconnect(), DOMException, "addStream");
  raw.finish();
  await assertRejects(() => added, DOMException);
});

Deno.test("the relay cancels the inner subscription after the inner sink is done", async () => {
  const raw = new RawChannel<number>({ holdClose: true });
  const relay = new Relay<number, number, number, number>(raw);
  relay.sink.close();
  await microtasks();
  assertEquals(raw.told, []);
  raw.finish();
  await relay.sink.done;
  await microtasks();
  assertEquals(raw.told, ["cancel"]);
});

Deno.test("if the inner sink fails, done rejects with its error", async () => {
  const raw = new RawChannel<number>();
  const relay = new Relay<number, number, number, number>(raw);
  const error = new Error("inner");
  raw.control.fail(error);
  assertStrictEquals(await assertRejects(() => relay.sink.done), error);
  assertFalse(relay.sink.add(1));
});

Deno.test("S7 close settles at once while another caller's addStream holds the inner sink", async () => {
  const raw = new RawChannel<number>();
  const relay = new Relay<number, number, number, number>(raw);
  const { events } = record(relay.stream);
  const added = raw.sink.addStream(new OpenSource<number>());
  await relay.sink.close();
  assertEquals([events, raw.out], [["done"], []]);
  raw.finish();
  await assertRejects(() => added, DOMException);
});
