/** Attacks with bytes that misreport their size: what other connections receive, and how the connection ends. */

import { assertEquals, assertThrows } from "@std/assert";
import { WebSocketChannel } from "../../mod.ts";
import { broadcast } from "../../src/server/mod.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { nextChannel, withServer } from "../server/support.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import {
  HOSTILE_KINDS,
  type HostileBytes,
  hostileBytes,
  withoutBytes,
} from "../support/hostile_bytes.ts";

/** Sizes around the points where the way to write a message changes. */
const SIZES = [1, 2, 24, 32, 33, 47, 64, 125, 126, 1000, 16_383, 16_384, 65_535, 65_536, 200_000];

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 7 + length + (i >> 8));
}

/** Compares as text, because `assertEquals` of large arrays is slow. */
function same(actual: unknown, expected: Uint8Array): boolean {
  if (!(actual instanceof Uint8Array) || actual.length !== expected.length) return false;
  return actual.every((byte, i) => byte === expected[i]);
}

async function receive(channel: WebSocketChannel, expected: Uint8Array, what: string) {
  const { value, done } = await channel.stream.next();
  assertEquals(done, false, `${what}: the connection ended`);
  const length = value instanceof Uint8Array ? value.length : typeof value;
  assertEquals(length, expected.length, what);
  assertEquals(same(value, expected), true, `${what}: other bytes`);
}

function pair(): { client: WebSocketChannel; server: WebSocketChannel } {
  const { local, foreign } = channelPair<Uint8Array>();
  return {
    client: WebSocketChannel.over(local, { side: "client" }),
    server: WebSocketChannel.over(foreign, { side: "server" }),
  };
}

async function closeBoth(channel: WebSocketChannel, other: WebSocketChannel): Promise<void> {
  await Promise.all([channel.sink.close(1000), other.closed]);
}

Deno.test("attack 50: bytes that misreport their size are sent whole by either side, and break no frame", async () => {
  const { client, server } = pair();
  for (const [from, to] of [[client, server], [server, client]] as const) {
    for (const kind of HOSTILE_KINDS) {
      for (const size of SIZES) {
        const { value, expected } = hostileBytes(kind, pattern(size));
        const what = `${kind}, ${size} bytes`;
        assertEquals(from.sink.add(value), true, what);
        from.sink.add("behind it");
        await receive(to, expected, what);
        assertEquals((await to.stream.next()).value, "behind it", what);
      }
    }
  }
  await closeBoth(client, server);
});

Deno.test("attack 50: bytes added while connecting are sent as they were at that time", async () => {
  const socket = new FakeWebSocket(0);
  const sent: unknown[] = [];
  socket.send = (data) => void sent.push(data);
  const channel = WebSocketChannel.from(socket);
  const all = HOSTILE_KINDS.map((kind) => hostileBytes(kind, pattern(100)));
  for (const { value, name } of all) {
    assertEquals(channel.sink.add(value), true, name);
    if (ArrayBuffer.isView(value)) new Uint8Array(value.buffer).fill(0);
  }
  assertEquals(channel.sink.bufferedAmount, 100 * all.length);
  socket.open();
  assertEquals(sent.length, all.length);
  for (const [i, { name }] of all.entries()) {
    // A buffer that misreports its size isn't written to above.
    if (all[i]?.value instanceof ArrayBuffer) continue;
    assertPlain(sent[i], pattern(100), name);
  }
  socket.closed({ code: 1000 });
  await channel.closed;
});

function assertPlain(actual: unknown, expected: Uint8Array, what: string): void {
  assertEquals(same(actual, expected), true, what);
  assertEquals(Object.getPrototypeOf(actual), Uint8Array.prototype, what);
  const { buffer } = actual as Uint8Array;
  assertEquals(buffer instanceof ArrayBuffer, true, what);
  assertEquals((buffer as { resizable?: boolean }).resizable ?? false, false, what);
}

Deno.test("attack 50: a native socket gets plain bytes, not the user's object", async () => {
  const socket = new FakeWebSocket();
  const sent: unknown[] = [];
  socket.send = (data) => void sent.push(data);
  const channel = WebSocketChannel.from(socket);
  await channel.ready;
  for (const kind of HOSTILE_KINDS) {
    for (const size of [1, 100, 20_000]) {
      const { value, expected } = hostileBytes(kind, pattern(size));
      assertEquals(channel.sink.add(value), true, kind);
      assertPlain(sent.at(-1), expected, `${kind}, ${size} bytes`);
    }
  }
  socket.closed({ code: 1000 });
  await channel.closed;
});

Deno.test("attack 50: a value without bytes is a TypeError, and the connection stays open", async () => {
  const { client, server } = pair();
  const early = WebSocketChannel.from(new FakeWebSocket(0));
  const socket = new FakeWebSocket();
  const native = WebSocketChannel.from(socket);
  await native.ready;
  for (const channel of [client, server, early, native]) {
    const before = channel.sink.bufferedAmount;
    for (const [name, value] of withoutBytes()) {
      assertThrows(() => channel.sink.add(value), TypeError, "", name);
      assertEquals(channel.sink.bufferedAmount, before, name);
    }
    assertThrows(() => broadcast([channel], new Proxy(new Uint8Array(3), {})), TypeError);
  }
  if (typeof SharedArrayBuffer !== "undefined") {
    const shared = new SharedArrayBuffer(8) as unknown as ArrayBuffer;
    assertThrows(() => client.sink.add(shared), TypeError);
  }
  for (const [from, to] of [[client, server], [server, client]] as const) {
    from.sink.add("well");
    assertEquals((await to.stream.next()).value, "well");
  }
  assertEquals(socket.sent, []);
  socket.closed({ code: 1000 });
  await Promise.all([closeBoth(client, server), early.sink.close()]);
});

Deno.test("attack 50: a broadcast of bytes that misreport their size reaches every receiver whole", async () => {
  const pairs = [pair(), pair(), pair()];
  for (const kind of HOSTILE_KINDS) {
    for (const size of [1, 100, 16_384, 70_000]) {
      const { value, expected } = hostileBytes(kind, pattern(size));
      broadcast(pairs.map((it) => it.server), value);
      for (const { client } of pairs) await receive(client, expected, `${kind}, ${size} bytes`);
    }
  }
  for (const { client, server } of pairs) await closeBoth(client, server);
});

Deno.test("attack 50: other connections receive only their own bytes", async () => {
  await withServer({}, async (server) => {
    const clients: WebSocketChannel[] = [];
    const channels: WebSocketChannel[] = [];
    for (let i = 0; i < 3; i++) {
      clients.push(WebSocketChannel.connect(server.url, { transport: "net" }));
      channels.push(await nextChannel(server));
    }
    await Promise.all(clients.map((it) => it.ready));
    for (const [senders, receivers] of [[channels, clients], [clients, channels]] as const) {
      for (const kind of HOSTILE_KINDS) {
        for (const size of [32, 5000, 16_384, 70_000]) {
          await exchange(senders, receivers, hostileBytes(kind, pattern(size)));
        }
      }
    }
    await Promise.all(clients.map((it) => it.sink.close(1000)));
  });
});

/** The middle sender sends bytes that misreport their size; its neighbours' messages share a buffer with it. */
async function exchange(
  senders: readonly WebSocketChannel[],
  receivers: readonly WebSocketChannel[],
  { name, value, expected }: HostileBytes,
): Promise<void> {
  for (const [i, sender] of senders.entries()) {
    sender.sink.add(`before ${i}`);
    if (i === 1) sender.sink.add(value);
    sender.sink.add(`behind ${i}`);
  }
  for (const [i, receiver] of receivers.entries()) {
    const what = `${name}, ${expected.length} bytes, connection ${i}`;
    assertEquals((await receiver.stream.next()).value, `before ${i}`, what);
    if (i === 1) await receive(receiver, expected, what);
    assertEquals((await receiver.stream.next()).value, `behind ${i}`, what);
  }
}

Deno.test("attack 50: chunks that misreport their size are read whole, and a value that is no chunk ends the connection", async () => {
  const hello = Uint8Array.of(0x81, 5, 104, 101, 108, 108, 111);
  const { local, foreign } = channelPair<Uint8Array>();
  const channel = WebSocketChannel.over(local, { side: "client" });
  for (const kind of HOSTILE_KINDS) {
    foreign.sink.add(hostileBytes(kind, hello).value);
    assertEquals((await channel.stream.next()).value, "hello", kind);
    // In the middle of a frame.
    foreign.sink.add(hello.subarray(0, 3));
    foreign.sink.add(hostileBytes(kind, hello.subarray(3)).value);
    assertEquals((await channel.stream.next()).value, "hello", kind);
  }
  foreign.sink.add("no bytes" as unknown as Uint8Array);
  assertEquals((await channel.stream.next()).done, true);
  const { code, initiator, error } = await channel.closed;
  assertEquals([code, initiator], [1006, "transport"]);
  assertEquals((error as Error).cause instanceof TypeError, true, String(error));
});

Deno.test("attack 50: a handshake over chunks that aren't bytes fails, and throws nothing", async () => {
  for (const [name, chunk] of [...withoutBytes(), ["text", "HTTP/1.1 101 x" as never] as const]) {
    const { local, foreign } = channelPair<Uint8Array>();
    const channel = WebSocketChannel.connectOver(local, "ws://localhost/");
    foreign.sink.add(chunk);
    const error = await channel.ready.then(() => null, (it: unknown) => it);
    assertEquals((error as Error).cause instanceof TypeError, true, `${name}: ${error}`);
    await channel.closed;
  }
});

Deno.test("attack 50: messages of a foreign socket that misreport their size arrive as plain bytes", async () => {
  const socket = new FakeWebSocket();
  const channel = WebSocketChannel.from(socket);
  await channel.ready;
  for (const kind of HOSTILE_KINDS) {
    const { value, expected } = hostileBytes(kind, pattern(300));
    socket.message(value);
    const message = (await channel.stream.next()).value;
    assertPlain(message, expected, kind);
  }
  socket.message(new Proxy(new Uint8Array(3), {}));
  assertEquals((await channel.stream.next()).done, true);
  socket.closed({ code: 1005 });
  assertEquals((await channel.closed).error instanceof Error, true);
});
