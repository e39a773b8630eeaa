import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { createServer } from "node:net";
import process from "node:process";
import { Http2, type Http2ConnectOptions, Http2Pool } from "../../src/http2/mod.ts";
import { connectHttp2 } from "../../src/http2/http2.ts";
import { PooledSession } from "../../src/http2/session.ts";
import { ConnectError, UnsupportedError, WebSocketChannelError } from "../../src/net/mod.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { certificates } from "../net/support.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { rejection } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { startRaw, TYPE } from "./raw_session.ts";
import { open, withEcho, withPool, withServer } from "./support.ts";

const settings = (maxConcurrentStreams: number): Record<string, unknown> => ({
  enableConnectProtocol: true,
  maxConcurrentStreams,
});

Deno.test("http2 W44 pool: channels that connect at the same time share one session, up to its limit", async () => {
  await withEcho({}, async ({ url, sessions }) => {
    await withPool(async (pool) => {
      await Promise.all(Array.from({ length: 5 }, () => open(url, { pool })));
      assertEquals([pool.sessions, pool.channels, sessions.size], [3, 5, 3]);
    }, new Http2Pool({ maxChannelsPerSession: 2 }));
  });
});

Deno.test("http2 W44 pool: respects the server's SETTINGS_MAX_CONCURRENT_STREAMS", async () => {
  await withEcho({}, async ({ url, sessions }) => {
    await withPool(async (pool) => {
      for (let i = 0; i < 5; i++) await open(url, { pool });
      assertEquals([pool.sessions, sessions.size], [3, 3]);
      // The limit isn't known yet when these begin to connect.
      const young = new Http2Pool();
      await Promise.all(Array.from({ length: 5 }, () => open(url, { pool: young })));
      assertEquals([young.sessions, young.channels, sessions.size], [3, 5, 6]);
      void young.close();
    });
  }, { settings: settings(2) });
});

Deno.test("http2 W45 pool: channels wait for a full pool, which serves them in order", async () => {
  await withEcho({}, async ({ url }) => {
    await withPool(async (pool) => {
      const first = await open(url, { pool });
      const order: number[] = [];
      const waiting = [1, 2].map(async (i) => {
        const channel = await open(url, { pool });
        order.push(i);
        await channel.sink.close();
      });
      const given = new AbortController();
      const gone = Http2.connect(url, { pool, signal: given.signal });
      given.abort(new Error("enough"));
      assertEquals((await rejection(gone.ready) as Error).message, "enough");
      await turn();
      assertEquals([pool.sessions, pool.channels, order.length], [1, 1, 0]);
      await first.sink.close();
      await Promise.all(waiting);
      assertEquals(order, [1, 2]);
    }, new Http2Pool({ maxSessions: 1, maxChannelsPerSession: 1 }));
  });
});

Deno.test("http2 W45 pool: closes an idle session to make room for a session to another server", async () => {
  await withEcho({}, async (one) => {
    await withEcho({}, async (other) => {
      await withPool(async (pool) => {
        await (await open(one.url, { pool })).sink.close();
        assertEquals(pool.sessions, 1);
        const channel = await open(other.url, { pool });
        assertEquals([pool.sessions, channel.state], [1, "open"]);
        await until(() => one.sessions.size === 0);
      }, new Http2Pool({ maxSessions: 1 }));
    });
  });
});

Deno.test("http2 W46 pool: closes a session that has had no channel for idleTimeout", async () => {
  await withEcho({}, async ({ url, sessions }) => {
    const clock = new ManualClock();
    const pool = new Http2Pool({ idleTimeout: 1000 });
    const connect = async (): Promise<void> => {
      const channel = connectHttp2(url, { pool }, clock);
      await channel.ready;
      await channel.sink.close();
    };
    await connect();
    clock.advance(900);
    await connect();
    assertEquals([pool.sessions, sessions.size], [1, 1]);
    clock.advance(1500);
    await until(() => pool.sessions === 0 && sessions.size === 0);
    await pool.close();
  });
});

Deno.test("http2 W47 pool: channels with other tls options or another route get another session", async () => {
  await withEcho({}, async ({ url }) => {
    await withPool(async (pool) => {
      const { authority, local } = certificates();
      const options: Http2ConnectOptions[] = [
        { tls: { ca: authority.cert } },
        { tls: { ca: authority.cert, servername: "localhost" } },
        { tls: { ca: [authority.cert] } },
        { tls: { ca: authority.cert }, localAddress: "127.0.0.1" },
      ];
      for (const it of options) await open(url, { pool, ...it });
      assertEquals(pool.sessions, 4);
      for (const it of options) await open(url, { pool, ...it });
      assertEquals([pool.sessions, pool.channels], [4, 8]);
      const { cert, key } = local;
      await open(url, { pool, tls: { ca: authority.cert, cert, key } });
      assertEquals(pool.sessions, 5);
    });
  }, { isSecure: true });
});

Deno.test("http2 W48 pool: close waits for open channels, and refuses new ones", async () => {
  await withEcho({}, async ({ url }) => {
    const pool = new Http2Pool();
    const channel = await open(url, { pool });
    const closing = pool.close();
    const error = await rejection(Http2.connect(url, { pool }).ready);
    assertInstanceOf(error, WebSocketChannelError);
    assertEquals(error.message, "Cannot connect: the Http2Pool is closed");
    channel.sink.add("still here");
    assertEquals((await channel.stream.next()).value, "still here");
    await channel.sink.close();
    await closing;
    assertEquals([pool.sessions, pool.channels], [0, 0]);
  });
});

Deno.test("http2 W48 pool: close ends connecting channels in every phase, and no session starts afterwards", async () => {
  const clock = new ManualClock();
  for (const isAccepted of [false, true]) {
    let connections = 0;
    // It never sends SETTINGS.
    const server = createServer((socket) => {
      socket.on("error", () => {}).on("data", () => connections++);
    });
    const port = await listen(server);
    const pool = new Http2Pool();
    const channel = connectHttp2(`ws://127.0.0.1:${port}`, { pool, connectTimeout: 0 }, clock);
    if (isAccepted) await until(() => connections > 0);
    const closing = pool.close();
    const error = await rejection(channel.ready) as Error;
    assertEquals(error.message, "Cannot connect: the Http2Pool is closed");
    await closing;
    await closeServer(server);
    assertEquals([pool.sessions, pool.channels, connections > 0], [0, 0, isAccepted]);
  }
});

Deno.test("http2 W39 pool: a server that sends GOAWAY in each session gets at most three connections", async () => {
  let count = 0;
  const server = await startRaw((session) => {
    count++;
    session.send(TYPE.GOAWAY, 0, 0, new Uint8Array(8));
  });
  try {
    await withPool(async (pool) => {
      const error = await rejection(Http2.connect(server.url, { pool }).ready);
      assert(error instanceof ConnectError && error.retryable, String(error));
      await until(() => pool.sessions === 0);
      assertEquals(count, 3);
    });
  } finally {
    await server.close();
  }
});

Deno.test("http2 W48 pool: there is one shared pool, and its inspection shows no secret", async () => {
  assert(Http2.pool === Http2.pool);
  await withEcho({}, async ({ url }) => {
    await withPool(async (pool) => {
      await open(`${url}/?token=secret`, { pool });
      const { inspect } = await import("node:util");
      assertEquals(inspect(pool), "Http2Pool { sessions: 1, channels: 1 }");
    });
  });
});

Deno.test("http2 W48 pool: an abandoned attempt leaves no session", async () => {
  await withPool(async (pool) => {
    const given = new AbortController();
    const channel = Http2.connect("ws://127.0.0.1:9", { pool, signal: given.signal });
    given.abort();
    await channel.closed;
    assertEquals([pool.sessions, pool.channels], [0, 0]);
    const refused = await rejection(Http2.open("ws://127.0.0.1:9", { pool }));
    assert(String(refused).includes("the connection was refused"), String(refused));
    assertEquals([pool.sessions, pool.channels], [0, 0]);
  });
});

Deno.test("http2 W37 pool: handles a session that ends before it is usable, and one that ends unnoticed", async () => {
  await withServer((server) => {
    server.on("session", (session) => session.destroy(undefined, 11));
  }, async ({ url }) => {
    await withPool(async (pool) => {
      const error = await rejection(open(url, { pool })) as Error;
      const text = `${error.message} ${(error.cause as Error | undefined)?.message}`;
      const isKnown = text.includes("GOAWAY ENHANCE_YOUR_CALM (11)") ||
        text.includes("the answer is not HTTP/2, or the connection was lost") ||
        text.includes("has just ended") || text.includes("The HTTP/2 session was lost");
      assert(isKnown, text);
      await until(() => pool.sessions === 0);
    });
  });
  const place = { url: new URL("ws://127.0.0.1:9"), tls: undefined, options: {} };
  const events = { onChange: () => {} };
  const clock = new ManualClock();
  const session = new PooledSession(place, { clock, maxStreams: 1, idleTimeout: 0, events });
  assertThrows(() => session.request({}), ConnectError, "the HTTP/2 session has just ended");
  session.destroy();
  await rejection(session.ready);
});

Deno.test("http2 W44 pool: connecting to a server that allows no stream fails after one connection", async () => {
  let count = 0;
  await withServer((server) => void server.on("session", () => count++), async ({ url }) => {
    for (const idleTimeout of [0, 10_000]) {
      count = 0;
      await withPool(async (pool) => {
        const options = { pool, connectTimeout: 1000 };
        const error = await rejection(Http2.connect(url, options).ready);
        assert(error instanceof ConnectError && error.retryable, String(error));
        assert(error.message.includes("allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS)"));
        await until(() => pool.sessions === 0);
        assertEquals(count, 1);
      }, new Http2Pool({ idleTimeout }));
    }
  }, { settings: settings(0) });
});

Deno.test("http2 W48 pool: discards a connection without SETTINGS before the next attempt", async () => {
  let count = 0;
  const server = createServer((socket) => {
    count++;
    socket.on("error", () => {}).resume();
  });
  const port = await listen(server);
  try {
    await withPool(async (pool) => {
      for (let i = 1; i <= 2; i++) {
        const options = { pool, connectTimeout: 200 };
        const error = await rejection(Http2.connect(`ws://127.0.0.1:${port}`, options).ready);
        assertEquals((error as Error).name, "TimeoutError");
        assertEquals(count, i);
      }
    });
  } finally {
    await closeServer(server);
  }
});

Deno.test("http2 W48 pool: fails with an UnsupportedError without node:http2, and opens no connection", async () => {
  let count = 0;
  const server = createServer(() => count++);
  const port = await listen(server);
  const { getBuiltinModule } = process;
  process.getBuiltinModule =
    ((name: string) =>
      name === "http2" ? undefined : getBuiltinModule(name)) as typeof getBuiltinModule;
  try {
    await withPool(async (pool) => {
      const error = await rejection(Http2.connect(`ws://127.0.0.1:${port}`, { pool }).ready);
      assertInstanceOf(error, UnsupportedError);
      assertEquals([pool.sessions, count], [0, 0]);
    });
  } finally {
    process.getBuiltinModule = getBuiltinModule;
    await closeServer(server);
  }
});
