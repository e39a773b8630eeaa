import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Deferred } from "../../src/stream_channel/deferred.ts";
import { microtasks } from "../support/events.ts";

Deno.test("a promise with its two functions; a rejection that nobody looks at does no harm", async () => {
  const fulfilled = new Deferred<number>();
  fulfilled.resolve(1);
  fulfilled.reject(new Error("too late"));
  assertEquals(await fulfilled.promise, 1);
  const rejected = new Deferred();
  const error = new Error("mine");
  rejected.reject(error);
  await microtasks();
  assertStrictEquals(await assertRejects(() => rejected.promise), error);
});
