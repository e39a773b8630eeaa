/** A path that drops packets silently: a proxy between both ends that stops forwarding. */

import { assert, assertEquals } from "@std/assert";
import { connect, createServer, type Socket } from "node:net";
import { connectHttp2 } from "../../src/http2/http2.ts";
import { Http2Pool } from "../../src/http2/mod.ts";
import { ConnectError, type WebSocketChannel } from "../../src/net/mod.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { rejection } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { withEcho } from "./support.ts";

/** A part of a deadline, in milliseconds: a longer step would count as a stall of this process. */
const STEP = 100;

interface Path {
  readonly url: string;
  readonly pool: Http2Pool;
  readonly clock: ManualClock;
  /** The number of connections so far. */
  readonly count: number;
  /** Drops everything that the current connections send from now on. */
  block(): void;
  /** Advances the clock in small steps until a condition holds. Returns the elapsed milliseconds, rounded up. */
  pass(isSo: () => boolean): Promise<number>;
  /** Connects with the pool and the clock. */
  connect(connectTimeout?: number): WebSocketChannel;
}

/** Runs a body with a path to an echo server. */
async function withPath(body: (path: Path) => Promise<void>): Promise<void> {
  await withEcho({}, async (running) => {
    const sockets: Socket[] = [];
    let count = 0;
    const proxy = createServer((near) => {
      count++;
      const far = connect(Number(new URL(running.url).port), "127.0.0.1");
      near.pipe(far).pipe(near);
      for (const it of [near, far]) it.on("error", () => {});
      near.on("close", () => far.destroy());
      sockets.push(near, far);
    });
    const url = `ws://127.0.0.1:${await listen(proxy)}`;
    const pool = new Http2Pool();
    const clock = new ManualClock();
    try {
      await body({
        url,
        pool,
        clock,
        get count() {
          return count;
        },
        block() {
          for (const it of sockets) it.unpipe().pause();
        },
        async pass(isSo) {
          let passed = 0;
          await until(() => {
            if (isSo()) return true;
            clock.advance(STEP);
            passed += STEP;
            return false;
          });
          return passed;
        },
        connect: (connectTimeout = 0) => connectHttp2(url, { pool, connectTimeout }, clock),
      });
    } finally {
      for (const it of sockets) it.destroy();
      await pool.close();
      await closeServer(proxy);
    }
  });
}

async function assertEchoes({ sink, stream }: WebSocketChannel): Promise<void> {
  sink.add("hello");
  assertEquals((await stream.next()).value, "hello");
}

Deno.test("http2 W54 liveness: the pool drops a session with a dead path, and the attempt uses another session", async () => {
  await withPath(async (path) => {
    const { pool } = path;
    const old = path.connect();
    await old.ready;
    path.block();
    const young = path.connect();
    // The request has no answer for two seconds, and then a PING has none for three.
    const passed = await path.pass(() => old.state === "closed");
    assert(passed >= 5_000 && passed <= 6_000, `${passed} ms`);
    assertEquals((await old.closed).code, 1006);
    await young.ready;
    await assertEchoes(young);
    assertEquals([pool.sessions, path.count], [1, 2]);
    await young.sink.close();
  });
});

Deno.test("http2 W54 liveness: after an abandoned attempt the next attempt gets another session", async () => {
  await withPath(async (path) => {
    const { pool } = path;
    const first = path.connect();
    await first.ready;
    await first.sink.close();
    path.block();
    const idle = path.connect(500);
    await path.pass(() => idle.state === "closed");
    const error = await rejection(idle.ready) as Error;
    assertEquals(error.name, "TimeoutError");
    const second = path.connect();
    await second.ready;
    await assertEchoes(second);
    assertEquals([pool.sessions, path.count], [2, 2]);
    await path.pass(() => pool.sessions === 1);
    await second.sink.close();
  });
});

Deno.test("http2 W54 liveness: a slow server keeps its session", async () => {
  let admit = (): void => {};
  const admitted = new Promise<boolean>((resolve) => admit = () => resolve(true));
  await withEcho({ verify: () => admitted }, async ({ url, sessions }) => {
    const pool = new Http2Pool();
    const clock = new ManualClock();
    let pings = 0;
    const channel = connectHttp2(url, { pool, connectTimeout: 0 }, clock);
    await until(() => sessions.size === 1);
    for (const session of sessions) session.on("ping", () => pings++);
    const isOpen = channel.ready.then(() => true);
    await until(() => pool.channels === 1);
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += STEP) {
        clock.advance(STEP);
        await turn();
      }
    };
    await pass(2_200);
    await until(() => pings === 1);
    // Short enough that no answer is late.
    await pass(2_500);
    await until(() => pings === 2, () => clock.advance(STEP));
    admit();
    assert(await isOpen);
    assertEquals([pool.sessions, sessions.size], [1, 1]);
    await channel.sink.close();
    await pool.close();
  });
});

Deno.test("http2 W54 liveness: if no session answers, the attempt fails with an error that names the phase", async () => {
  await withPath(async (path) => {
    const first = path.connect();
    await first.ready;
    path.block();
    const second = path.connect(4_000);
    await path.pass(() => second.state === "closed");
    const error = await rejection(second.ready) as Error & { cause?: unknown };
    assertEquals(error.name, "TimeoutError");
    assert(!(error instanceof ConnectError));
    assert(error.message.includes("in phase handshake"), error.message);
  });
});
