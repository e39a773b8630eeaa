/**
 * Receives a message of 64 bytes over a real socket, and adds one, with an instrumented copy of the
 * source; prints the calls. `message_way.ts` runs it:
 *
 * ```sh
 * deno run --allow-all program.ts file:///path/of/the/instrumented/mod.ts
 * ```
 */

import { createHash } from "node:crypto";
import { type AddressInfo, createServer, Socket } from "node:net";
import process from "node:process";
import type { Call, Landmark, Recorded } from "./message_way.ts";

const SIZE = 64;

/** How many messages come before the one that counts: nothing is done for the first time any more. */
const WARM_UP = 16;

/** After how many messages a client that uses random masking keys has asked for new ones. */
const MAX_MESSAGES = 10_000;

/** RFC 6455 §4.2.2. */
const ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const objects = new Map<object, number>();
let calls: Call[] = [];
let landmarks: { name: Landmark; call: number }[] = [];
let current: Call | null = null;
let isRecording = false;

function numberOf(self: unknown): number | null {
  if (typeof self !== "object" || self === null) return null;
  const number = objects.get(self) ?? objects.size + 1;
  objects.set(self, number);
  return number;
}

function enter(self: unknown, name: string, path: string): Call | null {
  if (!isRecording) return null;
  const parent = current?.id ?? null;
  current = { id: calls.length, parent, name, path, object: numberOf(self) };
  calls.push(current);
  return current;
}

function exit(call: Call | null): void {
  if (call !== null) current = call.parent === null ? null : calls[call.parent] ?? null;
}

function pass(name: Landmark): void {
  if (isRecording && current !== null) landmarks.push({ name, call: current.id });
}

/** Records what is called until the promise resolves. */
async function record(act: () => Promise<void>): Promise<Recorded> {
  calls = [];
  landmarks = [];
  current = null;
  objects.clear();
  isRecording = true;
  await act();
  isRecording = false;
  return { calls, landmarks };
}

/** Makes a function of the platform's a landmark. */
function mark<Key extends string>(
  owner: Record<Key, (...args: never[]) => unknown>,
  key: Key,
  name: Landmark,
): void {
  const original = owner[key] as (...args: unknown[]) => unknown;
  owner[key] = function (this: unknown, ...args: unknown[]) {
    pass(name);
    return original.apply(this, args);
  };
}

/** Resolves when {@linkcode give} is called next. */
class Signal {
  give: () => void = () => {};

  next(): Promise<void> {
    return new Promise((resolve) => this.give = resolve);
  }
}

/** A server that accepts every opening handshake. */
class Peer {
  readonly heard = new Signal();
  #socket: Socket | null = null;
  readonly #server = createServer((socket) => this.#accept(socket));

  /** Resolves to its URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #accept(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.once("data", (head) => {
      const [, key] = /^sec-websocket-key: *(\S+)/im.exec(String(head)) ?? [];
      const accept = createHash("sha1").update(key + ACCEPT).digest("base64");
      const lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Accept: ${accept}`,
      ];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
      socket.on("data", () => this.heard.give());
    });
  }

  /** Sends a binary message in one frame. RFC 6455 §5.2. */
  send(): void {
    const frame = new Uint8Array(2 + SIZE);
    frame.set([0x82, SIZE]);
    this.#socket?.write(frame);
  }
}

async function main(source: string): Promise<void> {
  const { WebSocketChannel } = await import(source) as typeof import("../../mod.ts");
  const peer = new Peer();
  const channel = WebSocketChannel.connect(await peer.listen(), { transport: "net" });
  channel.closed.then((info) => {
    console.error("The channel was closed:", info);
    process.exit(1);
  });
  const received = new Signal();
  channel.stream.listen(() => {
    pass("listener");
    received.give();
  });
  await channel.ready;

  const receive = async (): Promise<void> => {
    const done = received.next();
    peer.send();
    await done;
  };
  const add = async (): Promise<void> => {
    const done = peer.heard.next();
    channel.sink.add(new Uint8Array(SIZE));
    await done;
  };
  for (let i = 0; i < WARM_UP; i++) await receive();
  const incoming = await record(receive);
  for (let i = 0; i < WARM_UP; i++) await add();
  let outgoing = await record(add);
  const hasKey = (): boolean => outgoing.landmarks.some(({ name }) => name === "random");
  for (let i = 0; i < MAX_MESSAGES && !hasKey(); i++) outgoing = await record(add);
  console.log(JSON.stringify({ received: incoming, added: outgoing }));
  process.exit(0);
}

Object.assign(globalThis, { $enter: enter, $exit: exit });
mark(Socket.prototype, "write", "write");
mark(process, "nextTick", "schedule");
mark(globalThis, "queueMicrotask", "schedule");
mark(globalThis, "setImmediate", "schedule");
mark(crypto as unknown as Record<string, () => unknown>, "getRandomValues", "random");
await main(Deno.args[0] ?? "");
