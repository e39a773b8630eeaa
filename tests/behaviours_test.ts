/** Every id in a test's name has its line in BEHAVIOURS.md, and every line has its test. */
// Deno only: it reads the project's files

import { assertEquals } from "@std/assert";
import { parseSource, readText, type Source, sourcesBelow } from "./support/sources.ts";

const ID = "(?:[CGSW]|attack )[1-9]\\d{0,2}";

/** A line of the catalogue. */
interface Line {
  readonly id: string;
  /** Ids of the same behaviour, whose tests also cover this one. */
  readonly testedAs: readonly string[];
  /** Why there is no test; empty if there must be one. */
  readonly reason: string;
  /** Whether its outcome differs from Dart's on purpose. */
  readonly isChanged: boolean;
}

/** The ids in a text, without parts of words and escapes. */
function idsIn(text: string): string[] {
  return [...text.matchAll(new RegExp(`(?<![\\w%-])${ID}(?!\\w)`, "g"))].map(([id]) => id);
}

function parseLines(catalogue: string): Line[] {
  const lines: Line[] = [];
  for (const text of catalogue.split("\n")) {
    const [, id, what = ""] = new RegExp(`^- (${ID}): (.+)$`).exec(text) ?? [];
    if (id === undefined) continue;
    const [, ids = ""] = /\bTested as ([^.]+)\.$/.exec(what) ?? [];
    const [, reason = ""] = /\bNot tested: (.+)\.$/.exec(what) ?? [];
    lines.push({ id, testedAs: idsIn(ids), reason, isChanged: what.includes("(changed)") });
  }
  return lines;
}

/** Strings and templates that contain ids: names of tests, and lists of tests that are left out. */
function* namesOf({ path, code }: Source): Generator<string> {
  if (/\bleft_out\.ts$|^tests\/behaviours_test\.ts$/.test(path)) return;
  for (const [text] of code.matchAll(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)) {
    const name = text.slice(1, -1);
    if (idsIn(name).length > 0) yield name;
  }
}

/** Whether the ids are next to each other, at the beginning or after the name of the subject. */
function isWellNamed(name: string): boolean {
  const start = name.search(new RegExp(`(?<![\\w-])${ID}(?!\\w)`));
  const run = new RegExp(`^(?:${ID}(?: \\(changed\\))?[ :,]*)+`).exec(name.slice(start));
  return start <= 60 && idsIn(run?.[0] ?? "").length === idsIn(name).length;
}

const catalogue = await readText("tests/BEHAVIOURS.md");
const lines = parseLines(catalogue);
const names = (await sourcesBelow("tests")).flatMap((source) =>
  [...namesOf(source)].map((name) => ({ name, path: source.path }))
);
const named = new Set(names.flatMap(({ name }) => idsIn(name)));

Deno.test("behaviours: each id in a test's name has a line", () => {
  const known = new Set(lines.map(({ id }) => id));
  assertEquals([...named].filter((id) => !known.has(id)), []);
});

Deno.test("behaviours: each line has a test that names it, or gives the reason", () => {
  const faults = lines.flatMap(({ id, testedAs, reason }) => {
    const isExcused = testedAs.length > 0 || reason !== "";
    if (named.has(id)) return isExcused ? [`${id}: a test names it, it needs no excuse`] : [];
    if (!isExcused) return [`${id}: no test names it`];
    return testedAs.filter((it) => !named.has(it)).map((it) => `${id}: no test names ${it}`);
  });
  assertEquals(faults, []);
});

Deno.test("behaviours: each id has one line, and the numbers have no gap", () => {
  // The formatter breaks a line that is longer than 100 columns.
  assertEquals(catalogue.match(/^ {2}.*/gm), null);
  const numbers = new Map<string, number>();
  const faults = lines.flatMap(({ id }) => {
    const [, letter = "", digits] = /^(\D+)(\d+)$/.exec(id) ?? [];
    const next = (numbers.get(letter) ?? 0) + 1;
    numbers.set(letter, next);
    return next === Number(digits) ? [] : [`${id} stands where ${letter}${next} should`];
  });
  assertEquals(faults, []);
  assertEquals([...numbers.keys()], ["C", "S", "G", "W", "attack "]);
});

Deno.test("behaviours: a name says (changed) exactly if its line does", () => {
  const changed = lines.filter((line) => line.isChanged).map(({ id }) => id);
  const faults = names.flatMap(({ name }) =>
    [...name.matchAll(new RegExp(`(${ID}) \\(changed\\)`, "g"))].map(([, id = ""]) => id)
  ).filter((id) => !changed.includes(id));
  assertEquals(faults, []);
});

Deno.test("behaviours: a name's ids are next to each other, at its beginning or after its subject", () => {
  const faults = names.filter(({ name }) => !isWellNamed(name));
  assertEquals(faults.map(({ name, path }) => `${path}: ${name}`), []);
});

Deno.test("behaviours: ids are found in names only", () => {
  const found = (code: string): string[] => [...namesOf(parseSource("", code))].flatMap(idsIn);
  assertEquals(found('test("C1 G20 (changed) attack 3: x", () => "%C3%A9"); // C9\n'), [
    ...["C1", "G20", "attack 3"],
  ]);
  assertEquals(["a: C1 b", "a attack 2: b", "C1 (changed) C2 b"].filter(isWellNamed).length, 3);
  assertEquals(["C1 as C2", "a, like C3 and C4"].filter(isWellNamed), []);
  assertEquals(
    parseLines("- C1: a. Tested as C2, attack 3.\n- S4: (changed) b. Not tested: c.\n- d\n"),
    [
      { id: "C1", testedAs: ["C2", "attack 3"], reason: "", isChanged: false },
      { id: "S4", testedAs: [], reason: "c", isChanged: true },
    ],
  );
});
