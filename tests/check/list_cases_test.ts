// Deno only: it reads the project's files

import { assert, assertEquals } from "@std/assert";
import { listCases } from "../../src/check/mod.ts";
import { readText } from "../support/sources.ts";
import { faultsOf } from "./broken_faults.ts";
import { CASES_PAGE, casesPage } from "./cases_page.ts";
import { FAULTS_PAGE, faultsPage } from "./faults_page.ts";

for (const side of ["server", "client"] as const) {
  const cases = listCases(side);

  Deno.test(`listCases: at least 300 cases for a ${side}, at least 120 of them not variants of another one`, () => {
    assert(cases.length >= 300, `${cases.length}`);
    const distinct = cases.filter(({ isVariant }) => !isVariant).length;
    assert(distinct >= 120, `${distinct}`);
  });

  Deno.test(`listCases: each case of a ${side} has a unique name and a description`, () => {
    assertEquals(new Set(cases.map(({ id }) => id)).size, cases.length);
    for (const { id, title, section, allows, why } of cases) {
      assert(/^[a-z0-9]+\/[a-z0-9.-]+$/.test(id), id);
      assert(
        /^RFC \d+ §[\d.]+(–§?[\d.]+)?(, RFC \d+ §[\d.]+)?$/.test(section),
        `${id}: ${section}`,
      );
      assert(title !== "" && !title.endsWith("."), `${id}: ${title}`);
      assert(/[.)]$/.test(why), `${id}: ${why}`);
      assert(allows.length > 0 && allows.every((it) => it !== ""), `${id}: ${allows}`);
    }
  });
}

Deno.test("listCases: the page of all cases matches the source", async () => {
  assertEquals(await readText(CASES_PAGE), casesPage(), "deno task check_cases --write");
});

Deno.test("listCases: the page of all faults matches the source, and each fault names a case", async () => {
  assertEquals(await readText(FAULTS_PAGE), faultsPage(), "deno task check_cases --write");
  for (const side of ["server", "client"] as const) {
    const ids = new Set(listCases(side).map(({ id }) => id));
    const named = Object.values(faultsOf(side)).flatMap((it) => Object.values(it));
    assertEquals(named.filter(([, id]) => !ids.has(id)), []);
  }
});
