import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { Dial, type DialOptions } from "../../src/net/dial.ts";
import { ConnectError, type LookupFunction, NetWebSocketChannel } from "../../src/net/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import { listenAt, startLoopback6, startTls, startUnixSocket } from "../support/net_peers.ts";
import { startRecipe, withRecipe } from "../support/recipes.ts";
import { assertReaches, certificates, connectFailure, withAll } from "./support.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** A lookup that returns these addresses, and records its calls. */
function known(...addresses: string[]): LookupFunction & { readonly asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, _options, callback) => {
    asked.push(hostname);
    const list = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    queueMicrotask(() => callback(null, list));
  };
  return Object.assign(lookup, { asked });
}

function at(url: string, host: string): string {
  return `ws://${host}:${new URL(url).port}`;
}

Deno.test("dial: connects to a host name and an IPv4 literal", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    await assertReaches(url);
    await assertReaches(at(url, "localhost"));
    await assertReaches(at(url, "LOCALHOST"));
  });
});

Deno.test("dial: connects to an IPv6 literal", async () => {
  const echo = await startRecipe("echo");
  const relay = await startLoopback6(echo.url);
  // A machine without IPv6 can't run this test.
  if (relay === null) return await echo.close();
  await withAll([echo, relay], async (_, { port }) => {
    await assertReaches(`ws://[::1]:${port}`);
    await assertReaches(`ws://[0:0::1]:${port}`);
  });
});

Deno.test("dial RFC 8305: connects to the first address that answers", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    for (const addresses of [["127.0.0.2", "127.0.0.1"], ["::1", "127.0.0.1"]]) {
      const lookup = known(...addresses);
      await assertReaches(at(url, "both.test"), { lookup });
      assertEquals(lookup.asked, ["both.test"]);
    }
  });
});

Deno.test("dial: the error has each address's reason when none answers", async () => {
  await withRecipe("silent", {}, async (silent) => {
    const { url } = silent;
    await silent.close();
    const lookup = known("127.0.0.2", "127.0.0.3");
    const error = await connectFailure(at(url, "both.test"), { lookup });
    assertEquals([error.phase, error.retryable], ["tcp", true]);
    assertEquals(
      error.message,
      `Cannot connect to ${at(url, "both.test")}/: 127.0.0.2: the connection was refused; ` +
        "127.0.0.3: the connection was refused",
    );
    assertInstanceOf(error.cause, AggregateError);
    assertEquals(error.cause.errors.map(({ code }) => code), ["ECONNREFUSED", "ECONNREFUSED"]);
    const single = await connectFailure(at(url, "one.test"), { lookup: known("127.0.0.2") });
    assertEquals(
      [single.message, (single.cause as { code?: string }).code],
      [`Cannot connect to ${at(url, "one.test")}/: the connection was refused`, "ECONNREFUSED"],
    );
  });
});

Deno.test("attack 33 lookup: called once, also for IP addresses", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const lookup = known("127.0.0.1");
    await assertReaches(at(url, "name.test"), { lookup });
    await assertReaches(at(url, "192.0.2.1"), { lookup });
    await assertReaches(at(url, "[2001:db8::1]"), { lookup });
    assertEquals(lookup.asked, ["name.test", "192.0.2.1", "2001:db8::1"]);
  });
});

Deno.test("attack 33 lookup: the client doesn't connect to a refused host", async () => {
  await withRecipe("echo", {}, async (echo) => {
    const { url } = echo;
    const reason = new Error("private addresses are off limits");
    const lookup: LookupFunction = (_name, _options, callback) => callback(reason, []);
    const error = await connectFailure(url, { lookup });
    assertEquals([error.phase, error.cause], ["dns", reason]);
    assertEquals(error.message, `Cannot connect to ${url}/: ${reason.message}`);
    const thrown = await connectFailure(url, {
      lookup: () => {
        throw reason;
      },
    });
    assertEquals([thrown.phase, thrown.cause], ["dns", reason]);
    assertEquals((await connectFailure(url, { lookup: known() })).phase, "dns");
    assertEquals((await echo.stats()).connections, 0);
  });
});

Deno.test("dial lookup: accepts one address with its family, as node:dns returns it without all", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const lookup: LookupFunction = (_name, _options, callback) => callback(null, "127.0.0.1", 4);
    await assertReaches(at(url, "name.test"), { lookup });
  });
});

Deno.test("dial: tries the next address after a broken TLS connection, but not after a bad certificate", async () => {
  const { authority, local, expired } = certificates();
  const tls = { ca: authority.cert };
  const echo = await startRecipe("echo");
  const good = await startTls(echo.url, local);
  const options = { lookup: known("127.0.0.2", "127.0.0.1"), tls };
  for (const end of ["destroy", "end", "resetAndDestroy"] as const) {
    const broken = await listenAt("127.0.0.2", good.port, (socket) => {
      socket.once("data", () => socket[end]());
    });
    await assertReaches(`wss://localhost:${good.port}`, options);
    // The client tries the working address second; if it fails too, the error names both.
    const error = await connectFailure(`wss://localhost:${good.port}`, {
      ...options,
      lookup: known("127.0.0.2", "127.0.0.3"),
    });
    assertEquals([error.phase, error.retryable], ["tls", true]);
    assertMatch(error.message, /: 127\.0\.0\.2: .+; 127\.0\.0\.3: the connection was refused$/);
    await broken.close();
  }
  const bad = await startTls(echo.url, expired, "127.0.0.2", good.port);
  const error = await connectFailure(`wss://localhost:${good.port}`, options);
  assertEquals([error.phase, error.retryable], ["tls", false]);
  assertEquals(good.connections, 3);
  for (const it of [bad, good, echo]) await it.close();
});

Deno.test("dial: lookup must return IP addresses, and the client looks nothing up again", async () => {
  const error = await connectFailure("ws://a.test", { lookup: known("localhost") });
  assertEquals([error.phase, error.retryable, error.message], [
    "dns",
    false,
    "Cannot connect to ws://a.test/: the option lookup returned no IP address",
  ]);
});

Deno.test("dial: with a local address, tries only its family", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const lookup = known("::1", "127.0.0.1");
    await assertReaches(at(url, "both.test"), { lookup, localAddress: "127.0.0.5" });
    const error = await connectFailure(at(url, "both.test"), {
      lookup: known("::1"),
      localAddress: "127.0.0.5",
    });
    assertMatch(error.message, /: the local address can't be used$/);
    assertEquals([error.phase, error.retryable], ["tcp", false]);
    // Bun would connect from another address; Node reports its own code.
    for (const localAddress of ["::1", "nonsense"]) {
      const { message, retryable } = await connectFailure(at(url, "127.0.0.1"), { localAddress });
      assertMatch(message, /: the local address can't be used$/);
      assertEquals(retryable, false);
    }
  });
});

Deno.test("dial: connects to an IPv6 address with a zone, which a URL can't contain", async () => {
  const echo = await startRecipe("echo");
  const relay = await startLoopback6(echo.url);
  if (relay === null) return await echo.close();
  await withAll([echo, relay], async (_, { port }) => {
    const lookup = known("::1%lo");
    // Deno's sockets don't support zones.
    if (platform() === "deno") {
      const error = await connectFailure(`ws://zone.test:${port}`, { lookup });
      assertEquals([error.phase, error.retryable], ["tcp", false]);
      assertMatch(error.message, /: Deno can't use an IPv6 address with a zone$/);
    } else await assertReaches(`ws://zone.test:${port}`, { lookup });
  });
});

Deno.test("dial: addressDelay must be at least 10 ms", () => {
  for (const addressDelay of [0, 9, -1, NaN, 2 ** 31]) {
    assertThrows(() => NetWebSocketChannel.connect("ws://a.test", { addressDelay }), RangeError);
  }
});

Deno.test("dial: connects from localAddress", async () => {
  let seen: string | undefined;
  const server = createServer((socket) => {
    seen = socket.remoteAddress;
    socket.destroy();
  });
  const port = await listen(server);
  await connectFailure(`ws://127.0.0.1:${port}`, { localAddress: "127.0.0.5" });
  assertEquals(seen, "127.0.0.5");
  const error = await connectFailure(`ws://127.0.0.1:${port}`, { localAddress: "192.0.2.1" });
  assertEquals(error.phase, "tcp");
  await closeServer(server);
});

Deno.test("dial W17 connects to a Unix socket; the request's target and host come from the URL", async () => {
  const echo = await startRecipe("echo");
  const path = `${tmpdir()}/dial-test-${crypto.randomUUID()}.sock`;
  await withAll([echo, await startUnixSocket(path, echo.url)], async (_echo, _socket) => {
    await assertReaches("ws://service.test/path", { socketPath: path });
    const { path: asked, headers } = await echo.next("request");
    assertEquals([asked, headers["host"]], ["/path", "service.test"]);
  });
  const error = await connectFailure("ws://service.test", { socketPath: `${path}.none` });
  assertEquals(
    [error.phase, error.message],
    ["tcp", "Cannot connect to ws://service.test/: there is no such socket"],
  );
});

Deno.test("dial: leaves no socket and no timer when destroyed at any moment", async () => {
  await withRecipe("silent", {}, async (silent) => {
    const url = new URL(silent.url);
    const slow: LookupFunction = (_name, _options, callback) =>
      void Promise.resolve().then(() => callback(null, "127.0.0.1", 4));
    const attempts: [when: string, options: DialOptions, turns: number][] = [
      ["at once", {}, 0],
      ["during the lookup", { lookup: slow }, 0],
      ["after the lookup", { lookup: slow }, 3],
    ];
    for (const [when, options, turns] of attempts) {
      const dial = new Dial(url, options, systemClock);
      const connecting = dial.connect();
      for (let i = 0; i < turns; i++) await Promise.resolve();
      dial.destroy();
      const error = await connecting.then(() => null, (it: unknown) => it);
      assertInstanceOf(error, ConnectError, when);
    }
    const before = new Dial(url, {}, systemClock);
    before.destroy();
    await assertRejects(() => before.connect(), ConnectError);
    const { open } = await silent.stats();
    assertEquals(open, 0);
  });
});

Deno.test("dial: reports the current phase", async () => {
  await withRecipe("silent", {}, async ({ url }) => {
    const literal = new Dial(new URL(url), {}, systemClock);
    assertEquals(literal.phase, "dns");
    const connecting = literal.connect();
    assertEquals(literal.phase, "tcp");
    const socket = await connecting;
    assert(!socket.destroyed);
    socket.destroy();
    const name = new Dial(new URL(at(url, "localhost")), {}, systemClock);
    const named = name.connect();
    assertEquals(name.phase, "dns");
    (await named).destroy();
    assertEquals(name.phase, "tcp");
  });
});
