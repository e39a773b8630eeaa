import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { asSocket } from "../../src/server/stream_socket.ts";

Deno.test("a socket is taken as it is", () => {
  const socket = new Socket();
  assertStrictEquals<unknown>(asSocket(socket), socket);
  socket.destroy();
});

Deno.test("another duplex stream gets what only sockets have", async () => {
  const written: number[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      written.push(...chunk);
      done();
    },
  });
  const socket = asSocket(stream);
  assertNotStrictEquals<unknown>(socket, stream);
  socket.setNoDelay(true);
  socket.ref();
  socket.unref();
  const got: number[] = [];
  socket.on("data", (chunk) => got.push(...chunk));
  socket.pause();
  stream.push(Uint8Array.of(1));
  assertEquals([...socket.read() ?? []], [1]);
  assertEquals(socket.read(), null);
  socket.resume();
  stream.push(Uint8Array.of(3));
  socket.cork();
  socket.write(Uint8Array.of(2));
  assertEquals([socket.writableLength, written], [1, []]);
  socket.uncork();
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals([got, written, socket.writableLength], [[1, 3], [2], 0]);
  socket.end();
  socket.destroy();
  assertEquals(socket.destroyed, true);
  await new Promise((resolve) => setImmediate(resolve));
});
