import { assertEquals } from "@std/assert";
import { SlidingWindow } from "../../src/permessage_deflate/sliding_window.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("A window holds the last bytes that passed through", () => {
  const random = seededRandom();
  for (const capacity of [256, 512, 4096]) {
    const window = new SlidingWindow(capacity);
    let passed = new Uint8Array(0);
    for (let i = 0; i < 300; i++) {
      const longest = random.chance(0.1) ? 3 * capacity : random.pick([3, 40, capacity]);
      const bytes = random.bytes(random.integer(0, longest));
      window.push(bytes);
      const all = new Uint8Array(passed.length + bytes.length);
      all.set(passed);
      all.set(bytes, passed.length);
      passed = all.slice(-capacity);
      const message = `capacity ${capacity}, push ${i}, seed ${random.seed}`;
      assertEquals(window.length, passed.length, message);
      assertEquals(window.last(capacity), passed, message);
      const count = random.integer(0, capacity);
      assertEquals(window.last(count), passed.slice(Math.max(0, passed.length - count)), message);
    }
  }
});

Deno.test("A window copies the bytes that it keeps", () => {
  const window = new SlidingWindow(256);
  const bytes = Uint8Array.of(1, 2, 3);
  window.push(bytes);
  bytes.fill(9);
  assertEquals(window.last(256), Uint8Array.of(1, 2, 3));
});
