import { assert, assertEquals } from "@std/assert";
import { ignore, invalidState, preHandled } from "../../src/stream_channel/errors.ts";
import { microtasks } from "../support/events.ts";

Deno.test("invalidState is a DOMException of that name", () => {
  const error = invalidState("Cannot read: closed");
  assert(error instanceof DOMException);
  assertEquals([error.name, error.message], ["InvalidStateError", "Cannot read: closed"]);
});

Deno.test("preHandled: the same promise, whose rejection nobody has to look at", async () => {
  const promise = Promise.reject(new Error("nobody looks"));
  assert(preHandled(promise) === promise);
  await microtasks();
  assertEquals(ignore(), undefined);
});
