import { assertEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import { type Http2Session, type Http2Stream, resetStream } from "../../src/net/http2.ts";
import { SessionGuard } from "../../src/server/session_guard.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { turn, until } from "../support/turns.ts";

const ENHANCE_YOUR_CALM = 11;

class FakeSession extends EventEmitter {
  destroyed = false;
  closed = 0;
  readonly codes: number[] = [];
  close(): void {
    this.closed++;
  }
  goaway(code: number): void {
    this.codes.push(code);
  }
  destroy(): void {
    // As on Deno, the stream ends a turn later.
    setTimeout(() => this.destroyed = true);
  }
}

class FakeStream extends EventEmitter {
  destroyed = false;
  rstCode = 0;
  close(code: number): void {
    this.rstCode = code;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

interface Guarded {
  readonly session: FakeSession;
  readonly guard: SessionGuard;
  readonly clock: ManualClock;
  /** Starts a stream. */
  stream(): FakeStream;
}

function guarded(): Guarded {
  const session = new FakeSession();
  const clock = new ManualClock();
  const guard = new SessionGuard(session as unknown as Http2Session, clock);
  return {
    session,
    guard,
    clock,
    stream() {
      const stream = new FakeStream();
      guard.add(stream as unknown as Http2Stream);
      return stream;
    },
  };
}

/** How often an action must run until the session is destroyed; at most 2,000 times. */
async function untilDestroyed({ session }: Guarded, act: () => void): Promise<number> {
  for (let count = 1; count <= 2_000; count++) {
    act();
    if (count % 50 === 0 || count % 50 === 1) await turn();
    if (session.destroyed) return count;
  }
  return Infinity;
}

Deno.test("SessionGuard: limits the client's resets, PING and SETTINGS, and restores the limits over time", async () => {
  const limits: [limit: number, ms: number, act: (it: Guarded) => void][] = [
    [1_000, 30_000, (it) => {
      const stream = it.stream();
      stream.rstCode = 8;
      stream.emit("close");
    }],
    [200, 20_000, ({ session }) => session.emit("ping")],
    [50, 50_000, ({ session }) => session.emit("remoteSettings")],
  ];
  for (const [limit, ms, act] of limits) {
    const it = guarded();
    for (let i = 0; i < limit; i++) act(it);
    assertEquals(it.session.codes, []);
    for (let i = 0; i < 10; i++) act(it);
    await until(() => it.session.destroyed);
    assertEquals(it.session.codes, [ENHANCE_YOUR_CALM]);
    const other = guarded();
    for (let i = 0; i < limit; i++) act(other);
    other.clock.advance(ms);
    for (let i = 0; i < limit; i++) act(other);
    await turn();
    assertEquals(other.session.codes, []);
    for (const { guard } of [it, other]) guard.close();
  }
});

Deno.test("SessionGuard: doesn't count streams that this side resets or that end normally", async () => {
  const it = guarded();
  const count = await untilDestroyed(it, () => {
    const [reset, ended] = [it.stream(), it.stream()];
    resetStream(reset as unknown as Http2Stream, 8);
    for (const stream of [reset, ended]) stream.emit("close");
  });
  assertEquals(count, Infinity);
});

Deno.test("SessionGuard: closes a session a minute after its last stream", () => {
  const { session, clock, stream } = guarded();
  const pass = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) clock.advance(1_000);
  };
  const [first, second] = [stream(), stream()];
  first.emit("close");
  pass(70);
  assertEquals(session.closed, 0);
  second.emit("close");
  pass(50);
  const third = stream();
  pass(70);
  assertEquals(session.closed, 0);
  third.emit("close");
  pass(70);
  assertEquals(session.closed, 1);
});

Deno.test("SessionGuard: closes a session that has no stream for its first minute", () => {
  const { session, clock } = guarded();
  for (let i = 0; i < 59; i++) clock.advance(1_000);
  assertEquals(session.closed, 0);
  for (let i = 0; i < 2; i++) clock.advance(1_000);
  assertEquals(session.closed, 1);
});
