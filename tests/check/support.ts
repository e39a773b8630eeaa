/** Shared code of the tests of the check. */

import type { Report } from "../../src/check/mod.ts";

/** The results with another verdict than ok, for an error's text. */
export function others({ results }: Report): unknown[] {
  return results.filter(({ verdict }) => verdict !== "ok")
    .map(({ id, verdict, note, transcript }) => ({ id, verdict, note, transcript }));
}
