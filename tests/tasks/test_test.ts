/** The output of `deno task test`: a line for each file, then the failures in full. */
// Deno only: it imports a task

import { assertEquals } from "@std/assert";
import { readDenoLog } from "../../tasks/table.ts";
import { type FileReport, FileReporter, totalLine } from "../../tasks/test.ts";

const PRINTED = `running 2 tests from ./tests/a_test.ts
a: it says "... ok" ... ok (3ms)
b ... \x1b[32mok\x1b[0m \x1b[38;5;245m(1s)\x1b[0m
running 3 tests from ./tests/b_test.ts
c ... FAILED (2ms)
d (not applicable: it isn't Node) ... ignored (0ms)
  a step ... ok (1ms)
e not run, nginx isn't installed ... ignored (0ms)

 ERRORS 

c => ./tests/b_test.ts:1:1
error: it failed

FAILED | 2 passed | 1 failed | 2 ignored (2s)`;

Deno.test("test: a file's report has a summary line with the left-out tests and reasons, and all its lines", () => {
  const reports: FileReport[] = [];
  const reporter = new FileReporter((report) => reports.push(report));
  for (const line of PRINTED.split("\n")) reporter.take(line);
  assertEquals(reports.map((it) => it.summary), [
    "ok     tests/a_test.ts: 2 passed",
    "FAILED tests/b_test.ts: 0 passed, 1 failed, 2 ignored: it isn't Node; nginx isn't installed",
  ]);
  // The output of the processes is one text again, which the table reads.
  assertEquals(
    reports.flatMap((it) => it.lines),
    PRINTED.split("\n").slice(0, PRINTED.split("\n").indexOf(" ERRORS ") - 1),
  );
  assertEquals(reporter.failures, [
    " ERRORS ",
    "",
    "c => ./tests/b_test.ts:1:1",
    "error: it failed",
    "",
  ]);
});

Deno.test("test: adds the sums of several processes to one that the table reads", () => {
  const reporters = [PRINTED, "ok | 3 passed (1 step) | 0 failed (5ms)"].map((text) => {
    const reporter = new FileReporter(() => {});
    for (const line of text.split("\n")) reporter.take(line);
    return reporter;
  });
  const line = totalLine(reporters.flatMap((it) => it.total ?? []), 61);
  assertEquals(line, "FAILED | 5 passed (1 steps) | 1 failed | 2 ignored (1m1s)");
  assertEquals(readDenoLog(line).total, { passed: 5, failed: 1 });
});

Deno.test("test: a process that ends before it prints its sum has none", () => {
  const reporter = new FileReporter(() => {});
  for (const line of PRINTED.split("\n").slice(0, 4)) reporter.take(line);
  assertEquals([reporter.total, reporter.path], [null, "tests/b_test.ts"]);
});
