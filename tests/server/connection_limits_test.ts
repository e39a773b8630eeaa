/** Limits of the number and rate of connections, per address and in total. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createServer } from "node:http";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  ConnectionCounter,
  type ConnectionLimitOptions,
} from "../../src/server/connection_limits.ts";
import {
  acceptUpgrade,
  ConnectError,
  ConnectionLimits,
  type RefusedUpgrade,
  type ServerOptions,
  type ServerRequest,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { createIdentity } from "../support/certificates.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { turn, until } from "../support/turns.ts";
import { testEntries } from "./entries.ts";
import { refusalOf, requestText, upgraded, withServer } from "./support.ts";

/** A counter, and the results for connections of an address. */
function started(options: ConnectionLimitOptions) {
  const clock = new ManualClock();
  const counter = new ConnectionCounter(options, clock);
  const requests: ServerRequest[] = [];
  /** `null` if the connection was admitted. */
  const enter = (address: string | null): string | null => {
    const request = {} as ServerRequest;
    const excess = counter.enter(request, address);
    if (excess === null) {
      requests.push(request);
      return null;
    }
    const { refusal: { status, headers }, reason } = excess;
    return `${status} ${reason} ${
      new Headers([...headers].map((it) => [...it])).get("retry-after")
    }`;
  };
  const leave = (): void => counter.leave(requests.shift() as ServerRequest);
  return { clock, counter, enter, leave };
}

Deno.test("connection limits: bound connections per address and in total", () => {
  const { counter, enter, leave } = started({ maxConnections: 4, maxConnectionsPerAddress: 2 });
  const [a, b, c] = ["192.0.2.1", "2001:db8::1", "192.0.2.3"];
  assertEquals([enter(a), enter(a), enter(a)], [null, null, "429 address 5"]);
  assertEquals([enter(b), enter("2001:db8::2"), enter("2001:db8::3")], [null, null, "503 full 5"]);
  assertEquals([enter(c), enter(null), counter.size, counter.addresses], [
    "503 full 5",
    "503 full 5",
    4,
    2,
  ]);
  leave();
  assertEquals([enter(c), counter.addresses], [null, 3]);
  leave();
  // All connections of the first address have left, so the limits forget it.
  assertEquals([counter.size, counter.addresses], [3, 2]);
  assertEquals([enter(null), counter.addresses], [null, 2]);
  counter.leave({} as ServerRequest);
  for (let i = 0; i < 4; i++) leave();
  assertEquals([counter.size, counter.addresses], [0, 0]);
});

Deno.test("connection limits: bound the rate of connections, per address and in total", () => {
  const connectionRate = { total: 5, perAddress: 2, per: 10_000 };
  const { clock, enter } = started({ connectionRate });
  const [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
  assertEquals([enter(a), enter(a), enter(a)], [null, null, "429 rate 5"]);
  assertEquals([enter(b), enter(b), enter(c), enter(c)], [null, null, null, "503 rate 2"]);
  clock.advance(1999);
  assertEquals(enter(c), "503 rate 1");
  clock.advance(1);
  // A refused connection doesn't count towards the total.
  assertEquals([enter(a), enter(c)], ["429 rate 3", null]);
  clock.advance(10_000);
  assertEquals([enter(a), enter(a), enter(a), enter(null)], [null, null, "429 rate 5", null]);
});

Deno.test("connection limits: remember a bounded number of addresses, and forget idle ones", () => {
  const { clock, counter, enter } = started({ connectionRate: { perAddress: 1, per: 1000 } });
  for (let i = 0; i < 20_000; i++) enter(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  assertEquals(counter.addresses, 10_000);
  // The limits remember the latest addresses.
  assertEquals(enter("10.0.78.31"), "429 rate 1");
  assertEquals(enter("10.0.0.0"), null);
  clock.advance(1000);
  enter("192.0.2.1");
  assertEquals(counter.addresses, 1);
});

const limited = (limits: ConnectionLimits, more: ServerOptions = {}): ServerOptions => ({
  limits,
  ...more,
});

/** The response to a refused client. */
async function refused(url: string): Promise<[status: number | null, retryAfter: number | null]> {
  const error = await assertRejects(() => NetWebSocketChannel.connect(url).ready, ConnectError);
  return [error.status, error.retryAfter];
}

async function opened(url: string, headers = {}): Promise<NetWebSocketChannel> {
  const client = NetWebSocketChannel.connect(url, { headers });
  await client.ready;
  return client;
}

testEntries(
  "limits: refuse and report an upgrade above the maximum, and admit one when there is room",
  async ({ run }) => {
    const limits = new ConnectionLimits({ maxConnectionsPerAddress: 2 });
    const seen: RefusedUpgrade[] = [];
    await run(limited(limits, { onRefused: (it) => seen.push(it) }), async ({ url }) => {
      const [first, second] = [await opened(url), await opened(url)];
      assertEquals(limits.connections, 2);
      assertEquals(await refused(url), [429, 5000]);
      const [refusal] = seen;
      assertEquals([seen.length, refusal?.status, refusal?.reason], [1, 429, "address"]);
      assertEquals(refusal?.request.remoteAddress, "127.0.0.1");
      await first.sink.close(1000);
      await until(() => limits.connections === 1);
      const third = await opened(url);
      third.sink.add("hello");
      assertEquals((await third.stream.next()).value, "hello");
      second.terminate();
      await until(() => limits.connections === 1);
      await third.sink.close();
      await until(() => limits.connections === 0);
    });
  },
);

testEntries(
  "limits: no longer count an upgrade that is refused or whose client disconnects",
  async ({ run }) => {
    const limits = new ConnectionLimits({ maxConnections: 1 });
    const answers: ((isWelcome: boolean) => void)[] = [];
    const verify = (request: ServerRequest): boolean | Promise<boolean> =>
      request.url.pathname === "/slow" ? new Promise((resolve) => answers.push(resolve)) : false;
    await run(limited(limits, { verify }), async ({ url }) => {
      for (let i = 0; i < 3; i++) assertEquals((await refused(url))[0], 403);
      assertEquals(limits.connections, 0);
      const slow = NetWebSocketChannel.connect(`${url}/slow`);
      await until(() => answers.length === 1);
      assertEquals(limits.connections, 1);
      assertEquals(await refused(url), [503, 5000]);
      slow.terminate();
      await until(() => limits.connections === 0);
      answers[0]?.(true);
      const again = NetWebSocketChannel.connect(`${url}/slow`);
      await until(() => answers.length === 2);
      answers[1]?.(true);
      await again.ready;
      assertEquals(limits.connections, 1);
      await again.sink.close();
      await until(() => limits.connections === 0);
    });
  },
);

testEntries(
  "limits: clientAddress returns the address of a client behind a proxy",
  async ({ run }) => {
    const errors: [string, string][] = [];
    const clientAddress = (request: ServerRequest): string | null | Promise<string | null> => {
      const last = request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
      if (last === "broken") throw new Error("broken");
      if (last === "late") return turn().then(() => "192.0.2.9");
      if (last === "number") return 5 as unknown as string;
      return last ?? null;
    };
    const limits = new ConnectionLimits({ maxConnectionsPerAddress: 1, clientAddress });
    const onError: ServerOptions["onError"] = (error, { where }) =>
      errors.push([String(error), where]);
    await run(limited(limits, { onError }), async ({ url }) => {
      const from = (address: string): Promise<NetWebSocketChannel> =>
        opened(url, { "X-Forwarded-For": `198.51.100.1, ${address}` });
      const clients = [await from("192.0.2.1"), await from("192.0.2.2"), await from("late")];
      for (const address of ["192.0.2.1", "192.0.2.9", "late"]) {
        const error = await assertRejects(() => from(address), ConnectError);
        assertEquals(error.status, 429, address);
      }
      // Without an address, a connection counts only towards the total.
      clients.push(await opened(url), await opened(url));
      assertEquals([limits.connections, errors], [5, []]);
      for (const address of ["broken", "number"]) {
        const error = await assertRejects(() => from(address), ConnectError);
        assertEquals(error.status, 500, address);
      }
      assertEquals(errors, [
        ["Error: broken", "clientAddress"],
        [
          "TypeError: Cannot use the answer of clientAddress: it must be a string or null, got 5",
          "clientAddress",
        ],
      ]);
      for (const client of clients) await client.sink.close();
      await until(() => limits.connections === 0);
    });
  },
);

Deno.test("limits: never count a client that disconnects before its address is known", async () => {
  const answers: ((address: string) => void)[] = [];
  const clientAddress = (): Promise<string> => new Promise((resolve) => answers.push(resolve));
  const limits = new ConnectionLimits({ maxConnections: 1, clientAddress });
  await withServer({ limits }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    await until(() => answers.length === 1);
    client.terminate();
    await until(() => server.stats().connections.connecting === 0);
    answers[0]?.("192.0.2.1");
    for (let i = 0; i < 20; i++) await turn();
    assertEquals(limits.connections, 0);
  });
});

Deno.test("bind: the server's own limits appear in its stats and use its clock", async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  const options = {
    maxConnections: 3,
    maxConnectionsPerAddress: 2,
    connectionRate: { perAddress: 4, per: 60_000 },
    clientAddress: ({ headers }: ServerRequest) => headers.get("x-from"),
    onRefused: ({ reason }: RefusedUpgrade) => void seen.push(reason),
    handler: () => {},
    pingInterval: 0,
    clock,
  };
  await withServer(options, async (server) => {
    const from = async (address: string): Promise<string> => {
      const client = new RawClient(server.url);
      clients.push(client);
      client.request("/", [`X-From: ${address}`]);
      const head = await client.response();
      const after = /retry-after: (\d+)/i.exec(head)?.[1];
      return head.slice(9, 12) + (after === undefined ? "" : ` ${after}`);
    };
    const clients: RawClient[] = [];
    assertEquals([await from("a"), await from("a"), await from("a")], ["101", "101", "429 5"]);
    assertEquals([await from("b"), await from("c")], ["101", "503 5"]);
    await clients[0]?.destroy();
    await until(() => server.channels.size === 2);
    assertEquals(await from("a"), "101");
    await clients[1]?.destroy();
    await until(() => server.channels.size === 2);
    assertEquals(await from("a"), "101");
    await clients[3]?.destroy();
    await until(() => server.channels.size === 2);
    for (const client of clients) await client.destroy();
    await until(() => server.channels.size === 0);
    assertEquals([await from("a"), await from("d")], ["429 15", "101"]);
    clock.advance(15_000);
    assertEquals(await from("a"), "101");
    const { refused } = server.stats();
    assertEquals([refused.address, refused.full, refused.rate], [1, 1, 1]);
    assertEquals(seen, ["address", "full", "rate"]);
    for (const client of clients) await client.destroy();
  });
  assertEquals(clock.pending, 0);
});

Deno.test("bind: counts connections without a request, and closes the oldest above the limit", async () => {
  await withServer({ maxSilentConnections: 3, handler: () => {} }, async (server) => {
    const silent = (): number => server.stats().connections.silent;
    const all: RawClient[] = [];
    const add = async (): Promise<RawClient> => {
      const before = silent();
      const client = new RawClient(server.url);
      all.push(client);
      await until(() => silent() > before || server.stats().connections.dropped > 0);
      return client;
    };
    const [first, second, third] = [await add(), await add(), await add()];
    assertEquals(silent(), 3);
    // Half a request doesn't count as a request.
    second.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
    third.request();
    await third.response();
    assertEquals([silent(), server.channels.size], [2, 1]);
    await add();
    const last = await add();
    await first.end();
    assertEquals([silent(), server.stats().connections.dropped], [3, 1]);
    last.request();
    assert((await last.response()).includes(" 101 "));
    const plain = await refusalOf(
      server,
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assertEquals([plain.status, server.channels.size], [426, 2]);
    for (const client of all) await client.destroy();
    await until(() => silent() === 0);
    const { connections } = server.stats();
    assertEquals([connections.silent, connections.dropped], [0, 1]);
  });
});

Deno.test("bind: an address has a bounded number of connections without a request", async () => {
  await withServer({ maxConnectionsPerAddress: 1, handler: () => {} }, async (server) => {
    const clients = Array.from({ length: 20 }, () => new RawClient(server.url));
    await until(() => server.stats().connections.dropped === 4);
    assertEquals(server.stats().connections.silent, 16);
    await until(() => clients.filter((it) => it.hasEnded).length === 4);
    const one = clients.find((it) => !it.hasEnded) as RawClient;
    one.request();
    assert((await one.response()).includes(" 101 "));
    assertEquals((await refusalOf(server, requestText())).status, 429);
    for (const client of clients) await client.destroy();
    await until(() => server.stats().connections.silent === 0);
  });
});

Deno.test("bind: counts connections without a request and limits upgrades, also with TLS", async () => {
  const tls = createIdentity({ names: ["127.0.0.1"] });
  const options = { tls, maxSilentConnections: 2, maxConnectionsPerAddress: 1, handler: () => {} };
  await withServer(options, async (server) => {
    const stats = () => server.stats().connections;
    const idle = [1, 2].map(() => new RawClient(server.url));
    await until(() => stats().silent === 2);
    const connect = (): NetWebSocketChannel =>
      NetWebSocketChannel.connect(server.url, { tls: { ca: tls.cert } });
    const client = connect();
    await client.ready;
    assertEquals([stats().open, stats().silent, stats().dropped], [1, 1, 1]);
    const error = await assertRejects(() => connect().ready, ConnectError);
    assertEquals([error.status, error.retryAfter], [429, 5000]);
    await client.sink.close();
    for (const it of idle) await it.destroy();
    await until(() => stats().silent === 0);
  });
});

Deno.test("all servers with the same limits object share its counts", async () => {
  const limits = new ConnectionLimits({ maxConnections: 2 });
  const http = createServer();
  http.on("upgrade", (request, socket, head) => {
    if (request.url === "/attached") return;
    acceptUpgrade(request, socket, head, { limits }).ready.catch(() => {});
  });
  const attached = WebSocketServer.attach(http, { path: "/attached", limits, handler: () => {} });
  await withServer({ limits, handler: () => {} }, async (server) => {
    const own = await upgraded(server);
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const { port } = http.address() as { port: number };
    const there = { url: `ws://127.0.0.1:${port}` };
    const other = await upgraded(there, [], "/attached");
    assertEquals(limits.connections, 2);
    assertEquals((await refusalOf(server, requestText())).status, 503);
    assertEquals((await refusalOf(there, requestText())).status, 503);
    assertEquals(attached.stats().connections.silent, 0);
    await own.destroy();
    await other.destroy();
    await until(() => limits.connections === 0);
  });
  await attached.close();
  await new Promise((resolve) => http.close(resolve));
});

Deno.test("limits: an error names each wrong option", async () => {
  const bind = (options: unknown): Promise<unknown> => WebSocketServer.bind(options as object);
  const rate = "it must have per, and at least one of total and perAddress";
  await assertRejects(() => bind({ connectionRate: {} }), TypeError, rate);
  await assertRejects(() => bind({ connectionRate: { per: 1 } }), TypeError, rate);
  await assertRejects(() => bind({ connectionRate: { total: 1 } }), TypeError, rate);
  await assertRejects(
    () => bind({ connectionRate: { total: 0, per: 1 } }),
    RangeError,
    "connectionRate.total",
  );
  await assertRejects(
    () => bind({ connectionRate: { total: 1, per: 0 } }),
    RangeError,
    "connectionRate.per",
  );
  await assertRejects(
    () => bind({ connectionRate: { totl: 1, per: 1 } }),
    TypeError,
    "connectionRate.total",
  );
  await assertRejects(
    () => bind({ maxConnectionsPerAddress: -1 }),
    RangeError,
    "maxConnectionsPerAddress",
  );
  await assertRejects(() => bind({ maxSilentConnections: 0 }), RangeError, "maxSilentConnections");
  await assertRejects(() => bind({ clientAddress: "x" }), TypeError, "clientAddress");
  await assertRejects(
    () => bind({ limits: {} }),
    TypeError,
    "limits: it must be a ConnectionLimits, got an object",
  );
  const limits = new ConnectionLimits({});
  await assertRejects(
    () => bind({ limits, maxConnections: 5 }),
    TypeError,
    "limits: it must be left out if maxConnections is given",
  );
  assertThrows(() => new ConnectionLimits({ limit: 1 } as object), TypeError, "limit");
});

Deno.test("limits: maxConnections of 0 admits no client", async () => {
  await withServer({ maxConnections: 0 }, async (server) => {
    assertEquals((await refusalOf(server, requestText())).status, 503);
  });
});
