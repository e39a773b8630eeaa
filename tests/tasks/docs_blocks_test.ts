/** The comments in the docs' programs that show the output. */
// Deno only: it imports a task

import { assertEquals } from "@std/assert";
import { missingOutput } from "../../tasks/docs_blocks.ts";

const CODE = `console.log(a); // one
f(() => {
  console.log(b); // not always
});
await g().catch((error) => console.log(error)); // true: it failed
console.log(c); // [ "x" ] …
`;

Deno.test("docs: compares the output in comments with the printed output, in order", () => {
  assertEquals(missingOutput(CODE, "one\ntrue\n[ 'x' ] 2026\n"), null);
  assertEquals(missingOutput(CODE, "zero\none\nmore\ntrue\n[ 'x' ] 1\n"), null);
  assertEquals(missingOutput(CODE, "one\nfalse\n[ 'x' ] 1\n"), "true: it failed");
  assertEquals(missingOutput(CODE, "true\none\n[ 'x' ] 1\n"), "true: it failed");
  assertEquals(missingOutput(CODE, "one\ntrue\n"), '[ "x" ] …');
  assertEquals(missingOutput(CODE, ""), "one");
  assertEquals(missingOutput('console.log(a); // {"a":"b"}\n', '{"a":"b"}\n'), null);
  const object = "console.log(a); // { a: …, b: 0 }\n";
  assertEquals(missingOutput(object, "{ a: 18, b: 0 }\n"), null);
  assertEquals(missingOutput(object, "{\n  a: 18,\n  b: 0\n}\n"), null);
  assertEquals(missingOutput(object, "{\n  a: 18,\n  b: 0,\n}\n"), null);
  assertEquals(missingOutput(object, "{\n  a: 18,\n  b: 1,\n}\n"), "{ a: …, b: 0 }");
});
