/**
 * A server and a client whose deadlines are all short. Their peers answer only while this process is stopped or blocked,
 * so no connection may time out. The program prints the result of each connection.
 */

import { delay } from "@std/async";
import process from "node:process";
import { NetWebSocketChannel } from "../../../src/net/mod.ts";
import { type ServerWebSocketChannel, WebSocketServer } from "../../../src/server/mod.ts";

const DEADLINE = 2000;
/** Longer than each deadline. */
const STALL = 3000;

const [, , way = "", peer = ""] = process.argv;

const server = await WebSocketServer.bind({
  closeTimeout: DEADLINE,
  handshakeTimeout: DEADLINE,
  pingInterval: 0,
});
console.log(`listening at ${server.url}`);

const channels: ServerWebSocketChannel[] = [];
for await (const channel of server) {
  channels.push(channel);
  if (channels.length === 2) break;
}
const [closing, slow] = channels;
if (closing === undefined || slow === undefined) throw new Error("Two channels were expected");

// The receiver doesn't read until the stall.
slow.stream.listen(() => {});
for (let i = 0; i < 200; i++) {
  server.broadcast(new Uint8Array(0x1_0000), { maxQueueSize: 1, stallTimeout: DEADLINE });
}
// The client doesn't answer the Close until the stall.
closing.stream.listen(() => {});
void closing.sink.close(1000, "bye");
// The server at the other end doesn't answer the request until the stall.
const client = NetWebSocketChannel.connect(peer, { connectTimeout: DEADLINE });
const ready = client.ready.then(() => "open", (error) => `${error}`);

// All of these requests must be sent first.
await delay(50);
console.log("stall now");
if (way === "blocked") {
  // This uses no CPU, so that several of these programs can run at once.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL);
}
// Otherwise the test stops this process, and resumes it.

const { wasClean, code } = await closing.closed;
console.log(`result ${JSON.stringify({ ready: await ready, wasClean, code })}`);
client.terminate();
// Nothing is pending twice: the receiver has read everything.
for (let before = 1; slow.state === "open" && (before > 0 || slow.sink.bufferedAmount > 0);) {
  before = slow.sink.bufferedAmount;
  await delay(20);
}
console.log(`slow ${slow.state}`);
await server.close({ drainTimeout: 100 });
console.log("ended");
