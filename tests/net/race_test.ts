import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import type { Candidate } from "../../src/net/addresses.ts";
import type { Socket } from "../../src/net/builtins.ts";
import { connected, NoAddressLeft, Race } from "../../src/net/race.ts";
import { microtasks, settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** A socket that connects or fails when the test decides. */
class FakeSocket extends EventEmitter {
  readonly host: string;
  destroyed = false;

  constructor(host: string) {
    super();
    this.host = host;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** Connects, and runs the promise callbacks. */
  answer(): Promise<void> {
    this.emit("connect");
    return microtasks();
  }

  fail(code: string): Promise<void> {
    this.emit("error", Object.assign(new Error(code), { code }));
    return microtasks();
  }
}

interface Track {
  readonly race: Race;
  readonly clock: ManualClock;
  /** The started sockets, in order. */
  readonly sockets: FakeSocket[];
  /** The hosts of the started sockets. */
  readonly started: string[];
}

function track(hosts: readonly string[], refused: readonly string[] = []): Track {
  const clock = new ManualClock();
  const sockets: FakeSocket[] = [];
  const candidates = hosts.map((host): Candidate => ({ name: host, target: { host, port: 1 } }));
  const race = new Race(candidates, {
    start: ({ host = "" }) => {
      if (refused.includes(host)) throw new Error(`not ${host}`);
      const socket = new FakeSocket(host);
      sockets.push(socket);
      return socket as unknown as Socket;
    },
    clock,
    delay: 250,
  });
  return {
    race,
    clock,
    sockets,
    get started(): string[] {
      return sockets.map(({ host }) => host);
    },
  };
}

function at<T>(list: readonly T[], index: number): T {
  return list[index] as T;
}

for (const ms of [1000, 3000, 10_000]) {
  Deno.test(`race RFC 8305 §5: the channel connects if one address is dead and the other answers after ${ms} ms`, async () => {
    for (const slow of [0, 1]) {
      const it = track(["a", "b"]);
      const winner = it.race.run();
      it.clock.advance(249);
      assertEquals(it.started, ["a"]);
      it.clock.advance(1);
      assertEquals(it.started, ["a", "b"]);
      // The first socket stays open when the second one starts.
      assertEquals(it.sockets.map(({ destroyed }) => destroyed), [false, false]);
      it.clock.advance(ms - 250);
      assertEquals(await settled(winner), false);
      await at(it.sockets, slow).answer();
      assertStrictEquals(await winner, at(it.sockets, slow) as unknown as Socket);
      assertEquals(it.sockets.map(({ destroyed }) => destroyed), [slow !== 0, slow !== 1]);
      assertEquals(it.clock.pending, 0);
    }
  });
}

Deno.test("race: starts the next address at once after a failure, and restarts the delay", async () => {
  const it = track(["a", "b", "c"]);
  const winner = it.race.run();
  it.clock.advance(200);
  await at(it.sockets, 0).fail("ECONNREFUSED");
  assertEquals(it.started, ["a", "b"]);
  it.clock.advance(249);
  assertEquals(it.started, ["a", "b"]);
  it.clock.advance(1);
  assertEquals(it.started, ["a", "b", "c"]);
  await at(it.sockets, 2).answer();
  await winner;
  assert(at(it.sockets, 1).destroyed);
});

Deno.test("race: has each address's failure when none is left", async () => {
  const it = track(["a", "b", "c"], ["b"]);
  const winner = it.race.run();
  await at(it.sockets, 0).fail("ECONNREFUSED");
  assertEquals(it.started, ["a", "c"]);
  assertEquals(await settled(winner), false);
  await at(it.sockets, 1).fail("ENETUNREACH");
  const error = await winner.then(() => null, (error: unknown) => error);
  assertInstanceOf(error, NoAddressLeft);
  assertEquals(
    error.failures.map(({ name, error }) => [name, (error as Error).message]),
    [["a", "ECONNREFUSED"], ["b", "not b"], ["c", "ENETUNREACH"]],
  );
  assertEquals(error.errors, error.failures.map(({ error }) => error));
  assertEquals([it.clock.pending, it.sockets.every(({ destroyed }) => destroyed)], [0, true]);
});

Deno.test("race: waits for the last address to fail, in any order", async () => {
  const it = track(["a", "b"]);
  const winner = it.race.run();
  it.clock.advance(250);
  await at(it.sockets, 1).fail("ECONNREFUSED");
  assertEquals(await settled(winner), false);
  await at(it.sockets, 0).answer();
  assertStrictEquals(await winner, at(it.sockets, 0) as unknown as Socket);
});

Deno.test("race: continues with the addresses that haven't failed when the winner's connection breaks", async () => {
  const it = track(["a", "b", "c"]);
  const first = it.race.run();
  await at(it.sockets, 0).fail("ECONNREFUSED");
  it.clock.advance(250);
  await at(it.sockets, 2).answer();
  await first;
  it.race.fail(new Error("broken"));
  const second = it.race.run();
  assertEquals(it.started, ["a", "b", "c", "b"]);
  await at(it.sockets, 3).answer();
  await second;
  it.race.fail(new Error("broken, too"));
  const error = await it.race.run().then(() => null, (error: unknown) => error) as NoAddressLeft;
  assertEquals(error.failures.map(({ name }) => name), ["a", "c", "b"]);
});

Deno.test("race: leaves no socket and no timer when aborted", async () => {
  const it = track(["a", "b", "c"]);
  const winner = it.race.run();
  winner.catch(() => {});
  it.clock.advance(250);
  it.race.destroy();
  assertEquals(it.sockets.map(({ destroyed }) => destroyed), [true, true]);
  await at(it.sockets, 0).fail("ECONNRESET");
  await at(it.sockets, 1).answer();
  it.clock.advance(1000);
  assertEquals([it.started.length, it.clock.pending], [2, 0]);
  assertEquals(await winner.then(() => "won", () => "over"), "over");
});

Deno.test("race: passes the connecting sockets to the caller", async () => {
  const it = track(["a", "b"]);
  const winner = it.race.run();
  const seen = (): string[] => {
    const hosts: string[] = [];
    it.race.each((socket) => hosts.push((socket as unknown as FakeSocket).host));
    return hosts;
  };
  assertEquals(seen(), ["a"]);
  it.clock.advance(250);
  assertEquals(seen(), ["a", "b"]);
  await at(it.sockets, 1).answer();
  await winner;
  assertEquals(seen(), []);
});

Deno.test("race: a socket that closes without an error counts as failed", async () => {
  const socket = new FakeSocket("a");
  const waiting = connected(socket as unknown as Socket, "connect");
  socket.emit("close");
  assertEquals(await waiting.catch((error) => error.code), "ECONNRESET");
  assertEquals(socket.eventNames(), []);
});
