import { assert, assertEquals, assertThrows } from "@std/assert";
import type { ReconnectingState } from "../../src/reconnecting/mod.ts";
import { countingSignal, microtasks, record } from "../support/events.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { NOTHING_LEFT, Rig, type RigOptions } from "./support.ts";

/** Brings a rig into each reachable state. */
const INTO: Readonly<Record<string, (options?: RigOptions) => Promise<Rig>>> = {
  "connecting, in the target": async (options) => {
    const rig = new Rig({ ...options, target: () => new Promise(() => {}) });
    await microtasks();
    return rig;
  },
  "connecting": async (options) => {
    const rig = new Rig(options);
    await microtasks();
    return rig;
  },
  "open": async (options) => {
    const rig = new Rig(options);
    await rig.open();
    return rig;
  },
  "open, while the peer closes": async (options) => {
    const rig = new Rig(options);
    await rig.open();
    rig.socket.readyState = 2;
    assertEquals(rig.channel.sink.add("late"), true);
    return rig;
  },
  "waiting": async (options) => {
    const rig = new Rig(options);
    await rig.lose();
    return rig;
  },
  "paused": async (options) => {
    const rig = new Rig(options);
    rig.page.setOnline(false);
    await rig.lose();
    return rig;
  },
  "closing": async (options) => {
    const rig = new Rig(options);
    await rig.open();
    rig.answersClose = false;
    void rig.channel.close(1000);
    await microtasks();
    return rig;
  },
  "closed": async (options) => {
    const rig = new Rig(options);
    await rig.open();
    await rig.lose(1000);
    return rig;
  },
};

/** The suffix of a state's name that tells how the rig reached it. */
function nameOf(state: string): ReconnectingState["name"] {
  return state.replace(/,.*/, "") as ReconnectingState["name"];
}

/** Waits until the channel has ended: after the peer's answer, or at the timeout. */
async function assertEnds(rig: Rig): Promise<void> {
  await microtasks();
  await rig.advance(5000);
  await rig.advance(5000);
  assertEquals(rig.channel.state.name, "closed");
  await rig.channel.closed;
  await rig.channel.sink.done;
  const { attempts } = await rig.channel.closed;
  await rig.advance(1_000_000);
  assertEquals((await rig.channel.closed).attempts, attempts);
  assertEquals(rig.left, NOTHING_LEFT);
}

for (const [state, into] of Object.entries(INTO)) {
  const name = nameOf(state);
  const isOver = name === "closed" || name === "closing";

  Deno.test(`close while ${state}: the channel ends permanently`, async () => {
    await assertNoUncaught(async () => {
      const rig = await into();
      assertEquals(rig.channel.state.name, name);
      const { events } = record(rig.channel.stream);
      const done = rig.channel.close(3001, "enough");
      assert(rig.channel.close() === done);
      assertThrows(() => rig.channel.sink.add("late"), DOMException);
      await assertEnds(rig);
      await done;
      assertEquals(events, ["done"]);
      const { initiator } = await rig.channel.closed;
      const timedOut = name === "closing" || state.includes("peer");
      assertEquals(initiator === "local", name !== "closed" && !timedOut, initiator);
    });
  });

  Deno.test(`abort while ${state}: the channel ends permanently, with the signal's reason`, async () => {
    await assertNoUncaught(async () => {
      const { controller, signal, count } = countingSignal();
      const rig = await into({ signal });
      const reason = new Error("enough");
      controller.abort(reason);
      await assertEnds(rig);
      const { error } = await rig.channel.closed;
      assertEquals(error === reason, name !== "closed");
      assertEquals(count(), 0);
    });
  });

  Deno.test(`dispose while ${state}: the channel ends permanently`, async () => {
    const rig = await into();
    const disposed = rig.channel[Symbol.asyncDispose]();
    await assertEnds(rig);
    await disposed;
  });

  Deno.test(`reconnect while ${state}: ${isOver ? "nothing happens" : "the channel connects now"}`, async () => {
    await assertNoUncaught(async () => {
      const rig = await into();
      const before = rig.sockets.length;
      assertEquals(rig.channel.reconnect(), !isOver);
      await microtasks();
      if (rig.channel.state.name === "waiting") {
        assertEquals(rig.channel.state.delay, 0);
        await rig.advance(0);
      }
      if (!isOver) assertEquals(rig.channel.state.name, "connecting");
      const isNew = ["open", "waiting", "paused"].includes(name);
      assertEquals(rig.sockets.length - before, isNew ? 1 : 0);
      void rig.channel.close();
      await assertEnds(rig);
    });
  });

  Deno.test(`close with malformed arguments while ${state} throws, and changes nothing`, async () => {
    const rig = await into();
    if (!isOver) {
      assertThrows(() => rig.channel.close(999), RangeError);
      assertThrows(() => rig.channel.close(undefined, "why"), TypeError);
      assertThrows(() => rig.channel.close(1000, "x".repeat(124)), SyntaxError);
      assertEquals(rig.channel.state.name, name);
    }
    void rig.channel.close();
    await assertEnds(rig);
  });
}

Deno.test("close: a code that the transport can't send throws, and changes nothing", async () => {
  const rig = new Rig();
  await rig.open();
  rig.socket.refuses = (code) => code === 1008;
  assertThrows(() => rig.channel.close(1008), RangeError);
  assertEquals(rig.channel.state.name, "open");
  assertEquals(rig.channel.sink.add("still"), true);
  await rig.channel.close(1000);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("close: ends a running addStream, and cancels its source", async () => {
  const rig = new Rig();
  let cancelled = false;
  const source = new ReadableStream<string>({ cancel: () => void (cancelled = true) });
  const added = rig.channel.sink.addStream(source);
  await microtasks();
  await rig.channel.close();
  await added.catch(() => {});
  assertEquals([cancelled, rig.channel.state.name], [true, "closed"]);
});

Deno.test("close: the stream ends at once, keeps its unread messages, and drops later ones", async () => {
  const rig = new Rig();
  await rig.open();
  rig.answersClose = false;
  rig.socket.message("unread");
  void rig.channel.close(1000);
  rig.socket.message("late");
  const { done } = await rig.channel.stream.next();
  assertEquals([done, rig.channel.state.name], [true, "closing"]);
  await rig.lose(1000);
  assertEquals((await rig.channel.closed).code, 1000);
});

Deno.test("close: the channel doesn't replace a connection that is lost while closing", async () => {
  const rig = new Rig();
  await rig.open();
  rig.answersClose = false;
  void rig.channel.close(1000);
  await rig.lose();
  const { code, initiator } = await rig.channel.closed;
  assertEquals([code, initiator, rig.sockets.length], [1006, "local", 1]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("the channel makes no attempt if its signal has already aborted", async () => {
  const reason = new Error("never");
  const rig = new Rig({ signal: AbortSignal.abort(reason) });
  const { events } = record(rig.channel.stream);
  const info = await rig.channel.closed;
  assertEquals([info.attempts, info.initiator, rig.sockets.length], [0, "local", 0]);
  assert(info.error === reason);
  await microtasks();
  assertEquals([rig.names, events], ["closed", ["done"]]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("closed: reports the last close info, the number of attempts, and an error only if there was one", async () => {
  const rig = new Rig();
  await rig.channel.close(1000);
  const info = await rig.channel.closed;
  assertEquals(info, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "local",
    attempts: 1,
    unsent: [],
  });
});
