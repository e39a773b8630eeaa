/**
 * Random walks over all events of a reconnecting channel. `WALKS` sets the number of walks.
 */

import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import { TRANSITIONS } from "../../src/reconnecting/state.ts";
import type { ReconnectingOptions } from "../../src/reconnecting/mod.ts";
import { countingSignal, microtasks, record } from "../support/events.ts";
import { type Random, seededRandom, testSeed } from "../support/random.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { NOTHING_LEFT, Rig } from "./support.ts";

const WALKS = Number(process.env["WALKS"] ?? 400);
const STEPS = 40;

const CODES = [undefined, 1000, 1001, 1005, 1008, 1011, 1012, 1013, 4000, 4401];

/** The possible events, by name. */
const STEP: Readonly<Record<string, (walk: Walk) => void | Promise<void>>> = {
  open: ({ rig }) => {
    if (rig.sockets.length > 0 && rig.socket.readyState === 0) rig.socket.open();
  },
  "lose": ({ rig, random }) => {
    const socket = rig.sockets.at(-1);
    if (socket === undefined || socket.readyState === 3) return;
    const code = random.chance(0.7) ? undefined : random.pick(CODES);
    socket.closed(code === undefined ? {} : { code, wasClean: true });
  },
  "a late socket": ({ rig, random }) => {
    const socket = rig.sockets.length === 0 ? undefined : random.pick(rig.sockets);
    if (socket !== undefined && socket.readyState < 3) socket.closed({ code: 1006 });
  },
  "peer closes": ({ rig }) => {
    if (rig.sockets.length > 0 && rig.socket.readyState === 1) rig.socket.readyState = 2;
  },
  "a message": (walk) => {
    const { rig } = walk;
    if (rig.sockets.length > 0 && rig.socket.readyState === 1) {
      rig.socket.message(`in ${walk.count++}`);
    }
  },
  "add": (walk) => {
    const { rig } = walk;
    try {
      rig.channel.sink.add(`out ${walk.count++}`);
    } catch (error) {
      assert(["InvalidStateError", "QueueFullError"].includes((error as Error).name), `${error}`);
    }
  },
  "buffered": ({ rig, random }) => {
    if (rig.sockets.length > 0) rig.socket.bufferedAmount = random.integer(0, 100);
  },
  "flush": ({ rig }) => void rig.channel.sink.flush().catch(() => {}),
  "ready": ({ rig }) => void rig.channel.sink.ready,
  "a moment": ({ rig, random }) => rig.clock.advance(random.integer(0, 500)),
  "a while": ({ rig, random }) => rig.clock.advance(random.integer(0, 40_000)),
  "a stall": ({ rig, random }) => rig.clock.stall(random.integer(0, 90_000)),
  "a sleep": ({ rig, random }) => rig.clock.sleep(random.integer(0, 90_000)),
  "offline": ({ rig }) => rig.page.setOnline(false),
  "online": ({ rig }) => rig.page.setOnline(true),
  "seen": ({ rig }) => {
    rig.page.document.visibilityState = "visible";
    rig.page.document.dispatchEvent(new Event("visibilitychange"));
  },
  "hidden": ({ rig }) => {
    rig.page.document.visibilityState = "hidden";
    rig.page.document.dispatchEvent(new Event("visibilitychange"));
  },
  "pageshow": ({ rig }) => void rig.page.dispatchEvent(new Event("pageshow")),
  "reconnect": ({ rig }) => void rig.channel.reconnect(),
  "pause the reader": ({ pause }) => pause(),
  "resume the reader": ({ resume }) => resume(),
  "the connection's own close": ({ rig }) => void rig.channel.connection?.sink.close(4000),
  "terminate": ({ rig }) => rig.channel.connection?.terminate(),
  "nothing": () => microtasks(),
};

/** Rare events, because they end the walk. */
const END: Readonly<Record<string, (walk: Walk) => void>> = {
  close: ({ rig }) => void rig.channel.close(),
  "close with a code": ({ rig }) => void rig.channel.close(3000, "enough"),
  abort: ({ abort }) => abort(),
  addError: ({ rig }) => {
    try {
      rig.channel.sink.addError(new Error("enough"));
    } catch (error) {
      assertEquals((error as Error).name, "InvalidStateError");
    }
  },
  "readable.cancel": ({ rig }) => void rig.channel.sink.close(),
};

interface Walk {
  readonly rig: Rig;
  readonly random: Random;
  readonly abort: () => void;
  readonly pause: () => void;
  readonly resume: () => void;
  count: number;
}

function optionsOf(random: Random): ReconnectingOptions {
  return {
    random: () => random.fraction(),
    whileAway: random.pick(["queue", "drop", "reject"]),
    maxBuffer: random.pick([0, 100, 10_000]),
    connectTimeout: random.pick([0, 1000, 30_000]),
    ...(random.chance() ? {} : {
      heartbeat: {
        interval: random.pick([0, 1000, 20_000]),
        timeout: random.pick([100, 5000]),
        message: () => "ping",
        isReply: (message) => message === "pong",
      },
    }),
    ...(random.chance(0.8) ? {} : { retry: () => random.pick([true, true, 0, 5, false]) }),
  };
}

async function walk(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const { controller, signal, count } = countingSignal();
  const rig: Rig = new Rig({
    ...optionsOf(random),
    signal,
    target: random.pick([
      "ws://host/",
      () => "ws://host/",
      () => rig.socketChannel("ws://host/"),
      () => random.chance(0.2) ? Promise.reject(new Error("no token")) : "ws://host/",
      () => new Promise<string>(() => {}),
    ]),
  });
  const { events, subscription } = record(rig.channel.stream);
  const it: Walk = {
    rig,
    random,
    abort: () => controller.abort(new Error("aborted")),
    pause: () => subscription.pause(),
    resume: () => subscription.resume(),
    count: 0,
  };
  const done: string[] = [];
  const where = (): string => `seed ${seed}: ${rig.names}; ${done.join(", ")}`;
  const steps = Object.keys(STEP);
  const ends = Object.keys(END);
  for (let i = 0; i < STEPS; i++) {
    const isEnd = random.chance(0.02);
    const name = random.pick(isEnd ? ends : steps);
    done.push(name);
    await (isEnd ? END : STEP)[name]?.(it);
    if (random.chance(0.8)) await microtasks(12);
  }
  const end = random.pick(ends);
  done.push(end);
  END[end]?.(it);
  rig.page.setOnline(true);
  subscription.resume();
  for (let i = 0; i < 4; i++) await rig.advance(5000);
  assertEquals(rig.channel.state.name, "closed", where());
  await rig.channel.closed;
  await microtasks();
  await rig.channel.sink.done.catch(() => {});
  assertEquals(rig.left, NOTHING_LEFT, where());
  assertEquals(count(), 0, where());
  assertEquals(events.at(-1), "done", where());
  let before: keyof typeof TRANSITIONS = "new";
  for (const { name } of rig.states) {
    assert(TRANSITIONS[before].includes(name), `${before} -> ${name}, ${where()}`);
    before = name;
  }
  // No event follows, whatever the sockets do.
  const { length } = rig.states;
  for (const socket of rig.sockets) if (socket.readyState < 3) socket.closed({ code: 1006 });
  await rig.advance(100_000);
  assertEquals([rig.states.length, rig.left], [length, NOTHING_LEFT], where());
  // The messages were received in order.
  const received = events.filter((event) => typeof event === "string" && event.startsWith("in "));
  const numbers = received.map((event) => Number((event as string).slice(3)));
  assertEquals(numbers, [...numbers].sort((a, b) => a - b), where());
}

Deno.test("random walks end in legal states, with no timer, listener or promise left", async () => {
  await assertNoUncaught(async () => {
    const first = testSeed();
    for (let i = 0; i < WALKS; i++) await walk(first + i);
  });
});
