import { assertInvalidState } from "../support/events.ts";
import { claim } from "../../src/server/claim.ts";

Deno.test("claim: once for each object", () => {
  const first = {};
  claim(first);
  claim({});
  assertInvalidState(() => claim(first));
});
