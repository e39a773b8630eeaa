import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { Dial, type DialOptions } from "../../src/net/dial.ts";
import { ConnectError, type LookupFunction } from "../../src/net/mod.ts";
import { startLoopback6, startUnixSocket } from "../support/net_peers.ts";
import { startRecipe, withRecipe } from "../support/recipes.ts";
import { assertReaches, connectFailure, withAll } from "./support.ts";

/** A lookup that answers with these addresses, and keeps what it was asked. */
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

Deno.test("dial: a host name, an IPv4 literal", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    await assertReaches(url);
    await assertReaches(at(url, "localhost"));
    await assertReaches(at(url, "LOCALHOST"));
  });
});

Deno.test("dial: an IPv6 literal", async () => {
  const echo = await startRecipe("echo");
  const relay = await startLoopback6(echo.url);
  // A machine without IPv6 has nothing to test here.
  if (relay === null) return await echo.close();
  await withAll([echo, relay], async (_, { port }) => {
    await assertReaches(`ws://[::1]:${port}`);
    await assertReaches(`ws://[0:0::1]:${port}`);
  });
});

Deno.test("dial RFC 8305: of several addresses the one that answers is taken", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    for (const addresses of [["127.0.0.2", "127.0.0.1"], ["::1", "127.0.0.1"]]) {
      const lookup = known(...addresses);
      await assertReaches(at(url, "both.test"), { lookup });
      assertEquals(lookup.asked, ["both.test"]);
    }
  });
});

Deno.test("dial: when no address answers the first reason is told", async () => {
  await withRecipe("silent", {}, async (silent) => {
    const { url } = silent;
    await silent.close();
    const lookup = known("127.0.0.2", "127.0.0.3");
    const error = await connectFailure(at(url, "both.test"), { lookup });
    assertEquals([error.phase, error.retryable], ["tcp", true]);
    assertEquals(
      error.message,
      `Cannot connect to ${at(url, "both.test")}/: the connection was refused`,
    );
  });
});

Deno.test("attack 33 lookup: asked once, and about addresses as well", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const lookup = known("127.0.0.1");
    await assertReaches(at(url, "name.test"), { lookup });
    await assertReaches(at(url, "192.0.2.1"), { lookup });
    await assertReaches(at(url, "[2001:db8::1]"), { lookup });
    assertEquals(lookup.asked, ["name.test", "192.0.2.1", "2001:db8::1"]);
  });
});

Deno.test("attack 33 lookup: what it refuses isn't connected to", async () => {
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

Deno.test("dial lookup: one address with its family, as node:dns gives it without all", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const lookup: LookupFunction = (_name, _options, callback) => callback(null, "127.0.0.1", 4);
    await assertReaches(at(url, "name.test"), { lookup });
  });
});

Deno.test("dial: localAddress", async () => {
  let seen: string | undefined;
  const server = createServer((socket) => {
    seen = socket.remoteAddress;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as { port: number };
  await connectFailure(`ws://127.0.0.1:${port}`, { localAddress: "127.0.0.5" });
  assertEquals(seen, "127.0.0.5");
  const error = await connectFailure(`ws://127.0.0.1:${port}`, { localAddress: "192.0.2.1" });
  assertEquals(error.phase, "tcp");
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

Deno.test("dial W17 a Unix socket; the URL says what to ask for", async () => {
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

Deno.test("dial: destroyed at any moment, nothing is left of it", async () => {
  await withRecipe("silent", {}, async (silent) => {
    const url = new URL(silent.url);
    const slow: LookupFunction = (_name, _options, callback) =>
      void Promise.resolve().then(() => callback(null, "127.0.0.1", 4));
    const attempts: [when: string, options: DialOptions, turns: number][] = [
      ["at once", {}, 0],
      ["while the address is looked for", { lookup: slow }, 0],
      ["when it is known", { lookup: slow }, 3],
    ];
    for (const [when, options, turns] of attempts) {
      const dial = new Dial(url, options);
      const connecting = dial.connect();
      for (let i = 0; i < turns; i++) await Promise.resolve();
      dial.destroy();
      const error = await connecting.then(() => null, (it: unknown) => it);
      assertInstanceOf(error, ConnectError, when);
    }
    const before = new Dial(url, {});
    before.destroy();
    await assertRejects(() => before.connect(), ConnectError);
    const { open } = await silent.stats();
    assertEquals(open, 0);
  });
});

Deno.test("dial: the phase follows", async () => {
  await withRecipe("silent", {}, async ({ url }) => {
    const literal = new Dial(new URL(url), {});
    assertEquals(literal.phase, "dns");
    const connecting = literal.connect();
    assertEquals(literal.phase, "tcp");
    const socket = await connecting;
    assert(!socket.destroyed);
    socket.destroy();
    const name = new Dial(new URL(at(url, "localhost")), {});
    const named = name.connect();
    assertEquals(name.phase, "dns");
    (await named).destroy();
    assertEquals(name.phase, "tcp");
  });
});
