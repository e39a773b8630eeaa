/** The client of one large message, in a process of its own. It reports its memory each half second. */

import { connect as dial } from "node:net";
import process from "node:process";
import { WebSocketChannel } from "../mod.ts";

/** A report of the client. */
export interface Sample {
  /** Since the first byte, in seconds. */
  readonly time: number;
  /** Its resident memory, in bytes. */
  readonly resident: number;
  /** The number of echoed bytes. */
  readonly received: number;
}

/** The package of the client. */
export type LargeClient = "ours" | "raw TCP";

const CHUNK = Uint8Array.from({ length: 65_536 }, (_, i) => i * 89 ^ i >> 3);

function* chunks(size: number): Generator<Uint8Array> {
  for (let at = 0; at < size; at += CHUNK.length) yield CHUNK.subarray(0, size - at);
}

/** Sends this many bytes to an echo server, with backpressure, and reads the echo. */
export async function copy(name: string, port: number, size: number): Promise<void> {
  const start = performance.now();
  let received = 0;
  const say = (): void => {
    const { rss: resident } = process.memoryUsage();
    const time = (performance.now() - start) / 1000;
    console.log(JSON.stringify({ time, resident, received } satisfies Sample));
  };
  const timer = setInterval(say, 500);
  const take = (count: number): boolean => (received += count) >= size;
  await (name === "ours" ? copyOwn : copyRaw)(port, size, take);
  clearInterval(timer);
  say();
}

type Copy = (port: number, size: number, take: (count: number) => boolean) => Promise<void>;

const copyOwn: Copy = async (port, size, take) => {
  const channel = await WebSocketChannel.open(`ws://127.0.0.1:${port}`, {
    transport: "net",
    compression: false,
    streamLargerThan: 65_536,
    maxMessageSize: Infinity,
  });
  const sent = channel.sink.addMessage(chunks(size), { kind: "binary" });
  const { value } = await channel.stream.next();
  if (typeof value !== "object" || !("readable" in value)) throw new Error("It isn't large");
  for await (const part of value.readable) take(part.length);
  await sent;
  await channel.sink.close(1000);
};

const copyRaw: Copy = async (port, size, take) => {
  const socket = dial({ port, host: "127.0.0.1", noDelay: true });
  const read = new Promise<void>((done) => {
    socket.on("data", (bytes: Uint8Array) => take(bytes.length) && done());
  });
  for (const chunk of chunks(size)) {
    if (!socket.write(chunk)) await new Promise((drained) => socket.once("drain", drained));
  }
  await read;
  socket.destroy();
};
