/** The protocol in memory, without a socket, compared with bare loops and the same parts of the peers. */

import { Buffer } from "node:buffer";
import { WebSocketChannel } from "../../mod.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { type Contender, type Effort, measureAll, repeated } from "../measure.ts";
import * as peers from "../peers.ts";
import type { Driver, SenderSocket } from "../peers.d.ts";
import type { Row } from "../row.ts";
import { arrived, count, payloadOf, protocol, turns } from "./in_memory.ts";
import { rowOf } from "./section.ts";

/** The number of messages of one round trip in memory: as many as a large chunk of a socket contains. */
const BATCH = 256;

const IN_MEMORY =
  "One process, no socket: a client's protocol makes the bytes, a server's takes them.";

/** Small and large messages, for each half alone. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const small = payloadOf(64);
  const large = payloadOf(1 << 20);
  yield rowOf(
    {
      id: "memory-64",
      title: "In memory, 64 B: encode, mask, decode, deliver",
      unit: "messages/s",
      note: IN_MEMORY,
    },
    await measureAll([
      both("ours, the protocol", small, BATCH),
      channels(small),
      bareLoop(small),
      wsBoth(small, BATCH),
      driverBoth(small),
    ], effort),
  );
  yield rowOf({
    id: "memory-encode",
    title: "In memory, 64 B: encode and mask",
    unit: "messages/s",
    note: "One process, no socket.",
  }, await measureAll(encoders(small), effort));
  yield rowOf({
    id: "memory-decode",
    title: "In memory, 64 B: decode and deliver",
    unit: "messages/s",
    note: "One process, no socket.",
  }, await measureAll(decoders(small), effort));
  yield rowOf(
    {
      id: "memory-1048576",
      title: "In memory, 1 MiB: encode, mask, decode, deliver",
      unit: "messages/s",
      note: IN_MEMORY,
    },
    await measureAll(
      [both("ours, the protocol", large, 1), words(large), wsBoth(large, 1)],
      effort,
    ),
  );
}

function both(name: string, payload: Uint8Array, batch: number): Contender {
  const client = protocol("client");
  const server = protocol("server");
  return repeated(name, () => {
    const before = arrived();
    for (let i = 0; i < batch; i++) client.sendBinary(payload);
    for (const chunk of client.output.takeAll()) server.receive(chunk);
    return arrived(before, batch);
  });
}

/** The same with channels around it, over a pair of byte channels. */
function channels(payload: Uint8Array): Contender {
  const { local, foreign } = channelPair<Uint8Array>({ sync: true });
  const client = WebSocketChannel.over(local, { side: "client" });
  const server = WebSocketChannel.over(foreign, { side: "server" });
  server.stream.listen(count);
  return repeated("ours, channels", async () => {
    const before = arrived();
    for (let i = 0; i < BATCH; i++) client.sink.add(payload);
    // Long work continues in the next turn of the event loop.
    await turns(() => arrived() - before === BATCH);
    return arrived(before, BATCH);
  });
}

/** Each payload masked into a buffer, and unmasked there, byte by byte. */
function bareLoop(payload: Uint8Array): Contender {
  const buffer = new Uint8Array(payload.length * BATCH);
  const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
  return repeated("a bare loop: copy and XOR twice", () => {
    const { length } = payload;
    for (let at = 0; at < buffer.length; at += length) {
      for (let i = 0; i < length; i++) buffer[at + i] = (payload[i] ?? 0) ^ (key[i & 3] ?? 0);
    }
    for (let at = 0; at < buffer.length; at += length) {
      for (let i = 0; i < length; i++) buffer[at + i] = (buffer[at + i] ?? 0) ^ (key[i & 3] ?? 0);
      count(buffer);
    }
    return BATCH;
  });
}

/** The same with a large payload, 32 bits at a time. */
function words(payload: Uint8Array): Contender {
  const source = new Int32Array(payload.buffer);
  return repeated("a bare loop: copy and XOR twice", () => {
    const buffer = new Int32Array(source.length);
    for (let i = 0; i < source.length; i++) buffer[i] = (source[i] ?? 0) ^ 0x37fa213d;
    for (let i = 0; i < buffer.length; i++) buffer[i] = (buffer[i] ?? 0) ^ 0x37fa213d;
    count(buffer);
    return 1;
  });
}

const SEND = { binary: true, fin: true, mask: true, compress: false };

/** Joins what a Sender writes, as a socket would. */
class Wire implements SenderSocket {
  #chunks: Uint8Array[] = [];

  cork(): void {}

  uncork(): void {}

  write(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    return true;
  }

  take(): Uint8Array {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return all;
  }
}

function wsBoth(payload: Uint8Array, batch: number): Contender {
  const { Sender, Receiver } = peers.ws();
  const wire = new Wire();
  const sender = new Sender(wire, {});
  const receiver = new Receiver({ isServer: true, maxPayload: 0 });
  receiver.on("message", count);
  return repeated("ws", async () => {
    const before = arrived();
    for (let i = 0; i < batch; i++) sender.send(payload, SEND);
    receiver.write(wire.take());
    await turns(() => arrived() - before === batch);
    return arrived(before, batch);
  });
}

function driverBoth(payload: Uint8Array): Contender {
  const message = Buffer.from(payload);
  const client = peers.drivers().client("ws://localhost/");
  const server = peers.drivers().server();
  let open = false;
  const wire = new Wire();
  client.io.on("data", (chunk) => wire.write(Buffer.from(chunk)));
  server.io.on("data", (chunk) => client.io.write(Buffer.from(chunk)));
  server.on("connect", () => server.start());
  client.on("open", () => open = true);
  server.on("message", ({ data }) => count(data as Uint8Array));
  client.start();
  const flush = (driver: Driver): void => void driver.io.write(wire.take());
  return repeated("websocket-driver", async () => {
    if (!open) flush(server);
    await turns(() => open);
    const before = arrived();
    for (let i = 0; i < BATCH; i++) client.binary(message);
    flush(server);
    await turns(() => arrived() - before === BATCH);
    return arrived(before, BATCH);
  });
}

function encoders(payload: Uint8Array): Contender[] {
  const client = protocol("client");
  const wire = new Wire();
  const sender = new (peers.ws().Sender)(wire, {});
  return [
    repeated("ours, the protocol", () => {
      for (let i = 0; i < BATCH; i++) client.sendBinary(payload);
      count(client.output.takeAll());
      return BATCH;
    }),
    repeated("ws Sender", () => {
      for (let i = 0; i < BATCH; i++) sender.send(payload, SEND);
      count(wire.take());
      return BATCH;
    }),
  ];
}

function decoders(payload: Uint8Array): Contender[] {
  const client = protocol("client");
  for (let i = 0; i < BATCH; i++) client.sendBinary(payload);
  const frames = Buffer.concat(client.output.takeAll());
  const server = protocol("server");
  const receiver = new (peers.ws().Receiver)({ isServer: true, maxPayload: 0 });
  receiver.on("message", count);
  return [
    repeated("ours, the protocol", () => {
      const before = arrived();
      // Unmasking is in place, so each run needs a copy; the peer gets one, too.
      server.receive(new Uint8Array(frames));
      return arrived(before, BATCH);
    }),
    repeated("ws Receiver", async () => {
      const before = arrived();
      receiver.write(Buffer.from(frames));
      await turns(() => arrived() - before === BATCH);
      return arrived(before, BATCH);
    }),
  ];
}
