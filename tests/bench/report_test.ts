import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { between, rowTables, targetTable } from "../../bench/report/markdown.ts";
import { plots } from "../../bench/report/plots.ts";
import { draw, scaleOf } from "../../bench/report/svg.ts";
import { rowText, runText } from "../../bench/report/text.ts";
import type { Measurement, Row } from "../../bench/row.ts";

const ROW: Row = {
  id: "echo-64",
  title: "Echo",
  unit: "messages/s",
  better: "more",
  note: "Apart.",
  results: [
    { name: "ours ↔ ours", values: [800, 900, 1000, 1100, 1200] },
    { name: "ws ↔ ws", values: [100, 100, 100, 100, 100] },
    { name: "undici ↔ ours", values: [], failed: "Error: gone" },
  ],
};
const CURVE: Row = {
  ...ROW,
  id: "growth-size",
  x: "B",
  results: [{ name: "ours ↔ ours", values: [3], points: [[16, 1], [1024, 20], [65_536, 300]] }],
};
const MEASUREMENT: Measurement = {
  machine: "a <small> machine",
  quick: false,
  runs: [{
    runtime: "Node 26",
    version: "Node 26.1.0",
    date: "2026-01-02T03:04:05.000Z",
    sections: ["net"],
    rows: [ROW, CURVE],
  }],
};

Deno.test("bench report: the text of a row has medians, spreads, bars and failures", () => {
  assertEquals(rowText(ROW).split("\n"), [
    "Echo (messages/s)",
    `  ours ↔ ours       1000  ±10 %  ${"█".repeat(24)}`,
    "  ws ↔ ws            100   ±0 %  ██",
    "  undici ↔ ours  failed: Error: gone",
  ]);
});

Deno.test("bench report: targets are below their row, unless the run is not judged", () => {
  const [run] = MEASUREMENT.runs;
  if (run === undefined) throw new Error("no run");
  assertStringIncludes(
    runText(run),
    "  MISSED 10 × ws ↔ ws, target ≥ 12: echo of 64 B vs. ws ↔ ws\n",
  );
  assertStringIncludes(runText(run), "Node 26: 1 of 2 targets met");
  assertEquals(runText(run, false).includes("target"), false);
});

Deno.test("bench report: tables have a column for each runtime", () => {
  assertEquals(
    targetTable(MEASUREMENT),
    [
      "| what | target | Node 26 |",
      "| --- | --: | --: |",
      "| echo of 64 B vs. ws ↔ ws | ≥ 12 | **10** |",
      "| a byte's time, at 64 MiB, vs. a tenth | ≤ 1.50 | 0.07 |",
    ].join("\n"),
  );
  assertStringIncludes(rowTables(MEASUREMENT), "| ours ↔ ours | 1000 ± 10 % |");
  assertStringIncludes(
    rowTables(MEASUREMENT),
    "| undici ↔ ours | failed |\n\nOn Node 26, undici ↔ ours failed: Error: gone.",
  );
});

Deno.test("bench report: a table replaces the text between its markers, every time", () => {
  const document = "a\n<!-- bench: x -->\nold\n<!-- /bench -->\nb\n";
  const once = between(document, "x", "new");
  assertEquals(once, "a\n<!-- bench: x -->\n\nnew\n\n<!-- /bench -->\nb\n");
  assertEquals(between(once, "x", "new"), once);
  assertThrows(() => between(document, "y", "new"), Error, "no markers for: y");
});

Deno.test("bench report: a logarithmic scale has its values between whole powers of ten", () => {
  const { ticks, place } = scaleOf({ label: "", scale: "log" }, [0, 20, 30_000], 400);
  assertEquals(ticks, [10, 100, 1000, 10_000, 100_000]);
  assertEquals([place(10), place(1000), place(100_000), place(0)], [0, 200, 400, 0]);
});

Deno.test("bench report: a linear scale begins at 0 and has round ticks", () => {
  const { ticks, place } = scaleOf({ label: "", scale: "linear" }, [3, 90], 100);
  assertEquals(ticks, [0, 20, 40, 60, 80, 100]);
  assertEquals([place(0), place(90)], [0, 90]);
});

Deno.test("bench report: scales work without a value and with one value", () => {
  assertEquals(scaleOf({ label: "", scale: "log" }, [], 100).ticks, []);
  assertEquals(scaleOf({ label: "", scale: "log" }, [10], 100).ticks, [10, 100]);
  assertEquals(scaleOf({ label: "", scale: "linear" }, [0], 100).place(0), 0);
});

Deno.test("bench report: pictures show the measured rows, with escaped text", () => {
  const pictures = plots(MEASUREMENT);
  assertEquals([...pictures.keys()], ["throughput.svg", "growth.svg"]);
  const svg = pictures.get("throughput.svg") ?? "";
  assertStringIncludes(svg, "a &lt;small&gt; machine");
  assertStringIncludes(svg, ">Node 26</text>");
  assertEquals(svg.includes("NaN") || svg.includes("Infinity"), false);
});

Deno.test("bench report: draws panels without points", () => {
  const axis = { label: "x", scale: "log" } as const;
  const panel = { title: "none", x: axis, y: { ...axis, label: "y" }, series: [] };
  const svg = draw({ title: "t", subtitle: "s", panels: [panel], columns: 2 });
  assertEquals(/NaN|Infinity|undefined/.test(svg), false);
});
