/** A transport that owns its chunks may transfer or change them: no other connection is affected. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { WebSocketChannel } from "../../mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { broadcast, WebSocketServer } from "../../src/server/mod.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { Output } from "../../src/protocol/output.ts";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { record } from "../protocol/support.ts";
import { KEY_NUMBER } from "../support/frames.ts";

const hasNet = "process" in globalThis;
const SIDES = ["client", "server"] as const;
const SECRET = "the secret of another connection";

/** What a transport does with a chunk that it owns. Each function returns the bytes to pass on. */
const TRANSPORTS: Readonly<Record<string, (chunk: Uint8Array) => Uint8Array>> = {
  "transfers it": (chunk) => structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] }),
  "enqueues it in a byte stream": (chunk) => {
    const copy = chunk.slice();
    new ReadableStream({
      type: "bytes",
      start: (it) => it.enqueue(chunk as Uint8Array<ArrayBuffer>),
    });
    return copy;
  },
  "overwrites all of its buffer": (chunk) => {
    const copy = chunk.slice();
    new Uint8Array(chunk.buffer).fill(0xee);
    return copy;
  },
};

/** Two channels over a byte channel; `keep` processes one end's chunks. */
function pairOver(side: "client" | "server", keep: (chunk: Uint8Array) => Uint8Array) {
  const { local, foreign } = channelPair<Uint8Array>();
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => void local.sink.add(keep(chunk)),
    close: () => local.sink.close(),
  });
  const own = WebSocketChannel.over({ readable: local.readable, writable }, { side });
  const peer = WebSocketChannel.over(foreign, { side: side === "client" ? "server" : "client" });
  return { own, peer };
}

function content(message: string | Uint8Array | undefined): string | number[] | undefined {
  return message === undefined || typeof message === "string" ? message : [...message];
}

for (const [name, keep] of Object.entries(TRANSPORTS)) {
  for (const side of SIDES) {
    Deno.test({
      name: `attack 69: a transport of a ${side} ${name}: the other connections keep working`,
      ignore: !hasNet,
      fn: async () => {
        const { own, peer } = pairOver(side, keep);
        const other = pairOver(side, (chunk) => chunk);
        const server = await WebSocketServer.bind({ port: 0, hostname: "127.0.0.1" });
        const client = NetWebSocketChannel.connect(server.url);
        const socket = (await server[Symbol.asyncIterator]().next()).value as WebSocketChannel;
        await client.ready;
        const messages = [
          "a",
          new Uint8Array(20).fill(1),
          "b".repeat(2000),
          new Uint8Array(70_000),
        ];
        for (const message of messages) {
          // All in one turn: connections that share a buffer then write to the same one.
          for (const channel of [other.own, own, client, socket]) channel.sink.add(message);
          broadcast([own, other.own, socket], "to all");
          for (const [index, channel] of [peer, other.peer, socket, client].entries()) {
            assertEquals(content((await channel.stream.next()).value), content(message));
            if (index !== 2) assertEquals((await channel.stream.next()).value, "to all");
          }
        }
        await Promise.all([own, other.own, client].map((channel) => channel.sink.close()));
        await server.close();
      },
    });
  }
}

Deno.test("attack 69: the buffer of a chunk holds no bytes of another connection", async () => {
  for (const side of SIDES) {
    const chunks: Uint8Array[] = [];
    const { own, peer } = pairOver(side, (chunk) => {
      chunks.push(chunk);
      return chunk.slice();
    });
    const other = pairOver("server", (chunk) => chunk);
    for (let round = 0; round < 3; round++) {
      other.own.sink.add(SECRET);
      for (let i = 0; i < 100; i++) own.sink.add(`${i}`);
      other.own.sink.add(SECRET);
      for (let i = 0; i < 100; i++) assertEquals((await peer.stream.next()).value, `${i}`);
    }
    // The messages of a turn are one chunk, and its buffer has the same length.
    assertEquals(chunks.length, 3);
    for (const { length, buffer } of chunks) assertEquals(buffer.byteLength, length);
    assertFalse(chunks.some(({ buffer }) => new TextDecoder().decode(buffer).includes(SECRET)));
    for (const channel of [own, peer, other.own, other.peer]) channel.terminate();
  }
});

Deno.test("attack 69: a chunk that isn't released has a buffer of its own, whatever the message", () => {
  const prepared = [
    new PreparedMessage("p".repeat(100)),
    new PreparedMessage(new Uint8Array(20_000)),
  ];
  const texts = ["", "a", "ä".repeat(50), "x".repeat(70_000), "€".repeat(30_000)];
  const sizes = [0, 1, 100, 0x4000, 65_536, 200_000];
  for (const side of SIDES) {
    const { protocol } = record(side);
    const other = new Output(side === "client" ? () => KEY_NUMBER : null, true);
    const steps: (() => unknown)[] = [
      ...texts.map((text) => () => protocol.sendText(text)),
      ...sizes.map((size) => () => protocol.sendBinary(new Uint8Array(size))),
      ...prepared.map((message) => () => protocol.sendPrepared(message)),
      () => protocol.ping(Uint8Array.of(1)),
      () => protocol.close(1000, "bye"),
    ];
    const seen = new Set<ArrayBufferLike>();
    for (const step of steps) {
      other.writeText(0x81, SECRET);
      step();
      other.writeText(0x81, SECRET);
      const chunk = protocol.output.takeChunk();
      for (const { buffer } of chunk === null ? protocol.output.takeAll() : [chunk]) {
        assertFalse(seen.has(buffer));
        seen.add(buffer);
        assertFalse(new TextDecoder().decode(buffer).includes(SECRET));
        structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
      }
    }
    // The transport took neither the shared frames nor the shared buffer.
    const again = record("server").protocol;
    for (const message of prepared) again.sendPrepared(message);
    assert(again.output.takeAll().every(({ length }) => length > 100));
    assert(other.takeAll().every(({ length }) => length > 0));
  }
});
