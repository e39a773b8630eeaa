import { assertEquals } from "@std/assert";
import { type Contender, measureAll } from "../../bench/measure.ts";

const EFFORT = { rounds: 3, milliseconds: 0, quick: true };

/** A contender that records when it is measured, and returns the number of the round. */
function noting(name: string, notes: string[]): Contender {
  let round = 0;
  return { name, measure: () => (notes.push(name), round++) };
}

Deno.test("bench: measures contenders in turns, and each round begins with another one", async () => {
  const notes: string[] = [];
  await measureAll([noting("a", notes), noting("b", notes), noting("c", notes)], EFFORT);
  assertEquals(notes.join(""), "abc" + "bca" + "cab" + "abc");
});

Deno.test("bench: the first round is a warm-up, and isn't reported", async () => {
  const [result] = await measureAll([noting("a", [])], EFFORT);
  assertEquals(result, { name: "a", values: [1, 2, 3] });
});

Deno.test("bench: reports a contender that fails, and measures the others", async () => {
  const failing: Contender = {
    name: "bad",
    measure: () => Promise.reject(new Error("no such thing")),
  };
  const results = await measureAll([failing, noting("good", [])], EFFORT);
  assertEquals(results, [
    { name: "bad", values: [], failed: "Error: no such thing" },
    { name: "good", values: [1, 2, 3] },
  ]);
});
