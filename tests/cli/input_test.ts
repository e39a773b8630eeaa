import { assertEquals } from "@std/assert";
import { LineSplitter } from "../../src/cli/input.ts";

/** The lines of bytes that arrive in pieces of a size; `false` stands for a line that is too long. */
function linesOf(text: string, size: number, limit = 100): (string | false)[] {
  const lines: (string | false)[] = [];
  const splitter = new LineSplitter(limit, (line) => lines.push(line));
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) {
    if (!splitter.push(bytes.slice(at, at + size))) return [...lines, false];
  }
  splitter.end();
  return lines;
}

Deno.test("W27 lines: both line endings, a last line without one, and characters split between chunks", () => {
  for (const size of [1, 2, 3, 100]) {
    assertEquals(linesOf("grüße\r\n\n😀\nlast", size), ["grüße", "", "😀", "last"]);
    assertEquals(linesOf("", size), []);
    assertEquals(linesOf("one\n", size), ["one"]);
  }
});

Deno.test("attack 80: lines: a line that is too long is reported before it is buffered", () => {
  assertEquals(linesOf(`short\n${"x".repeat(11)}\n`, 4, 10), ["short", false]);
  assertEquals(linesOf(`${"x".repeat(10)}\nshort`, 4, 10), ["xxxxxxxxxx", "short"]);
});
