import { assert, assertEquals, assertThrows } from "@std/assert";
import { type ConnectError, NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  relay,
  type ServerRequest,
  type ServerWebSocketChannel,
  WebSocketChannel,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { jsonDocument } from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { deferred } from "../support/promises.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { withServer } from "./support.ts";
import { turn } from "../support/turns.ts";

/** A function that joins two channels. */
type Join = (a: ServerWebSocketChannel, b: WebSocketChannel) => Promise<unknown>;

/** The ways to join two channels that forward how one of them ends. */
const JOINS: readonly [name: string, join: Join][] = [
  ["relay", relay],
  ["pipe", (a, b) => a.pipe(b)],
  ["pipe, from behind", (a, b) => b.pipe(a)],
];

/** A server behind two chained relays, all over real sockets, and a client of the first relay. */
async function behindTwo(
  handler: (channel: ServerWebSocketChannel) => void | Promise<void>,
  body: (url: string) => Promise<void>,
  join: Join = relay,
): Promise<void> {
  await withServer({ handler, maxMessageSize: 1000 }, async (server) => {
    const toServer = async (guest: ServerWebSocketChannel): Promise<void> =>
      void await join(guest, NetWebSocketChannel.connect(server.url));
    await withServer({ handler: toServer }, async (second) => {
      const toSecond = async (guest: ServerWebSocketChannel): Promise<void> =>
        void await join(guest, WebSocketChannel.connect(second.url, { transport: "net" }));
      await withServer({ handler: toSecond }, (first) => body(first.url));
    });
  });
}

Deno.test("relay: two chained relays forward text and bytes both ways, in order", async () => {
  const echo = async (channel: ServerWebSocketChannel): Promise<void> => {
    for await (const message of channel.stream) channel.sink.add(message);
  };
  await behindTwo(echo, async (url) => {
    const client = NetWebSocketChannel.connect(url);
    const sent = Array.from({ length: 500 }, (_, i) => i % 2 ? `${i}` : Uint8Array.of(i, i >> 8));
    for (const message of sent) client.sink.add(message);
    for (const message of sent) assertEquals((await client.stream.next()).value, message);
    await client.sink.close(1000);
  });
});

/** The code that one side closes with, and the code at the other end of two relays; `null`: the connection is lost. */
const CODES: readonly [sent: number | null, reason: string, ofServer: number, ofClient: number][] =
  [
    [1000, "done", 1000, 1000],
    [1001, "going", 1001, 1001],
    [1005, "", 1005, 1005],
    // 1006 is never sent: the relay sends 1014 to the client, and 1011 to the server.
    [null, "", 1014, 1011],
    [1009, "", 1009, 1009],
    [1011, "fault", 1011, 1011],
    [1012, "", 1012, 1012],
    [3000, "registered", 3000, 3000],
    [4404, "not here", 4404, 4404],
  ];

/** Closes a channel with the code, or terminates it. */
function endWith(channel: WebSocketChannel, code: number | null, reason: string): void {
  if (code === null) channel.terminate();
  else void (code === 1005 ? channel.sink.close() : channel.sink.close(code, reason));
}

for (const [name, join] of JOINS) {
  for (const [sent, reason, ofServer, ofClient] of CODES) {
    const title = `${name}: two chained relays forward ${sent ?? 1006}`;

    Deno.test(`${title}: from the server to the client, after its messages`, async () => {
      const close = async (channel: ServerWebSocketChannel): Promise<void> => {
        channel.sink.add("last");
        // The messages may be lost with the connection.
        if (sent === null) await channel.stream.next();
        endWith(channel, sent, reason);
      };
      await behindTwo(close, async (url) => {
        const client = NetWebSocketChannel.connect(url);
        assertEquals((await client.stream.next()).value, "last");
        if (sent === null) client.sink.add("arrived");
        const info = await client.closed;
        assertEquals([info.code, info.reason], [ofServer, reason]);
        assertEquals([info.initiator, info.wasClean], ["remote", true]);
      }, join);
    });

    Deno.test(`${title}: from the client to the server, after its messages`, async () => {
      const ended = deferred<unknown[]>();
      const note = async (channel: ServerWebSocketChannel): Promise<void> => {
        let last: unknown;
        for await (const message of channel.stream) {
          last = message;
          channel.sink.add(message);
        }
        const info = await channel.closed;
        ended.resolve([last, info.code, info.reason, info.wasClean]);
      };
      await behindTwo(note, async (url) => {
        const client = NetWebSocketChannel.connect(url);
        await client.ready;
        client.sink.add("last");
        if (sent === null) await client.stream.next();
        endWith(client, sent, reason);
        assertEquals(await ended.promise, ["last", ofClient, reason, true]);
      }, join);
    });
  }
}

Deno.test("relay: closes the client with 1009 when a message is too large for the server", async () => {
  const echo = (channel: ServerWebSocketChannel): void =>
    void channel.stream.listen((message) => channel.sink.add(message));
  await behindTwo(echo, async (url) => {
    const client = NetWebSocketChannel.connect(url);
    client.sink.add("x".repeat(1001));
    assertEquals((await client.closed).code, 1009);
  });
});

Deno.test("relay: closes the client with 1014, or the server with 1011, when the other connection is lost", async () => {
  await behindTwo((channel) => channel.terminate(), async (url) => {
    const client = NetWebSocketChannel.connect(url);
    assertEquals((await client.closed).code, 1014);
  });
  const ended = deferred<number>();
  const note = (channel: ServerWebSocketChannel): void =>
    void channel.closed.then(({ code }) => ended.resolve(code));
  await behindTwo(note, async (url) => {
    const client = new RawClient(url);
    client.request();
    await client.response();
    client.socket.resetAndDestroy();
    assertEquals(await ended.promise, 1011);
  });
});

Deno.test("relay: closes the client with 1014 when the server is unreachable", async () => {
  const closed = await WebSocketServer.bind();
  await closed.close();
  const handler = async (guest: ServerWebSocketChannel): Promise<void> => {
    const [, upstream] = await relay(guest, NetWebSocketChannel.connect(closed.url));
    assert(upstream.error instanceof Error);
  };
  await withServer({ handler }, async (server) => {
    assertEquals((await NetWebSocketChannel.connect(server.url).closed).code, 1014);
  });
});

Deno.test("relay: closes the client with 1014 when the server refuses, and the result has the status", async () => {
  await withServer({ verify: () => ({ status: 401 }) }, async (server) => {
    const ended = deferred<unknown>();
    const handler = async (guest: ServerWebSocketChannel): Promise<void> => {
      const [, { error }] = await relay(guest, NetWebSocketChannel.connect(server.url));
      ended.resolve((error as ConnectError).status);
    };
    await withServer({ handler }, async ({ url }) => {
      const client = NetWebSocketChannel.connect(url);
      assertEquals((await client.closed).code, 1014);
      assertEquals(await ended.promise, 401);
    });
  });
});

Deno.test("relay: a client that offers a subprotocol needs a server with protocols", async () => {
  const handler = (): void => {};
  await withServer({ handler }, async ({ url }) => {
    for (const connect of [WebSocketChannel.connect, NetWebSocketChannel.connect]) {
      const { error } = await connect(url, { protocols: ["v1"] }).closed;
      assertEquals((error as Error).name, "ConnectError");
    }
  });
  const protocols = ({ protocols }: ServerRequest): string | null => protocols[0] ?? null;
  await withServer({ handler, protocols }, async ({ url }) => {
    const client = NetWebSocketChannel.connect(url, { protocols: ["v1"] });
    await client.ready;
    assertEquals(client.protocol, "v1");
    await client.sink.close();
  });
});

Deno.test("relay: a side that doesn't read pauses the other side", async () => {
  const { client, server: guest } = webSocketChannelPair({ highWaterMark: 1000 });
  const { client: up, server } = webSocketChannelPair({ highWaterMark: 1000 });
  const over = relay(guest, up);
  let added = 0;
  for (let i = 0; i < 500; i++) {
    if (client.sink.hasRoom) added++;
    if (client.sink.hasRoom) client.sink.add("x".repeat(1000));
    await turn();
  }
  assert(added < 400, `${added} of 500 were taken`);
  let got = 0;
  server.stream.listen(() => got++);
  await client.sink.close(4000, "enough");
  const [a, b] = await over;
  assertEquals([got, a.code, b.code], [added, 4000, 4000]);
});

Deno.test("relay: closing one side closes the other with the same code", async () => {
  const { client, server: guest } = webSocketChannelPair();
  const { client: up, server } = webSocketChannelPair();
  server.stream.listen(() => {});
  client.stream.listen(() => {});
  const over = relay(guest, up);
  await guest.sink.close(4001, "by hand");
  await over;
  assertEquals([(await client.closed).code, (await server.closed).code], [4001, 4001]);
  assertEquals((await server.closed).reason, "by hand");
});

Deno.test("relay: during an addStream, forwards the other side's end; a message from it ends both", async () => {
  const kinds: ((channel: WebSocketChannel) => WebSocketChannel)[] = [
    (it) => it,
    (it) => it.transformSink<string>((text) => text) as WebSocketChannel,
  ];
  for (const kind of kinds) {
    for (const how of ["close", "message"] as const) {
      const { client, server: guest } = webSocketChannelPair();
      const { client: up, server } = webSocketChannelPair();
      const front = kind(guest);
      let cancelled = false;
      const source = new ReadableStream<string>({ cancel: () => void (cancelled = true) });
      const over = relay(front, up);
      const added = front.sink.addStream(source).catch(() => {});
      if (how === "close") void server.sink.close(4404, "not here");
      else server.sink.add("more");
      const [a, b] = await over;
      const codes = how === "close" ? [4404, 4404] : [1011, 1011];
      assertEquals([(await client.closed).code, (await server.closed).code], codes);
      if (how === "message") {
        for (const { error } of [a, b]) assertEquals((error as Error).name, "InvalidStateError");
      }
      await added;
      assert(cancelled);
    }
  }
});

Deno.test("relay: leaves out a code that the other transport can't send", async () => {
  const cases: [code: number | null, sent: unknown[]][] = [
    [1000, [1000, ""]],
    [4404, [4404, ""]],
    [1009, []],
    [null, []],
  ];
  for (const [code, sent] of cases) {
    const { client, server: guest } = webSocketChannelPair();
    const socket = new FakeWebSocket();
    socket.refuses = (code) => code !== 1000 && code < 3000;
    socket.onClose = () => socket.closed({ code: 1000, reason: "", wasClean: true });
    const over = relay(guest, WebSocketChannel.from(socket));
    await client.ready;
    if (code === null) client.terminate();
    else void client.sink.close(code);
    await over;
    assertEquals(socket.closes.at(-1), sent);
  }
});

Deno.test("relay: drops messages for a side that the user closed, without an error", async () => {
  const { client, server: guest } = webSocketChannelPair();
  const { client: up, server } = webSocketChannelPair();
  server.stream.listen(() => {});
  client.stream.listen(() => {});
  await assertNoUncaught(async () => {
    const over = relay(guest, up);
    void guest.sink.close(1001);
    server.sink.add("too late");
    await over;
  });
  assertEquals([(await client.closed).code, (await server.closed).code], [1001, 1001]);
});

Deno.test("relay: refuses a channel with another reader, and leaves the other channel unchanged", async () => {
  const { client, server: guest } = webSocketChannelPair();
  const { client: up, server } = webSocketChannelPair();
  up.stream.listen(() => {});
  const error = assertThrows(() => relay(guest, up), DOMException);
  assertEquals(error.name, "InvalidStateError");
  assertThrows(() => relay(up, guest), DOMException);
  for (const wrong of [null, undefined, {}, { stream: {}, sink: {} }, "channel"]) {
    assertThrows(() => relay(guest, wrong as never), TypeError, "Cannot use the channel");
    assertThrows(() => relay(wrong as never, guest), TypeError, "Cannot use the channel");
  }
  assertEquals([guest.state, up.state], ["open", "open"]);
  client.sink.add("unread");
  assertEquals((await guest.stream.next()).value, "unread");
  assertThrows(() => relay(client, client), DOMException, "belong to the same connection");
  // The relay didn't start reading from it.
  client.stream.listen(() => {});
  for (const channel of [client, server]) channel.terminate();
  await Promise.all([client, guest, up, server].map((it) => it.closed));
});

Deno.test("relay: ends both channels, and nothing else, when one rejects a message", async () => {
  const { client, server: guest } = webSocketChannelPair();
  const { client: up, server } = webSocketChannelPair();
  await assertNoUncaught(async () => {
    const typed = up.transform(jsonDocument({})) as unknown as WebSocketChannel;
    const over = relay(guest, typed);
    client.sink.add(Uint8Array.of(1, 2));
    const [a, b] = await over;
    assertEquals([a.code, b.code], [1011, 1011]);
    assert(a.error instanceof TypeError && b.error === a.error);
  });
  assertEquals([(await client.closed).code, (await server.closed).code], [1011, 1011]);
});

Deno.test("relay: ends both channels when one rejects a message while connecting", async () => {
  const fault = new TypeError("the encoder's own");
  await withServer({ handler: ({ stream }) => void stream.listen(() => {}) }, async (server) => {
    const { client, server: guest } = webSocketChannelPair();
    client.stream.listen(() => {});
    const up = NetWebSocketChannel.connect(server.url).transformSink<unknown>(() => {
      throw fault;
    });
    const over = relay(guest, up);
    client.sink.add("refused");
    const [a, b] = await over;
    assertEquals([a.error, b.error], [fault, fault]);
    assertEquals((await client.closed).code, 1011);
  });
});
