import { assertEquals } from "@std/assert";
import {
  afterOthers,
  afterTurn,
  chooseNextTurn,
  nextTurn,
  type TurnGlobals,
} from "../../src/stream_channel/next_turn.ts";
import { microtasks } from "../support/events.ts";

/** Global objects whose ways are told apart by what they log; nothing happens by itself. */
function globals(log: unknown[]): TurnGlobals & { run(): void } {
  let waiting: () => void = () => {};
  const keep = (name: string) => (callback: () => void, ...rest: unknown[]): string => {
    log.push([name, ...rest]);
    waiting = callback;
    return name;
  };
  const forget = (handle: unknown): void => void log.push(["clear", handle]);
  return {
    setTimeout: keep("timeout"),
    clearTimeout: forget,
    setImmediate: keep("immediate"),
    clearImmediate: forget,
    MessageChannel: FakeMessageChannel as unknown as typeof MessageChannel,
    run: () => waiting(),
  };
}

class FakeMessageChannel {
  static posted = 0;
  static last: FakeMessageChannel;
  readonly port1: { onmessage: () => void } = { onmessage: () => {} };
  readonly port2 = { postMessage: () => void FakeMessageChannel.posted++ };

  constructor() {
    FakeMessageChannel.last = this;
  }
}

Deno.test("next turn: behind all microtasks, and before a later timer", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    nextTurn(() => {
      order.push("turn");
      resolve();
    });
    microtasks(5).then(() => order.push("microtasks"));
  });
  assertEquals(order, ["microtasks", "turn"]);
  nextTurn(() => order.push("forgotten"))();
  await new Promise<void>((resolve) => void nextTurn(resolve));
  assertEquals(order, ["microtasks", "turn"]);
});

Deno.test("next turn: an immediate where there is one, but a timer on Deno", () => {
  const log: unknown[] = [];
  const { run, ...platform } = globals(log);
  const cancel = chooseNextTurn(platform)(() => log.push("called"));
  run();
  cancel();
  assertEquals(log.splice(0), [["immediate"], "called", ["clear", "immediate"]]);
  // What runs these tests elsewhere puts a `Deno` there.
  chooseNextTurn({ ...platform, Deno: {} })(() => {});
  assertEquals(log.splice(0), [["immediate"]]);
  chooseNextTurn({ ...platform, Deno: { version: { deno: "2" } } })(() => {})();
  assertEquals(log.splice(0), [["timeout", 0], ["clear", "timeout"]]);
});

Deno.test("next turn: a message in browsers, each for one callback, and a timer where there is nothing", () => {
  const log: unknown[] = [];
  const { setTimeout, clearTimeout, MessageChannel } = globals(log);
  const next = chooseNextTurn({ setTimeout, clearTimeout, MessageChannel });
  next(() => log.push(1));
  const cancel = next(() => log.push(2));
  next(() => log.push(3));
  cancel();
  assertEquals(FakeMessageChannel.posted, 3);
  for (let i = 0; i < 3; i++) {
    FakeMessageChannel.last.port1.onmessage();
    log.push("-");
  }
  assertEquals(log.splice(0), [1, "-", 3, "-", "-"]);
  chooseNextTurn({ setTimeout, clearTimeout })(() => {});
  assertEquals(log, [["timeout", 0]]);
});

Deno.test("after others: behind so many turns, and behind a timer that is due", async () => {
  let turns = 0;
  const count = (): void => {
    turns++;
    if (turns < 1000) afterTurn(count);
  };
  afterTurn(count);
  await new Promise<void>((resolve) => afterOthers(resolve, 5));
  assertEquals(turns, 5);
  turns = 1000;
  await new Promise<void>((resolve) => afterOthers(resolve));
});
