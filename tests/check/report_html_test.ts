// Deno only: it starts Chromium

import { assert, assertEquals } from "@std/assert";
import { findChromium } from "../../tasks/test_browser.ts";
import { checkServer, type Report, reportHtml } from "../../src/check/mod.ts";
import { DevTools } from "../support/dev_tools.ts";
import { brokenServer } from "./broken_peers.ts";

const chromium = await findChromium();

/** The reports of a correct server and of a broken one. */
async function reports(): Promise<Report[]> {
  const all: Report[] = [];
  for (const fault of ["", "pong-empty"]) {
    const server = await brokenServer(fault);
    try {
      const options = {
        cases: ["ping", "rsv/text"],
        timeout: 20_000,
        subject: fault || "<b>good</b>",
      };
      all.push(await checkServer(server.url, options));
    } finally {
      await server.close();
    }
  }
  return all;
}

Deno.test("reportHtml: W53 the page treats no text of a report as markup, and needs no other file", async () => {
  const [report] = await reports();
  assert(report !== undefined);
  const evil = '"><script>alert(1)</script>';
  const results = report.results.map((it) => ({
    ...it,
    note: evil,
    transcript: [evil],
    title: evil,
  }));
  const page = reportHtml({ ...report, results });
  assertEquals(page.match(/<script>/g)?.length, 1);
  assertEquals(/<b>good/.test(page), false);
  assertEquals(page.match(/\b(?:src|href)=|@import|url\(/g), null);
});

Deno.test({
  name: "reportHtml: Chromium shows a row for each case, and filters them by verdict and by text",
  ignore: chromium === null,
  fn: async () => {
    const file = await Deno.makeTempFile({ suffix: ".html" });
    await Deno.writeTextFile(file, reportHtml(await reports()));
    const browser = await DevTools.start(chromium as string);
    try {
      const tab = await browser.open(
        `file://${file}`,
        "document.getElementById('count')?.textContent.includes('cases') === true",
      );
      const rows = await tab.evaluate(
        "document.querySelectorAll('#cases tbody tr').length",
      ) as number;
      assert(rows > 20, `${rows}`);
      const shown = (verdict: string, text: string): Promise<unknown> =>
        tab.evaluate(`(() => {
          const [v, t] = ["verdict", "text"].map((it) => document.getElementById(it));
          v.value = ${JSON.stringify(verdict)};
          t.value = ${JSON.stringify(text)};
          v.oninput();
          const rows = [...document.querySelectorAll("#cases tbody tr:not([hidden]) code")];
          return rows.map((it) => it.textContent).join();
        })()`);
      assertEquals(await shown("", "ping/payload-5"), "ping/payload-5");
      assertEquals(await shown("failed", "ping/payload-125"), "ping/payload-125");
      assertEquals(await shown("failed", "rsv/"), "");
      assertEquals(await shown("other", "ping/payload-126"), "");
      const heading = await tab.evaluate("document.querySelector('#cases thead').innerText");
      assert(String(heading).includes("<b>good</b>"), String(heading));
    } finally {
      await browser.close();
      await Deno.remove(file);
    }
  },
});
