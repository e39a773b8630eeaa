/** Lists the cases of `./check`; with `--write`, writes the page of them anew. */

import { listCases } from "../src/check/mod.ts";
import { CASES_PAGE, casesPage } from "../tests/check/cases_page.ts";

for (const side of ["server", "client"] as const) {
  for (const { id, title } of listCases(side)) console.log(`${side}  ${id}  ${title}`);
}
if (Deno.args.includes("--write")) {
  await Deno.writeTextFile(new URL(`../${CASES_PAGE}`, import.meta.url), casesPage());
}
