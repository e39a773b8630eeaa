// Not in browsers: starts a server

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  ReconnectingChannel,
  type ReconnectingOptions,
  resumption,
  Sessions,
  type TargetAddress,
} from "../../src/reconnecting/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { until } from "../support/turns.ts";

Deno.test("reconnecting: the channel reconnects to a real server that restarts on its port", async () => {
  let server = await WebSocketServer.bind({
    port: 0,
    hostname: "127.0.0.1",
    handler: async ({ stream, sink }) => {
      for await (const message of stream) sink.add(`1 ${message}`);
    },
  });
  const { port } = new URL(server.url);
  const states: string[] = [];
  const channel = ReconnectingChannel.connect(server.url, {
    firstDelay: 10,
    maxDelay: 20,
    onState: ({ name }) => states.push(name),
  });
  channel.sink.add("a");
  assertEquals(await channel.stream.next(), { done: false, value: "1 a" });
  await server.close({ code: 1001, drainTimeout: 0 });
  server = await WebSocketServer.bind({
    port: Number(port),
    hostname: "127.0.0.1",
    handler: async ({ stream, sink }) => {
      for await (const message of stream) sink.add(`2 ${message}`);
    },
  });
  // Messages sent while the Close is in flight would be lost.
  await until(() => states.includes("waiting"));
  channel.sink.add("b");
  assertEquals(await channel.stream.next(), { done: false, value: "2 b" });
  await channel.close(1000);
  const { code, unsent, attempts } = await channel.closed;
  assertEquals([code, unsent.length, states[0], states.at(-1)], [1000, 0, "connecting", "closed"]);
  assertEquals(attempts >= 2, true);
  await server.close();
});

Deno.test("reconnecting: connect throws for malformed arguments", () => {
  assertThrows(() => ReconnectingChannel.connect("nonsense"), SyntaxError, "the URL is malformed");
});

Deno.test("reconnecting: misplaced options throw an error that names the right place", () => {
  const url = "ws://127.0.0.1:9";
  assertThrows(
    () => ReconnectingChannel.connect(url, { headers: { A: "b" } } as ReconnectingOptions),
    TypeError,
    "Cannot use the option headers: there is no such option, got an object. " +
      "It belongs to the target: connect({ url, … }, options)",
  );
  assertThrows(
    () => ReconnectingChannel.connect({ url, maxDelay: 5 } as TargetAddress),
    TypeError,
    "Cannot use the option maxDelay: there is no such option, got 5. " +
      "It belongs to the second argument: connect(target, { … })",
  );
});

Deno.test("reconnecting: streamLargerThan is refused for a target, for a channel, and for sessions", async () => {
  const url = "ws://127.0.0.1:9";
  const given = { url, streamLargerThan: 1000 } as TargetAddress;
  const text =
    "Cannot use the option streamLargerThan: it must be left out because a channel that reconnects delivers whole messages";
  assertThrows(() => ReconnectingChannel.connect(given), TypeError, text);
  assertEquals(
    ((await ReconnectingChannel.connect(() => given).closed).error as Error).message,
    text,
  );
  const { client } = webSocketChannelPair({ streamLargerThan: 1000 });
  const channel = ReconnectingChannel.connect(() => client);
  assertEquals(
    ((await channel.closed).error as Error).message,
    "Cannot use the channel: it must be created without streamLargerThan, because its messages must be whole",
  );
  await client.closed;
  await assertRejects(
    () =>
      WebSocketServer.bind({ streamLargerThan: 1000, handler: new Sessions().handler(() => {}) }),
    TypeError,
    "it must be left out because sessions deliver whole messages",
  );
});

Deno.test("reconnecting: the hello of resumption counts towards a server's rateLimit", async () => {
  const sessions = new Sessions();
  const server = await WebSocketServer.bind({
    port: 0,
    rateLimit: { messages: 2, per: 60_000, action: "close" },
    handler: sessions.handler((channel) => channel.stream.discard()),
  });
  const channel = ReconnectingChannel.connect(server.url, { resume: resumption() });
  for (const message of ["one", "two"]) channel.sink.add(message);
  const { code, error } = await channel.closed;
  assertEquals(code, 1008);
  assertEquals(
    String(error),
    "WebSocketChannelError: Cannot reconnect: the connection ended with 1008, which is not retried. " +
      "The option retry decides",
  );
  await server.close();
});

Deno.test("resumption: the acknowledgement in the next connection's hello ends a flush and makes room", async () => {
  const pairs = [1, 2].map(() => webSocketChannelPair({ protocol: "resume.v1" }));
  let next = 0;
  const channel = ReconnectingChannel.connect(() => pairs[next++]!.client, {
    resume: resumption(),
    maxBuffer: 32,
    firstDelay: 1,
  });
  const [first, second] = pairs.map(({ server }) => server);
  await first!.stream.next();
  first!.sink.add('!{"session":"a","received":0,"window":1000}');
  channel.sink.add("received, and not acknowledged");
  const flushed = channel.sink.flush();
  const { ready } = channel.sink;
  while ((await first!.stream.next()).value !== "=received, and not acknowledged");
  first!.terminate();
  await second!.stream.next();
  second!.sink.add('!{"session":"a","received":1,"window":1000}');
  await deadline(Promise.all([flushed, ready]), 5000);
  assertEquals([channel.sink.bufferedAmount, channel.sink.hasRoom], [0, true]);
  await channel.close();
});

Deno.test("resumption: a server without sessions that chooses no subprotocol ends the channel", async () => {
  const server = await WebSocketServer.bind({ port: 0, handler: ({ stream }) => stream.discard() });
  const channel = ReconnectingChannel.connect(server.url, { resume: resumption() });
  const { error, attempts } = await channel.closed;
  assertStringIncludes(String(error), "the server chose none of the offered subprotocols");
  assertEquals(attempts, 1);
  await server.close();
});
