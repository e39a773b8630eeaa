import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  abortable,
  Deferred,
  ignore,
  invalidState,
  preHandled,
} from "../../src/stream_channel/errors.ts";
import { microtasks, settled } from "../support/events.ts";
import { CountingSignal } from "../support/leaks.ts";

Deno.test("invalidState is a DOMException with that name", () => {
  const error = invalidState("Cannot read: closed");
  assert(error instanceof DOMException);
  assertEquals([error.name, error.message], ["InvalidStateError", "Cannot read: closed"]);
});

Deno.test("preHandled: it returns the same promise, whose rejection need not be handled", async () => {
  const promise = Promise.reject(new Error("not handled"));
  assert(preHandled(promise) === promise);
  await microtasks();
  assertEquals(ignore(), undefined);
});

Deno.test("a promise with its two functions: its rejection counts as handled", async () => {
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

Deno.test("abortable: it settles like the promise, and leaves no listener", async () => {
  const signal = new CountingSignal();
  const value = abortable(Promise.resolve(1), signal as AbortSignal);
  assertEquals([await value, signal.listeners], [1, 0]);
  const failing = abortable(Promise.reject("no"), signal as AbortSignal);
  assertEquals([await failing.catch((it) => it), signal.listeners], ["no", 0]);
});

Deno.test("abortable: it rejects with the reason of a signal that aborts first, once", async () => {
  const controller = new AbortController();
  let told = 0;
  const waiting = abortable(new Promise(() => {}), controller.signal, () => told++);
  assert(!await settled(waiting));
  controller.abort("enough");
  assertEquals([await waiting.catch((it) => it), told], ["enough", 1]);
  const late = abortable(Promise.resolve(1), controller.signal, () => told++);
  assertEquals([await late.catch((it) => it), told], ["enough", 2]);
});
