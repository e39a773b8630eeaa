// Not in browsers: starts a server

/** A session over very many connections, and over compressed ones that are reset: no memory growth and no loss. */

import { assert, assertEquals } from "@std/assert";
import { ReconnectingChannel, resumption, Sessions } from "../../src/reconnecting/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { ManualClock, webSocketChannelPair } from "../../src/testing/mod.ts";
import type { Message, WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks } from "../support/events.ts";
import { collectGarbage, heapSize } from "../support/leaks.ts";
import { turn, until } from "../support/turns.ts";
import { ResumeClient, room, serveSession } from "./resume_world.ts";

/** How many connections one session has. */
const CONNECTIONS = 10_000;

/** The allowed heap growth during the second half, in bytes per connection: a leak of one object exceeds it. */
const GROWTH = 40;

Deno.test("resumption: ten thousand connections of one session leak no memory", async () => {
  const clock = new ManualClock();
  const sessions = new Sessions({ clock });
  let handlers = 0;
  let atServer = 0;
  let latest: WebSocketChannel | undefined;
  const channel = ReconnectingChannel.connect(() => {
    const { client, server } = webSocketChannelPair({ protocol: "resume.v1", clock });
    void serveSession(sessions, (it) => {
      handlers++;
      (it as WebSocketChannel).stream.listen((message) => {
        atServer++;
        (it as WebSocketChannel).sink.add(message as string);
      });
    }, server);
    return latest = client;
  }, { resume: resumption(), clock, retry: () => 1, minUptime: 0 });
  let atClient = 0;
  channel.stream.listen(() => atClient++);
  const sizes: number[] = [];
  let sent = 0;
  for (let i = 1; i <= CONNECTIONS; i++) {
    channel.sink.add(`message ${sent++}`);
    for (let n = 0; n < 40 && atClient < sent; n++) await microtasks(5);
    latest?.terminate();
    for (let n = 0; n < 40 && channel.state.name !== "waiting"; n++) await microtasks(5);
    clock.advance(1);
    await microtasks(10);
    if (i % 64 === 0) await turn();
    if (i % (CONNECTIONS / 2) === 0) {
      await collectGarbage();
      sizes.push(heapSize());
    }
  }
  await until(() => atClient === sent, () => clock.advance(10));
  assertEquals([atServer, atClient, handlers, sessions.size], [sent, sent, 1, 1]);
  const [half = 0, all = 0] = sizes;
  const growth = (all - half) / (CONNECTIONS / 2);
  assert(growth < GROWTH, `${Math.round(growth)} bytes a connection: ${sizes.join(" ")}`);
  void channel.close();
  await until(() => sessions.size === 0, () => clock.advance(100));
  assertEquals((await channel.closed).unsent, []);
  assertEquals(clock.pending, 0);
});

Deno.test("resumption: repeated takeovers before the previous connection has ended lose no message and leak nothing", async () => {
  const { open, channels, clock, sessions } = room();
  const client = new ResumeClient(clock);
  const atServer: Message[] = [];
  const pairs: WebSocketChannel[] = [];
  const sent: string[] = [];
  for (let i = 0; i < 1000; i++) {
    const { client: connection } = open((channel) =>
      void channel.stream.listen((message) => {
        atServer.push(message);
        channel.sink.add(message);
      })
    );
    pairs.push(connection);
    // The previous connection is still open, and delivers messages.
    client.abandon();
    client.connect(connection);
    sent.push(`${i}`);
    client.line.add(`${i}`, undefined);
    // Sometimes before the hello arrives, sometimes after the acknowledgement.
    await microtasks(i % 60);
  }
  await until(() => client.received.length === sent.length, () => clock.advance(1000));
  assertEquals([atServer, client.received], [sent, sent]);
  assertEquals([channels.length, client.faults], [1, []]);
  for (const channel of channels) channel.terminate();
  for (const connection of pairs) connection.terminate();
  await turn();
  for (let i = 0; i < 10; i++) clock.advance(1e6);
  assertEquals([sessions.size, sessions.bufferedAmount], [0, 0]);
});

Deno.test("resumption: resets of compressed connections lose and duplicate no message", async () => {
  const sessions = new Sessions();
  const atServer: Message[] = [];
  const extensions = new Set<string>();
  const server = await WebSocketServer.bind({
    compression: true,
    handler: sessions.handler((channel) => {
      extensions.add(channel.extensions);
      channel.stream.listen((message) => {
        atServer.push(message);
        channel.sink.add(message);
      });
    }),
  });
  const channel = ReconnectingChannel.connect(
    { url: server.url, transport: "net", compression: true },
    { resume: resumption(), retry: () => 1 },
  );
  const received: Message[] = [];
  channel.stream.listen((message) => received.push(message));
  const sent: Message[] = [];
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 10; i++) {
      const text = `${round} ${i} `.repeat(200);
      const message = i % 3 === 0 ? new TextEncoder().encode(text) : text;
      sent.push(message);
      channel.sink.add(message);
    }
    await until(() => channel.connection !== null && received.length > round * 10);
    // Messages are in flight both ways.
    channel.connection?.terminate();
    await until(() => channel.connection === null);
  }
  await until(() => received.length === sent.length);
  assertEquals([atServer, received], [sent, sent]);
  assertEquals([...extensions].map((it) => it.startsWith("permessage-deflate")), [true]);
  await channel.close();
  await server.close();
  assertEquals(sessions.size, 0);
});
