/** Messages as streams over real sockets: with npm ws at either end. */

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
import { WebSocketServer } from "../../src/server/mod.ts";
import { joined, utf8 } from "../support/bytes.ts";

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
        // In two fragments that cut a code point.
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
