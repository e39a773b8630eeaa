/** Messages in parts through `relay` and `pipe`, over real sockets: two joins in a row, and every way to end in the middle. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  type IncomingMessage,
  type Message,
  relay,
  type ServerWebSocketChannel,
  UnsupportedError,
  WebSocketChannel,
} from "../../src/server/mod.ts";
import { channelPair, jsonDocument } from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { deferred } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { withServer } from "../server/support.ts";

const LARGE = { streamLargerThan: 1000, maxMessageSize: Infinity } as const;

type Streaming = WebSocketChannel<Message | IncomingMessage>;

type Join = (a: Streaming, b: Streaming) => Promise<unknown>;

const JOINS: readonly [name: string, join: Join][] = [
  ["relay", relay],
  ["pipe", (a, b) => a.pipe(b)],
  ["pipe, called on the other side", (a, b) => b.pipe(a)],
];

/** A server behind two joins, and a client of the first one; both stream messages. */
async function behindTwo(
  join: Join,
  body: (client: Streaming, server: Streaming) => Promise<void>,
): Promise<void> {
  const guests = deferred<ServerWebSocketChannel>();
  const handler = async (channel: ServerWebSocketChannel): Promise<void> => {
    guests.resolve(channel);
    await channel.closed;
  };
  const passOn = (url: () => string) => async (guest: ServerWebSocketChannel): Promise<void> => {
    await join(guest as unknown as Streaming, NetWebSocketChannel.connect(url(), LARGE))
      .catch(() => {});
  };
  await assertNoUncaught(async () => {
    await withServer({ ...LARGE, handler }, async (last) => {
      await withServer({ ...LARGE, handler: passOn(() => last.url) }, async (second) => {
        await withServer({ ...LARGE, handler: passOn(() => second.url) }, async ({ url }) => {
          const client = NetWebSocketChannel.connect(url, LARGE);
          const server = await guests.promise as unknown as Streaming;
          await body(client, server);
          client.terminate();
          await Promise.all([client.closed, server.closed]);
        });
      });
    });
  });
}

async function next(channel: Streaming): Promise<IncomingMessage> {
  const { value } = await channel.stream.next();
  assert(typeof value === "object" && "readable" in value);
  return value;
}

async function sizeOf({ readable }: IncomingMessage): Promise<number> {
  let size = 0;
  for await (const part of readable) size += part.length;
  return size;
}

/** Endless content that counts the requested chunks and records whether it was cancelled. */
class Endless {
  taken = 0;
  cancelled = false;
  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    try {
      for (;; this.taken++) yield "x".repeat(10_000);
    } finally {
      this.cancelled = true;
    }
  }
}

for (const [name, join] of JOINS) {
  Deno.test(`${name}: messages in parts pass in order among others, in both kinds and directions`, async () => {
    await behindTwo(join, async (client, server) => {
      const text = "aé€🎨 ".repeat(30_000);
      for (const [from, to] of [[client, server], [server, client]] as const) {
        from.sink.add("before");
        const sent = from.sink.addMessage([text.slice(0, 9), text.slice(9)], { kind: "text" });
        from.sink.add("between");
        from.sink.add(new Uint8Array(300_000));
        from.sink.add("behind");
        assertEquals((await to.stream.next()).value, "before");
        const first = await next(to);
        let got = "";
        for await (const part of first.readable) got += part;
        assertEquals([first.kind, got === text], ["text", true]);
        await sent;
        assertEquals((await to.stream.next()).value, "between");
        const second = await next(to);
        assertEquals([second.kind, await sizeOf(second)], ["binary", 300_000]);
        assertEquals((await to.stream.next()).value, "behind");
      }
    });
  });

  Deno.test(`${name}: a reader holds up a message in parts, cancelling skips it, and it is complete before a Close`, async () => {
    await behindTwo(join, async (client, server) => {
      const chunk = new Uint8Array(100_000);
      let taken = 0;
      const source = function* () {
        for (; taken < 500; taken++) yield chunk;
      };
      const sent = client.sink.addMessage(source(), { kind: "binary" });
      const message = await next(server);
      // The system's buffers of three connections are not included.
      let before = -1;
      for (let still = 0; still < 50; still = before === taken ? still + 1 : 0) {
        before = taken;
        await turn();
      }
      assert(taken < 500, "the whole message was taken");
      message.cancel();
      await sent;
      assertEquals(taken, 500);
      client.sink.add("x".repeat(500_000));
      void client.sink.close(4001, "the end");
      assertEquals(await sizeOf(await next(server)), 500_000);
      const { code, reason } = await server.closed;
      assertEquals([code, reason], [4001, "the end"]);
    });
  });

  const ends: [
    how: string,
    end: (client: Streaming, server: Streaming) => void,
    clientCode: number,
    serverCode: number,
  ][] = [
    ["the sender closes", (client) => void client.sink.close(4001, "enough"), 4001, 4001],
    ["the sender is lost", (client) => client.terminate(), 1006, 1011],
    ["the receiver closes", (_, server) => void server.sink.close(4002, "stop"), 4002, 4002],
    ["the receiver is lost", (_, server) => server.terminate(), 1014, 1006],
  ];
  for (const [how, end, clientCode, serverCode] of ends) {
    Deno.test(`${name}: ${how} in the middle of a message in parts`, async () => {
      await behindTwo(join, async (client, server) => {
        const source = new Endless();
        const sent = client.sink.addMessage(source, { kind: "text" });
        const message = await next(server);
        const reading = sizeOf(message);
        reading.catch(() => {});
        await until(() => message.received > 100_000);
        end(client, server);
        await assertRejects(() => reading, Error);
        await assertRejects(() => message.done, Error);
        await assertRejects(() => sent, Error);
        const [here, there] = await Promise.all([client.closed, server.closed]);
        assertEquals([here.code, there.code], [clientCode, serverCode]);
        await until(() => source.cancelled);
      });
    });
  }

  Deno.test(`${name}: a source that fails in the middle ends both sides with 1011`, async () => {
    await behindTwo(join, async (client, server) => {
      const begun = deferred<void>();
      const source = async function* () {
        yield "x".repeat(5000);
        await begun.promise;
        throw new Error("the disk is gone");
      };
      const sent = client.sink.addMessage(source(), { kind: "text" });
      sent.catch(() => {});
      const message = await next(server);
      begun.resolve();
      await assertRejects(() => sizeOf(message), Error, "in the middle of it");
      await assertRejects(() => sent, Error, "the disk is gone");
      assertEquals((await server.closed).code, 1011);
    });
  });

  Deno.test(`${name}: messages in parts to a side without support for them are an error at once`, async () => {
    const { client, server } = pair();
    const native = WebSocketChannel.from(new FakeWebSocket(), { closeTimeout: 0 });
    const error = assertThrows(() => void join(server, native), UnsupportedError);
    assertStringIncludes(error.message, "messageStreams");
    const other = webSocketChannelPair();
    const transformed = other.client.transformSink<string>((it) => it) as unknown as Streaming;
    assertThrows(() => void join(server, transformed), TypeError, "not transformed");
    // Both channels are unchanged, and still have no reader.
    client.sink.add("still");
    assertEquals((await server.stream.next()).value, "still");
    for (const it of [client, server, native, other.client, other.server]) it.terminate();
    await Promise.all([client, server, native, other.client, other.server].map((it) => it.closed));
  });
}

function pair(): { client: Streaming; server: Streaming } {
  const { local, foreign } = channelPair<Uint8Array>();
  return {
    client: WebSocketChannel.over(local, { ...LARGE, side: "client" }),
    server: WebSocketChannel.over(foreign, { ...LARGE, side: "server" }),
  };
}

Deno.test("relay: a message in parts that arrives while the other side connects or closes", async () => {
  for (const how of ["connects", "closes"] as const) {
    const { client, server: guest } = pair();
    const { client: up, server } = pair();
    const over = relay(guest, up);
    if (how === "closes") void up.sink.close(4003);
    const sent = client.sink.addMessage(["x".repeat(200_000)], { kind: "text" });
    sent.catch(() => {});
    client.stream.discard();
    if (how === "connects") {
      assertEquals(await sizeOf(await next(server)), 200_000);
      void client.sink.close(4003);
    }
    server.stream.discard();
    await over;
    assertEquals([(await client.closed).code, (await server.closed).code], [4003, 4003]);
  }
});

Deno.test("pipe: a message in parts to a channel that is not a WebSocket is an error at once", async () => {
  const { client, server } = pair();
  const { local } = channelPair<Message>();
  assertThrows(() => void server.pipe(local as never), TypeError, "Leave out streamLargerThan");
  client.terminate();
  await server.closed;
});

Deno.test("a JSON document in parts is an error, even if malformed documents are skipped", async () => {
  for (const malformed of ["error", "skip"] as const) {
    const { client, server } = pair();
    const json = server.transform(
      jsonDocument({
        malformed: malformed === "skip" ? (_text, _error, { skip }) => skip : malformed,
      }),
    );
    const reading = json.stream.next();
    client.sink.add(JSON.stringify("x".repeat(2000)));
    await assertRejects(() => reading, TypeError, "without streamLargerThan");
    assertEquals((await client.closed).code, 1011);
  }
});

Deno.test("a message in parts cannot be cloned, so ports and workers reject it", () => {
  const { client, server } = pair();
  server.stream.listen((message) => {
    if (typeof message === "object" && "readable" in message) {
      assertThrows(() => structuredClone(message), DOMException);
      message.cancel();
    }
  });
  client.sink.add(new Uint8Array(2000));
});

Deno.test("a transformed channel without a reader skips messages in parts, and passes later messages", async () => {
  const ways: ((channel: Streaming) => { stream: { discard(): void } })[] = [
    (it) => it.transformStream((message) => message),
    (it) => it.changeStream((stream) => stream),
    (it) => it.transform(jsonDocument as never),
  ];
  for (const way of ways) {
    const { client, server } = pair();
    way(server).stream.discard();
    await client.sink.addMessage([new Uint8Array(500_000)], { kind: "binary" });
    await client.ping();
    const closing = client.sink.close(4004);
    assertEquals((await server.closed).code, 4004);
    await closing;
    // A loop that reads what it has skipped may wait for its last turn.
    await turn();
  }
});
