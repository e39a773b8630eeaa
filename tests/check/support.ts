/** What the tests of checks share. */

import type { Report } from "../../src/check/mod.ts";

/** The results that aren't ok, for an error's text. */
export function others({ results }: Report): unknown[] {
  return results.filter(({ verdict }) => verdict !== "ok")
    .map(({ id, verdict, note, transcript }) => ({ id, verdict, note, transcript }));
}
