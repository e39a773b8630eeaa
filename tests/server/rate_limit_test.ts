/** Limits of a client's rate: the server pauses, closes, or asks a function. */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  bunWebSocket,
  LimitError,
  type Message,
  type RateExcess,
  type RateLimitOptions,
  type ServerOptions,
  type ServerWebSocketChannel,
  UnsupportedError,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { clientFrame } from "../support/frames.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { testEntries } from "./entries.ts";
import { upgraded, withServer } from "./support.ts";
import { turn, until } from "../support/turns.ts";

/** All frames in one chunk. */
function texts(...messages: string[]): Uint8Array {
  const frames = messages.map((payload) => clientFrame({ opcode: 1, payload }));
  return Uint8Array.from(frames.flatMap((it) => [...it]));
}

/** A server's options that record the messages, and how each connection ended. */
function noting(): {
  received: Message[];
  channels: ServerWebSocketChannel[];
  handler: (it: ServerWebSocketChannel) => void;
} {
  const received: Message[] = [];
  const channels: ServerWebSocketChannel[] = [];
  const handler = (channel: ServerWebSocketChannel): void => {
    channels.push(channel);
    channel.stream.listen((message) => void received.push(message));
  };
  return { received, channels, handler };
}

async function opened(url: string): Promise<NetWebSocketChannel> {
  const client = NetWebSocketChannel.connect(url);
  await client.ready;
  return client;
}

/** Runs all work that only waits for the event loop. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await turn();
}

const digits = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

Deno.test("rateLimit pauses: messages above the rate wait, and none is lost", async () => {
  const clock = new ManualClock();
  const { received, channels, handler } = noting();
  const rateLimit: RateLimitOptions = { messages: 4, per: 1000, action: "pause" };
  await withServer({ rateLimit, handler, clock, pingInterval: 0 }, async (server) => {
    const client = await upgraded(server);
    client.socket.write(texts(...digits(1, 10)));
    await until(() => received.length === 4);
    await settle();
    assertEquals(received, digits(1, 4));
    for (let i = 5; i <= 9; i++) {
      clock.advance(249);
      await settle();
      assertEquals(received.length, i - 1);
      clock.advance(1);
      assertEquals(received, digits(1, i));
    }
    client.socket.write(texts("11"));
    clock.advance(250);
    assertEquals(received, digits(1, 10));
    clock.advance(250);
    await until(() => received.length === 11);
    // After as long a silence, the client may again send the full burst at once.
    clock.advance(1250);
    client.socket.write(texts(...digits(12, 20)));
    await until(() => received.length === 15);
    await settle();
    assertEquals(received, digits(1, 15));
    // The peer's Close follows all its messages.
    client.send(8, Uint8Array.of(3, 232));
    await until(() => channels[0]?.state === "closed", () => clock.advance(250));
    assertEquals(received, digits(1, 20));
    assertEquals((await channels[0]?.closed)?.code, 1000);
    await client.destroy();
  });
  assertEquals(clock.pending, 0);
});

Deno.test("rateLimit pauses: counts the bytes on the wire, including control frames", async () => {
  const clock = new ManualClock();
  const { received, handler } = noting();
  const rateLimit: RateLimitOptions = { bytes: 100, per: 1000, action: "pause" };
  await withServer({ rateLimit, handler, clock, pingInterval: 0 }, async (server) => {
    const client = await upgraded(server);
    // 147 bytes in one chunk, 7 per frame. The next chunk must wait: the client is 47 bytes over the limit.
    const pings = Array.from({ length: 20 }, () => clientFrame({ opcode: 9, payload: "x" }));
    client.socket.write(Uint8Array.from([...pings, texts("a")].flatMap((it) => [...it])));
    await until(() => received.length === 1);
    client.socket.write(texts("b"));
    await settle();
    assertEquals(received, ["a"]);
    clock.advance(469);
    await settle();
    assertEquals(received, ["a"]);
    clock.advance(2);
    await until(() => received.length === 2);
    await client.destroy();
  });
  assertEquals(clock.pending, 0);
});

Deno.test("rateLimit pauses: close, terminate and a lost connection don't wait for the pause", async () => {
  const clock = new ManualClock();
  const { received, channels, handler } = noting();
  const rateLimit: RateLimitOptions = { messages: 1, per: 60_000, action: "pause" };
  await withServer({ rateLimit, handler, clock, pingInterval: 0 }, async (server) => {
    const flood = async (): Promise<ServerWebSocketChannel> => {
      const before = channels.length;
      const client = await upgraded(server);
      clients.push(client);
      const count = received.length;
      client.socket.write(texts(...digits(1, 5)));
      await until(() => received.length === count + 1);
      return channels[before] as ServerWebSocketChannel;
    };
    const clients: Awaited<ReturnType<typeof upgraded>>[] = [];
    const closed = await flood();
    const closing = closed.sink.close(4000);
    clients[0]?.send(8, Uint8Array.of(0x0f, 0xa0));
    clients[0]?.socket.end();
    await closing;
    assertEquals(received, ["1"]);
    assertEquals((await closed.closed).code, 4000);
    const terminated = await flood();
    terminated.terminate();
    assertEquals((await terminated.closed).code, 1006);
    const lost = await flood();
    clients[2]?.socket.resetAndDestroy();
    // Node, Deno and Bun notice the reset of a paused socket only when they read or send.
    for (let i = 0; i < 200 && lost.state !== "closed"; i++) {
      if (lost.state === "open") lost.sink.add("are you there?");
      await turn();
    }
    clock.advance(60_000);
    assertEquals((await lost.closed).code, 1006);
    for (const client of clients) await client.destroy();
  });
  assertEquals(clock.pending, 0);
});

testEntries(
  "rateLimit closes with 1008, and drops the messages above the rate",
  async ({ run, name }) => {
    // Deno's own socket resets the connection if the client continues to send: then the client doesn't read the Close.
    const more = name === "upgradeWebSocket" ? 1 : 2000;
    for (const limits of [{ messages: 2 }, { bytes: 40 }]) {
      const { received, channels, handler } = noting();
      const rateLimit: RateLimitOptions = { ...limits, per: 60_000, action: "close" };
      await run({ rateLimit, handler }, async ({ url }) => {
        const client = await opened(url);
        const other = await opened(url);
        const size = limits.bytes === undefined ? 1 : 14;
        for (const letter of ["a", "b"]) client.sink.add(letter.repeat(size));
        await until(() => received.length === 2);
        for (let i = 0; i < more; i++) client.sink.add("c".repeat(size * 100));
        const { code, initiator } = await client.closed;
        assertEquals([code, initiator], [1008, "remote"]);
        const ended = await channels[0]?.closed;
        assertEquals(ended?.initiator, "local");
        const { error } = ended ?? {};
        assertInstanceOf(error, LimitError);
        const [[kind, limit] = []] = Object.entries(limits);
        assertEquals([error.option, error.limit], [`rateLimit.${kind}`, limit]);
        assert(error.actual > error.limit);
        assertEquals(received.length, 2);
        other.sink.add("d");
        await until(() => received.length === 3);
        await other.sink.close();
      });
    }
  },
);

testEntries(
  "rateLimit asks a function that allows or closes; onError gets its errors",
  async ({ run, isOwn }) => {
    const cases: [then: () => unknown, code: number, errors: string[]][] = [
      [() => "close", 1008, []],
      [
        () => {
          throw new Error("broken");
        },
        1008,
        ["Error: broken"],
      ],
      [() => undefined, 1008, [
        'TypeError: Cannot use the answer of rateLimit.action: it must be "pause", "close" or "allow"',
      ]],
      [() => Promise.reject(new Error("late")), 1008, [
        'TypeError: Cannot use the answer of rateLimit.action: it must be "pause", "close" or "allow"',
      ]],
    ];
    // A platform's socket can't be paused.
    if (!isOwn) cases.push([() => "pause", 1008, []]);
    for (const [last, expected, texts] of cases) {
      const { received, channels, handler } = noting();
      const errors: string[] = [];
      const asked: RateExcess[] = [];
      const then = (excess: RateExcess): "allow" => {
        asked.push(excess);
        return asked.length < 3 ? "allow" : last() as "allow";
      };
      const onError: ServerOptions["onError"] = (error, { where, request }) => {
        assertEquals([where, request], ["rateLimit", channels[0]?.request]);
        errors.push(String(error));
      };
      await run(
        { rateLimit: { messages: 2, per: 60_000, action: then }, handler, onError },
        async ({ url }) => {
          const client = await opened(url);
          for (const digit of digits(1, 5)) client.sink.add(digit);
          assertEquals((await client.closed).code, expected);
          assertEquals(received, digits(1, 4));
          assertEquals(asked.map((it) => it.exceeded), ["messages", "messages", "messages"]);
          assertEquals(asked[0]?.channel.request, channels[0]?.request);
          assertEquals(errors, texts);
        },
      );
    }
  },
);

Deno.test("rateLimit asks a function that pauses, or closes the channel itself", async () => {
  const clock = new ManualClock();
  const { received, channels, handler } = noting();
  let count = 0;
  const then = ({ channel }: RateExcess): "pause" => {
    if (++count === 3) void channel.sink.close(4001, "too fast");
    return "pause";
  };
  const rateLimit: RateLimitOptions = { messages: 1, per: 1000, action: then };
  await withServer({ rateLimit, handler, clock, pingInterval: 0 }, async (server) => {
    const client = await opened(server.url);
    for (const digit of digits(1, 5)) client.sink.add(digit);
    // The server delivers the message above the rate, and then pauses.
    await until(() => received.length === 2);
    await settle();
    assertEquals([received.length, count], [2, 1]);
    clock.advance(1000);
    assertEquals([received.length, count], [3, 2]);
    clock.advance(1000);
    assertEquals((await client.closed).code, 4001);
    assertEquals((await channels[0]?.closed)?.code, 4001);
  });
  assertEquals(clock.pending, 0);
});

/** A message in the given number of one-byte fragments. */
function fragments(count: number): Uint8Array {
  const all = Array.from(
    { length: count },
    (_, i) => clientFrame({ opcode: i === 0 ? 1 : 0, payload: "x", fin: i === count - 1 }),
  );
  return Uint8Array.from(all.flatMap((it) => [...it]));
}

const pings = (count: number): Uint8Array =>
  Uint8Array.from(
    Array.from({ length: count }, () => [...clientFrame({ opcode: 9, payload: "x" })]).flat(),
  );

testEntries(
  "rateLimit.messages counts no control frames, and a fragmented message once",
  async ({ run }) => {
    const { received, channels, handler } = noting();
    const rateLimit: RateLimitOptions = { messages: 2, per: 60_000, action: "close" };
    await run({ rateLimit, handler }, async ({ url }) => {
      const client = await upgraded({ url });
      client.socket.write(pings(500));
      client.socket.write(fragments(500));
      client.socket.write(texts("second"));
      await until(() => received.length === 2);
      assertEquals(received, ["x".repeat(500), "second"]);
      client.socket.write(texts("third"));
      await until(() => channels[0]?.state !== "open");
      await client.destroy();
      assertInstanceOf((await channels[0]?.closed)?.error, LimitError);
      assertEquals(received.length, 2);
    });
  },
);

testEntries(
  "rateLimit.bytes: counts floods of control frames and tiny fragments if the entry point reads frames",
  async ({ run, isOwn }) => {
    // Each flood has 3,500 bytes on the wire; the message payload is 0 and 500 bytes.
    for (const flood of [pings(500), fragments(500)]) {
      const { received, channels, handler } = noting();
      const rateLimit: RateLimitOptions = { bytes: 1000, per: 60_000, action: "close" };
      await run({ rateLimit, handler }, async ({ url }) => {
        const [client, other] = [await upgraded({ url }), await opened(url)];
        client.socket.write(flood);
        if (isOwn) {
          await until(() => channels[0]?.state !== "open");
          await client.destroy();
          const { error } = (await channels[0]?.closed) ?? {};
          assertInstanceOf(error, LimitError);
          assertEquals([error.option, received], ["rateLimit.bytes", []]);
        } else {
          client.socket.write(texts("end"));
          await until(() => received.at(-1) === "end");
          assertEquals(channels[0]?.state, "open");
        }
        other.sink.add("other");
        await until(() => received.at(-1) === "other");
        await other.sink.close();
        await client.destroy();
      });
    }
  },
);

testEntries(
  "rateLimit.bytes: counts compressed bytes on the wire, or inflated bytes on a platform's socket",
  async ({ run, name }) => {
    // Deno's own socket doesn't negotiate compression.
    if (name === "upgradeWebSocket") return;
    const { received, channels, handler } = noting();
    const rateLimit: RateLimitOptions = { bytes: 8000, per: 60_000, action: "close" };
    await run(
      { rateLimit, handler, compression: true, maxMessageSize: 4_000_000 },
      async ({ url }) => {
        const client = NetWebSocketChannel.connect(url, { compression: { threshold: 0 } });
        await client.ready;
        // About 1,000 bytes each on the wire.
        const zeros = new Uint8Array(1_000_000);
        for (let i = 0; i < 30; i++) client.sink.add(zeros);
        assertEquals((await client.closed).code, 1008);
        const { error } = (await channels[0]?.closed) ?? {};
        assertInstanceOf(error, LimitError);
        assertEquals(error.option, "rateLimit.bytes");
        if (name === "bunWebSocket") assertEquals([received.length, error.actual], [0, 1_000_000]);
        // Each chunk counts before it is inflated, so the rate also limits the number of inflated messages.
        else assert(received.length <= 8, `${received.length}`);
      },
    );
  },
);

Deno.test("rateLimit.bytes admits a compression bomb that is small on the wire; maxMessageSize limits it", async () => {
  const { received, channels, handler } = noting();
  const rateLimit: RateLimitOptions = { bytes: 100_000, per: 60_000, action: "close" };
  const options = { rateLimit, handler, compression: true, maxMessageSize: 1_000_000 };
  await withServer(options, async (server) => {
    const client = NetWebSocketChannel.connect(server.url, { compression: { threshold: 0 } });
    await client.ready;
    client.sink.add(new Uint8Array(50_000_000));
    assertEquals((await client.closed).code, 1009);
    const { error } = (await channels[0]?.closed) ?? {};
    assertInstanceOf(error, LimitError);
    assertEquals([error.option, received.length], ["maxMessageSize", 0]);
  });
});

Deno.test("rateLimit: an error names each missing or wrong option", async () => {
  const bad = async (
    rateLimit: unknown,
    kind: typeof TypeError | typeof RangeError,
    part: string,
  ) => {
    await assertRejects(() => WebSocketServer.bind({ rateLimit } as ServerOptions), kind, part);
  };
  await bad({}, TypeError, "it must have per, action, and at least one of messages and bytes");
  await bad({ messages: 1, per: 1 }, TypeError, "it must have per");
  await bad({ per: 1, action: "close" }, TypeError, "it must have per");
  await bad(
    { messages: 1, per: 0, action: "close" },
    RangeError,
    "rateLimit.per: it must be from 1",
  );
  await bad({ messages: 0, per: 1, action: "close" }, RangeError, "rateLimit.messages");
  await bad({ bytes: "1", per: 1, action: "close" }, TypeError, "rateLimit.bytes");
  await bad({ bytes: 1, per: 1, action: "wait" }, TypeError, "rateLimit.action");
  await bad({ bytes: 1, per: 1, action: "close", burst: 1 }, TypeError, "rateLimit.burst");
  await bad(5, TypeError, "rateLimit");
});

Deno.test("rateLimit: Infinity means no limit", async () => {
  const { received, handler } = noting();
  const rateLimit: RateLimitOptions = {
    messages: Infinity,
    bytes: Infinity,
    per: 1,
    action: "close",
  };
  await withServer({ rateLimit, handler }, async (server) => {
    const client = await opened(server.url);
    for (const digit of digits(1, 100)) client.sink.add(digit);
    await until(() => received.length === 100);
    await client.sink.close();
  });
});

Deno.test("rateLimit: pause is unsupported on a platform's own server", () => {
  const rateLimit: RateLimitOptions = { messages: 1, per: 1, action: "pause" };
  const error = (() => {
    try {
      return bunWebSocket({ rateLimit });
    } catch (thrown) {
      return thrown;
    }
  })();
  assertInstanceOf(error, UnsupportedError);
  assertEquals(error.capability, "rateLimit.action");
});
