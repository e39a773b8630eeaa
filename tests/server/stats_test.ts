import { assertEquals, assertStringIncludes } from "@std/assert";
import { inspect } from "node:util";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { deferred } from "../support/promises.ts";
import { turn } from "../support/turns.ts";
import { refusalOf, requestText, upgraded, withServer } from "./support.ts";

const NO_SILENT = { silent: 0, dropped: 0 };

Deno.test("stats: count connections, refusals by reason, and messages and bytes both ways", async () => {
  const received = deferred();
  const handler = (channel: { stream: { listen(listener: (it: unknown) => void): unknown } }) => {
    let count = 0;
    channel.stream.listen(() => ++count === 3 && received.resolve());
  };
  await withServer({ path: "/", handler }, async (server) => {
    const none = { messages: 0, bytes: 0 };
    const before = server.stats();
    assertEquals(before.connections, { ...NO_SILENT, open: 0, connecting: 0, accepted: 0 });
    assertEquals([before.received, before.sent, before.queued], [none, none, 0]);
    for (let i = 0; i < 2; i++) await refusalOf(server, requestText({}, "GET /x HTTP/1.1"));
    await refusalOf(server, requestText({ Origin: "https://foreign.example" }));
    const client = await upgraded(server);
    const own = NetWebSocketChannel.connect(server.url);
    await own.ready;
    // RFC 6455 §5.2: two bytes and a masking key in front of each short payload.
    for (const text of ["a", "bc", "def"]) client.send(1, text);
    await received.promise;
    for (const { sink } of server.channels) sink.add("12345");
    assertEquals(server.stats().queued, 10);
    server.broadcast("67890");
    assertEquals((await own.stream.next()).value, "12345");
    assertEquals((await own.stream.next()).value, "67890");
    const stats = server.stats();
    assertEquals(stats.connections, { ...NO_SILENT, open: 2, connecting: 0, accepted: 2 });
    assertEquals(stats.received, { messages: 3, bytes: 3 * 6 + 6 });
    assertEquals(stats.sent, { messages: 4, bytes: 4 * 7 });
    assertEquals(stats.queued, 0);
    const { path, origin, ...others } = stats.refused;
    assertEquals([path, origin], [2, 1]);
    assertEquals(Object.values(others), [0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assertEquals(before.connections.accepted, 0);
    assertStringIncludes(inspect(server), "WebSocketServer {");
    assertStringIncludes(inspect(server), "accepted: 2");
    await client.destroy();
    await own.sink.close();
    assertEquals(server.stats().connections.accepted, 2);
  });
});

Deno.test("stats: count pending requests, and those that the server's close refuses", async () => {
  const answers: ((isWelcome: boolean) => void)[] = [];
  const verify = (): Promise<boolean> => new Promise((resolve) => answers.push(resolve));
  await withServer({ verify, handler: () => {} }, async (server) => {
    const ask = async (): Promise<NetWebSocketChannel> => {
      const before = answers.length;
      const client = NetWebSocketChannel.connect(server.url);
      while (answers.length === before) await turn();
      return client;
    };
    const [welcome, refused, gone, late] = [await ask(), await ask(), await ask(), await ask()];
    const { connections } = server.stats();
    assertEquals(connections, { ...NO_SILENT, open: 0, connecting: 4, accepted: 0 });
    answers[0]?.(true);
    await welcome.ready;
    assertEquals(server.stats().connections, { ...NO_SILENT, open: 1, connecting: 3, accepted: 1 });
    answers[1]?.(false);
    await refused.closed;
    gone.terminate();
    while (server.stats().connections.connecting > 1) await turn();
    await server.close();
    assertEquals((await late.closed).code, 1006);
    assertEquals(server.stats().connections, { ...NO_SILENT, open: 0, connecting: 0, accepted: 1 });
    const { verify, closing, ...others } = server.stats().refused;
    assertEquals([verify, closing], [1, 1]);
    assertEquals(Object.values(others), [0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});
