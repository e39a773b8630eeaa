import { assert, assertEquals } from "@std/assert";
import { connect, type ServerHttp2Stream } from "node:http2";
import { type Http2Stream, resetStream } from "../../src/net/http2.ts";
import { StreamWire } from "../../src/net/stream_wire.ts";
import type { WireEvents, WireFailure } from "../../src/web_socket/wire.ts";
import { deferred } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { withServer } from "../http2/support.ts";

/** Records the events of a wire. */
class Reader implements WireEvents {
  readonly chunks: Uint8Array[] = [];
  drains = 0;
  over: WireFailure | null | undefined;
  readonly #ended = deferred<WireFailure | null>();
  readonly ended: Promise<WireFailure | null> = this.#ended.promise;

  onChunk(chunk: Uint8Array): void {
    this.chunks.push(chunk);
  }
  onDrain(): void {
    this.drains++;
  }
  onEnded(failure: WireFailure | null): void {
    this.over = failure;
  }
  onEnd(failure: WireFailure | null): void {
    this.#ended.resolve(failure);
  }
  get length(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }
}

interface Line {
  readonly wire: StreamWire;
  readonly reader: Reader;
  readonly peer: ServerHttp2Stream;
  /** Destroys the connection. */
  readonly cut: () => void;
}

/** A wire over the client's end of a stream, and the server's end. */
async function withLine(body: (line: Line) => Promise<void>): Promise<void> {
  const { promise, resolve } = deferred<ServerHttp2Stream>();
  await withServer((server) => server.on("stream", resolve), async ({ url, cut }) => {
    const session = connect(url.replace("ws:", "http:"));
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": "/" }, { endStream: false });
    const peer = await promise;
    peer.on("error", () => {});
    peer.respond({ ":status": 200 });
    const wire = new StreamWire(stream as unknown as Http2Stream);
    const reader = new Reader();
    wire.listen(reader);
    try {
      await body({ wire, reader, peer, cut });
    } finally {
      wire.destroy();
      session.destroy();
    }
  });
}

const messageOf = (failure: WireFailure | null | undefined): string =>
  (failure?.error as Error | undefined)?.message ?? "none";

Deno.test("StreamWire: passes bytes and the end both ways", async () => {
  await withLine(async ({ wire, reader, peer }) => {
    let received = "";
    peer.on("data", (chunk) => received += chunk);
    const peerEnded = new Promise((resolve) => peer.on("end", resolve));
    assert(wire.writeAll([new TextEncoder().encode("a"), new TextEncoder().encode("b")]));
    await wire.flush();
    assertEquals(wire.bufferedAmount, 0);
    peer.end("hello");
    assertEquals(await reader.ended, null);
    assertEquals(reader.chunks.map((it) => new TextDecoder().decode(it)).join(""), "hello");
    assertEquals(reader.chunks[0]?.constructor, Uint8Array);
    await Promise.all([wire.end(), peerEnded]);
    assertEquals(received, "ab");
    assertEquals([wire.write(new Uint8Array(1)), reader.over], [false, undefined]);
  });
});

Deno.test("StreamWire: a reset is a failure with its code, also after bytes", async () => {
  for (const [code, shown] of [[8, "CANCEL (8)"], [2, "INTERNAL_ERROR (2)"], [99, "99"]] as const) {
    await withLine(async ({ wire, reader, peer }) => {
      // With nothing left to send, runtimes send END_STREAM in front of RST_STREAM.
      wire.pause();
      peer.write(new Uint8Array(4_000_000));
      await turn();
      resetStream(peer as unknown as Http2Stream, code);
      wire.resume();
      assertEquals(messageOf(await reader.ended), `The HTTP/2 stream was reset: ${shown}`);
    });
  }
});

Deno.test("StreamWire: a reset without an error is an end: a server may end an answered stream that way", async () => {
  await withLine(async ({ reader, peer }) => {
    resetStream(peer as unknown as Http2Stream, 0);
    assertEquals(await reader.ended, null);
  });
});

Deno.test("StreamWire: the loss of the session is a failure", async () => {
  await withLine(async ({ reader, cut }) => {
    cut();
    assertEquals(messageOf(await reader.ended), "The HTTP/2 session was lost");
  });
});

Deno.test("StreamWire: pause stops the peer and delays the end until resume", async () => {
  await withLine(async ({ wire, reader, peer }) => {
    wire.pause();
    const size = 4_000_000;
    let taken = false;
    peer.write(new Uint8Array(size), () => taken = true);
    for (let i = 0; i < 20; i++) await turn();
    assertEquals([reader.length, taken], [0, false]);
    peer.end();
    wire.resume();
    assertEquals(await reader.ended, null);
    assertEquals(reader.length, size);
  });
});

Deno.test("StreamWire: counts unsent bytes, and calls onDrain when they decrease", async () => {
  await withLine(async ({ wire, reader, peer }) => {
    wire.write(new Uint8Array(4_000_000));
    for (let i = 0; i < 20; i++) await turn();
    assertEquals([wire.bufferedAmount, reader.drains], [4_000_000, 0]);
    wire.watch();
    peer.resume();
    await until(() => reader.drains === 1);
    assertEquals(wire.bufferedAmount, 0);
    wire.write(new Uint8Array(4_000_000));
    peer.pause();
    wire.destroy();
    assert(wire.bufferedAmount > 0);
    const closed = new Promise((resolve) => peer.on("close", () => resolve(peer.rstCode)));
    peer.resume();
    assertEquals(await closed, 8);
  });
});
