/** Attacks on a connection's lifetime by a hostile or dead peer, over real sockets where that matters. */

import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import { ConnectError, WebSocketChannelError } from "../../mod.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import type { Channel } from "../../src/web_socket/channel.ts";
import type { ProtocolOptions } from "../../src/web_socket/options.ts";
import { dial } from "../support/byte_channels.ts";
import { connectOver } from "../support/own_channels.ts";
import { deno } from "../support/command.ts";
import { microtasks, nextMessage } from "../support/events.ts";
import { echo, type OwnServer, withServer } from "../support/own_server.ts";
import { RawClient } from "../support/recipe_clients.ts";
import {
  type RecipeName,
  type RecipeOptions,
  type RecipeServer,
  withRecipe,
} from "../support/recipes.ts";
import { assertNoUncaught, collectUncaught } from "../support/unhandled.ts";
import { fromHex, hex, joined, utf8 } from "../support/bytes.ts";
import { frame, KEY } from "../support/frames.ts";
import { rig } from "../web_socket/support.ts";
import { until } from "../support/turns.ts";

/** Connects our client over TCP. */
async function connect(url: string, options: ProtocolOptions = {}): Promise<Channel> {
  const wire = await dial(url);
  return connectOver(() => Promise.resolve(wire), url, options, systemClock);
}

/** Fulfils when the server has noticed that its client has left. */
async function gone(server: RecipeServer): Promise<void> {
  while (!["end", "reset", "disconnect"].includes((await server.next()).kind));
}

/** A client that reads nothing, and the server's channel to it, whose system buffers are full. */
async function blocked(server: OwnServer): Promise<{ client: RawClient; channel: Channel }> {
  const client = new RawClient(server.url);
  client.request();
  await client.response();
  const [channel] = server.channels;
  assert(channel !== undefined);
  client.socket.pause();
  while (channel.sink.bufferedAmount < 1 << 20) {
    channel.sink.add(new Uint8Array(1 << 20));
    await microtasks();
  }
  return { client, channel };
}

Deno.test("attack 8: a flood of Pings by a peer that reads nothing: bounded, then answered", async () => {
  await withServer(() => {}, {}, async (server) => {
    const { client, channel } = await blocked(server);
    const before = channel.sink.bufferedAmount;
    const ping = frame({ opcode: 9, payload: "x".repeat(125), key: KEY });
    const flood = joined(Array(1000).fill(ping));
    for (let i = 0; i < 20; i++) {
      await new Promise<void>((resolve) => client.socket.write(flood, () => resolve()));
    }
    client.socket.write(frame({ opcode: 1, payload: "behind", key: KEY }));
    assertEquals(await nextMessage(channel), "behind");
    assertLess(channel.sink.bufferedAmount, before + 65 * 127 + 1);
    client.socket.write(frame({ opcode: 9, payload: "last", key: KEY }));
    client.socket.resume();
    const pong = hex(frame({ opcode: 10, payload: "last" }));
    await until(() => client.body.subarray(-6).toString("hex") === pong);
    await client.destroy();
    assertEquals((await channel.closed).code, 1006);
  });
});

Deno.test("attack 9: unanswered pings use bounded memory, and reject when the channel ends", async () => {
  await withRecipe("never-close", {}, async (server) => {
    const channel = await connect(server.url, { closeTimeout: 20 });
    await channel.ready;
    const pings = Array.from({ length: 1000 }, () => channel.ping());
    const results = Promise.allSettled(pings);
    assertInstanceOf(await pings[128]?.catch((error) => error), WebSocketChannelError);
    channel.sink.add("still works");
    assertEquals(await nextMessage(channel), "still works");
    assertEquals((await server.queued()).filter(({ kind }) => kind === "ping").length, 128);
    await channel.sink.close();
    assert((await results).every(({ status }) => status === "rejected"));
  });
});

Deno.test("attack 10: a Pong's payload stays bytes, also if it is the name of a property", async () => {
  const { channel, bytes } = rig();
  const ping = channel.ping();
  await microtasks();
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "then", "", "\0\0\0\0"];
  for (const payload of names) bytes.receive(frame({ opcode: 10, payload }));
  assertEquals(channel.state, "open");
  const wire = joined(bytes.written);
  const payload = wire.slice(6, 10).map((byte, i) => byte ^ (wire[2 + i] ?? 0));
  bytes.receive(frame({ opcode: 10, payload }));
  assertEquals(await ping, 0);
  channel.terminate();
});

const rude: [name: RecipeName, options: RecipeOptions][] = [
  ["garbage", {}],
  ["bad-utf8", {}],
  ["destroy", {}],
  ["raw", { frames: "ff80", then: "reset" }],
  ["raw", { frames: "c10161", then: "open" }],
  ["raw", { frames: "8101ff", then: "destroy" }],
  ["raw", { frames: "82ff", then: "end" }],
  ["bad-accept", {}],
  ["no-accept", {}],
  ["accept-then-end", { then: "destroy" }],
  ["http", { status: 500 }],
  ["http", { response: "\0\0\0\r\n\r\n" }],
];
for (const [name, options] of rude) {
  const title = `${name} ${Object.values(options).join(" ")}`.trim();
  Deno.test(`attack 18: a peer's protocol error ends no process, also without a listener: ${title}`, async () => {
    await assertNoUncaught(async () => {
      await withRecipe(name, options, async (server) => {
        const channel = await connect(server.url, { closeTimeout: 20, pingInterval: 1000 });
        void channel.ping();
        channel.sink.add("unheard");
        void channel.sink.flush();
        await gone(server);
        const info = await channel.closed;
        assertEquals([info.code, info.wasClean, channel.state], [1006, false, "closed"]);
      });
    });
  });
}

Deno.test("attack 19: after callbacks that throw no message is lost or corrupted", async () => {
  const errors = ["1", "3", "error", "done"].map((text) => new Error(text));
  const got: unknown[] = [];
  const uncaught = await collectUncaught(async () => {
    const { channel, bytes } = rig();
    channel.stream.listen((message) => {
      got.push(message);
      if (message === "1") throw errors[0];
      if (message === "3") throw errors[1];
    }, {
      onDone: () => {
        got.push("done");
        throw errors[3];
      },
    });
    bytes.receive(fromHex("810131 810132 01"));
    bytes.receive(fromHex("0133 890170 8001"));
    bytes.receive(utf8("4"));
    bytes.receive(fromHex("810133 810135"));
    await microtasks();
    assertEquals(channel.state, "open");
    assert(channel.sink.add("still"));
    bytes.receive(fromHex("8800"));
    bytes.incoming.end();
    assert((await channel.closed).wasClean);
  });
  assertEquals(got, ["1", "2", "34", "3", "5", "done"]);
  assertEquals(uncaught, [errors[0], errors[1], errors[3]]);
});

Deno.test("attack 28: frames in the packet of the 101 arrive, however the packet is cut", async () => {
  const frames = hex(
    joined([frame({ opcode: 1, payload: "one" }), frame({ opcode: 1, payload: "2" })]),
  );
  for (const pieces of [1, 2, 5, 100, 10_000]) {
    await withRecipe("raw", { frames, pieces, answers: true }, async (server) => {
      const channel = await connect(server.url);
      assertEquals([await nextMessage(channel), await nextMessage(channel)], ["one", "2"]);
      await channel.sink.close();
    });
  }
});

Deno.test("attack 28: a client never reads frames behind a wrong Accept", async () => {
  const injected = String.fromCharCode(...frame({ opcode: 1, payload: "injected" }));
  const response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" + injected;
  await withRecipe("http", { response }, async (server) => {
    const channel = await connect(server.url);
    await assertRejects(() => channel.ready, ConnectError);
    await assertRejects(() => channel.stream.next(), ConnectError);
  });
});

const closings: [title: string, name: RecipeName, options: RecipeOptions][] = [
  ["never answers", "never-close", {}],
  ["sends Pongs forever", "raw", { repeat: "8a00" }],
  ["sends messages forever", "raw", { repeat: "810161" }],
  ["sends half a frame forever", "raw", { frames: "827f0000000040000000", repeat: "00" }],
  ["answers, and keeps TCP open", "close-keeps-tcp", {}],
];
for (const [title, name, options] of closings) {
  Deno.test(`attack 43: closing, with a peer that ${title}: the channel ends at the deadline`, async () => {
    await withRecipe(name, options, async (server) => {
      const channel = await connect(server.url, { closeTimeout: 30 });
      await channel.ready;
      channel.stream.listen(() => {});
      await channel.sink.close(1000);
      assertEquals(channel.state, "closed");
      assertEquals((await channel.closed).wasClean, name === "close-keeps-tcp");
      // The channel has destroyed the socket, not only dropped it.
      await gone(server);
    });
  });
}

Deno.test("attack 43: a peer that ends its half of TCP, and reads nothing, is disconnected", async () => {
  await withServer(() => {}, {}, async (server) => {
    const { client, channel } = await blocked(server);
    const flushed = channel.sink.flush();
    client.socket.end();
    assertEquals((await channel.closed).initiator, "transport");
    await assertRejects(() => flushed);
    await server.idle();
    await client.destroy();
  });
});

Deno.test("the channel notices a reset while the reader pauses, and earlier messages can be read", async () => {
  await withServer(
    (channel) => {
      for (let i = 0; i < 100; i++) channel.sink.add("x".repeat(1000));
    },
    {},
    async (server) => {
      const channel = await connect(server.url, { pingInterval: 10, highWaterMark: 1000 });
      const got: unknown[] = [];
      const subscription = channel.stream.listen((message) => got.push(message));
      subscription.pause();
      await channel.ready;
      const [peer] = server.channels;
      await peer?.sink.flush();
      peer?.terminate();
      // The next Ping of the keepalive finds the connection reset.
      const info = await channel.closed;
      assertEquals([info.code, info.initiator, got], [1006, "transport", []]);
      subscription.resume();
      await until(() => got.length === 100 || channel.state !== "closed");
      assertEquals(got.length, 100);
    },
  );
});

Deno.test("attack 46: a stall of the event loop costs no connection", async () => {
  await withServer(echo, { pingInterval: 20, pingTimeout: 20 }, async (server) => {
    const channels = await Promise.all(
      Array.from({ length: 10 }, () => connect(server.url, { pingInterval: 20, pingTimeout: 20 })),
    );
    for (const { ready } of channels) await ready;
    for (let stall = 0; stall < 3; stall++) {
      await Promise.all(channels.map((channel) => channel.ping()));
      const start = performance.now();
      // deno-lint-ignore no-empty -- the event loop stands still
      while (performance.now() - start < 100) {}
      await Promise.all(channels.map((channel) => channel.ping()));
    }
    assertEquals(server.channels.map(({ state }) => state), Array(10).fill("open"));
    for (const channel of channels) await channel.sink.close();
    await server.idle();
  });
});

/** Runs a program with a channel to a server; the program must end by itself. */
async function assertProgramEnds(url: string, last: string): Promise<void> {
  const root = new URL("../../", import.meta.url);
  const program = `
    import { connectOver } from "${new URL("tests/support/own_channels.ts", root)}";
    import { systemClock } from "${new URL("src/web_socket/clock.ts", root)}";
    import { dial } from "${new URL("tests/support/byte_channels.ts", root)}";
    const options = { pingInterval: 10_000, closeTimeout: 10_000 };
    const channel = connectOver(dial, "${url}", options, systemClock);
    await channel.ready;
    channel.stream.listen(() => {});
    ${last}
    console.log("the last line");
  `;
  const start = performance.now();
  const { code, stdout, stderr } = await deno(["eval", "--quiet", "--ext=ts", program]);
  assertEquals([code, stdout.trim()], [0, "the last line"], stderr);
  assertLess(performance.now() - start, 8_000);
}

// The test runs of the other runtimes have no command to start a program.
if ("Command" in Deno) {
  const programs: [title: string, last: string][] = [
    ["an open channel that is unref'd", "channel.unref();"],
    ["a channel that was closed", "await channel.sink.close();"],
    ["a channel that was terminated", "channel.terminate();"],
  ];
  for (const [title, last] of programs) {
    Deno.test(`attack 47: ${title} doesn't keep the process running`, async () => {
      await withServer(echo, {}, (server) => assertProgramEnds(server.url, last));
    });
  }
}
