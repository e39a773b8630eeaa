/** The words that the project does not use, and the places where they are correct. */
// Deno only: it reads the project's files

import { assert, assertEquals } from "@std/assert";
import { FALSE_ALARMS } from "../../tasks/banned_words.ts";
import { files, findBanned, isFound } from "../../tasks/words.ts";
import { readText } from "../support/sources.ts";

/** The lines and words of the findings. */
function found(path: string, text: string): string[] {
  return findBanned(path, text).map(({ line, words }) => `${line}: ${words}`);
}

Deno.test("words: reads comments, texts and names of tests, but not code", () => {
  const code = `// It is over.
const nobody = somebody(1); /* time-outs */
Deno.test("the reader is told", () => {});
const text = \`by turns \${nobody}\`;
`;
  assertEquals(found("src/some.ts", code), [
    "1: is over",
    "2: time-outs",
    "3: is told",
    "4: by turns",
    "4: nobody",
  ]);
});

Deno.test("words: finds a phrase that continues in the next line", () => {
  assertEquals(found("src/some.ts", "/**\n * The reader is\n * told.\n */"), ["2: is told"]);
  assertEquals(found("src/some.ts", "// What\n// comes is read."), ["1: What comes"]);
  assertEquals(found("docs/page.md", "It waits for\never.\n\n> It is\n> over."), [
    "1: for ever",
    "4: is over",
  ]);
});

Deno.test("words: reads a whole page, and the comments of a script", () => {
  assertEquals(found("README.md", "# Time-out\n\n| Whoever | `nobody` |"), [
    "1: Time-out",
    "3: Whoever",
    "3: nobody",
  ]);
  assertEquals(found(".ci/run", "nobody=1 # nobody"), ["1: nobody"]);
});

Deno.test("words: ignores similar words", () => {
  const text = "A stream is over a socket. It has gone on. The foreverness of isOver, whatever.";
  assertEquals(found("docs/page.md", text), []);
});

Deno.test("words: each listed false alarm still exists, and has a reason", async () => {
  const texts = await Promise.all((await files()).map(readText));
  for (const { pattern, reason } of FALSE_ALARMS) {
    assert(reason.length > 10, pattern);
    assert(texts.some((text) => isFound(pattern, text)), `nothing matches ${pattern}`);
  }
});
