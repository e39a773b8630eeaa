import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Task, Turns } from "../../src/web_socket/turns.ts";

/** Turns that begin when the test starts them. */
class Loop {
  readonly turns: Turns;
  #waiting: (() => void)[] = [];

  constructor(mustIdle = false) {
    this.turns = new Turns((callback) => {
      this.#waiting.push(callback);
      return () => this.#waiting = this.#waiting.filter((it) => it !== callback);
    }, mustIdle);
  }

  get planned(): number {
    return this.#waiting.length;
  }

  turn(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}

/** Work with `steps` steps. */
function work(turns: Turns, steps: number, cost: number, log: string[], name = "x"): Task {
  let left = steps;
  const task: Task = {
    run() {
      while (left > 0 && turns.budget.left > 0) {
        left--;
        turns.spend(cost);
        log.push(name);
      }
      if (left > 0) turns.add(task);
    },
  };
  return task;
}

Deno.test("turns: little work schedules nothing; much work schedules one turn, which refills the budget", () => {
  const loop = new Loop();
  const { turns } = loop;
  const whole = turns.budget.left;
  turns.spend(whole / 8);
  turns.watchChunk(100_000);
  assertEquals(loop.planned, 0);
  turns.spend(whole / 2);
  turns.spend(1);
  turns.watch();
  assertEquals(loop.planned, 1);
  loop.turn();
  assertEquals([turns.budget.left, loop.planned], [whole, 0]);
});

Deno.test("turns: postponed tasks alternate in slices, and leave room for new work", () => {
  const loop = new Loop();
  const { turns } = loop;
  const whole = turns.budget.left;
  const log: string[] = [];
  turns.add(work(turns, 1000, whole / 100, log, "a"));
  turns.add(work(turns, 5, whole / 100, log, "b"));
  assertEquals([log, loop.planned], [[], 1]);
  loop.turn();
  // The second task gets its share in the first turn.
  assertEquals(log.filter((it) => it === "b").length, 5);
  assert(log.indexOf("b") < 20, log.join(""));
  assert(log.length < 60, `${log.length}`);
  assert(turns.budget.left >= whole / 3, `${turns.budget.left}`);
  assertEquals(loop.planned, 1);
  let count = 1;
  for (; loop.planned > 0; count++) loop.turn();
  assertEquals(log.length, 1005);
  assert(count > 15, `${count}`);
});

Deno.test("turns: a task without cost cannot occupy a whole turn", () => {
  const loop = new Loop();
  let runs = 0;
  const task: Task = {
    run() {
      runs++;
      loop.turns.add(task);
    },
  };
  loop.turns.add(task);
  loop.turn();
  assert(runs < 10_000, `${runs}`);
  loop.turns.delete(task);
  loop.turn();
  assertEquals(loop.planned, 0);
});

Deno.test("turns: a task that throws does not hold up the others", () => {
  const loop = new Loop();
  const log: string[] = [];
  loop.turns.add({
    run() {
      throw new Error("mine");
    },
  });
  loop.turns.add(work(loop.turns, 2, 1, log));
  assertThrows(() => loop.turn(), Error, "mine");
  assertEquals(loop.planned, 1);
  loop.turn();
  assertEquals(log, ["x", "x"]);
});

Deno.test("turns: after the last connection leaves, no turn is scheduled and the budget is full", () => {
  const loop = new Loop();
  const { turns } = loop;
  const whole = turns.budget.left;
  turns.enter();
  turns.enter();
  turns.spend(whole);
  turns.leave();
  assertEquals(loop.planned, 1);
  turns.leave();
  assertEquals([loop.planned, turns.budget.left], [0, whole]);
  turns.enter();
  turns.leave();
});

Deno.test("turns: on Deno, large chunks use up the budget, which then schedules a turn", () => {
  const loop = new Loop(true);
  const { turns } = loop;
  turns.spend(turns.budget.left - 1);
  turns.watchChunk(64 * 1024);
  assertEquals(loop.planned, 0);
  turns.watchChunk(100);
  assertEquals(loop.planned, 1);
});
