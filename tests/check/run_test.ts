import { assertEquals } from "@std/assert";
import { newCase } from "../../src/check/case.ts";
import { Fault } from "../../src/check/fault.ts";
import { runAll } from "../../src/check/run.ts";

Deno.test("check run: W56 a case that never ends by itself fails after ten times the timeout", async () => {
  let end = (): void => {};
  const gone = new Promise<void>((resolve) => end = resolve);
  const about = { id: "a/b", title: "t", section: "s", why: "w", sends: [], allows: [] };
  const endless = newCase(about, {}, async () => {
    await gone;
    throw new Fault("what the end of its connections has caused");
  });
  const report = await runAll({
    side: "server",
    subject: "x",
    cases: [endless],
    options: { timeout: 1 },
    prepare: (_case, note) =>
      Promise.resolve({
        side: "server" as const,
        transcript: [],
        note,
        open: () => Promise.reject(new Error("not opened")),
        destroy: () => end(),
      }),
  });
  const [result] = report.results;
  assertEquals([result?.verdict, result?.note], [
    "failed",
    "it keeps the case busy for more than 0.01 s",
  ]);
});
