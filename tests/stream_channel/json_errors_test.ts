import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import { findJsonFault, issuesOf, ValidationError } from "../../src/stream_channel/json_errors.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("a fault is reported with its position, and with what JSON allows there", () => {
  const inString = 'a character of a string or its closing "';
  const cases: [text: string, position: number, expected: string][] = [
    ["", 0, "a value"],
    ["  ", 2, "a value"],
    ["nul", 0, "a value"],
    ["\uFEFF{}", 0, "a value"],
    ["{} {}", 3, "the end"],
    ["01", 1, "the end"],
    ["[1,]", 3, "a value"],
    ["[1 2]", 3, ", or ]"],
    ["[1}", 2, ", or ]"],
    ["[", 1, "a value or ]"],
    ["{", 1, "a key in quotes or }"],
    ["{a:1}", 1, "a key in quotes or }"],
    ['{"a" 1}', 5, ":"],
    ['{"a":}', 5, "a value"],
    ['{"a":1,}', 7, "a key in quotes"],
    ['{"a":1]', 6, ", or }"],
    ['"abc', 4, inString],
    ['"a\nb"', 2, inString],
    ['["\\x"]', 2, inString],
    ['"\\u12g4"', 1, inString],
    ["-", 0, "a value"],
    ["1.", 1, "the end"],
    ["'a'", 0, "a value"],
  ];
  for (const [text, position, expected] of cases) {
    assertEquals(findJsonFault(text), { position, expected }, text);
  }
});

Deno.test("valid JSON has no fault", () => {
  for (
    const text of ["0", "-0.5e+7", '""', " [ ] ", '{"a":[{}],"":null}', '"\\u00e9\\"\\\\"', "true"]
  ) {
    assertEquals(findJsonFault(text), null, text);
  }
});

Deno.test("fuzz: it finds a fault if and only if JSON.parse does", () => {
  const random = seededRandom();
  const pieces = [
    ...["{", "}", "[", "]", ",", ":", '"', "\\", "\\n", "\\u0041", "true", "null", "fals", "e"],
    ...["-", "0", "12", ".", "e5", "E+", " ", "\n", "\t", "é", "\u2028", "\u0001", '"a":', "[]"],
  ];
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: random.integer(0, 12) }, () => random.pick(pieces)).join("");
    const where = `seed ${random.seed}, case ${i}: ${JSON.stringify(text)}`;
    const fault = findJsonFault(text);
    assertEquals(fault === null, parses(text), where);
    assert(fault === null || fault.position <= text.length, where);
  }
});

Deno.test("deep and long documents are supported", () => {
  const depth = 1_000_000;
  assertEquals(findJsonFault("[".repeat(depth)), { position: depth, expected: "a value or ]" });
  assertEquals(findJsonFault("[".repeat(depth) + "]".repeat(depth)), null);
  assertEquals(findJsonFault(`"${"x".repeat(depth)}"`), null);
  assertEquals(findJsonFault(`${"7".repeat(depth)}x`)?.position, depth);
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

Deno.test("a ValidationError names the first issue, its position, and the number of issues", () => {
  const issues = [
    { message: "Required", path: ["user", { key: "name" }, 0] },
    { message: "Too long" },
  ];
  const error = new ValidationError("Cannot receive", issues, 1007);
  assert(error instanceof TypeError);
  assertEquals(error.name, "ValidationError");
  assertEquals(error.message, "Cannot receive: Required (at user.name.0, 2 issues)");
  assertStrictEquals(error.issues, issues);
  assertEquals(error.closeCode, 1007);
  const own = new ValidationError("Cannot send", [{ message: "Too long" }]);
  assertEquals(own.message, "Cannot send: Too long (1 issue)");
  assertFalse("closeCode" in own && own.closeCode !== undefined);
});

Deno.test("a ValidationError of malformed issues", () => {
  const textOf = (issues: unknown): string =>
    new ValidationError("Cannot send", issues as []).message;
  assertEquals(textOf([]), "Cannot send: the value is not valid");
  assertEquals(textOf([null]), "Cannot send: the value is not valid (1 issue)");
  assertEquals(textOf([{ message: 7, path: null }]), "Cannot send: 7 (1 issue)");
  const throwing = {
    get message(): never {
      throw new Error("mine");
    },
  };
  assertEquals(textOf([throwing, 1]), "Cannot send: the value is not valid (2 issues)");
});

Deno.test("issuesOf: it returns a value, issues, or an error; nothing is valid by accident", () => {
  assertEquals(issuesOf({ value: undefined }), null);
  assertEquals(issuesOf({ value: 1, issues: undefined }), null);
  assertEquals(issuesOf({ issues: [] }), []);
  assertEquals(issuesOf({ value: 1, issues: [{ message: "x" }] }), [{ message: "x" }]);
  const nonsense = [undefined, null, 7, "x", true, {}, [], { issues: undefined }, { issues: null }];
  for (const result of [...nonsense, { issues: 7 }, { issues: {}, value: 1 }, () => {}]) {
    assertThrows(() => issuesOf(result), TypeError, "neither a value nor issues");
  }
});
