/** The command line of the benchmarks. CI also runs a measurement. */
// Deno only: it starts processes

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deno } from "../support/command.ts";

const MEASUREMENT = {
  machine: "a machine",
  quick: false,
  runs: [{
    runtime: "Bun",
    version: "Bun 1.2.3",
    date: "2026-01-02T03:04:05.000Z",
    sections: ["net"],
    rows: [{
      id: "echo-64",
      title: "Echo of 64 B",
      unit: "messages/s",
      better: "more",
      note: "",
      results: [
        { name: "ours ↔ ours", values: [300, 310, 290] },
        { name: "global WebSocket ↔ ours", values: [100, 100, 100] },
      ],
    }],
  }],
};

Deno.test("bench: prints the table of a file without measuring", async () => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, JSON.stringify(MEASUREMENT));
    const { code, stdout } = await deno(["task", "--quiet", "bench", "--from", file]);
    assertEquals(code, 0, stdout);
    assertMatch(stdout, /^ {2}ours ↔ ours +300 +±2 % {2}█{24}$/m);
    assertStringIncludes(
      stdout,
      "MISSED 3 × global WebSocket ↔ ours, target ≥ 8: echo of 64 B vs. the global WebSocket",
    );
    assertStringIncludes(stdout, `Figures: ${file}\n`);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("bench: reports an unknown section or runtime", async () => {
  for (const args of [["nothing"], ["--runtime", "nothing"]]) {
    const { code, stderr } = await deno(["task", "--quiet", "bench", ...args]);
    assertEquals(code, 2);
    assertMatch(stderr, /^No such (section|runtime): nothing\. There are: /m);
  }
});
