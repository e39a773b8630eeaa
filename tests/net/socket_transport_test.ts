import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type SocketLike, SocketTransport } from "../../src/net/socket_transport.ts";
import { over } from "../../src/web_socket/over.ts";
import { record, settled } from "../support/events.ts";
import { LoopbackProbe } from "../support/loopback_probe.ts";

/** Both ends of a TCP connection: ours as a transport, the other one bare. */
interface Ends {
  readonly transport: SocketTransport;
  readonly socket: Socket;
  readonly peer: Socket;
}

async function withEnds(body: (ends: Ends) => Promise<void>): Promise<void> {
  let accept: (socket: Socket) => void = () => {};
  const accepted = new Promise<Socket>((resolve) => accept = resolve);
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (it) => accept(it));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const peer = await accepted;
  peer.on("error", () => {});
  const closed = [socket, peer].map((it) =>
    new Promise<void>((resolve) => it.once("close", () => resolve()))
  );
  try {
    await body({ transport: new SocketTransport(socket), socket, peer });
  } finally {
    socket.destroy();
    peer.destroy();
    await Promise.all(closed);
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** The next bytes of a socket, as text. */
function received(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function text(transport: SocketTransport): Promise<string> {
  const { value } = await transport.stream.next();
  return new TextDecoder().decode(value);
}

Deno.test("socket transport: bytes go both ways", async () => {
  await withEnds(async ({ transport, peer }) => {
    const there = received(peer);
    transport.sink.add(bytes("there"));
    assertEquals(await there, "there");
    peer.write("back");
    assertEquals(await text(transport), "back");
    assert(transport.ownsChunks);
  });
});

Deno.test("socket transport: the peer's FIN ends the stream; what is written then still arrives", async () => {
  await withEnds(async ({ transport, peer }) => {
    peer.end("last");
    assertEquals(await text(transport), "last");
    assertEquals(await transport.stream.next(), { done: true, value: undefined });
    const answer = received(peer);
    transport.sink.add(bytes("answer"));
    assertEquals(await answer, "answer");
    await transport.sink.close();
  });
});

Deno.test("socket transport: closing the sink sends FIN behind what was written; the stream goes on", async () => {
  await withEnds(async ({ transport, peer }) => {
    const parts: string[] = [];
    peer.on("data", (chunk) => parts.push(String(chunk)));
    const ended = new Promise<void>((resolve) => peer.once("end", () => resolve()));
    transport.sink.add(bytes("last"));
    const closed = transport.sink.close();
    await ended;
    assertEquals(parts.join(""), "last");
    peer.end();
    await closed;
  });
});

Deno.test("socket transport: a reset fails the stream, and is told apart from an end", async () => {
  await withEnds(async ({ transport, peer }) => {
    const over = new Promise<unknown[]>((resolve) => {
      const events: unknown[] = [];
      transport.stream.listen(() => events.push("data"), {
        onError: (error) => events.push((error as { code?: string }).code),
        onDone: () => resolve(events),
      });
    });
    peer.resetAndDestroy();
    assertEquals(await over, ["ECONNRESET"]);
    await transport.sink.done;
    assertEquals(transport.sink.add(bytes("late")), false);
  });
});

Deno.test("socket transport: destroying it ends the stream without an error", async () => {
  await withEnds(async ({ transport, peer }) => {
    const gone = new Promise<void>((resolve) => peer.once("close", () => resolve()));
    peer.on("end", () => peer.end());
    peer.resume();
    const { events } = record(transport.stream);
    transport.destroy();
    transport.destroy();
    await transport.sink.done;
    assertEquals(events, ["done"]);
    await gone;
  });
});

Deno.test("socket transport: a peer that doesn't read makes ready wait; what waits is counted", async () => {
  await withEnds(async ({ transport, peer }) => {
    peer.pause();
    const chunk = new Uint8Array(1024 * 1024);
    let sent = 0;
    while (transport.sink.bufferedAmount < 4 * chunk.length && sent < 64 * chunk.length) {
      transport.sink.add(chunk);
      sent += chunk.length;
    }
    assertGreater(transport.sink.bufferedAmount, 64 * 1024);
    const { ready } = transport.sink;
    const flushed = transport.sink.flush();
    assertEquals(await settled(ready), false);
    let arrived = 0;
    const all = new Promise<void>((resolve) => {
      peer.on("data", (part) => {
        arrived += part.length;
        if (arrived === sent) resolve();
      });
    });
    peer.resume();
    await ready;
    await flushed;
    assertEquals(transport.sink.bufferedAmount, 0);
    await all;
  });
});

Deno.test("socket transport: what will never be written rejects flush", async () => {
  await withEnds(async ({ transport, peer }) => {
    peer.pause();
    for (let i = 0; i < 32; i++) transport.sink.add(new Uint8Array(1024 * 1024));
    const flushed = transport.sink.flush();
    const { ready } = transport.sink;
    peer.resetAndDestroy();
    await assertRejects(() => flushed);
    await ready;
  });
});

Deno.test("socket transport G14 a reader that pauses stops the sender", async () => {
  const probe = new LoopbackProbe();
  await withEnds(async ({ transport, peer }) => {
    let got = 0;
    const subscription = transport.stream.listen((chunk) => got += chunk.length);
    subscription.pause();
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
    assertEquals(got, 0);
    subscription.resume();
    while (got < 2 * stopped) await probe.roundTrip();
    subscription.cancel();
  });
  await probe.close();
});

/** A socket that does nothing by itself. */
class FakeSocket implements SocketLike {
  writableLength = 0;
  destroyed = false;
  readonly calls: string[] = [];
  readonly #listeners = new Map<string, ((value?: unknown) => void)[]>();
  readonly #callbacks: ((error?: unknown) => void)[] = [];

  emit(event: string, value?: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(value);
  }

  /** All that was written has left. */
  drain(): void {
    this.writableLength = 0;
    for (const callback of this.#callbacks.splice(0)) callback();
  }

  // deno-lint-ignore no-explicit-any
  on(event: string, listener: (value?: any) => void): void {
    this.#listeners.set(event, [...this.#listeners.get(event) ?? [], listener]);
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
    return null;
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

Deno.test("socket transport: each call reaches the socket, no more than that", () => {
  const socket = new FakeSocket();
  const transport = new SocketTransport(socket);
  transport.cork();
  transport.sink.add(new Uint8Array(3));
  transport.sink.add(new Uint8Array(4));
  transport.uncork();
  transport.unref();
  transport.ref();
  assertEquals(socket.calls, [
    "setNoDelay true",
    "resume",
    "cork",
    "write 3",
    "write 4",
    "uncork",
    "unref",
    "ref",
  ]);
});

Deno.test("socket transport: flush fulfils when the last write has left, without a write of its own", async () => {
  const socket = new FakeSocket();
  const transport = new SocketTransport(socket);
  transport.sink.add(new Uint8Array(100_000));
  const flushed = transport.sink.flush();
  const { ready } = transport.sink;
  assertEquals(await settled(ready), false);
  socket.drain();
  await ready;
  await flushed;
  assertEquals(socket.calls, ["setNoDelay true", "resume", "write 100000"]);
});

Deno.test("socket transport: an error that isn't followed by close destroys the socket", async () => {
  const socket = new FakeSocket();
  const transport = new SocketTransport(socket);
  const { events } = record(transport.stream);
  const first = new Error("first");
  socket.emit("error", first);
  socket.emit("error", new Error("second"));
  assertEquals(socket.destroyed, true);
  socket.emit("close");
  assertEquals(events, [["error", first], "done"]);
  await transport.sink.done;
  // Also afterwards, an error ends no process.
  socket.emit("error", new Error("third"));
});

Deno.test("socket transport: a close without an end or an error is a loss", async () => {
  const socket = new FakeSocket();
  const transport = new SocketTransport(socket);
  const { events } = record(transport.stream);
  socket.emit("close");
  assertEquals(events.length, 2);
  assertEquals(events[1], "done");
  await transport.sink.done;
});

Deno.test("socket transport: beyond the high-water mark the socket is paused, then resumed", async () => {
  const socket = new FakeSocket();
  const transport = new SocketTransport(socket);
  socket.emit("data", new Uint8Array(70_000));
  assertEquals(socket.calls.at(-1), "pause");
  await transport.stream.next();
  assertEquals(socket.calls.at(-1), "resume");
});

Deno.test("socket transport: soon is in this turn, behind the microtasks that are due", async () => {
  const transport = new SocketTransport(new FakeSocket());
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    setTimeout(() => order.push("next turn"), 0);
    Promise.resolve().then(async () => {
      transport.soon(() => {
        order.push("soon");
        resolve();
      });
      for (let i = 0; i < 10; i++) await Promise.resolve();
      order.push("microtasks");
    });
  });
  assertEquals(order, ["microtasks", "soon"]);
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
});

Deno.test("socket transport: what a for await loop sends in one turn leaves in one write", async () => {
  const socket = new FakeSocket();
  const channel = over(new SocketTransport(socket), { side: "server" });
  const loop = (async () => {
    for await (const message of channel.stream) channel.sink.add(message);
  })();
  // RFC 6455 §5.7: a masked "Hello"; 64 of them.
  const hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
  socket.emit("data", Uint8Array.from(new Array(64).fill(hello).flat()));
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  assertEquals(socket.calls.filter((call) => call.startsWith("write")), ["write 448"]);
  channel.terminate();
  socket.emit("close");
  await loop;
});

Deno.test("socket transport: closing when the peer has ended takes no more turns than it must", () => {
  const socket = new FakeSocket();
  const transport = new SocketTransport(socket);
  socket.emit("end");
  void transport.sink.close();
  assertEquals(socket.calls.at(-1), "destroy");
  const other = new FakeSocket();
  const busy = new SocketTransport(other);
  busy.sink.add(new Uint8Array(3));
  other.emit("end");
  void busy.sink.close();
  assertEquals(other.calls.at(-1), "end");
});

Deno.test("socket transport: whoever asks is told that it is over, once, also afterwards", async () => {
  await withEnds(async ({ transport, peer }) => {
    let times = 0;
    const told = (): Promise<void> =>
      new Promise((resolve) => {
        transport.whenOver({
          onSinkOver(failure) {
            assertEquals(failure, null);
            times++;
            resolve();
          },
        });
      });
    const first = told();
    peer.destroy();
    transport.destroy();
    await first;
    await transport.sink.done;
    assertEquals(times, 1);
    await told();
    assertEquals(times, 2);
  });
});
