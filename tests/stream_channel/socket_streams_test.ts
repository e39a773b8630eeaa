/** A socket's Web Streams as a channel: `StreamChannel.from(Duplex.toWeb(socket))`. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { channelPair, StreamChannel, withGuarantees } from "../../src/stream_channel/mod.ts";
import { closeServer, listen } from "../support/loopback.ts";

type Pair = { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };

/** Two connected sockets, the first one's Web Streams, and a function that ends both. */
interface Connection {
  readonly socket: Socket;
  readonly peer: Socket;
  readonly streams: Pair;
  [Symbol.asyncDispose](): Promise<void>;
}

async function open(): Promise<Connection> {
  const server = createServer();
  const port = await listen(server);
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const socket = connect({ port, host: "127.0.0.1" });
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  const peer = await accepted;
  const ended = [socket, peer].map((it) => new Promise((resolve) => it.once("close", resolve)));
  for (const it of [socket, peer]) it.on("error", () => {});
  return {
    socket,
    peer,
    streams: Duplex.toWeb(socket) as unknown as Pair,
    async [Symbol.asyncDispose]() {
      socket.destroy();
      peer.destroy();
      await Promise.all(ended);
      await closeServer(server);
    },
  };
}

async function withConnection(run: (connection: Connection) => Promise<void>): Promise<void> {
  const connection = await open();
  try {
    await run(connection);
  } finally {
    await connection[Symbol.asyncDispose]();
  }
}

/** How often a peer's input of 64 KiB is sent: more than the high-water mark and the buffers. */
const CHUNKS = 64;

function sendMuch(peer: Socket): void {
  for (let i = 0; i < CHUNKS; i++) peer.write(new Uint8Array(0x1_0000));
}

function received(peer: Socket): Promise<string> {
  let text = "";
  peer.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
  return new Promise((resolve) => peer.once("end", () => resolve(text)));
}

const HELLO = new TextEncoder().encode("hello");

Deno.test("a socket's close with unread input settles, and the peer receives everything", async () => {
  for (const reads of ["nothing", "one", "guaranteed"] as const) {
    await withConnection(async ({ peer, streams }) => {
      const text = received(peer);
      sendMuch(peer);
      const channel = reads === "guaranteed"
        ? withGuarantees<Uint8Array, Uint8Array>(streams)
        : StreamChannel.from<Uint8Array, Uint8Array>(streams);
      if (reads === "one") await channel.stream.next();
      channel.sink.add(HELLO);
      await channel.sink.close();
      assertEquals(await text, "hello");
    });
  }
});

Deno.test("a socket's close inside its own loop settles", async () => {
  await withConnection(async ({ peer, streams }) => {
    const text = received(peer);
    sendMuch(peer);
    const channel = StreamChannel.from<Uint8Array, Uint8Array>(streams);
    for await (const _ of channel.stream) {
      channel.sink.add(HELLO);
      await channel.sink.close();
      break;
    }
    assertEquals(await text, "hello");
  });
});

Deno.test("a socket that is reset: done, the stream and pipe reject", async () => {
  for (const piped of [false, true]) {
    await withConnection(async ({ peer, streams }) => {
      const channel = StreamChannel.from<Uint8Array, Uint8Array>(streams);
      const { local, foreign } = channelPair<Uint8Array>();
      const pipe = piped ? foreign.pipe(channel) : null;
      const next = piped ? null : channel.stream.next();
      channel.sink.add(HELLO);
      await new Promise((resolve) => peer.once("data", resolve));
      peer.resetAndDestroy();
      for (const promise of [channel.sink.done, pipe, next]) {
        if (promise === null) continue;
        const error = await promise.then(() => null, (error) => error);
        assert(error instanceof Error, "it fulfilled");
      }
      if (!piped) assertFalse(channel.sink.add(HELLO));
      if (piped) await local.sink.done.catch(() => {});
      const failed = await channel.sink.close().then(() => false, () => true);
      assert(failed);
    });
  }
});

Deno.test("a socket that is destroyed locally: done rejects, and pipe ends the other end", async () => {
  await withConnection(async ({ socket, streams }) => {
    const channel = StreamChannel.from<Uint8Array, Uint8Array>(streams);
    const { local, foreign } = channelPair<Uint8Array>();
    const pipe = foreign.pipe(channel);
    socket.destroy(new Error("mine"));
    const error = await pipe.then(() => null, (error) => error);
    assertEquals((error as Error | null)?.message, "mine");
    assertFalse(local.sink.add(HELLO));
    await local.sink.close();
  });
});

Deno.test("an error that is added to a socket whose peer does not read ends both ends", async () => {
  await withConnection(async ({ peer, streams }) => {
    peer.pause();
    const closed = new Promise((resolve) => peer.once("close", resolve));
    const channel = StreamChannel.from<Uint8Array, Uint8Array>(streams);
    const error = new Error("mine");
    for (let i = 0; i < 500; i++) channel.sink.add(new Uint8Array(0x1_0000));
    channel.sink.addError(error);
    assertEquals(await channel.sink.done.then(() => null, (error) => error), error);
    assertEquals((await channel.stream.next().catch(() => ({ done: true }))).done, true);
    peer.resume();
    await closed;
  });
});
