import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import * as diagnostics from "node:diagnostics_channel";
import { createServer } from "node:http";
import { NetWebSocketChannel, WebSocketChannel } from "../../src/net/mod.ts";
import { NativeWebSocketChannel } from "../../src/native/mod.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { ProtocolTransport } from "../../src/web_socket/protocol_transport.ts";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { type Diagnostic, subscribe } from "../../src/diagnostics/mod.ts";
import { acceptUpgrade, broadcast } from "../../src/server/mod.ts";
import { nextChannel, withServer } from "../server/support.ts";
import { collectUncaught } from "../support/unhandled.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { until } from "../support/turns.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { linesOf, recorded } from "./support.ts";

Deno.test("W19 client and server publish connect, open, each message and close", async () => {
  await withServer({}, async (server) => {
    const events = await recorded(async () => {
      const client = NetWebSocketChannel.connect(`${server.url}/room?token=secret`);
      const channel = await nextChannel(server);
      client.sink.add("grüße");
      assertEquals((await channel.stream.next()).value, "grüße");
      channel.sink.add(Uint8Array.of(1, 2, 3));
      await client.stream.next();
      broadcast([channel], "to all 😀");
      await client.stream.next();
      await client.sink.close(1000, "done");
      await channel.closed;
    });
    assertEquals(linesOf(events, "client"), [
      "connect",
      "open",
      "sent text 7",
      "received binary 3",
      "received text 11",
      "close 1000 true local",
    ]);
    assertEquals(linesOf(events, "server"), [
      "connect",
      "open",
      "received text 7",
      "sent binary 3",
      "sent text 11",
      "close 1000 true remote",
    ]);
    const client = events.filter(({ event }) => event.connection.side === "client");
    const [{ connection }] = client.map(({ event }) => event) as [typeof client[0]["event"]];
    assertEquals(client.every(({ event }) => event.connection === connection), true);
    assertEquals([connection.transport, connection.url], [
      "net",
      `${server.url}/room?token=…`,
    ]);
    const opened = events.find(({ on, event }) => on === "open" && event.connection === connection);
    assert(opened?.on === "open");
    assertEquals(opened.event.remoteAddress, "127.0.0.1");
    assertEquals(opened.event.remotePort, server.address.port);
    assertFalse(opened.event.isCompressed);
    assert(opened.event.duration >= 0);
  });
});

Deno.test("W19 a message that arrives before open is published after it", async () => {
  await withServer({}, async (server) => {
    const events = await recorded(async () => {
      const client = NetWebSocketChannel.connect(server.url);
      client.sink.add("early");
      const channel = await nextChannel(server);
      await channel.stream.next();
      await client.sink.close();
      await channel.closed;
    });
    assertEquals(linesOf(events, "client").slice(0, 3), ["connect", "open", "sent text 5"]);
    assertEquals(linesOf(events, "server").slice(0, 3), ["connect", "open", "received text 5"]);
  });
});

// Node 20 has none.
const hasNative = hasNativeWebSocket();

Deno.test({
  name: "W19 over the platform's own WebSocket as well",
  ignore: !hasNative,
  fn: overNative,
});

async function overNative(): Promise<void> {
  await withServer({}, async (server) => {
    const events = await recorded(async () => {
      const client = NativeWebSocketChannel.connect(server.url);
      const channel = await nextChannel(server);
      await client.ready;
      client.sink.add("hello");
      channel.sink.add("é");
      await client.stream.next();
      await client.sink.close();
      await channel.closed;
    });
    assertEquals(linesOf(events, "client"), [
      "connect",
      "open",
      "sent text 5",
      "received text 2",
      "close 1005 true local",
    ]);
    assertEquals(events[0]?.event.connection.transport, "native");
  });
}

Deno.test("W19 a message in parts is one event with the total size", async () => {
  await withServer({ streamLargerThan: 1000 }, async (server) => {
    const events = await recorded(async () => {
      const client = NetWebSocketChannel.connect(server.url);
      const channel = await nextChannel(server);
      const parts = [new Uint8Array(3000), new Uint8Array(4000)];
      await client.sink.addMessage(
        (async function* () {
          yield* parts;
        })(),
        { kind: "binary" },
      );
      const { value } = await channel.stream.next() as unknown as {
        value: { readable: { discard(): void }; done: Promise<unknown> };
      };
      value.readable.discard();
      await value.done;
      client.sink.add("behind it");
      await channel.stream.next();
      await client.sink.close();
      await channel.closed;
    });
    assertEquals(linesOf(events, "client").slice(2, 4), ["sent binary 7000", "sent text 9"]);
    assertEquals(linesOf(events, "server").slice(2, 4), [
      "received binary 7000",
      "received text 9",
    ]);
  });
});

Deno.test("W19 channels over any byte channel publish events", async () => {
  const events = await recorded(async () => {
    const { local, foreign } = channelPair<Uint8Array>();
    const client = WebSocketChannel.over(local, { side: "client" });
    const server = WebSocketChannel.over(foreign, { side: "server" });
    client.sink.add("hello");
    await server.stream.next();
    await client.sink.close();
    await server.closed;
  });
  assertEquals(linesOf(events, "client"), [
    "connect",
    "open",
    "sent text 5",
    "close 1005 true local",
  ]);
  assertEquals(linesOf(events, "server")[2], "received text 5");
});

Deno.test("W19 a refusal is one event on each side, with the status", async () => {
  await withServer({ verify: () => ({ status: 401, body: "no such token" }) }, async (server) => {
    const events = await recorded(async (events) => {
      const client = NetWebSocketChannel.connect(server.url);
      await client.closed;
      await until(() => linesOf(events, "server").length === 2);
    });
    assertEquals(linesOf(events, "client"), ["connect", "refused 401 null"]);
    assertEquals(linesOf(events, "server"), ["connect", "refused 401 verify"]);
    assertFalse(JSON.stringify(events).includes("no such token"));
  });
});

Deno.test("W19 a refusal after an asynchronous decision, and one by the timeout, are one event each", async () => {
  const verify = (): Promise<boolean> => new Promise(() => {});
  for (const handshakeTimeout of [20, 0]) {
    const late = handshakeTimeout > 0 ? verify : () => Promise.resolve(false);
    await withServer({ verify: late, handshakeTimeout, onError() {} }, async (server) => {
      const events = await recorded(async (events) => {
        await NetWebSocketChannel.connect(server.url).closed;
        await until(() => linesOf(events, "server").length === 2);
      });
      const [status, reason] = handshakeTimeout > 0 ? [503, "timeout"] : [403, "verify"];
      assertEquals(linesOf(events, "server"), ["connect", `refused ${status} ${reason}`]);
    });
  }
});

Deno.test("W19 the server's side publishes an error if the client leaves before the answer", async () => {
  let onAsked = (): void => {};
  const wasAsked = new Promise<void>((resolve) => onAsked = resolve);
  const verify = (): Promise<boolean> => {
    onAsked();
    return new Promise(() => {});
  };
  await withServer({ verify }, async (server) => {
    const events = await recorded(async (events) => {
      const client = NetWebSocketChannel.connect(server.url);
      await wasAsked;
      client.terminate();
      await until(() => linesOf(events, "server").length === 2);
    });
    assertEquals(linesOf(events, "server"), ["connect", "error ConnectError"]);
    assertEquals(linesOf(events, "client"), ["connect", "error AbortError"]);
  });
});

Deno.test("W19 an unreachable server and a lost connection are errors", async () => {
  const http = createServer();
  const port = await listen(http);
  await closeServer(http);
  const unreachable = await recorded(async () => {
    await NetWebSocketChannel.connect(`ws://127.0.0.1:${port}`).closed;
  });
  assertEquals(linesOf(unreachable, "client"), ["connect", "error ConnectError"]);
  const [, failed] = unreachable;
  assert(failed?.on === "error");
  assertEquals(failed.event.phase, "tcp");
  assertStringIncludes(failed.event.message, "Cannot connect to");

  await withServer({}, async (server) => {
    const lost = await recorded(async () => {
      const client = NetWebSocketChannel.connect(server.url);
      const channel = await nextChannel(server);
      await client.ready;
      channel.terminate();
      await client.closed;
    });
    assertEquals(linesOf(lost, "client"), [
      "connect",
      "open",
      "error WebSocketChannelError",
      "close 1006 false transport",
    ]);
  });
});

Deno.test("W20 a trace travels in the opening handshake", async () => {
  await withServer({}, async (server) => {
    const seen: Record<string, string>[] = [];
    const onConnect = (event: unknown): void => {
      const { connection, trace } = event as {
        connection: { side: string };
        trace: Record<string, string>;
      };
      if (connection.side === "server") return void seen.push(trace);
      trace.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      trace.tracestate = "a=b";
      // None of these values is valid, so none is sent.
      trace["x-request-id"] = "mine";
      trace["bad name"] = "x";
      trace["host"] = "elsewhere";
      trace["sec-websocket-key"] = "x";
      trace["x-b3-traceid"] = "a\r\nb: c";
      trace["baggage"] = 5 as unknown as string;
      Object.defineProperty(trace, "b3", {
        enumerable: true,
        get: () => {
          throw new Error("a getter");
        },
      });
    };
    diagnostics.subscribe("web-socket-channel:connect", onConnect);
    try {
      const ways = [NetWebSocketChannel, ...hasNative ? [NativeWebSocketChannel] : []];
      for (const { connect } of ways) {
        const client = connect(server.url, {
          headers: { "X-Request-ID": "the user's", Authorization: "Bearer secret" },
        });
        const channel = await nextChannel(server);
        await client.ready;
        assertEquals(channel.request.headers.get("host"), new URL(server.url).host);
        await client.sink.close();
        await channel.closed;
      }
    } finally {
      diagnostics.unsubscribe("web-socket-channel:connect", onConnect);
    }
    const trace = {
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tracestate: "a=b",
      "x-request-id": "the user's",
    };
    assertEquals(seen.map((it) => ({ ...it })), hasNative ? [trace, trace] : [trace]);
  });
});

Deno.test("attack 78: a subscriber that throws harms no connection", async () => {
  await withServer({}, async (server) => {
    const names = ["connect", "open", "message", "close"].map((it) => `web-socket-channel:${it}`);
    const fail = (_event: unknown, name: string | symbol): void => {
      throw new Error(String(name));
    };
    for (const name of names) diagnostics.subscribe(name, fail);
    const uncaught = await collectUncaught(async () => {
      const client = NetWebSocketChannel.connect(server.url);
      const channel = await nextChannel(server);
      client.sink.add("hello");
      assertEquals((await channel.stream.next()).value, "hello");
      channel.sink.add("hi");
      assertEquals((await client.stream.next()).value, "hi");
      await client.sink.close(1000);
      assertEquals((await client.closed).wasClean, true);
      await channel.closed;
    }).finally(() => {
      for (const name of names) diagnostics.unsubscribe(name, fail);
    });
    assert(uncaught.length > 0);
    assertEquals(uncaught.every((it) => names.includes((it as Error).message)), true);
  });
});

Deno.test("W19 a subscriber may close the connection, or end its own subscription, during an event", async () => {
  await withServer({}, async (server) => {
    for (
      const [on, how, wanted] of [
        ["open", "close", ["connect", "open", "close 4001 true local"]],
        ["message", "close", ["connect", "open", "sent text 5", "close 4001 true local"]],
        ["open", "terminate", ["connect", "open", "close 1006 false local"]],
      ] as const
    ) {
      const events = await recorded(async () => {
        const client = NetWebSocketChannel.connect(server.url);
        client.stream.discard();
        const end = subscribe({
          [on]: ({ connection }: Diagnostic) => {
            if (connection.side === "server") return;
            end();
            if (how === "close") void client.sink.close(4001);
            else client.terminate();
          },
        });
        const channel = await nextChannel(server);
        channel.stream.discard();
        await client.ready;
        if (on === "message") client.sink.add("hello");
        await client.closed;
        await channel.closed;
      });
      assertEquals(linesOf(events, "client"), [...wanted]);
    }
  });
});

Deno.test("attack 79: events contain no secret", async () => {
  const secret = "hunter2";
  await withServer({ protocols: [secret] }, async (server) => {
    const events = await recorded(async (events) => {
      const url = server.url.replace("ws://", `ws://user:${secret}@`);
      const client = NetWebSocketChannel.connect(`${url}/?token=${secret}`, {
        protocols: [secret],
        headers: { Cookie: `session=${secret}`, "X-Api-Key": secret },
      });
      const channel = await nextChannel(server);
      await client.ready;
      client.sink.add(secret);
      await channel.stream.next();
      channel.sink.add(secret);
      await client.stream.next();
      await client.sink.close(4000, secret);
      await channel.closed;
      const controller = new AbortController();
      const aborted = NetWebSocketChannel.connect(url, { signal: controller.signal });
      controller.abort(new Error(`wrong password: ${secret}`));
      await aborted.closed;
      const failing = NetWebSocketChannel.connect(server.url, { protocols: [secret] });
      await failing.ready;
      failing.sink.addError(new Error(secret));
      await failing.closed;
      await until(() =>
        linesOf(events, "client").filter((it) => it.startsWith("close")).length > 1
      );
    });
    assert(events.length > 10);
    assertFalse(JSON.stringify(events).includes(secret), JSON.stringify(events));
    assertFalse(JSON.stringify(events).includes(btoa(`user:${secret}`)));
  });
});

Deno.test("W19 a connection that began without a subscriber is not observed", async () => {
  await withServer({}, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    const channel = await nextChannel(server);
    await client.ready;
    // Its messages take the same path, so they cost nothing extra.
    const transport = Channel.coreOf(client)?.transport;
    assertEquals(transport && Object.getPrototypeOf(transport), ProtocolTransport.prototype);
    const events = await recorded(async () => {
      client.sink.add("hello");
      await channel.stream.next();
      await client.sink.close();
      await channel.closed;
    });
    assertEquals(events, []);
  });
});

Deno.test("W19 acceptUpgrade publishes as a server does", async () => {
  const http = createServer();
  http.on("upgrade", (request, socket, head) => {
    const channel = acceptUpgrade(request, socket, head);
    channel.stream.listen((message) => channel.sink.add(message));
  });
  const port = await listen(http);
  const events = await recorded(async (events) => {
    const client = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}`);
    client.sink.add("hello");
    await client.stream.next();
    await client.sink.close();
    await until(() => linesOf(events, "server").length === 5);
  });
  await closeServer(http);
  assertEquals(linesOf(events, "server"), [
    "connect",
    "open",
    "received text 5",
    "sent text 5",
    "close 1005 true remote",
  ]);
});

Deno.test("W19 a wrapped socket, or a promise of a socket, reports each message once", async () => {
  for (const isPromise of [false, true]) {
    const events = await recorded(async () => {
      const socket = new FakeWebSocket();
      const channel = NativeWebSocketChannel.from(isPromise ? Promise.resolve(socket) : socket);
      await until(() => channel.socket !== null);
      socket.open();
      channel.sink.add("é");
      socket.emit("message", { data: new Uint8Array(3).buffer });
      channel.stream.discard();
      socket.emit("close", { code: 1000, reason: "", wasClean: true });
      await channel.closed;
      socket.emit("message", { data: "too late" });
    });
    assertEquals(linesOf(events, "client"), [
      "connect",
      "open",
      "sent text 2",
      "received binary 3",
      "close 1000 true remote",
    ]);
  }
  await recorded(() => {
    assertThrows(() => NativeWebSocketChannel.from(5 as never), TypeError, "Cannot wrap");
    return Promise.resolve();
  });
});
