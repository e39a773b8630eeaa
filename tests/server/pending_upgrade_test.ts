import { assert, assertEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import { Duplex } from "node:stream";
import { acceptRequest, checkRequest, refuse } from "../../src/handshake/server_handshake.ts";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import { channelOf } from "../support/own_channels.ts";
import { PendingUpgrade, refuseSocket } from "../../src/server/pending_upgrade.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { SAMPLE_KEY } from "../support/recipe_clients.ts";
import { turn } from "../support/turns.ts";

/** A stream, and the bytes written to it. */
function stream(): { socket: Duplex; text: () => string } {
  let text = "";
  const socket = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      text += new TextDecoder("latin1").decode(chunk);
      done();
    },
  });
  return { socket, text: () => text };
}

function acceptance() {
  const headers = new HeaderMap([
    ["Host", "x"],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", SAMPLE_KEY],
    ["Sec-WebSocket-Version", "13"],
  ]);
  const { request } = checkRequest({ method: "GET", target: "/", version: "1.1", headers });
  if (request === null) throw new Error("The request should be correct");
  return acceptRequest(request);
}

Deno.test("a pending upgrade keeps early bytes, in order", async () => {
  const { socket, text } = stream();
  const events = { onGone: () => assert(false, "no client has left") };
  const head = Uint8Array.of(1, 2);
  const pending = new PendingUpgrade(socket, head, {
    events,
    clock: new ManualClock(),
    handshakeTimeout: 0,
  });
  head.fill(0);
  socket.push(Uint8Array.of(3));
  await turn();
  socket.push(Uint8Array.of(4));
  await turn();
  const wire = pending.accept(acceptance());
  const got: number[] = [];
  channelOf(wire).stream.listen((chunk) => got.push(...chunk));
  socket.push(Uint8Array.of(5));
  await turn();
  await turn();
  assertEquals(got, [1, 2, 3, 4, 5]);
  assert(text().startsWith("HTTP/1.1 101 "), text());
  socket.destroy();
  await turn();
});

Deno.test("a pending upgrade: a writer that waits behind the answer continues when the answer is sent", async () => {
  const waiting: (() => void)[] = [];
  const socket = new Duplex({
    read() {},
    write: (_chunk, _encoding, done) => void waiting.push(done),
  });
  const pending = new PendingUpgrade(socket, new Uint8Array(0), {
    events: { onGone: () => assert(false, "no client has left") },
    clock: new ManualClock(),
    handshakeTimeout: 0,
  });
  const wire = pending.accept(acceptance());
  let drains = 0;
  wire.listen({
    onChunk: () => {},
    onDrain: () => drains++,
    onEnded: () => {},
    onEnd: () => {},
  });
  assert(wire.bufferedAmount > 0);
  wire.watch();
  await turn();
  assertEquals(drains, 0);
  for (const done of waiting) done();
  await turn();
  assertEquals([drains, wire.bufferedAmount], [1, 0]);
  wire.destroy();
  await turn();
});

Deno.test("a pending upgrade reports once that the client has left: after an end, an error or a flood", async () => {
  const ends: [name: string, end: (socket: Duplex) => void, head?: number][] = [
    ["flood behind the request", () => {}, 0x1_0001],
    ["end", (socket) => socket.push(null)],
    ["error", (socket) => socket.destroy(new Error("reset"))],
    ["close", (socket) => socket.destroy()],
    ["flood", (socket) => socket.push(new Uint8Array(0x1_0001))],
  ];
  for (const [name, end, head = 0] of ends) {
    const causes: unknown[] = [];
    const { socket } = stream();
    const events = { onGone: (cause: unknown) => causes.push(cause) };
    const pending = new PendingUpgrade(socket, new Uint8Array(head), {
      events,
      clock: new ManualClock(),
      handshakeTimeout: 0,
    });
    pending.wait();
    end(socket);
    await turn();
    await turn();
    assertEquals(causes.length, 1, name);
    assertEquals((causes[0] as Error | undefined)?.message, name === "error" ? "reset" : undefined);
    assertEquals(socket.destroyed, true, name);
    pending.refuse(refuse(503));
  }
});

Deno.test("a refused client gets a second to read the answer, then the socket is destroyed", async () => {
  const clock = new ManualClock();
  const { socket, text } = stream();
  refuseSocket(socket, refuse(403), clock);
  await turn();
  assert(text().startsWith("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"), text());
  socket.push(new Uint8Array(1000));
  clock.advance(999);
  assertEquals(socket.destroyed, false);
  clock.advance(1);
  assertEquals(socket.destroyed, true);
  await turn();
  assertEquals(clock.pending, 0);
});

Deno.test("a refused client leaves no timer, whether it ends or disappears", async () => {
  const clock = new ManualClock();
  const ended = stream();
  refuseSocket(ended.socket, refuse(403), clock);
  ended.socket.push(null);
  await turn();
  await turn();
  const gone = stream();
  gone.socket.destroy();
  refuseSocket(gone.socket, refuse(403), clock);
  await turn();
  assertEquals([ended.socket.destroyed, clock.pending], [true, 0]);
});

Deno.test("a refusal waits for an earlier answer up to handshakeTimeout", async () => {
  for (const [before, after] of [[40, 60], [100, 0], [150, 0]] as const) {
    const clock = new ManualClock();
    const { socket, text } = stream();
    Object.assign(socket, { _httpMessage: new EventEmitter() });
    const pending = new PendingUpgrade(socket, new Uint8Array(0), {
      events: { onGone: () => assert(false, "no client has left") },
      clock,
      handshakeTimeout: 100,
    });
    pending.wait();
    clock.advance(before);
    pending.refuse(refuse(403));
    if (after > 0) {
      clock.advance(after - 1);
      assertEquals(socket.destroyed, false);
      clock.advance(1);
    }
    assertEquals([socket.destroyed, text(), clock.pending], [true, "", 0]);
    await turn();
  }
});

Deno.test("the server sends a refusal after the earlier answer has ended, and leaves no timer", async () => {
  const clock = new ManualClock();
  const { socket, text } = stream();
  const answer = new EventEmitter();
  Object.assign(socket, { _httpMessage: answer });
  const events = { onGone: () => assert(false, "no client has left") };
  const pending = new PendingUpgrade(socket, new Uint8Array(0), {
    events,
    clock,
    handshakeTimeout: 100,
  });
  pending.refuse(refuse(403));
  Object.assign(socket, { _httpMessage: null });
  answer.emit("finish");
  assert(text().startsWith("HTTP/1.1 403 "), text());
  socket.push(null);
  await turn();
  await turn();
  assertEquals([socket.destroyed, clock.pending], [true, 0]);
});
