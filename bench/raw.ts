/** Sockets without a protocol: an upper bound for the speed of every implementation. */

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Client } from "./clients.ts";
import type { Contender } from "./measure.ts";

/** The size of a message's frame that goes to a server, in bytes. RFC 6455 §5.2. */
export function frameSize(size: number): number {
  return size + (size < 126 ? 6 : size < 65536 ? 8 : 14);
}

/**
 * Sends received chunks back as they arrive, without regard to messages: one read and one write
 * per turn of the event loop.
 *
 * @param change Changes the outgoing bytes.
 * @returns A contender that measures messages per second.
 */
export function rawEchoing(
  name: string,
  socket: Socket,
  { size, window }: { readonly size: number; readonly window: number },
  change: (chunk: Uint8Array) => Uint8Array = (chunk) => chunk,
): Contender {
  const frame = frameSize(size);
  let onData = (_chunk: Uint8Array): void => {};
  socket.on("data", (chunk: Uint8Array) => onData(chunk));
  const measure = (milliseconds: number): Promise<number> =>
    new Promise((resolve) => {
      let received = 0;
      let missing = frame * window;
      let rate = 0;
      const start = performance.now();
      onData = (chunk) => {
        received += chunk.length;
        if (rate === 0) {
          const elapsed = performance.now() - start;
          // A part of the first messages doesn't count: the server had to wait for them.
          if (elapsed >= milliseconds && received >= missing) {
            rate = received / frame / elapsed * 1000;
          } else return void socket.write(change(chunk));
        }
        missing -= chunk.length;
        if (missing <= 0) resolve(rate);
      };
      socket.write(change(new Uint8Array(frame * window)));
    });
  return { name, measure };
}

/** One message at a time: its echo is complete after this many bytes. */
export function rawClient(socket: Socket, size: number): Client {
  const bytes = new Uint8Array(frameSize(size));
  let missing = 0;
  const client: Client = {
    send() {
      missing = bytes.length;
      socket.write(bytes);
    },
    onMessage: () => {},
    onEnd: () => {},
    close: () =>
      new Promise((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      }),
  };
  socket.on("data", (chunk: Uint8Array) => {
    missing -= chunk.length;
    if (missing === 0) client.onMessage();
  });
  return client;
}

/** Connects. */
export async function rawSocket(port: number, ca?: string): Promise<Socket> {
  const at = { port, host: "127.0.0.1" };
  const socket: Socket = ca === undefined
    ? connect({ ...at, noDelay: true })
    : connectTls({ ...at, ca });
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => {
    socket.once(ca === undefined ? "connect" : "secureConnect", () => resolve());
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return socket;
}

const KEY = 0x5a3c_9e71;

/** A masked copy: the least work that a client can do. */
export function maskedCopy(chunk: Uint8Array): Uint8Array {
  const copy = new Uint8Array(chunk.length + 3 & ~3);
  if ((chunk.byteOffset & 3) !== 0) {
    copy.set(chunk);
    mask(copy);
    return copy.subarray(0, chunk.length);
  }
  const words = chunk.length >> 2;
  const source = new Int32Array(chunk.buffer, chunk.byteOffset, words);
  const target = new Int32Array(copy.buffer);
  for (let i = 0; i < words; i++) target[i] = (source[i] as number) ^ KEY;
  for (let i = words << 2; i < chunk.length; i++) copy[i] = (chunk[i] as number) ^ 0x71;
  return copy.subarray(0, chunk.length);
}

/** Unmasks in place, 32 bits at a time: the least work that a server can do. */
export function mask(chunk: Uint8Array): Uint8Array {
  const first = Math.min(-chunk.byteOffset & 3, chunk.length);
  const words = chunk.length - first >> 2;
  for (let i = 0; i < first; i++) chunk[i] = (chunk[i] as number) ^ 0x71;
  const middle = new Int32Array(chunk.buffer, chunk.byteOffset + first, words);
  for (let i = 0; i < words; i++) middle[i] = (middle[i] as number) ^ KEY;
  for (let i = first + (words << 2); i < chunk.length; i++) chunk[i] = (chunk[i] as number) ^ 0x71;
  return chunk;
}

/** A bare connection after its upgrade. It reads nothing before it has a listener. */
export function upgraded(port: number, extensions = "permessage-deflate"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.write(
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        `Sec-WebSocket-Extensions: ${extensions}\r\n\r\n`,
    );
    socket.once("data", () => {
      socket.pause();
      socket.removeListener("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}
