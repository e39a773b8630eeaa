import { assertEquals } from "@std/assert";
import { BufferPool } from "../../src/reconnecting/buffer_pool.ts";
import { type Carrier, ServerSession } from "../../src/reconnecting/server_session.ts";
import { Sessions } from "../../src/reconnecting/sessions.ts";
import { ManualClock, webSocketChannelPair } from "../../src/testing/mod.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import type { ServiceHost } from "../../src/web_socket/connection_service.ts";
import type { Message, WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks } from "../support/events.ts";
import { endAll, HELLO, idOf, LightConnection, room, say, serveSession } from "./resume_world.ts";

Deno.test("server session: the server doesn't acknowledge again what its hello has acknowledged", async () => {
  const { open, channels, clock } = room();
  const first = open((channel) => channel.stream.listen(() => {})).client;
  await say(first, HELLO);
  const id = await idOf(first);
  await say(first, "#0", "=one", "=two");
  const second = open().client;
  const said: Message[] = [];
  second.stream.listen((message) => said.push(message));
  await say(second, `!{"session":"${id}","attempt":2,"received":0,"window":1000}`);
  clock.advance(5000);
  await microtasks(40);
  assertEquals(said, [`!{"session":"${id}","received":2,"window":1048576}`]);
  await endAll(channels);
});

Deno.test("server session: the client's window applies to a replaced session, its received count doesn't", async () => {
  const { open, channels } = room();
  const { client } = open((channel) => {
    for (let i = 0; i < 5; i++) channel.sink.add("x".repeat(60));
  });
  const said: Message[] = [];
  client.stream.listen((message) => said.push(message));
  await say(client, '!{"session":"gone","attempt":4,"received":9,"window":100}', "#0");
  // One message may exceed the window.
  assertEquals(said.length, 1 + 2);
  await endAll(channels);
});

Deno.test("server session: an unref'd channel stays unref'd on the next connection", async () => {
  const { sessions, channels, open } = room();
  const first = open().client;
  await say(first, HELLO);
  const id = await idOf(first);
  await say(first, "#0");
  channels[0]?.unref();
  const calls: string[] = [];
  for (const attempt of [2, 3]) {
    const connection = Object.assign(new LightConnection(), {
      ref: () => calls.push("ref"),
      unref: () => calls.push("unref"),
    });
    void serveSession(sessions, () => {}, connection as unknown as WebSocketChannel);
    await microtasks();
    connection.say(`!{"session":"${id}","attempt":${attempt},"received":0,"window":9}`);
    if (attempt === 2) channels[0]?.ref();
  }
  assertEquals(calls, ["unref", "ref"]);
  await endAll(channels);
});

Deno.test("server session: a session that closes ends with its connection when the server closes as well", async () => {
  for (const isClosing of [true, false]) {
    const { open, channels, sessions } = room({ isClosing });
    const { client } = open((channel) => channel.sink.add("one"));
    await say(client, HELLO, "#0");
    void channels[0]?.sink.close(4000, "bye");
    await microtasks(40);
    // Not acknowledged.
    client.terminate();
    await microtasks(60);
    assertEquals(sessions.size, isClosing ? 0 : 1);
    await endAll(channels);
    assertEquals((await channels[0]?.closed)?.unacknowledged, ["one"]);
  }
});

Deno.test("server session: with timeout 0 a session ends at once with its connection", async () => {
  const { open, channels, sessions, clock } = room({ timeout: 0 });
  const { client } = open();
  await say(client, HELLO, "#0");
  client.terminate();
  await microtasks(60);
  assertEquals([sessions.size, (await channels[0]?.closed)?.initiator], [0, "timeout"]);
  assertEquals(clock.pending, 0);
});

Deno.test("server session: the server stops serving a connection that ends before a session has begun", async () => {
  for (const said of [[], [HELLO]]) {
    const sessions = new Sessions({ clock: new ManualClock() });
    const connection = new LightConnection();
    let isServed = false;
    void serveSession(sessions, () => {}, connection as unknown as WebSocketChannel)
      .then(() => isServed = true);
    await microtasks();
    connection.say(...said);
    await microtasks();
    assertEquals(isServed, false);
    connection.terminate();
    await microtasks();
    assertEquals(isServed, true);
  }
});

Deno.test("server session: the connection closes without the code if the transport can't send it", async () => {
  const closes: unknown[][] = [];
  const connection = new LightConnection();
  connection.sink.close = (...given: unknown[]): Promise<void> => {
    closes.push(given);
    if (given[0] !== undefined) throw new RangeError("this code can't be sent");
    connection.terminate();
    return Promise.resolve();
  };
  const sessions = new Sessions({ clock: new ManualClock() });
  void serveSession(sessions, () => {}, connection as unknown as WebSocketChannel);
  await microtasks();
  connection.say("not a hello");
  assertEquals([closes.map(([code]) => code), connection.state], [[1002, undefined], "closed"]);
});

/** A pool that records the sessions waiting for room. */
class WatchedPool extends BufferPool {
  readonly waiting = new Set<unknown>();

  override wait(onRoom: () => void): void {
    this.waiting.add(onRoom);
    super.wait(onRoom);
  }

  override forget(onRoom: () => void): void {
    this.waiting.delete(onRoom);
    super.forget(onRoom);
  }
}

Deno.test("server session: an ended session doesn't wait for room in the pool", async () => {
  const clock = new ManualClock();
  const pool = new WatchedPool(100);
  let channel: WebSocketChannel | undefined;
  const session = new ServerSession({
    pool,
    unread: new BufferPool(100),
    maxBuffer: 100,
    timeout: 1000,
    clock,
    identity: undefined,
    start: (it) => channel = it,
    onEnd: () => {},
  });
  const host: ServiceHost = {
    protocol: null,
    isClosing: false,
    create: (core) => new Channel(core) as unknown as WebSocketChannel,
    handle: () => Promise.resolve(),
    onChannel() {},
    onChannelClosed() {},
  };
  const { client, server } = webSocketChannelPair({ protocol: "resume.v1", clock });
  const carrier: Carrier = { connection: server, subscription: server.stream.listen(() => {}) };
  const hello = { session: null, attempt: 1, received: 0, window: 1000, protocol: null };
  session.take(carrier, hello, host);
  session.receive("#0");
  channel?.sink.add("x".repeat(100));
  const waiting = channel?.sink.ready;
  assertEquals(pool.waiting.size, 1);
  channel?.terminate();
  await waiting;
  assertEquals([pool.waiting.size, pool.size], [0, 0]);
  client.terminate();
});
