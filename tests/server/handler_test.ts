/** Handlers, the context that `verify` returns, and refusals, for each entry point. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  type ErrorContext,
  type RefusedUpgrade,
  relay,
  type ServerOptions,
  type ServerRequest,
  type ServerWebSocketChannel,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { testEntries } from "./entries.ts";
import { deferred } from "../support/promises.ts";
import { refusalOf, requestText, upgraded, withServer } from "./support.ts";
import { printedBy } from "../support/printed.ts";
import { turn, until } from "../support/turns.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";

/** How many turns of the event loop a test runs: all work that waits for no event is done by then. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** How long a test waits for an expected close, in milliseconds: longer than any machine needs. */
const PATIENCE = 10_000;

/** A server's options that record errors. */
function noting(): { options: ServerOptions; errors: [unknown, string][] } {
  const errors: [unknown, string][] = [];
  const onError = (error: unknown, { where }: ErrorContext): void =>
    void errors.push([error, where]);
  return { options: { onError }, errors };
}

/** An endless stream of messages. */
async function* endless(): AsyncGenerator<string> {
  for (;;) {
    await turn();
    yield "more";
  }
}

testEntries("the server calls the handler once for each connection", async ({ run }) => {
  const { options, errors } = noting();
  const seen: ServerWebSocketChannel[] = [];
  const handler = async (channel: ServerWebSocketChannel): Promise<void> => {
    seen.push(channel);
    assertEquals(channel.state, "open");
    for await (const message of channel.stream) channel.sink.add(`${message}!`);
  };
  await run({ ...options, handler }, async ({ url }) => {
    const clients = [1, 2, 3].map(() => NetWebSocketChannel.connect(url));
    // The last connection first: no call waits for another.
    for (const [i, client] of [...clients.entries()].reverse()) {
      client.sink.add(`hello ${i}`);
      assertEquals((await client.stream.next()).value, `hello ${i}!`);
    }
    assertEquals(seen.length, 3);
    for (const client of clients) await client.sink.close(1000);
  });
  assertEquals(errors, []);
});

testEntries(
  "a handler that fails closes only its own channel, and onError gets the error",
  async ({ run }) => {
    const { options, errors } = noting();
    const fault = new Error("the handler's own");
    const handler = (channel: ServerWebSocketChannel): void | Promise<void> => {
      const { searchParams } = channel.request.url;
      if (searchParams.has("throws")) throw fault;
      if (searchParams.has("rejects")) return Promise.reject(fault);
      channel.stream.listen((message) => channel.sink.add(message));
    };
    await run({ ...options, handler }, async ({ url }) => {
      const healthy = NetWebSocketChannel.connect(url);
      await healthy.ready;
      for (const query of ["?throws", "?rejects"]) {
        const client = NetWebSocketChannel.connect(`${url}/${query}`);
        await client.ready;
        assertEquals((await deadline(client.closed, PATIENCE)).code, 1011, query);
      }
      healthy.sink.add("still there");
      assertEquals((await healthy.stream.next()).value, "still there");
      await healthy.sink.close();
    });
    assertEquals(errors, [[fault, "handler"], [fault, "handler"]]);
  },
);

testEntries("onError gets no error when a lost client ends a handler", async ({ run }) => {
  const { options, errors } = noting();
  const over = deferred();
  const handler = async (channel: ServerWebSocketChannel): Promise<void> => {
    try {
      await channel.closed;
      channel.sink.add("too late");
      await channel.sink.flush();
    } finally {
      over.resolve();
    }
  };
  await run({ ...options, handler }, async ({ url }) => {
    const client = NetWebSocketChannel.connect(url);
    await client.ready;
    client.terminate();
    await over.promise;
  });
  assertEquals(errors, []);
});

testEntries(
  "onError gets no error when the client's close interrupts a handler",
  async ({ run }) => {
    const { options, errors } = noting();
    const faults: unknown[] = [];
    const over = deferred();
    const handler = async ({ sink, closing, request }: ServerWebSocketChannel): Promise<void> => {
      try {
        if (request.url.search === "?stream") await sink.addStream(endless());
        if (request.url.search === "?flush") await closing;
        sink.add("too late");
        await sink.flush();
      } catch (error) {
        faults.push(error);
        throw error;
      } finally {
        if (faults.length === 2) over.resolve();
      }
    };
    await run({ ...options, handler }, async ({ url }) => {
      for (const query of ["?stream", "?flush"]) {
        const client = NetWebSocketChannel.connect(`${url}/${query}`);
        client.stream.listen(() => {});
        await client.ready;
        await client.sink.close(1000);
      }
      await over.promise;
    });
    assertEquals(errors, []);
  },
);

Deno.test("onError gets no error when the server's close or a dead client interrupts a handler", async () => {
  const { options, errors } = noting();
  const closing = deferred();
  const faults: string[] = [];
  const handler = async (channel: ServerWebSocketChannel): Promise<void> => {
    try {
      if (channel.request.url.search === "?dead") channel.sink.add("x".repeat(2e7));
      else await closing.promise;
      channel.sink.add("too late");
      await channel.sink.flush();
    } catch (error) {
      faults.push((error as Error).name);
      throw error;
    }
  };
  await withServer({ ...options, handler }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    await client.ready;
    const closed = server.close();
    closing.resolve();
    await closed;
  });
  const clock = new ManualClock();
  await withServer({ ...options, handler, clock, pingInterval: 100 }, async (server) => {
    const client = await upgraded(server, [], "/?dead");
    client.socket.pause();
    while (faults.length < 2) {
      clock.advance(50);
      await turn();
    }
    await client.destroy();
  });
  assertEquals(faults, ["InvalidStateError", "TimeoutError"]);
  assertEquals(errors, []);
});

testEntries(
  "a channel and its transformed channels have the context that verify returned",
  async ({ run }) => {
    const { options } = noting();
    const seen: unknown[] = [];
    const done = deferred();
    const context = { user: 7 };
    await run({
      ...options,
      verify: ({ url }) =>
        url.search === "" ? { context } : Promise.resolve({ context: undefined }),
      handler: (channel) => {
        const derived = channel.transformStream(String).cast<string>();
        seen.push(channel.context, (derived as ServerWebSocketChannel<string>).context);
        if (seen.length === 4) done.resolve();
      },
    }, async ({ url }) => {
      const first = NetWebSocketChannel.connect(url);
      await first.ready;
      const second = NetWebSocketChannel.connect(`${url}/?none`);
      await done.promise;
      await Promise.all([first.sink.close(), second.sink.close()]);
    });
    assert(seen[0] === context && seen[1] === context);
    assertEquals(seen.slice(2), [undefined, undefined]);
  },
);

Deno.test("add in a handler's timer doesn't throw after a close by the server, a broadcast or a relay", async () => {
  for (const how of ["server", "broadcast", "relay"] as const) {
    const opened = deferred<ServerWebSocketChannel>();
    const clock = new ManualClock();
    await withServer({ clock, pingInterval: 0, handler: opened.resolve }, async (server) => {
      const client = NetWebSocketChannel.connect(server.url);
      // This client doesn't answer a Close.
      client.stream.listen(() => {}).pause();
      const channel = await opened.promise;
      // A timer's callback may run at any moment from now on.
      if (how === "server") void server.close({ drainTimeout: 1000 });
      else if (how === "relay") {
        const { client: up, server: far } = webSocketChannelPair();
        void relay(channel, up);
        await far.sink.close(4404);
        await until(() => channel.state !== "open");
      } else {
        const text = "x".repeat(0x10_0000);
        for (let i = 0; i < 20; i++) server.broadcast(text, { stallTimeout: 1000 });
        await until(() => {
          clock.advance(100);
          return channel.state !== "open";
        });
      }
      assertEquals([channel.state, channel.sink.add("tick")], ["closing", false], how);
      client.terminate();
      channel.terminate();
    });
  }
});

testEntries("verify finds cookies by name", async ({ run }) => {
  const verify = ({ cookies }: ServerRequest): boolean | { status: number } =>
    cookies.get("token") === "x=1" && cookies.get("theme") === "dark" || { status: 401 };
  await run({ verify }, async ({ url }) => {
    const headers = { Cookie: "theme=dark; token=x=1" };
    const client = NetWebSocketChannel.connect(url, { headers });
    await client.ready;
    await client.sink.close();
    const { error } = await NetWebSocketChannel.connect(url).closed;
    assertEquals((error as { status?: number }).status, 401);
  });
});

testEntries("an answer of verify with both a context and a refusal is a 500", async ({ run }) => {
  const { options, errors } = noting();
  const verify = () => ({ context: 1, status: 403 });
  await run({ ...options, verify }, async (server) => {
    assertEquals((await refusalOf(server, requestText())).status, 500);
  });
  assertEquals(errors.map(([error, where]) => [String(error), where]), [[
    "TypeError: Cannot use the answer of verify: { context } must have no other members",
    "verify",
  ]]);
});

testEntries("onRefused gets each refusal with its status and reason", async ({ run, name }) => {
  // A 426 needs the Upgrade field, which HTTP/2 doesn't have.
  const malformed = name === "acceptStreams" ? 400 : 426;
  const { options } = noting();
  const refusals: [number, string, string][] = [];
  const onRefused = ({ request, status, reason }: RefusedUpgrade): void => {
    refusals.push([status, reason, request.url.pathname]);
    throw new Error("a hook that fails harms nothing");
  };
  const verify = ({ url }: { readonly url: URL }): boolean => {
    if (url.pathname === "/fails") throw new Error("verify's own");
    return url.pathname !== "/no";
  };
  const printed = await printedBy(async () => {
    await run({ ...options, hosts: ["localhost"], verify, onRefused }, async (server) => {
      const status = async (path: string, changes: Record<string, string>): Promise<number> =>
        (await refusalOf(server, requestText(changes, `GET ${path} HTTP/1.1`))).status;
      assertEquals(await status("/a", { "Sec-WebSocket-Version": "7" }), malformed);
      assertEquals(await status("/b", { Host: "elsewhere" }), 403);
      assertEquals(await status("/c", { Origin: "https://foreign.example" }), 403);
      assertEquals(await status("/no", {}), 403);
      assertEquals(await status("/fails", {}), 500);
      await (await upgraded(server)).destroy();
    });
  });
  assertEquals(refusals, [
    [malformed, "malformed", "/a"],
    [403, "host", "/b"],
    [403, "origin", "/c"],
    [403, "verify", "/no"],
    [500, "error", "/fails"],
  ]);
  assertEquals(printed.length, 5);
});

Deno.test("onRefused gets the server's own refusals and timeouts", async () => {
  const refusals: [number, string][] = [];
  const onRefused = ({ status, reason }: RefusedUpgrade): void =>
    void refusals.push([status, reason]);
  const clock = new ManualClock();
  const asked = deferred();
  const verify = ({ url }: { readonly url: URL }): boolean | Promise<boolean> => {
    if (url.search === "") return true;
    asked.resolve();
    return new Promise<boolean>(() => {});
  };
  const onError = (): void => {};
  const options = { path: "/", maxConnections: 2, verify, onRefused, onError, clock };
  await withServer(options, async (server) => {
    assertEquals((await refusalOf(server, requestText({}, "GET /x HTTP/1.1"))).status, 404);
    const client = await upgraded(server);
    const slow = refusalOf(server, requestText({}, "GET /?slow HTTP/1.1"));
    await asked.promise;
    assertEquals((await refusalOf(server, requestText())).status, 503);
    for (let i = 0; i < 20; i++) clock.advance(1000);
    assertEquals((await slow).status, 503);
    await client.destroy();
  });
  assertEquals(refusals, [[404, "path"], [503, "full"], [503, "timeout"]]);
});

Deno.test("a server's close waits for its handlers, up to drainTimeout", async () => {
  const clock = new ManualClock();
  const finish = deferred();
  const log: string[] = [];
  const handler = async (channel: ServerWebSocketChannel): Promise<void> => {
    for await (const _ of channel.stream);
    log.push("stream over");
    if (channel.request.url.search === "?stuck") await new Promise(() => {});
    await finish.promise;
    log.push("handler over");
  };
  await withServer({ handler, clock }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    await client.ready;
    const closed = server.close().then(() => log.push("server over"));
    await client.closed;
    await turns(100);
    assertEquals(log, ["stream over"]);
    finish.resolve();
    await closed;
  });
  assertEquals(log, ["stream over", "handler over", "server over"]);
  await withServer({ handler, clock }, async (server) => {
    const client = NetWebSocketChannel.connect(`${server.url}/?stuck`);
    await client.ready;
    let isOver = false;
    const closed = server.close({ drainTimeout: 100 }).then(() => isOver = true);
    await client.closed;
    await turns(100);
    assertEquals(isOver, false);
    while (!isOver) {
      clock.advance(50);
      await turn();
    }
    await closed;
  });
});

Deno.test("iterating over a server with a handler throws an error that says so", async () => {
  await withServer({ handler: () => {} }, async (server) => {
    const error = assertThrows(() => server[Symbol.asyncIterator](), DOMException);
    assertEquals(error.name, "InvalidStateError");
    await Promise.resolve();
  });
});

Deno.test("the handler and the server's channels have the type of verify's context", async () => {
  const names: string[] = [];
  const done = deferred();
  const server = await WebSocketServer.bind({
    verify: (request) => ({ context: { name: request.url.pathname.slice(1) } }),
    handler: (channel) => {
      names.push(channel.context.name);
      done.resolve();
    },
  });
  const client = NetWebSocketChannel.connect(`${server.url}/guest`);
  await done.promise;
  for (const { context } of server.channels) names.push(context.name);
  await server.close();
  await client.closed;
  assertEquals(names, ["guest", "guest"]);
});
