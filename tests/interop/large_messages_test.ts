/** Messages as streams over real sockets, with peers of other projects. */

import { assert, assertEquals } from "@std/assert";
// @ts-types="../support/ws.d.ts"
import { WebSocket, WebSocketServer as WsServer } from "ws";
import type { AddressInfo } from "node:net";
import {
  type IncomingMessage,
  type Message,
  type MessageInput,
  WebSocketChannel,
} from "../../mod.ts";
import type { WebSocketLike } from "../../src/native/web_socket_like.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { hex, joined, utf8 } from "../support/bytes.ts";
import { startRecipe } from "../support/recipes.ts";
import { python, PythonClients } from "../server/python_client.ts";
import { missing } from "../support/needs.ts";

const STREAMED = { streamLargerThan: 1000, maxMessageSize: Infinity } as const;
const TEXT = "aé€🎨 ".repeat(40_000);

/** Sends each large message back while it arrives. */
async function echo(channel: WebSocketChannel): Promise<void> {
  for await (const it of channel.cast<Message | IncomingMessage, MessageInput>().stream) {
    if (typeof it === "string" || it instanceof Uint8Array) channel.sink.add(it);
    else await channel.sink.addMessage(it.readable, { kind: it.kind });
  }
}

function* chunks(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

for (const compression of [false, true]) {
  for (const kind of ["text", "binary"] as const) {
    const name = `${kind}, ${compression ? "compressed" : "uncompressed"}`;

    Deno.test(`large messages to npm ws and back, ${name}`, async () => {
      const server = new WsServer({ port: 0, host: "127.0.0.1", perMessageDeflate: compression });
      server.on("connection", (socket) => {
        // Two fragments, cut inside a code point.
        socket.on("message", (data, isBinary) => {
          const half = data.length - 2;
          socket.send(data.subarray(0, half), { binary: isBinary, fin: false });
          socket.send(data.subarray(half), { binary: isBinary, fin: true });
        });
      });
      await new Promise<void>((done) => server.on("listening", done));
      const { port } = server.address() as AddressInfo;
      const channel = await WebSocketChannel.open(`ws://127.0.0.1:${port}`, {
        ...STREAMED,
        compression,
        transport: "net",
      });
      const bytes = utf8(TEXT);
      for (const size of [10_007, bytes.length]) {
        await channel.sink.addMessage(chunks(bytes, size), { kind });
        const { value } = await channel.stream.next();
        assert(typeof value === "object" && "readable" in value);
        assertEquals(value.kind, kind);
        const parts: Uint8Array[] = [];
        for await (const part of value.readable) {
          parts.push(typeof part === "string" ? utf8(part) : part);
        }
        assertEquals(joined(parts), bytes);
      }
      await channel.sink.close(1000);
      await new Promise<void>((done) => server.close(() => done()));
    });

    Deno.test(`large messages of npm ws, and back, ${name}`, async () => {
      const server = await WebSocketServer.bind({ ...STREAMED, compression, handler: echo });
      const socket = new WebSocket(server.url, [], { perMessageDeflate: compression });
      await new Promise<void>((done) => socket.on("open", done));
      const back = new Promise<[Uint8Array, boolean]>((done) => {
        socket.on("message", (data, isBinary) => done([data, isBinary]));
      });
      const bytes = utf8(TEXT);
      const binary = kind === "binary";
      for (const part of chunks(bytes, 9973)) socket.send(part, { binary, fin: false });
      socket.send(new Uint8Array(), { binary, fin: true });
      const [data, isBinary] = await back;
      assertEquals(isBinary, binary);
      assertEquals(new Uint8Array(data), bytes);
      const closed = new Promise<void>((done) => socket.on("close", () => done()));
      socket.close(1000);
      await closed;
      await server.close();
    });
  }
}

/** A client of another implementation, with the interface of `WebSocket`. */
interface Peer {
  readonly name: string;
  /** Why the client isn't available; empty if it is. */
  readonly missing: string;
  connect(url: string): { socket: WebSocketLike; end(): Promise<void>; fragments?: Fragmented };
}

/** Sends one binary message in fragments. */
type Fragmented = (parts: readonly Uint8Array[]) => void;

const PEERS: readonly Peer[] = [
  {
    name: "Python's websockets",
    missing: missing("Python's websockets", python !== null) ?? "",
    connect(url) {
      const clients = new PythonClients();
      const socket = clients.connect({ url, protocols: [], headers: [], compression: true });
      return {
        socket,
        end: () => clients.close(),
        fragments: (parts) => socket.say({ do: "fragments", hexes: parts.map(hex) }),
      };
    },
  },
  {
    name: "the platform's WebSocket",
    missing: typeof globalThis.WebSocket === "function" ? "" : "this runtime has none",
    connect(url) {
      const socket = new globalThis.WebSocket(url);
      socket.binaryType = "arraybuffer";
      return { socket, end: () => Promise.resolve() };
    },
  },
];

function once(socket: WebSocketLike, type: "open" | "message" | "close"): Promise<unknown> {
  return new Promise((resolve) => {
    socket.addEventListener(type, (event) => resolve((event as { data?: unknown }).data));
  });
}

for (const { name, missing: reason, connect } of PEERS) {
  Deno.test({
    name: `large messages of ${name}, and back as they arrive${reason && ` (left out: ${reason})`}`,
    ignore: reason !== "",
    async fn() {
      const server = await WebSocketServer.bind({ ...STREAMED, compression: true, handler: echo });
      const { socket, end, fragments } = connect(server.url);
      await once(socket, "open");
      const bytes = utf8(TEXT);
      const back = async (): Promise<unknown> => {
        const data = await once(socket, "message");
        return typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
      };
      let next = back();
      socket.send(TEXT);
      assertEquals(await next, TEXT);
      next = back();
      socket.send(bytes);
      assertEquals(await next, bytes);
      if (fragments !== undefined) {
        next = back();
        fragments([...chunks(bytes, 9973)]);
        assertEquals(await next, bytes);
      }
      const closed = once(socket, "close");
      socket.close(1000);
      await closed;
      await end();
      await server.close();
    },
  });
}

Deno.test("large messages: a rate limit counts each as one message, and its bytes as they are on the wire", async () => {
  for (
    const rateLimit of [
      { messages: 2, per: 60_000, action: "close" },
      { bytes: 500_000, per: 60_000, action: "close" },
    ] as const
  ) {
    const server = await WebSocketServer.bind({ ...STREAMED, rateLimit, handler: echo });
    const channel = await WebSocketChannel.open(server.url, { ...STREAMED, transport: "net" });
    // Each has 200,000 bytes, in fragments.
    const content = new Uint8Array(200_000).fill(97);
    for (let i = 0; i < 2; i++) {
      await channel.sink.addMessage(chunks(content, 10_000), { kind: "binary" });
      const { value } = await channel.stream.next();
      assert(typeof value === "object" && "readable" in value);
      let size = 0;
      for await (const part of value.readable) size += part.length;
      assertEquals(size, content.length);
    }
    const third = channel.sink.addMessage(chunks(content, 10_000), { kind: "binary" });
    await third.catch(() => {});
    assertEquals((await channel.closed).code, 1008);
    await server.close();
  }
});

Deno.test("large messages: a peer resets the connection while a slow reader has unread parts", async () => {
  // The peer sends 40,000 bytes of 50,000.
  const frames = `827f000000000000c350${"61".repeat(40_000)}`;
  const server = await startRecipe("raw", { frames, then: "reset", wait: "data" });
  const channel = await WebSocketChannel.open(server.url, {
    ...STREAMED,
    transport: "net",
    highWaterMark: 1000,
  });
  channel.sink.add("go");
  const { value } = await channel.stream.next();
  assert(typeof value === "object" && "readable" in value);
  const { readable, done } = value as IncomingMessage;
  // The channel reads nothing while the message has no room; the end follows the queued parts.
  const parts = readable[Symbol.asyncIterator]();
  const first = await parts.next();
  assert(first.done !== true);
  let size = first.value.length;
  let error: unknown;
  try {
    for (;;) {
      const { done, value } = await parts.next();
      if (done === true) break;
      size += value.length;
    }
  } catch (caught) {
    error = caught;
  }
  assert(error instanceof Error, "the message has ended as if it were whole");
  assert(size <= 40_000);
  assertEquals(await done.then(() => null, (caught: unknown) => caught), error);
  assertEquals((await channel.closed).error, error);
  await server.close();
});
