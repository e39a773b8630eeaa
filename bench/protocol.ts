/**
 * The protocol in memory: what it takes to encode, mask, decode and hand over messages, beside bare
 * loops over the same bytes and beside the same parts of npm `ws` and `websocket-driver`.
 */

import { Buffer } from "node:buffer";
// @ts-types="./peers.d.ts"
import drivers, { type Driver } from "websocket-driver";
// @ts-types="./peers.d.ts"
import { Receiver, Sender } from "ws";
import { WebSocketChannel } from "../mod.ts";
import { Protocol, type ProtocolEvents } from "../src/protocol/protocol.ts";
import type { Side } from "../src/protocol/frame.ts";
import { channelPair } from "../src/stream_channel/channel_pair.ts";
import { createMessageDeflate, zlibAbilities } from "../src/web_socket/deflate.ts";
import { randomMaskingKeys } from "../src/web_socket/masking_keys.ts";
import type { Contender, Group } from "./harness.ts";

/** How many messages one round trip in memory has: what fills a large chunk of a socket. */
const BATCH = 256;

/** Where peers' messages end up: a listener that can't be optimised away. */
let received = 0;

/** What to measure. */
export function groups(quick: boolean): Group[] {
  return [
    smallMessages(),
    encoding(),
    decoding(),
    largeMessages(),
    fragments(quick),
    ...(zlibAbilities().available ? [compressed(quick)] : []),
  ];
}

function payloadOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + 7);
}

function protocol(side: Side, onMessage: (message: string | Uint8Array) => void): Protocol {
  const nothing = (): void => {};
  const events: ProtocolEvents = {
    onMessage,
    onPong: nothing,
    onClose: nothing,
    onFailure: (code, reason) => {
      throw new Error(`The connection failed: ${code} ${reason}`);
    },
    onOutput: nothing,
  };
  const maxMessageSize = 1 << 30;
  return new Protocol(
    { side, maskingKeys: randomMaskingKeys, maxMessageSize, ownsChunks: true },
    events,
  );
}

/** What arrived, or an error: a contender that loses messages would be fast. */
function counted(before: number, expected: number): number {
  if (received - before !== expected) {
    throw new Error(`${received - before} messages arrived instead of ${expected}`);
  }
  return expected;
}

function count(message: { readonly length: number }): void {
  received += message.length >= 0 ? 1 : 0;
}

// Small messages.

function smallMessages(): Group {
  const payload = payloadOf(64);
  return {
    title: "64 B binary: encode, mask, decode, hand over",
    unit: "messages",
    contenders: [
      inMemory("protocol", payload, BATCH),
      channels(payload),
      xorLoop(payload),
      wsInMemory(payload, BATCH),
      driverInMemory(payload),
    ],
    targets: [
      { name: "protocol", rate: 2_000_000 },
      { name: "protocol", ratio: { of: "ws", least: 3 } },
      { name: "protocol", ratio: { of: "copy and XOR, bytes", least: 0.3 } },
      { name: "channels", rate: 1_500_000 },
    ],
  };
}

function inMemory(name: string, payload: Uint8Array, batch: number): Contender {
  const client = protocol("client", count);
  const server = protocol("server", count);
  return {
    name,
    run() {
      const before = received;
      for (let i = 0; i < batch; i++) client.sendBinary(payload);
      for (const chunk of client.takeOutput()) server.receive(chunk);
      return counted(before, batch);
    },
  };
}

/** The same with channels around it, over a pair of byte channels. */
function channels(payload: Uint8Array): Contender {
  const { local, foreign } = channelPair<Uint8Array>({ sync: true });
  const client = WebSocketChannel.over(local, { side: "client" });
  const server = WebSocketChannel.over(foreign, { side: "server" });
  server.stream.listen(count);
  return {
    name: "channels",
    async run() {
      const before = received;
      for (let i = 0; i < BATCH; i++) client.sink.add(payload);
      await Promise.resolve();
      return counted(before, BATCH);
    },
  };
}

/** Each payload masked into a buffer, and unmasked out of it, byte by byte. */
function xorLoop(payload: Uint8Array): Contender {
  const buffer = new Uint8Array(payload.length * BATCH);
  const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
  return {
    name: "copy and XOR, bytes",
    run() {
      const { length } = payload;
      for (let at = 0; at < buffer.length; at += length) {
        for (let i = 0; i < length; i++) buffer[at + i] = (payload[i] ?? 0) ^ (key[i & 3] ?? 0);
      }
      for (let at = 0; at < buffer.length; at += length) {
        for (let i = 0; i < length; i++) buffer[at + i] = (buffer[at + i] ?? 0) ^ (key[i & 3] ?? 0);
        received += buffer[at] === payload[0] ? 1 : 0;
      }
      return BATCH;
    },
  };
}

const SEND = { binary: true, fin: true, mask: true, compress: false };

/** Joins what a Sender writes, as a socket would. */
class Wire {
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

function wsInMemory(payload: Uint8Array, batch: number): Contender {
  const wire = new Wire();
  const sender = new Sender(wire, {});
  const receiver = new Receiver({ isServer: true, maxPayload: 0 });
  receiver.on("message", count);
  return {
    name: "ws",
    async run() {
      const before = received;
      for (let i = 0; i < batch; i++) sender.send(payload, SEND);
      receiver.write(wire.take());
      await turns(() => received - before === batch);
      return counted(before, batch);
    },
  };
}

function driverInMemory(payload: Uint8Array): Contender {
  const message = Buffer.from(payload);
  const client = drivers.client("ws://localhost/");
  const server = drivers.server();
  let open = false;
  const wire = new Wire();
  client.io.on("data", (chunk) => wire.write(Buffer.from(chunk)));
  server.io.on("data", (chunk) => client.io.write(Buffer.from(chunk)));
  server.on("connect", () => server.start());
  client.on("open", () => open = true);
  server.on("message", ({ data }) => count(data as Uint8Array));
  client.start();
  const flush = (driver: Driver): void => void driver.io.write(wire.take());
  return {
    name: "websocket-driver",
    async run() {
      if (!open) flush(server);
      await turns(() => open);
      const before = received;
      for (let i = 0; i < BATCH; i++) client.binary(message);
      flush(server);
      await turns(() => received - before === BATCH);
      return counted(before, BATCH);
    },
  };
}

/** Lets the event loop turn until something is so; most of the time it is at once. */
async function turns(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !isSo(); i++) {
    await (i < 10 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, 0)));
  }
}

// Each half by itself.

function encoding(): Group {
  const payload = payloadOf(64);
  const client = protocol("client", count);
  const wire = new Wire();
  const sender = new Sender(wire, {});
  return {
    title: "64 B binary: encode and mask",
    unit: "messages",
    contenders: [
      {
        name: "protocol",
        run() {
          for (let i = 0; i < BATCH; i++) client.sendBinary(payload);
          received += client.takeOutput().length;
          return BATCH;
        },
      },
      {
        name: "ws Sender",
        run() {
          for (let i = 0; i < BATCH; i++) sender.send(payload, SEND);
          received += wire.take().length;
          return BATCH;
        },
      },
    ],
    targets: [{ name: "protocol", ratio: { of: "ws Sender", least: 3 } }],
  };
}

function decoding(): Group {
  const client = protocol("client", count);
  for (let i = 0; i < BATCH; i++) client.sendBinary(payloadOf(64));
  const frames = Buffer.concat(client.takeOutput());
  const server = protocol("server", count);
  const receiver = new Receiver({ isServer: true, maxPayload: 0 });
  receiver.on("message", count);
  return {
    title: "64 B binary: decode and hand over",
    unit: "messages",
    contenders: [
      {
        name: "protocol",
        run() {
          const before = received;
          // Unmasked in place, so each run needs its own; the peer gets the same.
          server.receive(new Uint8Array(frames));
          return counted(before, BATCH);
        },
      },
      {
        name: "ws Receiver",
        async run() {
          const before = received;
          receiver.write(Buffer.from(frames));
          await turns(() => received - before === BATCH);
          return counted(before, BATCH);
        },
      },
    ],
    targets: [{ name: "protocol", ratio: { of: "ws Receiver", least: 3 } }],
  };
}

// Large messages.

function largeMessages(): Group {
  const size = 1 << 20;
  const payload = payloadOf(size);
  const source = new Int32Array(payload.buffer);
  return {
    title: "1 MiB binary: encode, mask, decode, hand over",
    unit: "messages",
    contenders: [
      inMemory("protocol", payload, 1),
      {
        name: "copy and XOR, 32-bit words",
        run() {
          const buffer = new Int32Array(source.length);
          for (let i = 0; i < source.length; i++) buffer[i] = (source[i] ?? 0) ^ 0x37fa213d;
          for (let i = 0; i < buffer.length; i++) buffer[i] = (buffer[i] ?? 0) ^ 0x37fa213d;
          received += buffer.length > 0 ? 1 : 0;
          return 1;
        },
      },
      wsInMemory(payload, 1),
    ],
    targets: [
      { name: "protocol", ratio: { of: "copy and XOR, 32-bit words", least: 0.5 } },
      { name: "protocol", ratio: { of: "ws", least: 1 } },
    ],
  };
}

// Messages in many fragments.

/** An unmasked message of so many fragments of 64 bytes. */
function fragmented(number: number): Uint8Array {
  const wire = new Uint8Array(66 * number);
  for (let i = 0; i < number; i++) {
    wire[66 * i] = (i === number - 1 ? 0x80 : 0) | (i === 0 ? 2 : 0);
    wire[66 * i + 1] = 64;
  }
  return wire;
}

function fragments(quick: boolean): Group {
  const contenders = [100, 10_000, 100_000].map((number): Contender => {
    const wire = fragmented(number);
    const client = protocol("client", count);
    const rounds = quick ? 1 : Math.max(1, 100_000 / number);
    return {
      name: `${number}`,
      run() {
        const before = received;
        for (let i = 0; i < rounds; i++) {
          for (let at = 0; at < wire.length; at += 0x10000) {
            client.receive(wire.slice(at, at + 0x10000));
          }
        }
        counted(before, rounds);
        return rounds * number;
      },
    };
  });
  return {
    title: "Fragments of 64 B, in messages of so many",
    unit: "fragments",
    contenders,
    targets: [{ name: "100000", ratio: { of: "100", least: 0.5 } }],
  };
}

// Compression.

/** Text as JSON is, of 128 KiB, never twice the same. */
function document(): Uint8Array {
  let text = "";
  for (let i = 0; text.length < 131_072; i++) {
    text += `{"id":${i * 7919 % 10007},"name":"item ${i}","price":${(i * 31 % 997) / 10}},`;
  }
  return new TextEncoder().encode(text.slice(0, 131_072));
}

function compressed(quick: boolean): Group {
  const payload = document();
  const number = quick ? 2 : 50;
  const contenders = [9, 10, 11, 12, 13, 14, 15].map((bits): Contender => {
    const parameters = {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: bits,
      clientMaxWindowBits: bits,
    };
    const client = createMessageDeflate(parameters, "client");
    const server = createMessageDeflate(parameters, "server");
    return {
      name: `window of ${bits} bits`,
      run() {
        for (let i = 0; i < number; i++) {
          const small = client?.compress(payload);
          if (!small) throw new Error("Not compressed");
          received += server?.decompress(small.slice(), 1 << 20).length ?? 0;
        }
        return number;
      },
    };
  });
  return {
    title: "128 KiB of JSON: compress, decompress",
    unit: "messages",
    contenders,
    targets: [],
  };
}
