/** Lists the cases of `./check`; with `--write`, writes the pages of the cases and of the faults that they find. */

import { listCases } from "../src/check/mod.ts";
import { CASES_PAGE, casesPage } from "../tests/check/cases_page.ts";
import { FAULTS_PAGE, faultsPage } from "../tests/check/faults_page.ts";

for (const side of ["server", "client"] as const) {
  for (const { id, title } of listCases(side)) console.log(`${side}  ${id}  ${title}`);
}
if (Deno.args.includes("--write")) {
  for (const [path, text] of [[CASES_PAGE, casesPage()], [FAULTS_PAGE, faultsPage()]] as const) {
    await Deno.writeTextFile(new URL(`../${path}`, import.meta.url), text);
  }
}
