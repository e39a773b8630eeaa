import { assertEquals } from "@std/assert";
import { VERDICTS } from "../../src/check/mod.ts";
import { countVerdicts } from "../../src/check/report.ts";

Deno.test("report: verdicts are counted, and each has a meaning", () => {
  const results = (["ok", "ok", "failed"] as const).map((verdict) => ({ verdict }));
  const counts = countVerdicts(results);
  assertEquals(counts, { ok: 2, informational: 0, "non-strict": 0, unimplemented: 0, failed: 1 });
  assertEquals(Object.keys(counts), Object.keys(VERDICTS));
});
