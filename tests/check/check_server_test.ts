import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkServer, listCases } from "../../src/check/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { others } from "./support.ts";

/** Runs a body against an echo server of this package. */
async function withEcho(body: (url: string) => Promise<void>): Promise<void> {
  const server = await WebSocketServer.bind({
    protocols: ["chat", "superchat"],
    compression: true,
    handler: (channel) => {
      channel.stream.listen((message) => void channel.sink.add(message));
    },
  });
  try {
    await body(server.url);
  } finally {
    await server.close({ drainTimeout: 0 });
  }
}

Deno.test("checkServer: W49 this package's server passes every case", async () => {
  await withEcho(async (url) => {
    const report = await checkServer(url, { timeout: 60_000 });
    assertEquals(others(report), []);
    assertEquals([report.side, report.isComplete], ["server", true]);
    assertEquals(report.results.length >= 300, true, `${report.results.length} cases`);
  });
});

Deno.test("checkServer: the caller selects cases by name or prefix, and gets each result", async () => {
  await withEcho(async (url) => {
    const told: string[] = [];
    const report = await checkServer(`${url}/?token=secret`, {
      cases: ["ping/empty", "pong"],
      onResult: ({ id }, { done, all }) => told.push(`${id} ${done === told.length + 1} ${all}`),
    });
    const ids = report.results.map(({ id }) => id);
    assertEquals([ids[0], ids.every((id) => /^(ping|pong)\//.test(id))], ["ping/empty", true]);
    assertEquals(told.length, ids.length);
    assertEquals(told.every((it) => it.endsWith(` true ${ids.length}`)), true);
    assertEquals(JSON.stringify(report).includes("secret"), false);
  });
});

Deno.test("checkServer: W52 an aborted check returns the results so far", async () => {
  await withEcho(async (url) => {
    const controller = new AbortController();
    const report = await checkServer(url, {
      cases: ["message"],
      concurrency: 1,
      signal: controller.signal,
      onResult: (_result, { done }) => done === 3 && controller.abort(),
    });
    assertEquals([report.isComplete, report.results.length], [false, 3]);
  });
});

Deno.test("checkServer: an error that onResult throws ends the run and rejects the promise", async () => {
  await withEcho(async (url) => {
    let calls = 0;
    const onResult = (): void => {
      calls++;
      throw new Error("no more");
    };
    const checked = checkServer(url, { cases: ["message"], concurrency: 2, onResult });
    await assertRejects(() => checked, Error, "no more");
    assertEquals(calls, 1);
  });
});

Deno.test("checkServer: an error reports a missing server, a malformed URL and an unknown case", async () => {
  await assertRejects(() => checkServer("ws://127.0.0.1:1"), Error, "nothing there answers");
  await assertRejects(() => checkServer("127.0.0.1"), SyntaxError, "ws: or wss:");
  await assertRejects(
    () => checkServer("ws://127.0.0.1:1", { cases: ["nonsense"] }),
    RangeError,
    "no case is called nonsense",
  );
});

Deno.test("checkServer: reports contain no secret of the URL, the header fields or the answers", async () => {
  const seen = new Set<string | null>();
  const server = await WebSocketServer.bind({
    headers: { "Set-Cookie": "id=s3cret", "X-Session": "s3cret" },
    handler: ({ request, sink, stream }) => {
      seen.add(request.headers.get("authorization"));
      stream.listen((message) => void sink.add(message));
    },
  });
  const url = new URL(`${server.url}/?token=s3cret`);
  [url.username, url.password] = ["m\u00e9", "s3cret"];
  try {
    const credentials = `Basic ${btoa("m\u00c3\u00a9:s3cret")}`;
    const some = ["handshake/upper-case", "handshake/no-blanks", "handshake/in-pieces"];
    const fields: HeadersInit = [["X-Key", "s3cret"]];
    const runs = [
      { cases: ["handshake"] },
      { cases: some, headers: new Headers({ Authorization: "Bearer s3cret" }) },
      { cases: some, headers: fields },
    ];
    for (const options of runs) {
      const report = await checkServer(url, options);
      const leaks = report.results.filter((it) =>
        [credentials.slice(6), "s3cret"].some((secret) => JSON.stringify(it).includes(secret))
      );
      assertEquals(leaks.map(({ id }) => id), []);
      assertEquals(report.counts.failed, 0);
    }
    assertEquals([...seen], [credentials, "Bearer s3cret"]);
  } finally {
    await server.close({ drainTimeout: 0 });
  }
});

Deno.test("listCases: an unknown side is an error", () => {
  assertThrows(() => listCases("both" as never), TypeError, 'it must be "server" or "client"');
});
