import { assertEquals } from "@std/assert";
import { Fifo } from "../../src/stream_channel/fifo.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("first in, first out, as an array would be", () => {
  const random = seededRandom();
  const fifo = new Fifo<number>();
  const array: number[] = [];
  for (let i = 0; i < 50_000; i++) {
    if (array.length > 0 && random.chance(i < 25_000 ? 0.3 : 0.7)) {
      assertEquals(fifo.shift(), array.shift(), `seed ${random.seed}, step ${i}`);
    } else {
      fifo.push(i);
      array.push(i);
    }
    assertEquals(fifo.length, array.length);
  }
  fifo.clear();
  assertEquals(fifo.length, 0);
  fifo.push(7);
  assertEquals(fifo.shift(), 7);
});
