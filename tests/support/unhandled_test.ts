import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { delay } from "@std/async";
import { assertNoUncaught, collectsRejections, collectUncaught } from "./unhandled.ts";

Deno.test("uncaught: an unhandled rejection is collected", async () => {
  if (!collectsRejections) return;
  const reason = new Error("no listener");
  const seen = await collectUncaught(() => void Promise.reject(reason));
  assertEquals(seen.length, 1);
  assertStrictEquals(seen[0], reason);
});

Deno.test("uncaught: an error thrown from a microtask is collected", async () => {
  const error = new Error("thrown by a listener");
  const seen = await collectUncaught(() => {
    queueMicrotask(() => {
      throw error;
    });
  });
  assertEquals(seen.length, 1);
  assertStrictEquals(seen[0], error);
});

Deno.test("uncaught: several errors are collected in order, and the body continues", async () => {
  let isDone = false;
  const seen = await collectUncaught(async () => {
    for (const text of ["one", "two"]) {
      queueMicrotask(() => {
        throw text;
      });
    }
    await delay(0);
    isDone = true;
  });
  assertEquals([seen, isDone], [["one", "two"], true]);
});

Deno.test("uncaught: a caught error isn't collected", async () => {
  const seen = await collectUncaught(async () => {
    const late = Promise.reject(new Error("handled"));
    late.catch(() => {});
    await Promise.reject(new Error("caught")).catch(() => {});
  });
  assertEquals(seen, []);
});

Deno.test("uncaught: an error that the body throws is thrown to the caller", async () => {
  await assertRejects(
    () => collectUncaught(() => Promise.reject(new TypeError("own"))),
    TypeError,
    "own",
  );
});

Deno.test("uncaught: assertNoUncaught fails with every uncaught error", async () => {
  await assertNoUncaught(() => {});
  const error = await assertRejects(
    () => assertNoUncaught(() => queueMicrotask(throwLost)),
    AggregateError,
    "Not caught: Error: lost",
  );
  assertEquals(error.errors.map((it: Error) => it.message), ["lost"]);
});

function throwLost(): never {
  throw new Error("lost");
}
