/** Servers that don't read: how the error is reported, and how discarding helps. */

import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import type { ServerWebSocketChannel } from "../../src/server/mod.ts";
import { WebSocketChannelError } from "../../src/web_socket/errors.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { deferred } from "../support/promises.ts";
import { until } from "../support/turns.ts";
import { testEntries } from "./entries.ts";
import { withServer } from "./support.ts";

const PATIENCE = 10_000;

/** 1 MiB in messages of 16 KiB. */
function flood(client: NetWebSocketChannel): void {
  for (let i = 0; i < 64; i++) client.sink.add(new Uint8Array(0x4000));
}

testEntries(
  "a server answers a Close behind 1 MiB that nothing reads, or onError gets the reason",
  async ({ run }) => {
    const told = deferred<[unknown, string, string]>();
    const options = {
      handler: () => {},
      closeTimeout: 50,
      onError: (error: unknown, { where, request }: { where: string; request: unknown }): void =>
        told.resolve([error, where, (request as { url: URL }).url.pathname]),
    };
    await run(options, async ({ url }) => {
      const client = NetWebSocketChannel.connect(`${url}/room`, { closeTimeout: 3000 });
      await client.ready;
      flood(client);
      void client.sink.close(4001);
      const isAnswered = client.closed.then(({ wasClean }) => wasClean && "answered");
      const first = await deadline(Promise.race([told.promise, isAnswered]), PATIENCE);
      if (first === "answered") return;
      const [error, where, path] = first as [unknown, string, string];
      assertInstanceOf(error, WebSocketChannelError);
      assertMatch(
        error.message,
        /^Cannot receive more: \d+ bytes .* channel\.stream\.discard\(\)$/,
      );
      assertEquals([where, path], ["stream", "/room"]);
      client.terminate();
    });
  },
);

testEntries(
  "a handler that discards messages gets the Close behind 1 MiB, and the server answers pings",
  async ({ run }) => {
    const errors: unknown[] = [];
    const ended = deferred<number>();
    const handler = (channel: ServerWebSocketChannel): void => {
      channel.stream.discard();
      channel.sink.add("pushed");
      void channel.closed.then(({ code }) => ended.resolve(code));
    };
    await run(
      { handler, closeTimeout: 50, onError: (error) => errors.push(error) },
      async ({ url }) => {
        const client = NetWebSocketChannel.connect(url);
        assertEquals((await client.stream.next()).value, "pushed");
        flood(client);
        assert(await client.ping() >= 0);
        await client.sink.close(4001);
        assertEquals([(await client.closed).wasClean, await ended.promise], [true, 4001]);
      },
    );
    assertEquals(errors, []);
  },
);

Deno.test("onError gets one error for an unread channel after closeTimeout, unless a reader starts", async () => {
  for (const how of ["never", "late", "early"] as const) {
    const clock = new ManualClock();
    const errors: string[] = [];
    const opened = deferred<ServerWebSocketChannel>();
    const onError = (error: unknown): void => void errors.push((error as Error).message);
    const options = {
      clock,
      closeTimeout: 1000,
      pingInterval: 0,
      handler: opened.resolve,
      onError,
    };
    await withServer(options, async (server) => {
      const client = NetWebSocketChannel.connect(server.url);
      const channel = await opened.promise;
      if (how === "early") channel.stream.listen(() => {}).pause();
      flood(client);
      await until(() => server.stats().queued > 0 || server.stats().received.bytes > 0x10000);
      clock.advance(900);
      if (how === "late") channel.stream.listen(() => {});
      clock.advance(5000);
      clock.advance(5000);
      assertEquals(errors.length, how === "never" ? 1 : 0);
      client.terminate();
      channel.terminate();
    });
    assertEquals(errors.length, how === "never" ? 1 : 0);
  }
});

Deno.test("both sides report the reason when a connection is lost while nothing reads", async () => {
  const errors: string[] = [];
  const ended = deferred<string>();
  await withServer({
    pingInterval: 50,
    closeTimeout: 60_000,
    handler: (channel) => {
      void channel.closed.then(({ error }) => ended.resolve((error as Error).message));
    },
    onError: (error) => void errors.push((error as Error).message),
  }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url, { closeTimeout: 100 });
    await client.ready;
    flood(client);
    await client.sink.close(4001);
    const { error, initiator } = await client.closed;
    // Bun reads from a paused socket anyway.
    if (initiator !== "timeout") return;
    assertMatch((error as Error).message, /^Cannot close within 100 ms: /);
    const text = await deadline(ended.promise, PATIENCE);
    assertMatch(text, /, while \d+ bytes of messages were unread$/);
    assertEquals(errors.length, 1);
  });
});

testEntries("a handler may read a token first and discard the rest", async ({ run }) => {
  const errors: unknown[] = [];
  const ended = deferred<number>();
  const handler = async (channel: ServerWebSocketChannel): Promise<void> => {
    const { value } = await channel.stream.next();
    channel.stream.discard();
    channel.sink.add(`hello, ${value}`);
    ended.resolve((await channel.closed).code);
  };
  const options = { handler, closeTimeout: 50, onError: (error: unknown) => errors.push(error) };
  await run(options, async ({ url }) => {
    const client = NetWebSocketChannel.connect(url);
    client.sink.add("token");
    flood(client);
    assertEquals((await client.stream.next()).value, "hello, token");
    await client.sink.close(4001);
    assertEquals([(await client.closed).wasClean, await ended.promise], [true, 4001]);
  });
  assertEquals(errors, []);
});

Deno.test("onError gets an unread channel early enough for the user to discard the messages and get the Close", async () => {
  const opened: ServerWebSocketChannel[] = [];
  await withServer({
    closeTimeout: 50,
    handler: (channel) => void opened.push(channel),
    onError: () => opened[0]?.stream.discard(),
  }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url, { closeTimeout: PATIENCE });
    await client.ready;
    flood(client);
    await client.sink.close(4001);
    const { code, wasClean } = await client.closed;
    assertEquals([code, wasClean], [4001, true]);
    assertEquals((await opened[0]?.closed)?.code, 4001);
  });
});

Deno.test("a server's close reaches a client whose messages nothing reads", async () => {
  const errors: unknown[] = [];
  const ends: unknown[] = [];
  await withServer({
    handler: (channel) => void channel.closed.then((it) => ends.push([it.code, it.wasClean])),
    onError: (error) => errors.push(error),
  }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    await client.ready;
    flood(client);
    await until(() => server.stats().received.bytes > 0x10000);
    await server.close({ code: 1012, drainTimeout: PATIENCE });
    assertEquals((await client.closed).code, 1012);
    assertEquals(ends, [[1012, true]]);
  });
  assertEquals(errors, []);
});

Deno.test("a server also reports channels that its iterator never yields", async () => {
  const told = deferred<string>();
  await withServer({
    closeTimeout: 50,
    onError: (_error, { where }) => told.resolve(where),
  }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    await client.ready;
    flood(client);
    assertEquals(await deadline(told.promise, PATIENCE), "stream");
    client.terminate();
  });
});
