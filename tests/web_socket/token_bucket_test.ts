import { assert, assertEquals } from "@std/assert";
import { TokenBucket } from "../../src/web_socket/token_bucket.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("token bucket: it allows the limit at once, and then refills evenly within the time", () => {
  const bucket = new TokenBucket({ limit: 4, per: 1000 }, 0);
  assertEquals([1, 1, 2, 1].map((it) => bucket.take(it, 0)), [true, true, true, false]);
  assertEquals(bucket.wait(0, 1), 250);
  assertEquals([bucket.take(1, 249), bucket.take(1, 250), bucket.take(1, 250)], [
    false,
    true,
    false,
  ]);
  assertEquals([bucket.isFull(1249), bucket.isFull(1250)], [false, true]);
  assertEquals(bucket.take(5, 9000), false);
});

Deno.test("token bucket: spending beyond the limit is a debt, which the caller waits for or forgives", () => {
  const bucket = new TokenBucket({ limit: 10, per: 100 }, 0);
  assertEquals([bucket.spend(10, 0), bucket.debt, bucket.wait(0, 0)], [true, 0, 0]);
  assertEquals([bucket.spend(5, 0), bucket.debt], [false, 5]);
  assertEquals([bucket.wait(0, 0), bucket.wait(0, 1), bucket.wait(20, 0)], [50, 60, 30]);
  bucket.forgive();
  assertEquals([bucket.debt, bucket.wait(20, 0)], [0, 0]);
});

Deno.test("token bucket: a clock that is set back refills nothing, and rounding loses no token", () => {
  const bucket = new TokenBucket({ limit: 3, per: 1000 }, 1e9 + 0.1);
  assertEquals(bucket.take(3, 1e9 + 0.1), true);
  assertEquals([bucket.take(1, 0), bucket.take(1, 300)], [false, false]);
  for (let i = 0, now = 1e9; i < 1000; i++, now += 1000 / 3) {
    assert(new TokenBucket({ limit: 3, per: 1000 }, now).take(3, now), String(i));
  }
  const steady = new TokenBucket({ limit: 3, per: 1000 }, 0);
  steady.take(3, 0);
  for (let i = 1; i < 1000; i++) assert(steady.take(1, i * 1000 / 3), String(i));
});

Deno.test("token bucket: it never allows more than twice the limit within any period", () => {
  const random = seededRandom();
  const bucket = new TokenBucket({ limit: 20, per: 500 }, 0);
  const taken: [at: number, amount: number][] = [];
  for (let i = 0, now = 0; i < 5000; i++) {
    now += random.integer(0, 39);
    const amount = random.integer(1, 5);
    if (bucket.take(amount, now)) taken.push([now, amount]);
    const lately = taken.filter(([at]) => at > now - 500).reduce((sum, it) => sum + it[1], 0);
    assert(lately <= 40, `seed ${random.seed}, step ${i}: ${lately}`);
    while (taken[0] !== undefined && taken[0][0] < now - 500) taken.shift();
  }
  assert(taken.length > 0);
});
