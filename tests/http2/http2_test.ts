import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { ConnectError, NetWebSocketChannel, type WebSocketChannel } from "../../src/net/mod.ts";
import { acceptStreams, Http2, type Http2ConnectOptions, Http2Pool } from "../../src/http2/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { certificates } from "../net/support.ts";
import { withRecipe } from "../support/recipes.ts";
import { rejection } from "../support/promises.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { openRaw, TYPE } from "./raw_session.ts";
import { open, withEcho, withPool, withServer } from "./support.ts";

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

async function refusalOf(url: string, options: Http2ConnectOptions): Promise<ConnectError> {
  const error = await rejection(open(url, options));
  assertInstanceOf(error, ConnectError);
  return error;
}

/** Returns the text of an error's cause. */
function causeOf(error: unknown): string {
  return ((error as Error).cause as Error).message;
}

async function echoOf(channel: WebSocketChannel, message: string): Promise<unknown> {
  channel.sink.add(message);
  return (await channel.stream.next()).value;
}

for (const isSecure of [false, true]) {
  const name = isSecure ? "with TLS" : "plain";
  Deno.test(`http2 W34 a channel on a stream, ${name}: subprotocol, compression, header fields, both closes`, async () => {
    let seen: unknown[] = [];
    await withEcho({
      protocols: ["chat"],
      compression: { threshold: 0 },
      headers: { "X-Answer": "yes", "Set-Cookie": "a=b" },
      verify: ({ url, headers, cookies, remoteAddress }) => {
        seen = [url.pathname + url.search, url.protocol, headers.get("x-custom"), ...cookies];
        return remoteAddress === "127.0.0.1";
      },
      handler: (channel) => {
        channel.stream.listen((message) => {
          if (message === "close") channel.sink.close(4001, "bye");
          else channel.sink.add(message);
        });
      },
    }, async ({ url }) => {
      await withPool(async (pool) => {
        const channel = await open(`${url}/chat?a=b`, {
          pool,
          protocols: ["chat"],
          compression: true,
          headers: { "X-Custom": "1", "Cookie": "c=d" },
        });
        assertEquals(seen, ["/chat?a=b", isSecure ? "wss:" : "ws:", "1", ["c", "d"]]);
        assertEquals(channel.protocol, "chat");
        assert(channel.extensions.startsWith("permessage-deflate"));
        assertEquals(channel.response?.status, 200);
        assertEquals(channel.response?.headers.get("x-answer"), "yes");
        const { connectionInfo } = channel;
        assertEquals(connectionInfo?.remoteAddress, "127.0.0.1");
        assertEquals(connectionInfo?.tls?.alpnProtocol, isSecure ? "h2" : undefined);
        assertEquals(await echoOf(channel, "hello"), "hello");
        const large = new Uint8Array(3_000_000).map((_, i) => i * 31 >> 3);
        channel.sink.add(large);
        assertEquals((await channel.stream.next()).value, large);
        channel.sink.add("close");
        const { code, reason, wasClean, initiator } = await channel.closed;
        assertEquals([code, reason, wasClean, initiator], [4001, "bye", true, "remote"]);
        const other = await open(url, { pool, protocols: ["chat"] });
        await other.sink.close(3000, "done");
        assertEquals((await other.closed).wasClean, true);
        assertEquals([pool.sessions, pool.channels], [1, 0]);
      });
    }, { isSecure });
  });
}

Deno.test("http2 W35 a refusal is an answer with its status and body, calls the hook, and keeps the session open", async () => {
  const refused: unknown[] = [];
  await withEcho({
    verify: ({ url }) =>
      url.pathname !== "/no" ||
      { status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: "no token" },
    onRefused: ({ status, reason }) => refused.push(status, reason),
  }, async ({ url, sessions }) => {
    await withPool(async (pool) => {
      const good = await open(url, { pool });
      let streamed = "";
      const error = await refusalOf(`${url}/no`, {
        pool,
        onRefusal: async ({ body }) => {
          streamed = await new Response(body).text();
        },
      });
      assertEquals([error.status, error.phase, error.retryable], [401, "handshake", false]);
      assertEquals(error.response?.headers.get("www-authenticate"), "Bearer");
      assertEquals([text(error.response?.body), streamed], ["no token", "no token"]);
      assertEquals(error.message, `Cannot connect to ${url}/no: the server answered 401`);
      const foreign = await refusalOf(url, { pool, origin: "http://other.test" });
      assertEquals(foreign.status, 403);
      assertEquals(refused, [401, "verify", 403, "origin"]);
      assertEquals(await echoOf(good, "still here"), "still here");
      assertEquals([pool.sessions, sessions.size], [1, 1]);
      good.terminate();
    });
  });
});

Deno.test("http2 W35 header fields: handles names of Object.prototype, repeated names, and names of HTTP/1.1", async () => {
  const { cert, key } = certificates().local;
  const fields: [string, string][] = [
    ["Constructor", "a"],
    ["__proto__", "b"],
    ["ETag", "c"],
    ["ETag", "d"],
    ["Set-Cookie", "e=f"],
    ["Set-Cookie", "g=h"],
    ["HTTP2-Settings", "i"],
  ];
  const expected = [
    ["__proto__", "b"],
    ["constructor", "a"],
    ["etag", "c, d"],
    ["set-cookie", "e=f"],
    ["set-cookie", "g=h"],
  ];
  const known = (headers: Iterable<[string, string]>): unknown[] =>
    [...headers].filter(([name]) => expected.some((it) => it[0] === name)).sort();
  let seen: unknown[] = [];
  const server = await WebSocketServer.bind({
    tls: { cert, key },
    http2: true,
    headers: fields,
    verify: ({ headers }) => {
      seen = ["constructor", "__proto__", "authorization", "cookie"].map((it) => headers.get(it));
      return true;
    },
    onRequest: () => new Response("page", { headers: fields }),
    handler: (channel) => void channel.stream.listen((it) => channel.sink.add(it)),
  });
  try {
    await withPool(async (pool) => {
      const channel = await open(server.url, {
        pool,
        headers: [
          ["Constructor", "a"],
          ["__proto__", "b"],
          ["Authorization", "c"],
          ["Authorization", "d"],
          ["Cookie", "e=f"],
          ["Cookie", "g=h"],
        ],
      });
      assertEquals(seen, ["a", "b", "c, d", "e=f; g=h"]);
      assertEquals(known(channel.response?.headers ?? []), expected);
      await channel.sink.close();
    });
    const session = connect(server.url.replace("wss:", "https:"), {
      ca: certificates().authority.cert,
    });
    const head = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":path": "/" });
      stream.on("error", reject);
      stream.on("response", resolve).resume();
    });
    assertEquals([head["etag"], head["set-cookie"]], ["c, d", ["e=f", "g=h"]]);
    session.close();
  } finally {
    await server.close();
  }
});

Deno.test("http2 W36 RST_STREAM ends its channel with its code, and no other channel of the session", async () => {
  await withEcho({
    handler: (channel) => {
      channel.stream.listen((message) => {
        if (message === "terminate") channel.terminate();
        else channel.sink.add(message);
      });
    },
  }, async ({ url }) => {
    await withPool(async (pool) => {
      const [one, other] = await Promise.all([open(url, { pool }), open(url, { pool })]);
      one.sink.add("terminate");
      const { code, wasClean, error } = await one.closed;
      assertEquals([code, wasClean], [1006, false]);
      // Runtimes may send END_STREAM before RST_STREAM.
      const { cause } = error as Error;
      if (cause !== undefined) {
        assertEquals((cause as Error).message, "The HTTP/2 stream was reset: CANCEL (8)");
      }
      assertEquals(await echoOf(other, "here"), "here");
      other.terminate();
      assertEquals((await other.closed).code, 1006);
    });
  });
});

Deno.test("http2 W37 a lost session ends each of its channels as lost", async () => {
  await withEcho({}, async ({ url, sessions, cut }) => {
    await withPool(async (pool) => {
      const ends = [cut, () => {
        for (const session of sessions) session.destroy();
      }];
      for (const end of ends) {
        const channels = await Promise.all([1, 2, 3].map(() => open(url, { pool })));
        end();
        for (const { closed } of channels) {
          const { code, wasClean, initiator, error } = await closed;
          assertEquals([code, wasClean, initiator], [1006, false, "transport"]);
          if (end === cut) assertEquals(causeOf(error), "The HTTP/2 session was lost");
        }
      }
      assertEquals(await echoOf(await open(url, { pool }), "again"), "again");
    });
  });
});

Deno.test("http2 W38 GOAWAY: existing channels stay open, and new channels get another session", async () => {
  await withEcho({}, async ({ url, sessions }) => {
    await withPool(async (pool) => {
      const old = await open(url, { pool });
      const [first] = sessions;
      first?.close();
      // The server sends the GOAWAY before the answer.
      assertEquals(await echoOf(old, "one"), "one");
      const young = await open(url, { pool });
      assertEquals([pool.sessions, await echoOf(young, "two"), await echoOf(old, "three")], [
        2,
        "two",
        "three",
      ]);
      await Promise.all([old.sink.close(), young.sink.close()]);
    });
  });
});

Deno.test("http2 W39 the client requests a refused stream again, up to three times in total", async () => {
  let count = 0;
  await withServer((server) => {
    server.on("stream", (stream) => {
      count++;
      stream.on("error", () => {});
      stream.close(7);
    });
  }, async ({ url }) => {
    await withPool(async (pool) => {
      const error = await refusalOf(url, { pool });
      assertEquals([count, error.retryable, error.status], [3, true, null]);
      assertEquals(
        causeOf(error),
        "The HTTP/2 stream was reset: REFUSED_STREAM (7)",
      );
    });
  });
});

Deno.test("http2 W40 the channel fails without WebSocket over HTTP/2, or uses HTTP/1.1 if the option fallback is set", async () => {
  const options = { tls: { ca: certificates().authority.cert } };
  // HTTP/1.1 only, by ALPN.
  const { cert, key } = certificates().local;
  const old = await WebSocketServer.bind({
    tls: { cert, key },
    handler: (channel) => void channel.stream.listen((it) => channel.sink.add(it)),
  });
  try {
    await withPool(async (pool) => {
      const error = await refusalOf(old.url, { ...options, pool });
      assertEquals([error.phase, error.status, error.retryable], ["handshake", null, false]);
      assertEquals(
        error.message,
        `Cannot connect to ${old.url}/: the server did not choose h2 (ALPN), but http/1.1`,
      );
      const channel = await open(old.url, { ...options, pool, fallback: true });
      assertEquals(await echoOf(channel, "hello"), "hello");
      assertEquals([channel.response?.status, pool.sessions], [101, 0]);
      await channel.sink.close();
    });
  } finally {
    await old.close();
  }
  // HTTP/2 without SETTINGS_ENABLE_CONNECT_PROTOCOL.
  await withServer(() => {}, async ({ url }) => {
    await withPool(async (pool) => {
      const error = await refusalOf(url, { pool });
      assert(
        error.message.includes("but not WebSocket over it (SETTINGS_ENABLE_CONNECT_PROTOCOL)"),
      );
    });
  }, { settings: {} });
  // HTTP/1.1 only, plain.
  await withRecipe("echo", {}, async ({ url }) => {
    await withPool(async (pool) => {
      const error = await refusalOf(url, { pool });
      assert(error.message.includes("the answer is not HTTP/2, or the connection was lost"));
      const channel = await open(url, { pool, fallback: true });
      assertEquals(await echoOf(channel, "hello"), "hello");
      await channel.sink.close();
    });
  });
});

Deno.test("http2 W41 the client follows redirects, to another session", async () => {
  await withEcho({}, async (there) => {
    await withEcho({
      verify: () => ({ status: 302, headers: { Location: `${there.url}/there` } }),
    }, async ({ url }) => {
      await withPool(async (pool) => {
        assertEquals((await refusalOf(url, { pool })).status, 302);
        const channel = await open(url, { pool, followRedirects: true });
        assertEquals(channel.url, `${there.url}/there`);
        assertEquals(await echoOf(channel, "hello"), "hello");
        assertEquals(pool.sessions, 2);
        await channel.sink.close();
      });
    });
  });
});

Deno.test("http2 W42 one port serves channels and pages over HTTP/1.1 and HTTP/2, and closes both cleanly", async () => {
  const { cert, key } = certificates().local;
  const tls = { ca: certificates().authority.cert };
  const server = await WebSocketServer.bind({
    tls: { cert, key },
    http2: { maxStreams: 10 },
    onRequest: (request) => new Response(`page ${new URL(request.url).pathname}`),
    handler: (channel) => void channel.stream.listen((it) => channel.sink.add(it)),
  });
  await withPool(async (pool) => {
    const one = NetWebSocketChannel.connect(server.url, { tls });
    const two = await open(server.url, { pool });
    assertEquals([await echoOf(one, "1.1"), await echoOf(two, "2")], ["1.1", "2"]);
    assertEquals(
      [...server.channels].map(({ connectionInfo }) => connectionInfo?.tls?.alpnProtocol).sort(),
      ["h2", "http/1.1"],
    );
    assertEquals(server.stats().connections.open, 2);
    // A stop during an open channel closes the channel with 1001.
    const [, ...infos] = await Promise.all([server.close(), one.closed, two.closed]);
    assertEquals(infos.map(({ code, wasClean }) => [code, wasClean]), [[1001, true], [1001, true]]);
  });
});

Deno.test("http2 W43 malformed options throw at once", async () => {
  const connect = (options: unknown): unknown =>
    Http2.connect("ws://127.0.0.1:9", options as Http2ConnectOptions);
  for (const bag of [null, 5, "text", [], () => {}]) {
    assertThrows(() => connect(bag), TypeError, "Cannot use the options: they must be an object");
  }
  assertThrows(() => connect(Object.create({ nothing: 1 })), TypeError, "option nothing");
  assertThrows(() => connect({ pool: null }), TypeError, "option pool");
  assertThrows(() => connect({ pool: {} }), TypeError, "option pool: it must be an Http2Pool");
  assertThrows(() => connect({ fallback: 1 }), TypeError, "option fallback: it must be a boolean");
  assertThrows(
    () => connect({ transport: "net" }),
    TypeError,
    "option transport: it must be left out",
  );
  const left = { transport: undefined, maxQueueSize: undefined, pool: undefined };
  assertThrows(() => connect({ ...left, fallback: "" }), TypeError, "option fallback");
  assertThrows(() => connect({ headers: { "Keep-Alive": "1" } }), TypeError, "keep-alive");
  assertThrows(() => connect({ nothing: 1 }), TypeError, "nothing");
  assertThrows(() => new Http2Pool({ maxSessions: 0 }), RangeError, "maxSessions");
  assertThrows(() => acceptStreams({} as never), TypeError, "the server must be one of node:http2");
  const bind = (options: unknown): unknown => WebSocketServer.bind(options as { http2: true });
  await assertRejects(() => bind({ http2: true }) as Promise<unknown>, TypeError, "option http2");
});

Deno.test("http2: a server's window for a session is at least as large as the window of a stream", async () => {
  const { cert, key } = certificates().local;
  const server = await WebSocketServer.bind({ tls: { cert, key }, http2: true });
  const session = await openRaw(server.url);
  try {
    const size = await session.find(({ type, stream, payload }) =>
      type === TYPE.WINDOW_UPDATE && stream === 0 ? new DataView(payload.buffer).getUint32(0) : null
    );
    assertEquals(Number(size) + 65_535, platform() === "bun" ? 1 << 18 : 1 << 24);
  } finally {
    session.destroy();
    await server.close();
  }
});
