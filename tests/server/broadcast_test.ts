import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { broadcast, type ServerWebSocketChannel } from "../../src/server/mod.ts";
import { jsonDocument } from "../../src/stream_channel/mod.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { over } from "../../src/web_socket/over.ts";
import type { MessageInput } from "../../src/web_socket/web_socket_sink.ts";
import { UnsupportedError, WebSocketChannel } from "../../mod.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { bind } from "../../src/server/web_socket_server.ts";
import { nextChannel, upgraded, withServer } from "./support.ts";
import { turn } from "../support/turns.ts";

Deno.test("broadcast: sends one message to all open channels, except the excluded ones", async () => {
  await withServer({}, async (server) => {
    const clients = [0, 1, 2].map(() => NetWebSocketChannel.connect(server.url));
    for (const client of clients) await client.ready;
    const channels: ServerWebSocketChannel[] = [];
    for (const _ of clients) channels.push(await nextChannel(server));
    server.broadcast("to all");
    const bytes = Uint8Array.of(1, 2, 3);
    server.broadcast(bytes, { except: channels[0]! });
    bytes.fill(0);
    broadcast(server.channels, "only the last", { except: channels.slice(0, 2) });
    broadcast(channels, new Uint8Array(100_000));
    server.broadcast("end");
    const got = await Promise.all(clients.map(async (client) => {
      const messages: unknown[] = [];
      for await (const message of client.stream) {
        if (message === "end") break;
        messages.push(
          message instanceof Uint8Array && message.length > 3 ? message.length : message,
        );
      }
      return messages;
    }));
    const sent = Uint8Array.of(1, 2, 3);
    const all = [
      ["to all", 100_000],
      ["to all", sent, 100_000],
      ["to all", sent, "only the last", 100_000],
    ];
    assertEquals(got, all);
    for (const client of clients) await client.sink.close();
    server.broadcast("to no channel");
  });
});

Deno.test("broadcast: the other channels get the message when one channel throws", async () => {
  const broken = new FakeWebSocket();
  broken.send = () => {
    throw new Error("broken");
  };
  const sound = new FakeWebSocket();
  const natives = [broken, sound].map((socket) => WebSocketChannel.from(socket));
  const { client, server } = webSocketChannelPair();
  const error = assertThrows(() => broadcast([...natives, server], "to all"), Error);
  assertEquals([error.message, sound.sent], ["broken", ["to all"]]);
  assertEquals((await client.stream.next()).value, "to all");
  for (const channel of [...natives, client]) channel.terminate();
  await server.closed;
});

Deno.test("broadcast: throws the same error as add when a socket can't send uncompressed messages", async () => {
  for (const bufferedAmount of [0, 100_000]) {
    const socket = Object.assign(new FakeWebSocket(), { bufferedAmount });
    const native = WebSocketChannel.from(socket);
    const { client, server } = webSocketChannelPair();
    const uncompressed = (): void => broadcast([native, server], "x", { compress: false });
    assertThrows(uncompressed, UnsupportedError, "compression");
    assertEquals([socket.sent, native.state], [[], "open"]);
    assertEquals((await client.stream.next()).value, "x");
    native.terminate();
    broadcast([native], "x", { compress: false });
    client.terminate();
    await server.closed;
  }
});

Deno.test("broadcast: throws for a value that isn't a message, and for malformed options", () => {
  const wrong = [42, null, {}, [1]] as unknown as MessageInput[];
  for (const message of wrong) assertThrows(() => broadcast([], message), TypeError);
  for (const channels of [{}, null, undefined, 1] as unknown as WebSocketChannel[][]) {
    const call = () => broadcast(channels, "x");
    assertThrows(call, TypeError, "the channels must be iterable, got");
  }
  const rooms = new Map([["lobby", 1]]) as unknown as WebSocketChannel[];
  assertThrows(
    () => broadcast(rooms, "x"),
    TypeError,
    "Cannot broadcast: each receiver must be a channel, got an array. Pass the values() of a Map",
  );
  assertThrows(
    () => broadcast([{}] as WebSocketChannel[], "x"),
    TypeError,
    "must be a channel, got an object",
  );
  assertThrows(() => broadcast([], "x", { slow: "drop" as "close" }), TypeError);
  assertThrows(() => broadcast([], "x", { maxQueueSize: -1 }), RangeError);
  assertThrows(() => broadcast([], "x", { stallTimeout: NaN }), RangeError);
});

Deno.test("broadcast: compresses a message once, also with context takeover", async () => {
  const compression = { threshold: 0 };
  await withServer({ compression }, async (server) => {
    const clients = [0, 1].map(() => NetWebSocketChannel.connect(server.url, { compression }));
    clients.push(NetWebSocketChannel.connect(server.url));
    for (const client of clients) await client.ready;
    const text = (name: string): string => `the same ${name} again and again `.repeat(20);
    const names = ["one", "two", "one", "three"];
    for (const name of names) {
      for (const channel of server.channels) channel.sink.add(text(name));
      server.broadcast(text(name));
      server.broadcast(text(name), { compress: false });
    }
    for (const client of clients) {
      for (const name of names) {
        for (let i = 0; i < 3; i++) assertEquals((await client.stream.next()).value, text(name));
      }
      await client.sink.close();
    }
  });
});

Deno.test("broadcast: skips a closing channel, and sends an uncompressed message as is", async () => {
  await withServer({ compression: { threshold: 0 }, closeTimeout: 20 }, async (server) => {
    const leaving = await upgraded(server);
    const closing = await nextChannel(server);
    const client = await upgraded(server, ["Sec-WebSocket-Extensions: permessage-deflate"]);
    const closed = closing.sink.close(1000);
    server.broadcast("aaaaaaaaaa");
    server.broadcast("aaaaaaaaaa", { compress: false });
    // RSV1 marks a compressed message. RFC 7692 §6.
    while (client.body.length < 3) await client.hex(client.body.length + 1);
    const first = 2 + (client.body[1] ?? 0);
    await client.hex(first + 12);
    assertEquals([client.body[0], client.body[first]], [0xc1, 0x81]);
    assertEquals(await leaving.hex(4), "880203e8");
    await closed;
    assertEquals(leaving.body.length, 4);
    await Promise.all([leaving.destroy(), client.destroy()]);
  });
});

Deno.test("broadcast: sends masked frames from a client's end, also while addStream uses the sink", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const client = over(local, { side: "client" });
  const server = over(foreign, { side: "server" });
  broadcast([client], "from the client");
  assertEquals((await server.stream.next()).value, "from the client");
  const end = new AbortController();
  const added = server.sink.addStream(new ReadableStream<MessageInput>(), { signal: end.signal });
  broadcast([server], "beside it");
  assertEquals((await client.stream.next()).value, "beside it");
  end.abort();
  await added.catch(() => {});
  await client.sink.close();
});

Deno.test("attack 44: one slow reader doesn't slow down the others, and causes no copies", async () => {
  await withServer({ closeTimeout: 20 }, async (server) => {
    const slow = await upgraded(server);
    slow.socket.pause();
    const slowChannel = await nextChannel(server);
    const fast = [0, 1, 2].map(() => NetWebSocketChannel.connect(server.url));
    for (const client of fast) await client.ready;
    const message = new Uint8Array(64 * 1024);
    let count = 0;
    // Fill the slow reader's buffers, including the kernel's, and then send more.
    for (let behind = 0; behind < 50; count++) {
      server.broadcast(message, { slow: "drop-oldest", maxQueueSize: 256 * 1024 });
      for (const client of fast) assertEquals((await client.stream.next()).done, false);
      if (slowChannel.sink.bufferedAmount >= 64 * 1024) behind++;
    }
    // The queue and the channel's own buffer, which one message may exceed.
    const { bufferedAmount } = slowChannel.sink;
    assert(bufferedAmount <= (256 + 2 * 64) * 1024, `${bufferedAmount} bytes`);
    assertEquals(slowChannel.state, "open");
    // The slow reader resumes, and gets the queued messages, including the latest.
    server.broadcast("the latest", { slow: "drop-oldest", maxQueueSize: 256 * 1024 });
    slow.socket.resume();
    while (!slow.body.subarray(-10).equals(new TextEncoder().encode("the latest"))) {
      await turn();
    }
    assert(slow.body.length < count * message.length);
    await slow.destroy();
    for (const client of fast) await client.sink.close();
  });
});

Deno.test("broadcast: a server's method uses the server's clock", async () => {
  const server = await bind();
  server.broadcast("no channel is there");
  await server.close();
});

Deno.test("broadcast: except excludes a connection, whichever of its channels is given", async () => {
  await withServer({}, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    const guest = await nextChannel(server);
    const shout = guest.transformSink<MessageInput>((message) => `${message}!`);
    const json = shout.transform(jsonDocument).cast<{ text: string }>();
    server.broadcast("1", { except: json });
    server.broadcast("2", { except: [json, shout] });
    server.broadcast("3", { except: new Set([shout]) });
    broadcast([shout], "4", { except: guest });
    broadcast([shout], "5", { except: json });
    broadcast([shout], "6");
    assertEquals((await client.stream.next()).value, "6!");
    await client.sink.close();
  });
});

Deno.test("broadcast: except takes a hand-written channel", async () => {
  const { client, server } = webSocketChannelPair();
  // A channel that this package didn't create.
  const other = Object.create(server, {
    sink: { get: () => server.sink },
    state: { get: () => server.state },
  }) as typeof server;
  broadcast([other], "1", { except: other });
  broadcast([other], "2", { except: [server] });
  assertEquals((await client.stream.next()).value, "2");
  await client.sink.close();
});
