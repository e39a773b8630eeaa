import { assertInvalidState } from "../support/events.ts";
import { claim, claimSocket } from "../../src/server/claim.ts";

Deno.test("claim: succeeds once for each request and for each socket", () => {
  for (const mark of [claim, claimSocket]) {
    const first = {};
    mark(first);
    mark({});
    assertInvalidState(() => mark(first));
  }
});
