import { assertEquals } from "@std/assert";
import { ChannelQueue, MAX_OVER } from "../../src/server/channel_queue.ts";
import { settled } from "../support/events.ts";

Deno.test("the queue passes channels in the order of push to the caller that asked first", async () => {
  const queue = new ChannelQueue<string>();
  queue.push("a");
  queue.push("b");
  assertEquals(queue.size, 2);
  assertEquals(await queue.next(), { value: "a", done: false });
  assertEquals(await queue.next(), { value: "b", done: false });
  const first = queue.next();
  const second = queue.next();
  assertEquals(await settled(first), false);
  queue.push("c");
  queue.push("d");
  assertEquals([await first, await second].map((it) => it.value), ["c", "d"]);
});

Deno.test("the end wakes every waiting caller, and drops the queued channels", async () => {
  const queue = new ChannelQueue<string>();
  const waiting = queue.next();
  queue.end();
  assertEquals(await waiting, { value: undefined, done: true });
  queue.push("late");
  assertEquals(await queue.next(), { value: undefined, done: true });
  const full = new ChannelQueue<string>();
  full.push("a");
  full.end();
  assertEquals(await full.next(), { value: undefined, done: true });
});

Deno.test("ended channels stay in the queue for a reader, up to a limit", async () => {
  const queue = new ChannelQueue<number>();
  for (let i = 0; i < MAX_OVER; i++) queue.push(i);
  queue.over(0);
  assertEquals(queue.size, MAX_OVER);
  for (let i = 0; i < 10; i++) {
    queue.push(MAX_OVER + i);
    queue.over(MAX_OVER + i);
    assertEquals(queue.size, MAX_OVER);
  }
  assertEquals((await queue.next()).value, 0);
});
