/** Servers and clients with one fault each: the case that tests for a fault finds it. */

import { pooledMap } from "@std/async";
import { assert, assertEquals } from "@std/assert";
import { checkClient, checkServer, type Report } from "../../src/check/mod.ts";
import { type Faults, faultsOf } from "./broken_faults.ts";
import { brokenClient, brokenServer } from "./broken_peers.ts";

/** How long the check waits: some faulty peers send nothing. */
const TIMEOUT = 400;
const TOGETHER = 8;

async function reportOf(
  side: "server" | "client",
  fault: string,
  cases: string[],
  timeout: number,
): Promise<Report> {
  if (side === "client") {
    return await checkClient({
      cases,
      timeout,
      concurrency: 1,
      connect: (url, { protocols }) => brokenClient(url, fault, protocols),
    });
  }
  const server = await brokenServer(fault);
  try {
    return await checkServer(server.url, { cases, timeout });
  } finally {
    await server.close();
  }
}

type Found = readonly [fault: string, id: string, verdict: string];

/** The verdict of the named case on each fault. */
async function found(side: "server" | "client", faults: Faults): Promise<Found[]> {
  const all: Found[] = [];
  const results = pooledMap(
    TOGETHER,
    Object.entries(faults),
    async ([fault, [, id]]): Promise<Found> => {
      // Only a second connection shows whether the key is fresh.
      const cases = fault === "same-key" ? ["request/key"] : [id];
      const { results } = await reportOf(side, fault, cases, TIMEOUT);
      const named = results.find((it) => it.id === id);
      return [fault, id, named?.verdict ?? "missing"];
    },
  );
  for await (const result of results) all.push(result);
  return all;
}

for (const side of ["server", "client"] as const) {
  const faults = Object.entries(faultsOf(side));

  Deno.test(`check: W51 the case that tests for a fault of a ${side} finds it`, async () => {
    assert(Object.keys(faultsOf(side).failed).length >= 60);
    for (const [verdict, list] of faults) {
      const expected = Object.entries(list).map(([fault, [, id]]) => [fault, id, verdict]);
      assertEquals(await found(side, list), expected as unknown as Found[]);
    }
  });

  Deno.test(`check: the same ${side} without a fault passes all of these cases`, async () => {
    const ids = new Set(faults.flatMap(([, list]) => Object.values(list).map(([, id]) => id)));
    const { results } = await reportOf(side, "", [...ids], 60_000);
    const others = results.filter(({ verdict }) => verdict !== "ok");
    assertEquals(others.map(({ id, verdict, note }) => ({ id, verdict, note })), []);
  });
}
