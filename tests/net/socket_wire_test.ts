import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertLess,
  assertStrictEquals,
} from "@std/assert";
import { delay } from "@std/async";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { type SocketLike, SocketWire } from "../../src/net/socket_wire.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import { overWire } from "../../src/web_socket/over.ts";
import type { WireEvents, WireFailure } from "../../src/web_socket/wire.ts";
import { microtasks, settled } from "../support/events.ts";
import { until } from "../support/turns.ts";
import { LoopbackProbe } from "../support/loopback_probe.ts";
import { utf8 } from "../support/bytes.ts";
import { deferred } from "../support/promises.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** Records the events of a wire. */
class Recorder implements WireEvents {
  /** All events except chunks, in order. */
  readonly events: unknown[] = [];
  text = "";
  received = 0;
  #waiting: { is: () => boolean; resolve: () => void }[] = [];

  onChunk(chunk: Uint8Array): void {
    this.received += chunk.length;
    if (chunk.length < 1000) this.text += new TextDecoder().decode(chunk);
    this.#changed();
  }

  onDrain(): void {
    this.events.push("drain");
    this.#changed();
  }

  onEnded(failure: WireFailure | null): void {
    this.events.push(["over", codeOf(failure)]);
    this.#changed();
  }

  onEnd(failure: WireFailure | null): void {
    this.events.push(["end", codeOf(failure)]);
    this.#changed();
  }

  /** Fulfils when a condition is true. */
  until(is: () => boolean): Promise<void> {
    if (is()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ is, resolve }));
  }

  #changed(): void {
    for (const { is, resolve } of this.#waiting) if (is()) resolve();
    this.#waiting = this.#waiting.filter(({ is }) => !is());
  }
}

/** Why a wire has failed, in the same words on every platform. */
function codeOf(failure: WireFailure | null): string | null {
  if (failure === null) return null;
  const { code, message } = failure.error as { code?: string; message: string };
  return code ?? message;
}

/** Both ends of a TCP connection: ours as a wire, the other one as a raw socket. */
interface Ends {
  readonly wire: SocketWire;
  readonly recorder: Recorder;
  readonly socket: Socket;
  readonly peer: Socket;
}

async function withEnds(body: (ends: Ends) => Promise<void>): Promise<void> {
  const { promise: accepted, resolve: accept } = deferred<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (it) => accept(it));
  const port = await listen(server);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const peer = await accepted;
  peer.on("error", () => {});
  const closed = [socket, peer].map((it) =>
    new Promise<void>((resolve) => it.once("close", () => resolve()))
  );
  const wire = new SocketWire(socket);
  const recorder = new Recorder();
  wire.listen(recorder);
  try {
    await body({ wire, recorder, socket, peer });
  } finally {
    socket.destroy();
    peer.destroy();
    await Promise.all(closed);
    await closeServer(server);
  }
}

/** The next bytes of a socket, as text. */
function received(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
}

Deno.test("socket wire: passes bytes both ways", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    const there = received(peer);
    assert(wire.write(utf8("there")));
    assertEquals(await there, "there");
    peer.write("back");
    await recorder.until(() => recorder.text === "back");
    assert(wire.ownsChunks && wire.releasesChunks && wire.canDestroy);
  });
});

Deno.test("socket wire: the peer's FIN is the end; bytes written afterwards still arrive", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    peer.end("last");
    await recorder.until(() => recorder.events.length > 0);
    assertEquals([recorder.text, recorder.events], ["last", [["end", null]]]);
    const answer = received(peer);
    assert(wire.write(utf8("answer")));
    assertEquals(await answer, "answer");
    await wire.end();
    assertEquals(recorder.events, [["end", null]]);
  });
});

Deno.test("socket wire: end sends FIN after the written bytes, and reading continues", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    const parts: string[] = [];
    peer.on("data", (chunk) => parts.push(String(chunk)));
    const ended = new Promise<void>((resolve) => peer.once("end", () => resolve()));
    wire.write(utf8("last"));
    const over = wire.end();
    assertFalse(wire.write(utf8("too late")));
    await ended;
    assertEquals(parts.join(""), "last");
    peer.end("answer");
    await over;
    assertEquals([recorder.text, recorder.events], ["answer", [["end", null]]]);
    await wire.end();
  });
});

Deno.test("socket wire: distinguishes a reset from an end", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    peer.resetAndDestroy();
    await recorder.until(() => recorder.events.length > 0);
    assertEquals(recorder.events, [["end", "ECONNRESET"]]);
    assertFalse(wire.write(utf8("late")));
    await wire.flush();
    await wire.end();
  });
});

Deno.test("socket wire: detects a reset while paused", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    wire.pause();
    peer.resetAndDestroy();
    // Writing detects that the connection is lost.
    const probe = new LoopbackProbe();
    while (recorder.events.length < 2) {
      wire.write(utf8("probe"));
      await probe.roundTrip();
    }
    await probe.close();
    const codes = recorder.events as [string, string][];
    assertEquals(codes.map(([kind]) => kind), ["over", "end"]);
    assertEquals(codes[0]?.[1], codes[1]?.[1]);
    assert(codes[0]?.[1] !== null);
  });
});

Deno.test("socket wire: reports nothing after destroy", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    const gone = new Promise<void>((resolve) => peer.once("close", () => resolve()));
    peer.on("end", () => peer.end());
    peer.resume();
    wire.watch();
    wire.write(utf8("x"));
    wire.destroy();
    wire.destroy();
    assertFalse(wire.write(utf8("y")));
    await wire.end();
    await gone;
    assertEquals(recorder.events, []);
  });
});

Deno.test("socket wire: counts the bytes pending for a slow peer, and reports when they are sent", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    peer.pause();
    const chunk = new Uint8Array(1024 * 1024);
    let sent = 0;
    while (wire.bufferedAmount < 4 * chunk.length && sent < 64 * chunk.length) {
      wire.write(chunk);
      sent += chunk.length;
    }
    assertGreater(wire.bufferedAmount, 64 * 1024);
    wire.watch();
    const flushed = wire.flush();
    assertFalse(await settled(flushed));
    let arrived = 0;
    const all = new Promise<void>((resolve) => {
      peer.on("data", (part) => {
        arrived += part.length;
        if (arrived === sent) resolve();
      });
    });
    peer.resume();
    await recorder.until(() => recorder.events.includes("drain"));
    await flushed;
    assertEquals(wire.bufferedAmount, 0);
    await all;
    // The wire reports once, although many chunks were sent.
    assertEquals(recorder.events, ["drain"]);
  });
});

Deno.test("socket wire: flush settles when the bytes will never be sent; they still count", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    peer.pause();
    for (let i = 0; i < 32; i++) wire.write(new Uint8Array(1024 * 1024));
    const flushed = wire.flush();
    peer.resetAndDestroy();
    await flushed;
    await recorder.until(() => recorder.events.length > 0);
    assertGreater(wire.bufferedAmount, 0);
    await wire.flush();
  });
});

Deno.test("socket wire G14 stops the sender while paused", async () => {
  const probe = new LoopbackProbe();
  await withEnds(async ({ wire, recorder, peer }) => {
    wire.pause();
    const chunk = new Uint8Array(64 * 1024);
    const write = (error?: Error | null): void => {
      if (!error) peer.write(chunk, write);
    };
    write();
    const sent = (): number => peer.bytesWritten - peer.writableLength;
    for (let before = -1, same = 0; same < 30; same = sent() === before ? same + 1 : 0) {
      before = sent();
      await probe.roundTrip();
    }
    const stopped = sent();
    assertLess(stopped, 16 * 1024 * 1024);
    assertEquals(recorder.received, 0);
    wire.resume();
    assertEquals(recorder.received, 0);
    await recorder.until(() => recorder.received >= 2 * stopped);
  });
  await probe.close();
});

Deno.test("socket wire: loses no bytes when repeatedly paused and resumed in the same turn", async () => {
  await withEnds(async ({ wire, recorder, peer }) => {
    const size = 1024 * 1024;
    peer.end(new Uint8Array(size));
    const { onChunk } = recorder;
    recorder.onChunk = function (chunk) {
      wire.pause();
      wire.resume();
      wire.pause();
      onChunk.call(recorder, chunk);
      queueMicrotask(() => wire.resume());
    };
    await recorder.until(() => recorder.events.length > 0);
    assertEquals([recorder.received, recorder.events], [size, [["end", null]]]);
  });
});

Deno.test("socket wire: reports the end after resume, not while paused", async () => {
  const probe = new LoopbackProbe();
  await withEnds(async ({ wire, recorder, peer }) => {
    const ended = new Promise<void>((resolve) => peer.once("close", () => resolve()));
    recorder.onChunk = () => wire.pause();
    peer.end("last");
    for (let i = 0; i < 30; i++) await probe.roundTrip();
    assertEquals(recorder.events, []);
    wire.resume();
    assertEquals(recorder.events, []);
    await recorder.until(() => recorder.events.length > 0);
    assertEquals(recorder.events, [["end", null]]);
    await wire.end();
    await ended;
  });
  await probe.close();
});

Deno.test("socket wire: notifies the latest listener; after release, another caller owns the socket", async () => {
  await withEnds(async ({ wire, recorder, socket, peer }) => {
    peer.write("a");
    await recorder.until(() => recorder.text === "a");
    const second = new Recorder();
    wire.listen(second);
    peer.write("b");
    await second.until(() => second.text === "b");
    wire.release();
    for (const event of ["data", "end", "error", "close"]) {
      const own = socket.listeners(event).filter((it) => `${it}`.includes("wireOf"));
      assertEquals(own, [], event);
    }
    const next = new SocketWire(socket);
    const third = new Recorder();
    peer.end("c");
    next.listen(third);
    await third.until(() => third.events.length > 0);
    assertEquals([recorder.text, second.text, third.text], ["a", "b", "c"]);
    assertEquals([second.events, third.events], [[], [["end", null]]]);
  });
});

Deno.test("socket wire: doesn't call methods that only sockets have on another duplex stream", async () => {
  const written: number[] = [];
  const stream = new Duplex({
    readableObjectMode: true,
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      written.push(...chunk);
      done();
    },
  });
  const wire = new SocketWire(stream);
  assertEquals([wire.ownsChunks, wire.releasesChunks], [false, false]);
  const recorder = new Recorder();
  wire.listen(recorder);
  wire.ref();
  wire.unref();
  stream.push(new DataView(Uint8Array.of(97).buffer));
  await recorder.until(() => recorder.text === "a");
  wire.pause();
  stream.push(Uint8Array.of(98));
  wire.writeAll([Uint8Array.of(1), Uint8Array.of(2)]);
  await wire.flush();
  assertEquals([written, recorder.text], [[1, 2], "a"]);
  wire.resume();
  await recorder.until(() => recorder.text === "ab");
  stream.push({ length: 1 });
  await recorder.until(() => recorder.events.length > 0);
  assertEquals(recorder.events, [[
    "end",
    "Cannot read from the socket: a chunk must be bytes. Set no encoding",
  ]]);
  assertEquals(stream.destroyed, true);
});

/** A passive socket. */
class FakeSocket implements SocketLike {
  writableLength = 0;
  destroyed = false;
  readonly calls: string[] = [];
  /** The bytes that the socket has read and not reported. */
  readonly unread: Uint8Array[] = [];
  readonly #listeners = new Map<string, ((value?: unknown) => void)[]>();
  readonly #callbacks: ((error?: unknown) => void)[] = [];

  emit(event: string, value?: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener.call(this, value);
  }

  /** Sends all written bytes, except the given number. */
  drain(left = 0): void {
    this.writableLength = left;
    for (const callback of this.#callbacks.splice(0)) callback();
  }

  /** The number of listeners. */
  get listeners(): number {
    return [...this.#listeners.values()].flat().length;
  }

  // deno-lint-ignore no-explicit-any
  on(event: string, listener: (value?: any) => void): void {
    this.#listeners.set(event, [...this.#listeners.get(event) ?? [], listener]);
  }

  // deno-lint-ignore no-explicit-any
  removeListener(event: string, listener: (value?: any) => void): void {
    const others = (this.#listeners.get(event) ?? []).filter((it) => it !== listener);
    this.#listeners.set(event, others);
  }

  write(chunk: Uint8Array, callback?: (error?: unknown) => void): boolean {
    this.calls.push(`write ${chunk.length}`);
    this.writableLength += chunk.length;
    if (callback !== undefined) this.#callbacks.push(callback);
    return true;
  }

  destroy(): void {
    this.destroyed = true;
    this.calls.push("destroy");
  }

  setNoDelay(noDelay: boolean): void {
    this.calls.push(`setNoDelay ${noDelay}`);
  }

  read(): Uint8Array | null {
    return this.unread.shift() ?? null;
  }
  end(): void {
    this.calls.push("end");
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  cork(): void {
    this.calls.push("cork");
  }
  uncork(): void {
    this.calls.push("uncork");
  }
  ref(): void {
    this.calls.push("ref");
  }
  unref(): void {
    this.calls.push("unref");
  }
}

function fake(): { socket: FakeSocket; wire: SocketWire; recorder: Recorder } {
  const socket = new FakeSocket();
  const wire = new SocketWire(socket);
  const recorder = new Recorder();
  wire.listen(recorder);
  return { socket, wire, recorder };
}

Deno.test("socket wire: calls exactly the matching method of the socket", () => {
  const { socket, wire } = fake();
  wire.write(new Uint8Array(2));
  wire.writeAll([new Uint8Array(3), new Uint8Array(4)]);
  wire.pause();
  wire.resume();
  wire.resume();
  wire.unref();
  wire.ref();
  assertEquals(socket.calls, [
    "setNoDelay true",
    "resume",
    "write 2",
    "cork",
    "write 3",
    "write 4",
    "uncork",
    "pause",
    "resume",
    "unref",
    "ref",
  ]);
});

Deno.test("socket wire: writes large chunks separately", () => {
  const { socket, wire } = fake();
  socket.calls.length = 0;
  wire.writeAll([new Uint8Array(8), new Uint8Array(100_000)]);
  assertEquals(socket.calls, ["write 8", "write 100000"]);
});

Deno.test("socket wire: flush fulfils when the last write is sent, without an extra write", async () => {
  const { socket, wire, recorder } = fake();
  wire.write(new Uint8Array(100_000));
  const flushed = wire.flush();
  wire.watch();
  assertFalse(await settled(flushed));
  socket.drain(1);
  assertFalse(await settled(flushed));
  assertEquals(recorder.events, ["drain"]);
  wire.write(new Uint8Array(1));
  socket.drain();
  await flushed;
  assertEquals(recorder.events, ["drain"]);
  assertEquals(socket.calls, ["setNoDelay true", "resume", "write 100000", "write 1"]);
});

Deno.test("socket wire: destroys the socket after an error without a close", async () => {
  const { socket, wire, recorder } = fake();
  socket.emit("error", new Error("first"));
  socket.emit("error", new Error("second"));
  assertEquals(socket.destroyed, true);
  assertEquals(recorder.events, []);
  socket.emit("close");
  assertEquals(recorder.events, [["end", "first"]]);
  await wire.end();
  // Later errors don't end the process either.
  socket.emit("error", new Error("third"));
  assertEquals(recorder.events.length, 1);
});

// Bun's TLS sockets report a server's alert and then an end.
Deno.test("socket wire: an end after an error is a failure", () => {
  const { socket, recorder } = fake();
  socket.emit("error", new Error("alert"));
  socket.emit("end");
  socket.emit("close");
  assertEquals(recorder.events, [["end", "alert"]]);
});

Deno.test("socket wire: a close without an end or an error is a lost connection", () => {
  const { socket, recorder } = fake();
  socket.emit("close");
  assertEquals(recorder.events, [["end", "Cannot read from the socket: it was destroyed"]]);
});

Deno.test("socket wire: fails when the socket emits text", () => {
  const { socket, recorder } = fake();
  socket.emit("data", "text");
  assert(socket.destroyed);
  socket.emit("close");
  assertEquals([recorder.events.length, recorder.received], [1, 0]);
  assertFalse((recorder.events[0] as [string, unknown])[1] === null);
});

Deno.test("socket wire: passes on the read bytes and the end of a socket lost while paused", () => {
  const { socket, wire, recorder } = fake();
  wire.pause();
  socket.unread.push(utf8("a"), utf8("b"));
  socket.emit("error", new Error("reset"));
  socket.emit("close");
  assertEquals([recorder.text, recorder.events], ["ab", [["over", "reset"], ["end", "reset"]]]);
});

Deno.test("socket wire: notifies the first listener of an earlier close", async () => {
  for (const error of [new Error("reset"), null]) {
    const socket = new FakeSocket();
    const wire = new SocketWire(socket);
    if (error !== null) socket.emit("error", error);
    socket.emit("close");
    const recorder = new Recorder();
    wire.listen(recorder);
    assertEquals(recorder.events, []);
    await microtasks();
    const text = error === null ? "Cannot read from the socket: it was destroyed" : "reset";
    assertEquals(recorder.events, [["end", text]]);
    await wire.end();
    await wire.flush();
  }
});

Deno.test("socket wire: still counts the unsent bytes after destroy", () => {
  const { socket, wire } = fake();
  wire.write(new Uint8Array(10));
  wire.destroy();
  socket.writableLength = 0;
  assertEquals(wire.bufferedAmount, 10);
});

/** Whether the system keeps the connection between two ports to send the rest; `null` if unknown. */
function isKept(from: number, to: number): boolean | null {
  const [local, remote] = [from, to].map((port) =>
    `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`
  );
  try {
    const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
    // Another process may use one of the ports meanwhile.
    return lines.map((line) => line.trim().split(/\s+/)).some((it) =>
      it[1] === local && it[2] === remote
    );
  } catch {
    return null;
  }
}

Deno.test("socket wire: resets a connection with bytes that the peer doesn't read, so that the system keeps none", async () => {
  await withEnds(async ({ wire, socket, peer }) => {
    peer.pause();
    const { remotePort, localPort } = peer;
    const isOurs = (): boolean | null => isKept(remotePort as number, localPort as number);
    assert(isOurs() !== false);
    wire.write(new Uint8Array(64 * 1024 * 1024));
    const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    wire.destroy();
    await gone;
    if (isOurs() !== null) await until(() => isOurs() === false);
  });
});

Deno.test("socket wire: doesn't reset for a few unsent bytes", () => {
  for (const [size, expected] of [[0x4000 - 1, false], [0x4000, true]] as const) {
    const { socket, wire } = fake();
    const withReset = Object.assign(socket, {
      resetAndDestroy: () => void socket.calls.push("resetAndDestroy"),
    });
    wire.write(new Uint8Array(size));
    wire.destroy();
    assertEquals(withReset.calls.includes("resetAndDestroy"), expected, `${size}`);
    assertEquals(withReset.calls.at(-1), "destroy");
  }
});

Deno.test("socket wire: leaves nothing on the socket after release", () => {
  const { socket, wire } = fake();
  assertGreater(socket.listeners, 0);
  wire.release();
  assertEquals([socket.listeners, Object.getOwnPropertySymbols(socket)], [0, []]);
  assertStrictEquals(socket.calls.at(-1), "pause");
});

Deno.test("socket wire: a for await loop's messages of one turn are one write", async () => {
  const socket = new FakeSocket();
  const channel = overWire(() => new SocketWire(socket), { side: "server" }, systemClock);
  const loop = (async () => {
    for await (const message of channel.stream) channel.sink.add(message);
  })();
  // RFC 6455 §5.7: a masked "Hello"; 64 of them.
  const hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
  socket.emit("data", Uint8Array.from(new Array(64).fill(hello).flat()));
  await delay(0);
  assertEquals(socket.calls.filter((call) => call.startsWith("write")), ["write 448"]);
  channel.terminate();
  socket.emit("close");
  await loop;
});

Deno.test("socket wire: end after the peer's end takes the minimum of turns", () => {
  const { socket, wire } = fake();
  socket.emit("end");
  void wire.end();
  assertEquals(socket.calls.at(-1), "destroy");
  const { socket: other, wire: busy } = fake();
  busy.write(new Uint8Array(3));
  other.emit("end");
  void busy.end();
  assertEquals(other.calls.at(-1), "end");
});

Deno.test("socket wire: notifies waiters for the end, also afterwards", async () => {
  const { socket, wire } = fake();
  const over = wire.end();
  assertFalse(await settled(over));
  socket.emit("close");
  await over;
  await wire.end();
});
