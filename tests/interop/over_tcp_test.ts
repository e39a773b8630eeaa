/** `WebSocketChannel.over` a TCP connection with npm `ws` as the peer; the test writes the opening handshake itself. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="../support/ws.d.ts"
import { WebSocket, WebSocketServer } from "ws";
import { type Message, WebSocketChannel } from "../../mod.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** A channel over a socket; `early` holds the bytes already read. */
function over(socket: Duplex, early: Uint8Array, side: "client" | "server"): WebSocketChannel {
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      if (early.length > 0) controller.enqueue(early);
      socket.on("data", (chunk: Uint8Array) => controller.enqueue(chunk));
      socket.on("end", () => controller.close());
      socket.on("error", (error) => controller.error(error));
    },
    cancel: () => void socket.destroy(),
  });
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => new Promise((resolve) => socket.write(chunk, () => resolve())),
    close: () => void socket.end(),
    abort: () => void socket.destroy(),
  });
  return WebSocketChannel.over({ readable, writable }, { side });
}

/** All messages of a channel; calls `onMessage` for each one when it arrives. */
async function all(
  channel: WebSocketChannel,
  onMessage: (message: Message) => void,
): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of channel.stream) {
    messages.push(message);
    onMessage(message);
  }
  return messages;
}

const KEY = "x3JJHMbDL1EzLkh9GBhXDw==";

Deno.test("over C73 TCP, side client, after a handshake that the test writes", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise<void>((resolve) => server.on("listening", resolve));
  server.on("connection", (socket) => {
    socket.on("message", (data) => {
      if (`${data}` !== "ping") return;
      socket.send("pong");
      socket.close(3000, "bye");
    });
    socket.send("hello!");
  });
  const { port } = server.address();
  const socket = connect({ host: "127.0.0.1", port });
  const answered = new Promise<[head: string, early: Uint8Array]>((resolve) => {
    let bytes = Buffer.alloc(0);
    socket.on("data", function onData(chunk: Uint8Array) {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.pause();
      socket.off("data", onData);
      // The server's first frame may have arrived with its answer.
      resolve([bytes.toString("latin1", 0, end), bytes.subarray(end + 4)]);
    });
  });
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  const [head, early] = await answered;
  assertMatch(head, /^HTTP\/1\.1 101 /);
  assert(head.includes("HSmrc0sMlYUkAGmm5OPpG2HaGWk="));

  const channel = over(socket, early, "client");
  socket.resume();
  assertEquals(channel.state, "open");
  const messages = await all(channel, (message) => {
    if (message === "hello!") channel.sink.add("ping");
  });
  assertEquals(messages, ["hello!", "pong"]);
  assertEquals([channel.closeCode, channel.closeReason], [3000, "bye"]);
  assert((await channel.closed).wasClean);
  await closeServer(server);
});

Deno.test("over C74 TCP, side server, after an answer that the test writes", async () => {
  const server = createServer();
  const seen = new Promise<Message[]>((resolve) => {
    server.on("upgrade", (request, socket, head) => {
      const key = `${request.headers["sec-websocket-key"]}`;
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          `Sec-WebSocket-Accept: ${WebSocketChannel.signKey(key)}\r\n\r\n`,
      );
      const channel = over(socket, head, "server");
      channel.sink.add("hello!");
      resolve(all(channel, (message) => {
        if (message !== "ping") return;
        channel.sink.add("pong");
        void channel.sink.close();
      }));
    });
  });
  const port = await listen(server);
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const messages: string[] = [];
  client.on("message", (data) => {
    messages.push(`${data}`);
    if (`${data}` === "hello!") client.send("ping");
  });
  const closed = await new Promise<number>((resolve) => client.on("close", resolve));
  assertEquals(messages, ["hello!", "pong"]);
  assertEquals(closed, 1005);
  assertEquals(await seen, ["ping"]);
  await closeServer(server);
});
