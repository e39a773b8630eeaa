import { assertEquals, assertRejects } from "@std/assert";
import { checkClient, type WantedConnection } from "../../src/check/mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { others } from "./support.ts";

/** Connects this package's client, which echoes each message. */
async function echo(url: string, protocols: readonly string[] = []): Promise<void> {
  const channel = NetWebSocketChannel.connect(url, {
    protocols: [...protocols],
    compression: true,
    maxMessageSize: 64 << 20,
  });
  for await (const message of channel.stream) channel.sink.add(message);
}

const connect = (url: string, { protocols }: WantedConnection): Promise<void> =>
  echo(url, protocols);

Deno.test("checkClient: W50 this package's client passes every case", async () => {
  const report = await checkClient({ connect, timeout: 60_000 });
  assertEquals(others(report), []);
  assertEquals([report.side, report.isComplete], ["client", true]);
  assertEquals(report.results.length >= 300, true, `${report.results.length} cases`);
});

Deno.test("checkClient: a client that connects by itself requests the list and runs one case after the other; a browser is refused", async () => {
  const asked: string[] = [];
  const report = await checkClient({
    // The second case needs two connections.
    cases: ["ping/empty", "end/reset-in-message", "pong", "answer/protocol-first"],
    onListen: async (url) => {
      const page = await fetch(url.replace("ws", "http"));
      assertEquals([page.status, await page.text()], [410, ""]);
      const list = NetWebSocketChannel.connect(`${url}/cases`);
      const { value = "" } = await list.stream.next();
      for (const [i, { path, id, protocols }] of JSON.parse(value as string).entries()) {
        asked.push(id);
        await echo(i % 2 === 0 ? `${url}${path}` : `${url}/next`, protocols).catch(() => {});
      }
    },
  });
  assertEquals(others(report), []);
  assertEquals(asked.filter((id) => id === "end/reset-in-message").length, 2);
  assertEquals(report.results.map(({ id }) => id), [...new Set(asked)]);
});

Deno.test("checkClient: a client that never connects ends the run, and the report says so", async () => {
  const report = await checkClient({ cases: ["ping"], idleTimeout: 1 });
  assertEquals([report.isComplete, report.results.length], [false, 0]);
});

Deno.test("checkClient: the case fails if the `connect` function does not connect", async () => {
  const report = await checkClient({ cases: ["ping/empty"], connect: () => {}, timeout: 1 });
  assertEquals(report.results.map(({ verdict, note }) => [verdict, note]), [
    ["failed", "it doesn't connect"],
  ]);
});

Deno.test("checkClient: W52 an aborted check returns the results so far", async () => {
  const controller = new AbortController();
  const report = await checkClient({
    connect,
    cases: ["message"],
    concurrency: 1,
    signal: controller.signal,
    onResult: (_result, { done }) => done === 3 && controller.abort(),
  });
  assertEquals([report.isComplete, report.results.length], [false, 3]);
});

Deno.test("checkClient: an unknown option is an error", async () => {
  const options = { cases: ["nonsense"] };
  await assertRejects(() => checkClient(options), RangeError, "no case is called nonsense");
  await assertRejects(() => checkClient({ prot: 1 } as never), TypeError, "prot");
});
