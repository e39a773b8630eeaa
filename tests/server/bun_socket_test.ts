import { assertEquals } from "@std/assert";
import { type BunServerSocket, BunSocket } from "../../src/server/bun_socket.ts";

/** Bun's end of the connection, and the calls made on it. */
function bunEnd(): { socket: BunServerSocket; log: unknown[] } {
  const log: unknown[] = [];
  const socket: BunServerSocket = {
    data: null,
    readyState: 1,
    send: (message) => log.push(["send", message]),
    close: (...args) => void log.push(["close", ...args]),
    terminate: () => void log.push(["terminate"]),
    getBufferedAmount: () => 7,
  };
  return { socket, log };
}

Deno.test("a Bun socket has the interface of WebSocket", () => {
  const { socket, log } = bunEnd();
  const it = new BunSocket("chat");
  const events: unknown[] = [];
  for (const type of ["open", "message", "close"]) {
    it.addEventListener(type, (event) => events.push([type, event.data ?? event.code]));
  }
  it.addEventListener("open", () => events.push("second"));
  assertEquals([it.readyState, it.bufferedAmount, it.protocol], [0, 0, "chat"]);
  it.send("dropped");
  it.onOpen(socket);
  assertEquals([it.readyState, it.bufferedAmount], [1, 7]);
  const bytes = Uint8Array.of(1, 2);
  it.onMessage(bytes);
  bytes.fill(0);
  it.onMessage("text");
  it.send("text");
  it.send(Uint8Array.of(3));
  it.send(Uint8Array.of(4).buffer);
  it.close(3000, "over");
  it.close();
  it.send("late");
  assertEquals(it.readyState, 2);
  it.onClose(3000, "over");
  assertEquals([it.readyState, it.bufferedAmount], [3, 0]);
  assertEquals(events, [
    ["open", undefined],
    "second",
    ["message", Uint8Array.of(1, 2)],
    ["message", "text"],
    ["close", 3000],
  ]);
  assertEquals(log, [
    ["send", "text"],
    ["send", Uint8Array.of(3)],
    ["send", Uint8Array.of(4)],
    ["close", 3000, "over"],
  ]);
});

Deno.test("a Bun socket ends when it opens, if its channel was closed while connecting", () => {
  for (const give of [(it: BunSocket) => it.close(), (it: BunSocket) => it.terminate()]) {
    const { socket, log } = bunEnd();
    const it = new BunSocket("");
    const opened: unknown[] = [];
    it.addEventListener("open", (event) => opened.push(event));
    give(it);
    it.onOpen(socket);
    assertEquals([log, opened], [[["terminate"]], []]);
  }
  const { socket, log } = bunEnd();
  const it = new BunSocket("");
  it.onOpen(socket);
  it.close();
  assertEquals(log, [["close"]]);
});
