/** The table of all runtimes, and the reader of Deno's own output. */

import { assertEquals } from "@std/assert";
import { readDenoLog, sum, table } from "../../tasks/table.ts";

const LOG = `Check tests/a_test.ts
running 4 tests from ./tests/a_test.ts
a: it says "... ok" ... ok (3ms)
b: coloured ... \x1b[0m\x1b[32mok\x1b[0m \x1b[38;5;245m(1m2s)\x1b[0m
c ... FAILED (2ms)
d (not applicable: it (d) is no test) ... ignored (0ms)
running 2 tests from ./tests/x/b_test.ts
e ...Check tests/worker.ts
 ok (2s)
f ...
  one step ... ok (1ms)
  another ... ok (1ms)
f ... ok (3ms)

FAILED | 4 passed (2 steps) | 1 failed | 1 ignored (1m5s)
`;

Deno.test("table: reads Deno's output file by file", () => {
  const { files, total } = readDenoLog(LOG);
  assertEquals([...files], [
    ["tests/a_test.ts", { passed: 2, failed: 1, note: "1 ignored: it (d) is no test" }],
    ["tests/x/b_test.ts", { passed: 2, failed: 0, note: "" }],
  ]);
  assertEquals(total, { passed: 4, failed: 1 });
  assertEquals(sum([...files.values()]), total);
});

Deno.test("table: incomplete output has no sum", () => {
  assertEquals(readDenoLog(LOG.slice(0, LOG.indexOf("FAILED |"))).total, null);
});

Deno.test("table: sorts the lines and aligns the columns", () => {
  const line = { transport: "", of: "source", failed: 0, note: "" };
  const text = table([
    { ...line, suite: "net", runtime: "Bun", passed: 0, note: "why" },
    { ...line, suite: "a", runtime: "Node 20", passed: 2 },
  ]);
  assertEquals(
    text,
    `suite  transport  of      runtime  result              note
a      -          source  Node 20  2 passed, 0 failed
net    -          source  Bun      not applicable      why`,
  );
});
