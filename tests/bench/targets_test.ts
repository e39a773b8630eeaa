import { assertEquals } from "@std/assert";
import type { Row, Run } from "../../bench/row.ts";
import { limitOf, type Target, targets, verdict, verdicts } from "../../bench/targets.ts";

function row(better: Row["better"], values: Record<string, readonly number[]>): Row {
  const results = Object.entries(values).map(([name, its]) => ({ name, values: its }));
  return { id: "it", title: "It", unit: "/s", better, note: "", results };
}

const AT_LEAST: Target = { row: "it", what: "", name: "a", of: ["b", "c"], atLeast: 1 };

Deno.test("bench: judges a target against the best of the measured others", () => {
  const found = verdict(AT_LEAST, row("more", { a: [10], b: [5], c: [20] }));
  assertEquals(found, { target: AT_LEAST, reached: 0.5, of: "c", isMet: false });
  assertEquals(verdict(AT_LEAST, row("more", { a: [10], b: [5] }))?.isMet, true);
});

Deno.test("bench: if less is better, the best of the others is the smallest", () => {
  const target: Target = { row: "it", what: "", name: "a", of: ["b", "c"], atMost: 1.5 };
  const found = verdict(target, row("less", { a: [10], b: [5], c: [20] }));
  assertEquals([found?.of, found?.reached, found?.isMet], ["b", 2, false]);
});

Deno.test("bench: judges a target without others by its value", () => {
  const target: Target = { row: "it", what: "", name: "a", atMost: 100 };
  assertEquals(verdict(target, row("less", { a: [100] }))?.isMet, true);
  assertEquals(verdict(target, row("less", { a: [101] }))?.isMet, false);
});

Deno.test("bench: does not judge a target without a measurement", () => {
  assertEquals(verdict(AT_LEAST, row("more", { b: [1] })), null);
  assertEquals(verdict(AT_LEAST, row("more", { a: [], b: [1] })), null);
  assertEquals(verdict(AT_LEAST, row("more", { a: [1] })), null);
});

Deno.test("bench: growth is the cost of one at the last point relative to the cost at a tenth of it", () => {
  const target: Target = { row: "it", what: "", name: "a", linear: true, atMost: 1.5 };
  const of = (points: [number, number][]): Row => ({
    ...row("less", {}),
    results: [{ name: "a", values: [1], points }],
  });
  assertEquals(verdict(target, of([[1, 1], [10, 10], [100, 100]]))?.reached, 1);
  assertEquals(verdict(target, of([[1, 1], [10, 10], [50, 50], [100, 1000]]))?.isMet, false);
  assertEquals(verdict(target, of([[100, 100]])), null);
  const rates: Row = { ...of([[1, 50], [10, 100], [100, 25]]), better: "more" };
  assertEquals(verdict(target, rates)?.reached, 4);
});

Deno.test("bench: targets are for runtimes by name, of any version", () => {
  const values = { "ours ↔ ours": [12], "ws ↔ ws": [1], "raw TCP, a turn": [12] };
  const run = (runtime: string): Run => ({
    runtime,
    version: "",
    date: "",
    sections: [],
    rows: [{ ...row("more", values), id: "echo-64" }],
  });
  assertEquals(verdicts(run("Node 26")).map(({ isMet }) => isMet), [true, true]);
  assertEquals(verdicts(run("Deno")), []);
});

Deno.test("bench: each target has one limit", () => {
  for (const { atLeast, atMost, what } of targets) {
    assertEquals((atLeast === undefined) !== (atMost === undefined), true, what);
  }
});

Deno.test("bench: the text of a limit says whether it is a minimum or a maximum", () => {
  assertEquals(limitOf({ row: "", what: "", name: "", atMost: 1.15 }), "≤ 1.15");
  assertEquals(limitOf({ row: "", what: "", name: "", atLeast: 8 }), "≥ 8");
});
