// Not in browsers: starts a server

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ProtocolError,
  QueueFullError,
  ReconnectingChannel,
  type ReconnectingState,
  resumption,
  Sessions,
} from "../../src/reconnecting/mod.ts";
import {
  type BindOptions,
  broadcast,
  type ServerWebSocketChannel,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { Broadcaster } from "../../src/server/broadcast.ts";
import { bind } from "../../src/server/web_socket_server.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { until } from "../support/turns.ts";
import {
  endAll,
  HELLO,
  idOf,
  LightConnection,
  ResumeClient,
  room,
  say,
  serveSession,
} from "./resume_world.ts";

/** A server whose sessions echo. */
async function startEcho(options: BindOptions = {}, sessions: Sessions = new Sessions()) {
  const channels: ServerWebSocketChannel[] = [];
  const errors: unknown[] = [];
  const server = await WebSocketServer.bind({
    onError: (error) => void errors.push(error),
    ...options,
    handler: sessions.handler(async (channel) => {
      channels.push(channel);
      for await (const message of channel.stream) {
        await channel.sink.ready;
        channel.sink.add(message);
      }
    }),
  });
  return { server, sessions, channels, errors };
}

/** A channel that resumes, and its recorded states. */
function connect(
  url: string,
  { protocols, ...options }: { protocols?: string[]; maxBuffer?: number } = {},
) {
  const states: ReconnectingState[] = [];
  const channel = ReconnectingChannel.connect(() => ({ url, transport: "net", protocols }), {
    resume: resumption(),
    firstDelay: 1,
    onState: (state) => void states.push(state),
    ...options,
  });
  const received: Message[] = [];
  channel.stream.listen((message) => received.push(message));
  return { channel, states, received };
}

Deno.test("a session outlives its connections: one handler, every message once and in order", async () => {
  const { server, sessions, channels } = await startEcho();
  const { channel, received } = connect(server.url);
  const sent: Message[] = [];
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 20; i++) {
      const message = i % 3 === 0 ? new Uint8Array([round, i]) : `${round} ${i}`;
      sent.push(message);
      channel.sink.add(message);
    }
    await until(() => channel.connection !== null && received.length > round * 20);
    channel.connection?.terminate();
    await until(() => channel.connection === null);
  }
  await until(() => received.length >= sent.length && channel.connection !== null);
  assertEquals(received, sent);
  assertEquals([channels.length, sessions.size, channel.resumable], [1, 1, true]);
  assertEquals([...server.channels], channels);
  await channel.close(1000, "done");
  const info = await channels[0]?.closed;
  assertEquals([info?.code, info?.reason, info?.wasClean, info?.initiator], [
    1000,
    "done",
    true,
    "remote",
  ]);
  assertEquals([sessions.size, server.channels.size], [0, 0]);
  await server.close();
});

Deno.test("flush waits for the acknowledgement, not for the transport", async () => {
  const { server } = await startEcho();
  const { channel } = connect(server.url);
  channel.sink.add("x".repeat(100_000));
  await channel.sink.flush();
  assertEquals(channel.sink.bufferedAmount, 0);
  await channel.close();
  await server.close();
});

Deno.test("the server's close ends its sessions; those of absent clients end at once", async () => {
  const { server, sessions, channels } = await startEcho();
  const { channel: here, received } = connect(server.url);
  here.sink.add("here");
  await until(() => received.length === 1);
  const away = await WebSocketChannel.open(server.url, { protocols: ["resume.v1"] });
  away.sink.add('!{"attempt":1,"received":0,"window":1000}');
  away.sink.add("#0");
  await until(() => channels.length === 2);
  away.terminate();
  await until(() => server.stats().connections.open === 1);
  assertEquals(sessions.size, 2);
  await server.close({ code: 1001, reason: "restart" });
  assertEquals(sessions.size, 0);
  for (const channel of channels) assertEquals((await channel.closed).initiator, "local");
  void here.close();
  assertEquals((await here.closed).unacknowledged, undefined);
});

Deno.test("the server's broadcast and channels include sessions whose clients are away", async () => {
  const { server, channels } = await startEcho();
  const { channel, received } = connect(server.url);
  await until(() => channels.length === 1);
  server.broadcast("one");
  await until(() => received.length === 1);
  channel.connection?.terminate();
  await until(() => server.stats().connections.open === 0);
  server.broadcast("two");
  broadcast(server.channels, new Uint8Array([3]));
  assertEquals(server.channels.size, 1);
  await until(() => received.length === 3);
  assertEquals(received, ["one", "two", new Uint8Array([3])]);
  await channel.close();
  await server.close();
});

Deno.test("maxConnections counts connections, not sessions", async () => {
  const { server, sessions } = await startEcho({ maxConnections: 2 });
  for (let i = 0; i < 3; i++) {
    const away = await WebSocketChannel.open(server.url, { protocols: ["resume.v1"] });
    away.sink.add('!{"attempt":1,"received":0,"window":1000}');
    away.sink.add("#0");
    await until(() => sessions.size === i + 1);
    away.terminate();
    await until(() => server.stats().connections.open === 0);
  }
  assertEquals(server.channels.size, 3);
  await server.close();
});

Deno.test("the channel works without resumption if the server chooses the user's subprotocol", async () => {
  const server = await WebSocketServer.bind({
    protocols: ["v2"],
    handler: async (channel) => {
      for await (const message of channel.stream) channel.sink.add(message);
    },
  });
  const { channel, states, received } = connect(server.url, { protocols: ["v2"] });
  channel.sink.add("early");
  await until(() => received.length === 1);
  assertEquals([channel.resumable, channel.protocol], [false, "v2"]);
  assertEquals(states.find((it) => it.name === "open")?.resumable, false);
  channel.sink.add(new Uint8Array([1]));
  await channel.sink.flush();
  await until(() => received.length === 2);
  assertEquals(received, ["early", new Uint8Array([1])]);
  await channel.close();
  await server.close();
});

Deno.test("resumption: a message sent directly on the connection ends the session", async () => {
  for (const message of ["text", new Uint8Array(1)]) {
    const { server, sessions, channels } = await startEcho();
    const { channel, received } = connect(server.url);
    channel.sink.add("one");
    await until(() => received.length === 1);
    channel.connection?.sink.add(message);
    const { error, code } = await channel.closed;
    // The server can't read the text, and the client gets one acknowledgement too many.
    assertEquals([code, error instanceof Error], [message === "text" ? 1002 : 1006, true]);
    await until(() => channels.length === 1);
    await server.close();
    assertEquals(sessions.size, 0);
  }
});

Deno.test("resumption: an addStream directly on the connection causes a reset of the session", async () => {
  const { server, channels } = await startEcho();
  const { channel, states, received } = connect(server.url);
  channel.sink.add("one");
  await until(() => received.length === 1);
  const own = channel.connection?.sink.addStream(new ReadableStream<string>());
  own?.catch(() => {});
  channel.sink.add("two");
  await until(() => states.some(({ name }) => name === "reset"));
  const reset = states.find((it) => it.name === "reset");
  assertEquals([reset?.unacknowledged.at(-1), channels.length <= 2], ["two", true]);
  await channel.close();
  await server.close();
});

Deno.test("sessions: verify sees the tokens, and the handler's channel has the user's subprotocol", async () => {
  const seen: (readonly string[])[] = [];
  const { server, channels } = await startEcho({
    protocols: ["v3", "v2"],
    verify: ({ protocols }) => {
      seen.push(protocols);
      return protocols.includes("token");
    },
  });
  const { channel, received } = connect(server.url, { protocols: ["v2", "token"] });
  channel.sink.add("hello");
  await until(() => received.length === 1);
  assertEquals(seen[0], ["resume.v1", "v2", "token"]);
  assertEquals([channels[0]?.protocol, channel.protocol], ["v2", "v2"]);
  assertEquals(channel.connection?.protocol, "resume.v1");
  await channel.close();
  await server.close();
});

Deno.test("sessions: the server also serves a client without resumption", async () => {
  const { server, channels } = await startEcho({ protocols: ["v2"] });
  const plain = await WebSocketChannel.open(server.url, { protocols: ["v2"] });
  plain.sink.add("hello");
  assertEquals((await plain.stream.next()).value, "hello");
  assertEquals(channels[0]?.protocol, "v2");
  await plain.sink.close();
  await server.close();
});

Deno.test("sessions: a server that has lost a session causes a reset with the unacknowledged messages", async () => {
  // The killed process loses its sessions; another one listens on the same port.
  const first = await startEcho();
  const { port } = first.server.address;
  const { channel, states, received } = connect(first.server.url);
  channel.sink.add("acknowledged");
  await until(() => received.length === 1);
  await channel.sink.flush();
  const before = first.channels[0] as ServerWebSocketChannel;
  // The server acknowledges nothing any more, like a process that hangs before it is killed.
  const lost = channel.connection as WebSocketChannel;
  const { add } = lost.sink;
  lost.sink.add = () => true;
  channel.sink.add("handed on");
  lost.sink.add = add;
  lost.terminate();
  await first.server.close({ drainTimeout: 1 });
  channel.sink.add("added while away");
  const second = await startEcho({ port });
  await until(() => received.length === 2);
  const reset = states.find((it) => it.name === "reset");
  assertEquals(reset?.unacknowledged, ["handed on"]);
  assertEquals(received, ["acknowledged", "added while away"]);
  assertEquals((await before.closed).wasClean, false);
  await channel.close();
  await second.server.close();
});

Deno.test("sessions: an error of the handler closes the session with 1011, and onError gets it", async () => {
  const errors: unknown[] = [];
  const server = await WebSocketServer.bind({
    onError: (error, { where, request }) => void errors.push([error, where, request?.url.pathname]),
    handler: new Sessions().handler(async (channel) => {
      await channel.stream.next();
      throw new Error("broken");
    }),
  });
  const channel = ReconnectingChannel.connect({ url: server.url, transport: "net" }, {
    resume: resumption(),
    retry: () => false,
  });
  channel.sink.add("x");
  const { code, error } = await channel.closed;
  assertEquals([code, errors], [1011, [[new Error("broken"), "handler", "/"]]]);
  assert(error instanceof Error);
  await server.close();
});

Deno.test("sessions: an error of identify closes the connection with 1011, and onError gets it", async () => {
  const errors: unknown[] = [];
  for (const identity of [() => Promise.reject(new Error("no")), () => ({}) as never]) {
    const server = await WebSocketServer.bind({
      onError: (error) => void errors.push(`${error}`),
      handler: new Sessions({ identify: identity }).handler(() => {}),
    });
    const channel = await WebSocketChannel.open(server.url, { protocols: ["resume.v1"] });
    assertEquals((await channel.closed).code, 1011);
    await server.close();
  }
  assertEquals(errors, [
    "Error: no",
    "TypeError: Cannot serve the session: identify must return a string or a number, got an object",
  ]);
});

Deno.test("sessions: the server waits 10 seconds for identify, or until the client leaves", async () => {
  let answer = (_: string): void => {};
  const identify = () => new Promise<string>((resolve) => answer = resolve);
  const { open, channels, sessions, errors, clock } = room({ identify });
  const { client } = open();
  await say(client, HELLO, "#0");
  for (let i = 0; i < 8; i++) clock.advance(1250);
  assertEquals((await client.closed).code, 1013);
  answer("late");
  const leaving = open();
  await say(leaving.client, HELLO, "#0");
  leaving.client.terminate();
  await until(() => leaving.server.state === "closed");
  answer("late");
  await microtasks(40);
  assertEquals([channels.length, sessions.size, errors, clock.pending], [0, 0, [], 0]);

  const pending = new Sessions({ identify: () => new Promise<never>(() => {}) });
  const { server } = await startEcho({}, pending);
  const waiting = await WebSocketChannel.open(server.url, { protocols: ["resume.v1"] });
  const closing = server.close();
  assertEquals((await waiting.closed).code, 1001);
  await closing;
  assertEquals(server.stats().connections.open, 0);
});

Deno.test("sessions: malformed options and handlers throw", () => {
  assertThrows(() => new Sessions({ timeout: -1 }), RangeError);
  assertThrows(() => new Sessions({ maxBuffer: 0 }), RangeError);
  assertThrows(() => new Sessions({ timeOut: 1 } as never), TypeError, "timeout");
  assertThrows(() => new Sessions().handler(undefined as never), TypeError, "must be a function");
});

// These tests run in memory, with a clock that stands still.

Deno.test("sessions: the handler starts once, when the client has confirmed the id", async () => {
  const { open, channels, sessions } = room();
  // The server's first hello is lost: the client doesn't know the session.
  const lost = open().client;
  await say(lost, HELLO);
  assertEquals([channels.length, sessions.size], [0, 1]);
  lost.terminate();
  // The confirmation is lost: the client's next hello has the id, which confirms it.
  const first = open().client;
  await say(first, HELLO);
  const id = await idOf(first);
  first.terminate();
  await microtasks(40);
  assertEquals(channels.length, 0);
  const second = open().client;
  await say(second, `!{"session":"${id}","attempt":2,"received":0,"window":1000}`);
  assertEquals([channels.length, await idOf(second)], [1, id]);
  await say(second, "#0", "=hello");
  assertEquals([channels.length, (await channels[0]?.stream.next())?.value], [1, "hello"]);
  await endAll(channels);
});

Deno.test("sessions: a second connection takes over while the first is open and still delivers messages", async () => {
  const received: Message[] = [];
  const { open, channels } = room();
  const first = open((channel) => channel.stream.listen((it) => received.push(it))).client;
  await say(first, HELLO);
  const id = await idOf(first);
  await say(first, "#0", "=one", "=two");
  // This message is in flight when the second connection sends its hello.
  first.sink.add("=three");
  const second = open().client;
  await say(second, `!{"session":"${id}","attempt":2,"received":0,"window":1000}`);
  first.sink.add("=never");
  const hello = JSON.parse(((await second.stream.next()).value as string).slice(1));
  assertEquals([hello.session, hello.received], [id, received.length]);
  await say(second, ...["=one", "=two", "=three", "=four"].slice(hello.received));
  assertEquals(received, ["one", "two", "three", "four"]);
  assertEquals([channels.length, (await first.closed).code], [1, 1006]);
  await endAll(channels);
});

Deno.test("sessions: a delayed connection doesn't take over from a newer one", async () => {
  const { open, channels } = room();
  const first = open().client;
  await say(first, HELLO);
  const id = await idOf(first);
  await say(first, "#0");
  const newer = open().client;
  await say(newer, `!{"session":"${id}","attempt":3,"received":0,"window":1000}`);
  const late = open().client;
  await say(late, `!{"session":"${id}","attempt":2,"received":0,"window":1000}`);
  const { code, reason } = await late.closed;
  assertEquals([code, reason, newer.state], [1013, "Taken over", "open"]);
  await endAll(channels);
});

Deno.test("sessions: another user who knows the id gets a new session", async () => {
  let user = "A";
  const { open, channels, sessions } = room({ identify: () => Promise.resolve(user) });
  const owner = open().client;
  await say(owner, HELLO);
  const id = await idOf(owner);
  await say(owner, "#0");
  user = "B";
  const thief = open().client;
  await say(thief, `!{"session":"${id}","attempt":9,"received":0,"window":1000}`);
  assertEquals([await idOf(thief) === id, owner.state, sessions.size], [false, "open", 2]);
  user = "A";
  const back = open().client;
  await say(back, `!{"session":"${id}","attempt":2,"received":0,"window":1000}`);
  assertEquals([await idOf(back), channels.length], [id, 1]);
  await endAll(channels);
});

Deno.test("attack 72: a hostile hello ends its own connection, and no session", async () => {
  const { open, channels, sessions } = room();
  const owner = open().client;
  await say(owner, HELLO);
  const id = await idOf(owner);
  await say(owner, "#0");
  channels[0]?.sink.add("kept");
  await microtasks(40);
  const bad = [
    "",
    "hello",
    "=text",
    "#0",
    "?",
    ".",
    "!",
    "!null",
    "![]",
    '!"text"',
    "!{}",
    "!{",
    '!{"received":-1,"window":1}',
    '!{"received":1.5,"window":1}',
    '!{"received":"0","window":1}',
    '!{"received":1e300,"window":1}',
    '!{"received":9007199254740992,"window":1}',
    '!{"received":0}',
    '!{"received":0,"window":0}',
    '!{"received":0,"window":-1}',
    '!{"session":5,"received":0,"window":1}',
    '!{"session":["a"],"received":0,"window":1}',
    `!{"session":"${"a".repeat(129)}","received":0,"window":1}`,
    `!{"session":"a","received":0,"window":1,"x":"${"a".repeat(2000)}"}`,
    '!{"attempt":-1,"received":0,"window":1}',
    '!{"protocol":7,"received":0,"window":1}',
    // Acknowledges a message that was never sent.
    `!{"session":"${id}","attempt":5,"received":2,"window":1000}`,
    new Uint8Array([0x21]),
  ];
  for (const message of bad) {
    const { client } = open();
    client.sink.add(message);
    const { code, reason } = await client.closed;
    assertEquals([code, reason], [1002, "Not resume.v1"], String(message));
    assertEquals([sessions.size, owner.state], [1, "open"], String(message));
  }
  // The client guesses an id.
  for (const guess of ["", "0".repeat(32), id.slice(0, -1), id.toUpperCase() + "0", "__proto__"]) {
    const { client } = open();
    await say(client, `!{"session":"${guess}","attempt":5,"received":7,"window":1000}`);
    const { value } = await client.stream.next();
    const hello = JSON.parse((value as string).slice(1));
    assertEquals([hello.session === id, hello.received], [false, 0]);
    client.terminate();
  }
  assertEquals(owner.state, "open");
  await endAll(channels);
});

Deno.test("attack 73: hostile acknowledgements end the session, with 1002", async () => {
  for (
    const bad of [
      "#3",
      "#-1",
      "#1.5",
      "#",
      "#1e3",
      "#01",
      "# 1",
      "#9007199254740993",
      "#" + "9".repeat(400),
    ]
  ) {
    const { open, channels, sessions, clock } = room();
    const { client } = open((channel) => {
      channel.sink.add("one");
      channel.sink.add("two");
    });
    await say(client, HELLO, "#0", bad);
    const { code } = await client.closed;
    const info = await channels[0]?.closed;
    assertEquals([code, info?.initiator, info?.sent?.code], [1002, "protocol-error", 1002], bad);
    assert(info?.error instanceof ProtocolError, bad);
    assertEquals(info.unacknowledged, ["one", "two"], bad);
    await microtasks();
    assertEquals([sessions.size, sessions.bufferedAmount, clock.pending], [0, 0, 0], bad);
  }
  // A lower count: an acknowledgement can't be revoked.
  const { open, channels } = room();
  const { client } = open((channel) => {
    channel.sink.add("one");
    channel.sink.add("two");
  });
  await say(client, HELLO, "#0", "#2", "#1");
  assertEquals((await channels[0]?.closed)?.initiator, "protocol-error");
});

Deno.test("attack 74: repeated questions get short answers, and the server closes a client without a hello", async () => {
  const { open, channels, clock } = room();
  const { client } = open();
  await say(client, HELLO, "#0");
  await idOf(client);
  for (let i = 0; i < 5; i++) client.sink.add("?");
  await microtasks(40);
  for (let i = 0; i < 5; i++) assertEquals((await client.stream.next()).value, "#0");
  const silent = open().client;
  await microtasks(40);
  for (let i = 0; i < 10; i++) clock.advance(1250);
  assertEquals((await silent.closed).code, 1013);
  await endAll(channels);
});

Deno.test("attack 75: the server reads at most twice the window from a client that ignores it", async () => {
  const { open, channels } = room({ maxBuffer: 100_000 });
  const pair = open();
  await say(pair.client, HELLO, "#0");
  // The handler reads nothing.
  for (let i = 0; i < 200; i++) pair.client.sink.add(`=${"x".repeat(10_000)}`);
  for (let i = 0; i < 20; i++) await microtasks(40);
  assertEquals(pair.client.sink.bufferedAmount > 1_000_000, true);
  let got = 0;
  channels[0]?.stream.listen(() => got++);
  await until(() => got === 200);
  pair.client.terminate();
  await endAll(channels);
});

Deno.test("attack 76: a client that reconnects repeatedly can't fill an unread session", async () => {
  const { open, channels } = room({ maxBuffer: 100_000 });
  const windows: number[] = [];
  let received = 0;
  let id: string | undefined;
  for (let attempt = 1; attempt <= 30; attempt++) {
    const { client } = open();
    await say(client, `!${JSON.stringify({ session: id, attempt, received: 0, window: 1 })}`, "#0");
    const hello = JSON.parse(((await client.stream.next()).value as string).slice(1));
    id = hello.session;
    received = hello.received;
    windows.push(hello.window);
    for (let i = 0; i < 12; i++) client.sink.add(`=${"x".repeat(10_000)}`);
    await microtasks(200);
    client.terminate();
    await microtasks(20);
  }
  assertEquals(channels.length, 1);
  assertEquals([windows[0], windows.at(-1)], [100_000, 12_500]);
  // The stream's own queue, twice maxBuffer, and one further message for each.
  assertEquals(received * 10_000 <= 64 * 1024 + 200_000 + 20_000, true, `${received} messages`);
  await endAll(channels);
});

Deno.test("attack 77: a client that ignores the window and never acknowledges loses connections, but no message", async () => {
  const { open, channels } = room({ maxBuffer: 100_000 });
  let id: string | undefined;
  let received = 0;
  let sent = 0;
  for (let attempt = 1; attempt <= 10; attempt++) {
    const { client } = open();
    await say(client, `!${JSON.stringify({ session: id, attempt, received: 0, window: 1 })}`, "#0");
    const hello = JSON.parse(((await client.stream.next()).value as string).slice(1));
    id = hello.session;
    sent = received = hello.received;
    if (attempt === 1) channels[0]?.sink.add("never acknowledged");
    for (let i = 0; i < 40; i++) client.sink.add(`=${sent++} ${"x".repeat(10_000)}`);
    await until(() => client.state === "closed");
  }
  // The stream's own queue, twice maxBuffer, and one further message for each.
  assertEquals(received * 10_000 <= 64 * 1024 + 200_000 + 20_000, true, `${received} messages`);
  const got: number[] = [];
  channels[0]?.stream.listen((message) => got.push(parseInt(message as string)));
  await until(() => got.length === received);
  assertEquals(got, Array.from({ length: received }, (_, i) => i));
  await endAll(channels);
});

Deno.test("sessions: above maxSessions the server sends 1013; unconfirmed sessions make room", async () => {
  const { open, channels, sessions } = room({ maxSessions: 2 });
  const first = open().client;
  await say(first, HELLO, "#0");
  const unconfirmed = open().client;
  await say(unconfirmed, HELLO);
  const refused = open().client;
  await say(refused, HELLO);
  assertEquals([(await refused.closed).code, sessions.size], [1013, 2]);
  unconfirmed.terminate();
  await microtasks(40);
  const third = open().client;
  await say(third, HELLO, "#0");
  assertEquals([third.state, sessions.size], ["open", 2]);
  await endAll(channels);
  assertEquals(sessions.size, 0);
});

Deno.test("sessions: above maxSessionsPerIdentity the server sends 1013; other identities are unaffected", async () => {
  let user: string | undefined = "A";
  const { open, channels, sessions } = room({
    maxSessionsPerIdentity: 2,
    maxSessions: 5,
    identify: () => user,
  });
  const begin = async (...said: string[]): Promise<WebSocketChannel> => {
    const { client } = open();
    await say(client, HELLO, ...said);
    return client;
  };
  const first = await begin("#0");
  const unconfirmed = await begin();
  assertEquals([(await (await begin("#0")).closed).code, sessions.size], [1013, 2]);
  // An identity's own unconfirmed session makes room; another identity's doesn't.
  user = "B";
  const other = await begin();
  other.terminate();
  user = "A";
  await microtasks(40);
  assertEquals([(await (await begin("#0")).closed).code, sessions.size], [1013, 3]);
  unconfirmed.terminate();
  await microtasks(40);
  const second = await begin("#0");
  assertEquals([second.state, sessions.size], ["open", 3]);
  // A takeover doesn't count the session twice.
  const id = await idOf(first);
  const again = open().client;
  await say(again, `!{"session":"${id}","attempt":2,"received":0,"window":1000}`);
  assertEquals([again.state, sessions.size], ["open", 3]);
  // A client without an identity counts only towards maxSessions.
  user = undefined;
  for (let i = 0; i < 2; i++) await begin("#0");
  assertEquals(sessions.size, 5);
  // B's unconfirmed session makes room.
  await begin("#0");
  assertEquals([channels.length, sessions.size], [5, 5]);
  assertEquals((await (await begin("#0")).closed).code, 1013);
  // Ended sessions no longer count.
  user = "A";
  await endAll(channels);
  assertEquals(sessions.size, 0);
  for (let i = 0; i < 2; i++) await begin("#0");
  assertEquals(sessions.size, 2);
  await endAll(channels);
  assertThrows(
    () => new Sessions({ maxSessionsPerIdentity: 2 }),
    TypeError,
    "needs the option identify",
  );
});

Deno.test("sessions: a client that stays away longer than timeout loses its session, and gets a reset", async () => {
  const { open, channels, clock, sessions } = room({ timeout: 60_000 });
  const client = new ResumeClient(clock);
  const first = open((channel) => channel.sink.add("kept"));
  client.connect(first.client);
  client.line.add("hello", undefined);
  await microtasks(60);
  assertEquals(client.received, ["kept"]);
  channels[0]?.sink.add("not acknowledged");
  first.client.terminate();
  client.abandon();
  await microtasks(40);
  for (let i = 0; i < 10; i++) clock.advance(7_000);
  const info = await channels[0]?.closed;
  assertEquals([info?.code, info?.initiator], [1006, "timeout"]);
  assertEquals(
    (info?.error as Error).message,
    "Cannot resume the session: the client did not reconnect within 60000 ms",
  );
  assertEquals(info?.unacknowledged?.includes("not acknowledged"), true);
  assertEquals([sessions.size, sessions.bufferedAmount], [0, 0]);
  client.line.add("late", undefined);
  client.onOpening = ({ unacknowledged }) => {
    // The user adds these again before the pending messages.
    for (const message of unacknowledged ?? []) client.line.add(message, undefined);
  };
  const got: Message[] = [];
  client.connect(open((channel) => channel.stream.listen((it) => got.push(it))).client);
  await microtasks(80);
  assertEquals(client.openings[1]?.unacknowledged, ["hello"]);
  assertEquals([got, channels.length], [["hello", "late"], 2]);
  await endAll(channels);
});

Deno.test("sessions: add throws a QueueFullError above maxBuffer; addStream waits; no message is lost", async () => {
  const { open, channels } = room({ maxBuffer: 1000 });
  const { client } = open();
  await say(client, HELLO, "#0");
  client.stream.listen(() => {});
  const sink = channels[0]?.sink;
  assert(sink !== undefined);
  sink.add("x".repeat(999));
  assertEquals(sink.hasRoom, true);
  sink.add("y".repeat(500));
  assertEquals([sink.hasRoom, sink.bufferedAmount], [false, 1499]);
  const error = assertThrows(() => sink.add("z"), QueueFullError, "maxBuffer (1000 bytes)");
  assertEquals([error.option, error.limit], ["maxBuffer", 1000]);
  let isRoom = false;
  void sink.ready.then(() => isRoom = true);
  const flushed = sink.flush();
  await microtasks(40);
  assertEquals(isRoom, false);
  await say(client, "#1");
  assertEquals([isRoom, sink.bufferedAmount], [true, 500]);
  await say(client, "#2");
  await flushed;
  await endAll(channels);
});

Deno.test("sessions: ten thousand sessions with full buffers keep at most maxTotalBuffer", async () => {
  const limit = 4 * 1024 * 1024;
  const sessions = new Sessions({ clock: new ManualClock(), maxTotalBuffer: limit });
  const channels: WebSocketChannel[] = [];
  const connections = Array.from({ length: 10_000 }, () => new LightConnection());
  for (const it of connections) {
    const connection = it as unknown as WebSocketChannel;
    void serveSession(sessions, (channel) => void channels.push(channel), connection);
  }
  await microtasks();
  for (const it of connections) it.say(HELLO, "#0");
  assertEquals([channels.length, sessions.size], [10_000, 10_000]);
  // Shared bytes count once.
  broadcast(channels, "s".repeat(10_000));
  assertEquals(sessions.bufferedAmount, 10_000);
  let refused = 0;
  for (const { sink } of channels) {
    try {
      sink.add("x".repeat(1000));
    } catch (error) {
      assert(error instanceof QueueFullError && error.option === "maxTotalBuffer");
      refused++;
    }
  }
  assertEquals(refused > 5000, true);
  assertEquals(sessions.bufferedAmount <= limit + 1000, true, `${sessions.bufferedAmount}`);
  // When some sessions end, waiting senders get room, and the other sessions keep their messages.
  const last = channels.at(-1)?.sink;
  assertEquals(last?.hasRoom, false);
  const waiting = last?.ready;
  for (const channel of channels.slice(0, 100)) channel.terminate();
  await waiting;
  assertEquals([last?.hasRoom, last?.add("room")], [true, true]);
  assertEquals(connections.at(-1)?.said.at(-1), "=room");
  await endAll(channels);
  assertEquals([sessions.bufferedAmount, sessions.size], [0, 0]);
});

for (
  const [what, options, size] of [
    ["all sessions' buffers are", { maxTotalBuffer: 100_000 }, 2000],
    ["the session's buffer is", { maxBuffer: 20_000 }, 1000],
    ["messages exceed a buffer that is", { maxBuffer: 1000 }, 60_000],
  ] as const
) {
  Deno.test(`sessions: a handler that waits for room always continues while ${what} full`, async () => {
    const { server, sessions } = await startEcho({}, new Sessions(options));
    const { channel, received } = connect(server.url);
    const sent = Array.from({ length: 300 }, (_, i) => `${i} `.padEnd(size, "x"));
    // More than the window, and without waiting for any answer.
    await channel.sink.addStream(sent);
    await until(() => received.length === sent.length);
    assertEquals(received, sent);
    await channel.sink.flush();
    await channel.close();
    await server.close();
    assertEquals([sessions.bufferedAmount, sessions.size], [0, 0]);
  });
}

Deno.test("sessions: a waiting caller gets room, even if faster callers got it before", async () => {
  const { open, channels, sessions } = room({ maxTotalBuffer: 1000, maxBuffer: 500 });
  const clients = [open().client, open().client];
  for (const client of clients) await say(client, HELLO, "#0");
  const [one, other] = channels.map(({ sink }) => sink);
  assert(one !== undefined && other !== undefined);
  one.add("x".repeat(500));
  other.add("y".repeat(500));
  let isTold = false;
  void other.ready.then(() => isTold = true);
  await say(clients[0] as WebSocketChannel, "#1");
  one.add("x".repeat(5000));
  // The session's own buffer is empty, but other sessions fill the shared one.
  await say(clients[1] as WebSocketChannel, "#1");
  assertEquals([isTold, other.hasRoom, sessions.bufferedAmount], [false, false, 5000]);
  await say(clients[0] as WebSocketChannel, "#2");
  assertEquals([isTold, other.hasRoom], [true, true]);
  await endAll(channels);
});

Deno.test("sessions: a broadcast waits for a session without room, and closes one that stays away", async () => {
  const { open, channels, clock, sessions } = room({ maxBuffer: 1000 });
  const everybody = new Broadcaster(clock);
  const { client } = open();
  await say(client, HELLO, "#0");
  const got: unknown[] = [];
  client.stream.listen((message) => message !== "?" && got.push(message));
  const [one, two] = ["1".repeat(1000), "2".repeat(1000)];
  for (const message of [one, two]) everybody.send(channels, message);
  await microtasks(40);
  assertEquals([got.at(-1), sessions.bufferedAmount], [`=${one}`, 1000]);
  await say(client, "#1");
  assertEquals(got.at(-1), `=${two}`);
  // The client is away, and its buffer is full.
  client.terminate();
  await microtasks(40);
  everybody.send(channels, "3");
  for (let i = 0; i < 20 && sessions.size > 0; i++) {
    clock.advance(3000);
    await microtasks(20);
  }
  const info = await channels[0]?.closed;
  // The server drops and counts the pending messages, as for any slow receiver.
  assertEquals([info?.unacknowledged, info?.dropped, info?.wasClean], [[two], 1001, false]);
  assertEquals([sessions.size, sessions.bufferedAmount], [0, 0]);
});

Deno.test("sessions: a close waits for the last acknowledgement within closeTimeout, then reports the missing messages", async () => {
  const { open, channels, clock, sessions } = room();
  const { client } = open((channel) => channel.sink.add("one"));
  await say(client, HELLO, "#0");
  client.stream.listen(() => {});
  channels[0]?.sink.add("two");
  const done = channels[0]?.sink.close(4000, "bye");
  await say(client, "#1");
  assertEquals(client.state, "open");
  for (let i = 0; i < 10; i++) clock.advance(600);
  await done;
  const info = await channels[0]?.closed;
  assertEquals([info?.unacknowledged, info?.initiator], [["two"], "timeout"]);
  assertEquals(sessions.size, 0);
});

Deno.test("sessions: a client that returns in time gets a close that happened while it was away", async () => {
  const { open, channels, clock } = room();
  const client = new ResumeClient(clock);
  const first = open();
  client.connect(first.client);
  await microtasks(60);
  first.client.terminate();
  await microtasks(40);
  channels[0]?.sink.add("last words");
  void channels[0]?.sink.close(4000, "bye");
  const second = open().client;
  client.connect(second);
  const { code, reason } = await second.closed;
  assertEquals([code, reason, client.received], [4000, "bye", ["last words"]]);
  const info = await channels[0]?.closed;
  assertEquals([info?.wasClean, info?.unacknowledged], [true, undefined]);
});

Deno.test("backpressure: a stopped reader doesn't stop the other direction", async () => {
  const { open, channels, clock } = room();
  const client = new ResumeClient(clock);
  let read = 0;
  let goOn = (): void => {};
  client.connect(
    open(async (channel) => {
      await new Promise<void>((resolve) => goOn = resolve);
      for await (const _ of channel.stream) read++;
    }).client,
  );
  await microtasks(60);
  // Far more than the server's stream buffers unread, so the server leaves a part unacknowledged.
  for (let i = 0; i < 30; i++) client.line.add("x".repeat(10_000), undefined);
  await microtasks(200);
  for (let i = 0; i < 5; i++) clock.advance(1000);
  await microtasks(100);
  assertEquals(client.line.bufferedAmount > 200_000, true);
  // The other direction continues, including its acknowledgements.
  channels[0]?.sink.add("y".repeat(300_000));
  await microtasks(200);
  assertEquals([client.received.length, channels[0]?.sink.bufferedAmount], [1, 0]);
  goOn();
  await until(() => read === 30, () => clock.advance(1000));
  assertEquals(client.line.bufferedAmount, 0);
  await endAll(channels);
});

Deno.test("sessions: ping uses the connection, and fails while there is none", async () => {
  const { open, channels, sessions } = room();
  const { client } = open();
  await say(client, HELLO, "#0");
  assertEquals(typeof await channels[0]?.ping(), "number");
  client.terminate();
  await microtasks(40);
  await assertRejects(async () => await channels[0]?.ping(), Error, "no connection");
  assertEquals(channels[0]?.pong(), false);
  channels[0]?.terminate();
  const info = await channels[0]?.closed;
  assertEquals([info?.initiator, sessions.size], ["local", 0]);
});

Deno.test("sessions: a server's own clock times its sessions' closing", async () => {
  const clock = new ManualClock();
  const sessions = new Sessions({ clock });
  const server = await bind({ handler: sessions.handler(() => {}) }, clock);
  await server.close();
  assertEquals([sessions.size, clock.pending], [0, 0]);
});
