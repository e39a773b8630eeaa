import { assertEquals } from "@std/assert";
import { parseSource } from "./sources.ts";

const TEXT = `/** import { no } from "./comment.ts"; */
import { a } from "../b/a.ts"; // import "./comment.ts";
import type { B } from "./b.ts";
import * as c from "c";
import {
  type D,
  e,
} from "./e.ts";
import "./effect.ts";
export * from "./all.ts";
export type { F } from "./f.ts";
export const text = "import { no } from './string.ts'; // no comment";
const g = await import("./g.ts");
const url = "http://example.com", t = \`using x = 1\`;
`;

Deno.test("sources: finds imports of every form, and nothing else", () => {
  assertEquals(parseSource("src/a/x.ts", TEXT).imports, [
    { target: "src/b/a.ts", isType: false },
    { target: "src/a/b.ts", isType: true },
    { target: "c", isType: false },
    { target: "src/a/e.ts", isType: false },
    { target: "src/a/effect.ts", isType: false },
    { target: "src/a/all.ts", isType: false },
    { target: "src/a/f.ts", isType: true },
    { target: "src/a/g.ts", isType: false },
  ]);
});

Deno.test("sources: code has no comments, and bare code has no strings either", () => {
  const { code, bare } = parseSource("x.ts", TEXT);
  assertEquals(code.includes("comment.ts"), false);
  assertEquals(code.includes('"http://example.com"'), true);
  assertEquals(bare.includes("example"), false);
  assertEquals(bare.includes("using"), false);
  assertEquals(bare.split("\n").length, TEXT.split("\n").length);
});
