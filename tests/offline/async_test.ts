/** The behaviour of `@std/async` that tests rely on, in the real package and in its stand-in. */

import { assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import { deadline, delay, pooledMap, retry, RetryError } from "@std/async";

Deno.test("@std/async delay: waits, and a signal ends it with the signal's reason", async () => {
  await delay(0);
  const reason = new Error("enough");
  const controller = new AbortController();
  const waiting = delay(1_000_000, { signal: controller.signal });
  controller.abort(reason);
  assertEquals(await waiting.catch((error) => error), reason);
  assertEquals(await delay(0, { signal: AbortSignal.abort(reason) }).catch((it) => it), reason);
});

Deno.test("@std/async deadline: returns a promise's value in time, otherwise a TimeoutError", async () => {
  assertEquals(await deadline(Promise.resolve(1), 1_000_000), 1);
  assertEquals(await deadline(Promise.reject("no"), 1_000_000).catch((it) => it), "no");
  // The timer of the real package keeps no process running.
  const alive = setTimeout(() => {}, 1_000_000);
  const late = await assertRejects(() => deadline(new Promise(() => {}), 1), DOMException);
  assertEquals(late.name, "TimeoutError");
  clearTimeout(alive);
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  const given = deadline(new Promise(() => {}), 1_000_000, { signal });
  assertEquals(await given.catch((it) => it), reason);
});

Deno.test("@std/async retry: repeats until success or the maximum of attempts, and not after a final error", async () => {
  const pauses = { minTimeout: 1, multiplier: 1, jitter: 0 };
  let calls = 0;
  const third = (): number => {
    if (++calls < 3) throw new Error(`attempt ${calls}`);
    return calls;
  };
  assertEquals(await retry(third, pauses), 3);
  calls = 0;
  const error = await assertRejects(() => retry(third, { ...pauses, maxAttempts: 2 }), RetryError);
  assertInstanceOf(error.cause, Error);
  assertEquals([calls, error.cause.message], [2, "attempt 2"]);
  calls = 0;
  const isRetriable = (): boolean => false;
  await assertRejects(() => retry(third, { ...pauses, isRetriable }), Error, "attempt 1");
  assertEquals(calls, 1);
});

Deno.test("@std/async pooledMap: limits concurrency, and returns the results in order", async () => {
  let running = 0;
  let most = 0;
  const values = Array.from({ length: 20 }, (_, i) => i);
  const results: number[] = [];
  const doubled = async (value: number): Promise<number> => {
    most = Math.max(most, ++running);
    await delay(value % 3);
    running--;
    return 2 * value;
  };
  for await (const result of pooledMap(4, values, doubled)) results.push(result);
  assertEquals(results, values.map((it) => 2 * it));
  assertEquals(most, 4);
  const begun: number[] = [];
  const failing = async () => {
    for await (
      const _ of pooledMap(2, values, async (value) => {
        begun.push(value);
        await delay(0);
        if (value === 3) throw new Error("three");
      })
    );
  };
  const error = await assertRejects(failing, AggregateError);
  assertEquals(error.errors.map(({ message }) => message), ["three"]);
  assertLess(begun.length, 8);
});
