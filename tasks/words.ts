/**
 * Searches the texts for readers for the words of banned_words.ts: pages, comments, texts of errors, names of tests.
 *
 * ```sh
 * deno run --allow-all tasks/words.ts            # everything
 * deno run --allow-all tasks/words.ts src docs   # what these paths begin
 * ```
 */

import { BANNED_WORDS, FALSE_ALARMS } from "./banned_words.ts";
import { fromFileUrl } from "./support.ts";
import { succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
/** The list itself, and its test. */
const LISTS = /^tasks\/banned_words\.ts$|^tests\/tasks\/words_test\.ts$/;
const CODE = /\.(?:ts|js|mjs|cjs|tsx|jsx|svelte|vue)$/;
const SCRIPT = /\.(?:sh|yml|conf)$|^\.ci\//;

const STRING = `"(?:[^"\\\\\\n]|\\\\.)*"|'(?:[^'\\\\\\n]|\\\\.)*'|\`(?:[^\`\\\\]|\\\\.)*\``;
/** The comments and strings of code; comments of lines that follow one another are one. */
const PROSE_OF_CODE = new RegExp(
  `/\\*[^]*?\\*/|//.*(?:\\n[ \\t]*//.*)*|${STRING}`,
  "g",
);
const PROSE_OF_SCRIPT = /#.*(?:\n[ \t]*#.*)*/g;

/** Banned words in a text. */
export interface Finding {
  /** The line, from 1. */
  readonly line: number;
  readonly words: string;
  readonly instead: string;
}

/** As a regular expression that also matches where a comment or a paragraph goes on in the next line. */
function expression(pattern: string): RegExp {
  const spaced = pattern.replaceAll(" ", "(?:[ \\t]*\\n[ \\t]*(?:\\*|//|#|>)?[ \\t]*| )");
  return new RegExp(`(?<![\\w-])(?:${spaced})(?![\\w-])`, "gi");
}

/** Whether a text has words that a pattern of the lists matches. */
export function isFound(pattern: string, text: string): boolean {
  return expression(pattern).test(text);
}

const BANNED = BANNED_WORDS.map(({ pattern, instead }) => ({
  pattern: expression(pattern),
  instead,
}));
const ALLOWED = FALSE_ALARMS.map(({ pattern }) => expression(pattern));

/** The texts of a file for readers: the rest is blank, and lines stay lines. */
export function proseOf(path: string, text: string): string {
  if (path.endsWith(".md")) return text;
  const pattern = CODE.test(path) ? PROSE_OF_CODE : PROSE_OF_SCRIPT;
  let prose = "";
  let end = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    prose += text.slice(end, index).replace(/[^\n]/g, "\0") + found;
    end = index + found.length;
  }
  return prose + text.slice(end).replace(/[^\n]/g, "\0");
}

/** The banned words in the texts of a file, in order. */
export function findBanned(path: string, text: string): Finding[] {
  const prose = proseOf(path, text);
  const allowed = ALLOWED.flatMap((it) => [...prose.matchAll(it)])
    .map(({ 0: found, index }) => [index, index + found.length] as const);
  const found: (Finding & { at: number })[] = [];
  for (const { pattern, instead } of BANNED) {
    for (const { 0: words, index: at } of prose.matchAll(pattern)) {
      if (allowed.some(([start, end]) => start <= at && at < end)) continue;
      const line = prose.slice(0, at).split("\n").length;
      found.push({ at, line, words: words.replace(/\s+(?:\*|\/\/|#|>)?\s*/g, " "), instead });
    }
  }
  return found.sort((a, b) => a.at - b.at).map(({ line, words, instead }) => ({
    line,
    words,
    instead,
  }));
}

/** The files with prose that git knows or would know, except binary and generated ones. */
export async function files(): Promise<string[]> {
  const listed = await succeed(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    { cwd: fromFileUrl(ROOT) },
  );
  return listed.split("\n").filter((path) =>
    (path.endsWith(".md") || CODE.test(path) || SCRIPT.test(path)) && !LISTS.test(path)
  );
}

/** All findings, each with its file. */
export async function findAll(): Promise<(Finding & { readonly path: string })[]> {
  const found = [];
  for (const path of await files()) {
    const text = await Deno.readTextFile(new URL(path, ROOT)).catch(() => "");
    found.push(...findBanned(path, text).map((it) => ({ path, ...it })));
  }
  return found;
}

if (import.meta.main) {
  const found = (await findAll()).filter(({ path }) =>
    Deno.args.length === 0 || Deno.args.some((it) => path.startsWith(it))
  );
  for (const { path, line, words, instead } of found) {
    console.log(`${path}:${line}: "${words}": write: ${instead}`);
  }
  console.log(`${found.length} banned words`);
  Deno.exit(found.length === 0 ? 0 : 1);
}
