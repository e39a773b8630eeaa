import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import { ValidationError } from "../../src/stream_channel/mod.ts";
import { issuesOf } from "../../src/stream_channel/standard_schema.ts";

Deno.test("a ValidationError tells the first issue, where it is, and how many there are", () => {
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

Deno.test("a ValidationError of issues that aren't as they should be", () => {
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

Deno.test("issuesOf: a value, issues, or an error; nothing is valid by accident", () => {
  assertEquals(issuesOf({ value: undefined }), null);
  assertEquals(issuesOf({ value: 1, issues: undefined }), null);
  assertEquals(issuesOf({ issues: [] }), []);
  assertEquals(issuesOf({ value: 1, issues: [{ message: "x" }] }), [{ message: "x" }]);
  const nonsense = [undefined, null, 7, "x", true, {}, [], { issues: undefined }, { issues: null }];
  for (const result of [...nonsense, { issues: 7 }, { issues: {}, value: 1 }, () => {}]) {
    assertThrows(() => issuesOf(result), TypeError, "neither a value nor issues");
  }
});
