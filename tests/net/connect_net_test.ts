import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { connect, createServer, isIP, type NetConnectOpts, Socket } from "node:net";
import * as dialling from "../../src/net/dialer.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { connectNet } from "../../src/net/connect_net.ts";
import { type LookupFunction, NetWebSocketChannel } from "../../src/net/mod.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { startProxy } from "../support/net_peers.ts";
import { type RecipeOptions, startRecipe, withRecipe } from "../support/recipes.ts";
import { assertReaches, connectFailure, withAll } from "./support.ts";
import { deferred } from "../support/promises.ts";
import { until } from "../support/turns.ts";
import { closeServer, listen } from "../support/loopback.ts";

const SECRETS = { Authorization: "Bearer secret", Cookie: "a=b", "X-Custom": "yes" };

function redirect(Location: string, status = 302): RecipeOptions {
  return { status, headers: { Location } };
}

// Redirects.

Deno.test("attack 30 redirects: off by default, and the error has the response", async () => {
  await withAll([await startRecipe("echo")], async (echo) => {
    await withRecipe("http", redirect(echo.url), async ({ url }) => {
      for (const followRedirects of [undefined, false, 0]) {
        const error = await connectFailure(url, { followRedirects });
        assertEquals([error.phase, error.status, error.retryable], ["handshake", 302, false]);
        assertEquals(error.response?.headers.get("location"), echo.url);
      }
      assertEquals((await echo.stats()).connections, 0);
    });
  });
});

Deno.test("attack 30 redirects: an option enables them, and no credentials go to another origin", async () => {
  await withAll([await startRecipe("echo")], async (echo) => {
    for (const status of [301, 302, 303, 307, 308]) {
      await withRecipe("http", redirect(`${echo.url}/there?q`, status), async (first) => {
        const channel = await assertReaches(first.url, {
          followRedirects: true,
          headers: SECRETS,
          origin: "http://page.test",
        });
        assertEquals(channel.url, `${echo.url}/there?…`);
        assertEquals((await first.next("request")).headers["authorization"], "Bearer secret");
        assertEquals((await first.next("disconnect")).kind, "disconnect");
        const { path, headers } = await echo.next("request");
        assertEquals(path, "/there?q");
        assertEquals(headers["host"], new URL(echo.url).host);
        for (const name of ["authorization", "cookie", "origin"]) {
          assertEquals(headers[name], undefined);
        }
        assertEquals(headers["x-custom"], "yes");
      });
    }
  });
});

Deno.test("attack 30 redirects: the channel ends a redirect loop", async () => {
  await withRecipe("http", redirect("/again"), async (server) => {
    for (const [followRedirects, connections] of [[true, 11], [3, 4], [1, 2]] as const) {
      const before = (await server.stats()).connections;
      const error = await connectFailure(server.url, { followRedirects });
      assertEquals(error.message, `Cannot connect to ${server.url}/again: too many redirects`);
      assertEquals([error.status, error.retryable], [302, false]);
      assertEquals((await server.stats()).connections - before, connections);
    }
  });
});

Deno.test("attack 30 redirects: the channel doesn't wait for an endless body", async () => {
  await withAll([await startRecipe("echo")], async (echo) => {
    const options = { ...redirect(echo.url), repeat: "x" };
    await withRecipe("http", options, async ({ url }) => {
      await assertReaches(url, { followRedirects: true });
    });
  });
});

Deno.test("attack 30 redirects: the error names the target if no server is there", async () => {
  await withRecipe("http", redirect("ws://no-such-host.invalid/"), async ({ url }) => {
    const error = await connectFailure(url, { followRedirects: true });
    assertEquals(error.phase, "dns");
    assertEquals(
      error.message,
      "Cannot connect to ws://no-such-host.invalid/: the host can't be found",
    );
  });
  await withRecipe("http", redirect("ftp://a.test/"), async ({ url }) => {
    const error = await connectFailure(url, { followRedirects: true });
    assertEquals([error.phase, error.status], ["handshake", 302]);
    assertInstanceOf(error.cause, Error);
  });
});

Deno.test("redirects: close ends the attempt", async () => {
  await withAll([await startRecipe("silent")], async (silent) => {
    await withRecipe("http", redirect(silent.url), async ({ url }) => {
      const channel = NetWebSocketChannel.connect(url, { followRedirects: true });
      while ((await silent.stats()).connections === 0) await Promise.resolve();
      await channel.sink.close();
      await silent.next("end");
    });
  });
});

Deno.test("redirects: the timeout covers the whole attempt", async () => {
  await withAll([await startRecipe("silent")], async (silent) => {
    await withRecipe("http", redirect(silent.url), async ({ url }) => {
      const channel = NetWebSocketChannel.connect(url, {
        followRedirects: true,
        connectTimeout: 100,
      });
      const error = await channel.ready.catch((it: unknown) => it) as Error;
      assertEquals(
        error.message,
        `Cannot connect to ${channel.url}: it took longer than 100 ms, in phase handshake`,
      );
      await silent.next("end");
    });
  });
});

Deno.test("redirects: onRedirect enables following, and may refuse a redirect", async () => {
  await withAll([await startRecipe("echo")], async (echo) => {
    await withRecipe("http", redirect(`${echo.url}/there?token=1`), async ({ url }) => {
      const seen: string[] = [];
      const channel = await assertReaches(url, {
        onRedirect: async ({ to, count }) => {
          await Promise.resolve();
          seen.push(`${count} ${to.href}`);
          return { headers: { Authorization: "Bearer b" } };
        },
      });
      assertEquals(seen, [`1 ${echo.url}/there?token=1`]);
      assertEquals(channel.url, `${echo.url}/there?token=…`);
      assertEquals((await echo.next("request")).headers["authorization"], "Bearer b");
      const error = await connectFailure(url, { onRedirect: () => false });
      assertEquals([error.phase, error.status, error.message], [
        "handshake",
        302,
        `Cannot connect to ${url}/: onRedirect refused the redirect to ${echo.url}/there?token=…`,
      ]);
    });
  });
  for (const followRedirects of [false, 0]) {
    assertThrows(
      () => NetWebSocketChannel.connect("ws://a.test", { followRedirects, onRedirect: () => {} }),
      TypeError,
      "onRedirect",
    );
  }
});

Deno.test("redirects: close ends the attempt while onRedirect is pending", async () => {
  await withAll([await startRecipe("echo")], async (echo) => {
    await withRecipe("http", redirect(echo.url), async ({ url }) => {
      const decision = deferred<boolean>();
      const channel = await new Promise<WebSocketChannel>((resolve) => {
        const it = NetWebSocketChannel.connect(url, {
          onRedirect: () => {
            resolve(it);
            return decision.promise;
          },
        });
      });
      await channel.sink.close();
      decision.resolve(true);
      await microtasks();
      assertEquals((await echo.stats()).connections, 0);
    });
  });
});

// Refusals.

async function bytesOf(body: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  for (const reader = body.getReader();;) {
    const { value, done } = await reader.read();
    if (done) return length;
    length += value.length;
  }
}

Deno.test("onRefusal: gets the whole body, the status and the header fields", async () => {
  const body = "x".repeat(1_000_000);
  const options = { status: 403, body, headers: { "X-Why": "no" } };
  await withRecipe("http", options, async ({ url }) => {
    const seen: unknown[] = [];
    const error = await connectFailure(url, {
      onRefusal: async ({ status, headers, body }) => {
        seen.push(status, headers.get("x-why"), await bytesOf(body));
      },
    });
    assertEquals(seen, [403, "no", 1_000_000]);
    assertEquals([error.status, error.response?.body.length, error.cause], [
      403,
      65_536,
      undefined,
    ]);
  });
});

Deno.test("onRefusal: a reader may cancel an endless body", async () => {
  await withRecipe("http", { status: 500, repeat: "x".repeat(1000) }, async (server) => {
    let length = 0;
    const error = await connectFailure(server.url, {
      onRefusal: async ({ body }) => {
        const reader = body.getReader();
        while (length < 300_000) length += (await reader.read()).value?.length ?? 0;
        await reader.cancel();
      },
    });
    assertEquals([error.status, error.response?.body.length], [500, 65_536]);
    await server.next("disconnect");
  });
});

Deno.test("onRefusal: may ignore the body, and may fail", async () => {
  await withRecipe("http", { status: 404, body: "not here" }, async ({ url }) => {
    const ignoring = await connectFailure(url, { onRefusal: () => {} });
    assertEquals(new TextDecoder().decode(ignoring.response?.body), "not here");
    const reason = new Error("enough");
    const failing = await connectFailure(url, {
      onRefusal: () => {
        throw reason;
      },
    });
    assertEquals([failing.status, (failing.cause as Error).message], [
      404,
      "Cannot read the refusal: onRefusal failed",
    ]);
    assertStrictEquals((failing.cause as Error).cause, reason);
  });
});

Deno.test("onRefusal: connectTimeout includes its time", async () => {
  await withRecipe("http", { status: 404, repeat: "x" }, async (server) => {
    let body: ReadableStream<Uint8Array> | null = null;
    const channel = NetWebSocketChannel.connect(server.url, {
      connectTimeout: 100,
      onRefusal: (it) => {
        body = it.body;
        return new Promise(() => {});
      },
    });
    const error = await channel.ready.catch((it: unknown) => it) as Error;
    assertEquals(error.name, "TimeoutError");
    await server.next("disconnect");
    await assertRejects(() => bytesOf(body as unknown as ReadableStream<Uint8Array>), Error);
  });
});

Deno.test("onRefusal: isn't called for followed redirects or for other failures", async () => {
  await withAll([await startRecipe("echo")], async (echo) => {
    await withRecipe("http", redirect(echo.url), async ({ url }) => {
      const seen: number[] = [];
      const onRefusal = ({ status }: { status: number }): void => void seen.push(status);
      await assertReaches(url, { followRedirects: true, onRefusal });
      assertEquals(seen, []);
      await connectFailure(url, { onRefusal });
      assertEquals(seen, [302]);
    });
  });
});

// Timeouts and signals, in each phase.

/** A TCP server that accepts connections and sends nothing. */
async function withSilence(
  body: (port: number, ended: Promise<void>, reached: Promise<void>) => Promise<void>,
): Promise<void> {
  const { promise: ended, resolve: onEnd } = deferred();
  const { promise: reached, resolve: onData } = deferred();
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("close", onEnd);
    // With the first bytes, the client is in the phase of the test.
    socket.on("data", onData);
  });
  const port = await listen(server);
  try {
    await body(port, ended, reached);
  } finally {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  }
}

function start(url: string, options: Parameters<typeof NetWebSocketChannel.connect>[1] = {}): {
  channel: WebSocketChannel;
  clock: ManualClock;
} {
  const clock = new ManualClock();
  const channel = connectNet(parseConnect(url, options), options, clock, { dialling });
  return { clock, channel };
}

Deno.test("net timeout in phase dns: the channel opens no connection afterwards", async () => {
  await withSilence(async (port) => {
    let answer = (): void => {};
    const { channel, clock } = start(`ws://slow.test:${port}`, {
      connectTimeout: 1000,
      lookup: (_name, _options, callback) => answer = () => callback(null, "127.0.0.1", 4),
    });
    clock.advance(1000);
    const error = await channel.ready.catch((it: unknown) => it) as Error;
    assertEquals([error.name, error.message], [
      "TimeoutError",
      `Cannot connect to ${channel.url}: it took longer than 1000 ms, in phase dns: ` +
      "the option lookup has not called back",
    ]);
    answer();
    await microtasks();
    assertEquals(clock.pending, 0);
  });
});

Deno.test("net timeout in phase tcp: the error names the phase", async () => {
  await withSilence(async (port) => {
    const { channel, clock } = start(`ws://127.0.0.1:${port}`, { connectTimeout: 1000 });
    clock.advance(1000);
    const error = await channel.ready.catch((it: unknown) => it) as Error;
    assertEquals(
      error.message,
      `Cannot connect to ${channel.url}: it took longer than 1000 ms, in phase tcp`,
    );
    assertEquals((await channel.closed).initiator, "timeout");
  });
});

for (const phase of ["tls", "proxy", "handshake"] as const) {
  Deno.test(`net timeout in phase ${phase}: the server sees the end`, async () => {
    await withSilence(async (port, ended) => {
      const channel = NetWebSocketChannel.connect(
        phase === "tls" ? `wss://127.0.0.1:${port}` : `ws://127.0.0.1:${port}`,
        { connectTimeout: 60, ...(phase === "proxy" ? { proxy: `http://127.0.0.1:${port}` } : {}) },
      );
      const error = await channel.ready.catch((it: unknown) => it) as Error;
      assertEquals(
        error.message,
        `Cannot connect to ${channel.url}: it took longer than 60 ms, in phase ${phase}`,
      );
      await ended;
    });
  });

  Deno.test(`net signal in phase ${phase}: the server sees the end`, async () => {
    const abort = new AbortController();
    const reason = new Error("enough");
    await withSilence(async (port, ended, reached) => {
      const url = phase === "tls" ? `wss://127.0.0.1:${port}` : `ws://127.0.0.1:${port}`;
      const options = {
        signal: abort.signal,
        connectTimeout: 0,
        ...(phase === "proxy" ? { proxy: `http://127.0.0.1:${port}` } : {}),
      };
      const { channel, clock } = start(url, options);
      await reached;
      abort.abort(reason);
      assertStrictEquals(await channel.ready.catch((it: unknown) => it), reason);
      assertEquals((await channel.closed).initiator, "local");
      await ended;
      assertEquals(clock.pending, 0);
    });
  });
}

// Addresses that answer late or never.

/** An address that never answers, and one that answers when `answer` is called. Both are reserved for documentation. */
const DEAD = "192.0.2.1";
const SLOW = "192.0.2.2";

/** Runs a body while `node:net` never connects to {@linkcode DEAD}, and late to {@linkcode SLOW}. */
async function withAddresses(
  port: number,
  body: (it: { started: string[]; answer(): void }) => Promise<void>,
): Promise<void> {
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule(name: string): unknown };
  };
  const { getBuiltinModule } = process;
  const started: string[] = [];
  const sockets: Socket[] = [];
  let slow: Socket | null = null;
  const net = {
    isIP,
    connect(options: { host: string }): Socket {
      started.push(options.host);
      const socket = options.host.startsWith("192.0.2.")
        ? new Socket({ allowHalfOpen: true })
        : connect(options as unknown as NetConnectOpts);
      sockets.push(socket);
      if (options.host === SLOW) slow = socket;
      return socket;
    },
  };
  process.getBuiltinModule = (name) => name === "net" ? net : getBuiltinModule.call(process, name);
  try {
    await body({ started, answer: () => void slow?.connect(port, "127.0.0.1") });
  } finally {
    process.getBuiltinModule = getBuiltinModule;
    for (const socket of sockets) socket.destroy();
  }
}

for (const ms of [1000, 3000, 10_000]) {
  Deno.test(`net RFC 8305 §5: the channel connects if one address is dead and the other answers after ${ms} ms`, async () => {
    await withRecipe("echo", {}, async ({ url }) => {
      const port = Number(new URL(url).port);
      for (const addresses of [[DEAD, SLOW], [SLOW, DEAD]]) {
        await withAddresses(port, async ({ started, answer }) => {
          const { channel, clock } = start(`ws://two.test:${port}`, {
            lookup: (_name, _options, callback) =>
              callback(null, addresses.map((address) => ({ address, family: 4 }))),
          });
          await microtasks();
          clock.advance(249);
          assertEquals(started, addresses.slice(0, 1));
          clock.advance(1);
          assertEquals(started, addresses);
          clock.advance(ms - 250);
          answer();
          await channel.ready;
          await channel.sink.close();
          assertEquals(clock.pending, 0);
        });
      }
    });
  });
}

Deno.test("net RFC 8305 §5: a dead address only costs the delay, and a timeout ends all attempts", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const port = Number(new URL(url).port);
    await withAddresses(port, async ({ started }) => {
      const lookup: LookupFunction = (_name, _options, callback) =>
        callback(null, [DEAD, "127.0.0.1"].map((address) => ({ address, family: 4 })));
      const { channel, clock } = start(`ws://two.test:${port}`, { lookup, addressDelay: 100 });
      await microtasks();
      clock.advance(100);
      await channel.ready;
      assertEquals(channel.connectionInfo?.remoteAddress, "127.0.0.1");
      await channel.sink.close();
      const late = start(`ws://two.test:${port}`, {
        lookup: (_name, _options, callback) => callback(null, DEAD, 4),
        connectTimeout: 1000,
      });
      await microtasks();
      late.clock.advance(1000);
      const error = await late.channel.ready.catch((it: unknown) => it) as Error;
      assertEquals(error.name, "TimeoutError");
      assertEquals([started, late.clock.pending], [[DEAD, "127.0.0.1", DEAD], 0]);
    });
  });
});

Deno.test("net timeout: the error names the failed addresses, also one that broke TLS", async () => {
  const server = createServer((socket) => void socket.once("data", () => socket.destroy()));
  const port = await listen(server);
  const failing: [url: string, failed: string, fault: string][] = [
    [`ws://two.test:${port}`, "127.0.0.2", "the connection was refused"],
    [`wss://two.test:${port}`, "127.0.0.1", "the connection was lost"],
  ];
  for (const [url, failed, fault] of failing) {
    await withAddresses(port, async ({ started }) => {
      const addresses = [failed, DEAD].map((address) => ({ address, family: 4 }));
      const { channel, clock } = start(url, { lookup: () => Promise.resolve(addresses) });
      await until(() => started.includes(DEAD));
      clock.advance(30_000);
      const error = await channel.ready.catch((it: unknown) => it) as Error;
      assertEquals(
        error.message,
        `Cannot connect to ${channel.url}: it took longer than 30000 ms, in phase tcp. ` +
          `${failed}: ${fault}`,
      );
    });
  }
  await closeServer(server);
});

// What a channel reports.

Deno.test("net: a channel has its capabilities and URL at once", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(url.replace("ws:", "http:"));
    assertEquals(Object.values(channel.capabilities).every((it) => it), true);
    assertEquals(channel.url, `${url}/`);
    await channel.ready;
    assertEquals(Object.values(channel.capabilities).every((it) => it), true);
    await channel.sink.close();
  });
});

Deno.test("net: ref and unref work at any time", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(url);
    channel.unref();
    channel.ref();
    channel.unref();
    await channel.ready;
    channel.ref();
    channel.unref();
    channel.ref();
    await channel.sink.close();
    channel.ref();
    channel.unref();
  });
});

Deno.test("net: a malformed option of the handshake throws at once", () => {
  assertEquals(NetWebSocketChannel.connect.length, 1);
  for (const headers of [{ Host: "a", host: "b" }, [["Origin", "a"], ["origin", "b"]]]) {
    let error: unknown;
    try {
      NetWebSocketChannel.connect("ws://a.test", { headers: headers as [string, string][] });
    } catch (it) {
      error = it;
    }
    assertInstanceOf(error, TypeError);
  }
});

Deno.test("net: the client sends headers unchanged, including Host and repeated names", async () => {
  await withRecipe("echo", {}, async (echo) => {
    await assertReaches(echo.url, {
      headers: [["Host", "virtual.test"], ["X-A", "1"], ["X-A", "2"]],
      origin: "http://page.test",
    });
    const { lines } = await echo.next("request");
    const named = (name: string): string[] =>
      lines.filter(([it]) => it.toLowerCase() === name).map(([, value]) => value);
    assertEquals([named("host"), named("x-a"), named("origin")], [
      ["virtual.test"],
      ["1", "2"],
      ["http://page.test"],
    ]);
  });
});

Deno.test("net: the client follows a redirect through the same proxy", async () => {
  const echo = await startRecipe("echo");
  await withAll([echo, await startProxy()], async (_, proxy) => {
    await withRecipe("http", redirect(echo.url), async ({ url }) => {
      await assertReaches(url, {
        followRedirects: true,
        proxy: `http://127.0.0.1:${proxy.port}`,
      });
      assertEquals(proxy.requests.length, 2);
    });
  });
});

Deno.test("net: the channel fails when the server resets the connection during the handshake", async () => {
  await withRecipe("http", { response: "", then: "reset" }, async ({ url }) => {
    const error = await connectFailure(url);
    assertEquals([error.phase, error.retryable, error.status], ["handshake", true, null]);
    assertEquals((error.cause as { code?: string }).code, "ECONNRESET");
  });
});

Deno.test("net: a hundred sequential connections also end cleanly for the server", async () => {
  await withRecipe("echo", { quiet: true }, async (echo) => {
    for (let i = 0; i < 100; i++) {
      const channel = NetWebSocketChannel.connect(echo.url);
      await channel.ready;
      await channel.sink.close();
      const { wasClean } = await channel.closed;
      assert(wasClean);
    }
    const { connections, open } = await echo.stats();
    assertEquals([connections, open], [100, 0]);
    assertFalse((await echo.queued()).some(({ kind }) => kind === "reset" || kind === "fault"));
  });
});
