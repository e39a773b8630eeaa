import { assert, assertEquals } from "@std/assert";
import { ValidationError } from "../../src/stream_channel/mod.ts";

Deno.test("a ValidationError says what is wrong and where", () => {
  const issues = [
    { message: "Required", path: ["user", { key: "name" }, 0] },
    { message: "Too long" },
  ];
  const error = new ValidationError("Cannot receive", issues);
  assert(error instanceof TypeError);
  assertEquals(error.name, "ValidationError");
  assertEquals(error.message, "Cannot receive: Required (at user.name.0); Too long");
  assertEquals(error.issues, issues);
  assertEquals(new ValidationError("Cannot send", []).message, "Cannot send: not valid");
});
