/** What `deno task test` prints: a line for each file, then the failures in full. */
// Deno only: it imports a task

import { assertEquals } from "@std/assert";
import { FileReporter } from "../../tasks/test.ts";

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

Deno.test("test: each file is a line, with what was left out and why; the failures follow whole", () => {
  const reporter = new FileReporter();
  assertEquals(PRINTED.split("\n").flatMap((line) => reporter.take(line)), [
    "ok     tests/a_test.ts: 2 passed",
    "FAILED tests/b_test.ts: 0 passed, 1 failed, 2 ignored: it isn't Node; nginx isn't installed",
    " ERRORS ",
    "",
    "c => ./tests/b_test.ts:1:1",
    "error: it failed",
    "",
    "FAILED | 2 passed | 1 failed | 2 ignored (2s)",
  ]);
});
