import { assertEquals } from "@std/assert";
import {
  Life,
  type ReconnectingState,
  type StateName,
  TRANSITIONS,
} from "../../src/reconnecting/state.ts";

const info = { code: 1006, reason: "", wasClean: false, initiator: "transport" } as const;

const STATES: Readonly<Record<ReconnectingState["name"], ReconnectingState>> = {
  connecting: { name: "connecting", attempt: 1 },
  open: { name: "open", attempt: 1, downtime: 0, resumable: false },
  waiting: { name: "waiting", attempt: 2, delay: 1, until: 1, info },
  paused: { name: "paused" },
  reset: { name: "reset", unacknowledged: [] },
  closing: { name: "closing" },
  closed: { name: "closed", info: { ...info, attempts: 1, unsent: [] } },
};

/** The shortest sequence of states that leads to each state. */
const WAYS: Readonly<Record<StateName, readonly ReconnectingState["name"][]>> = {
  new: [],
  connecting: ["connecting"],
  open: ["connecting", "open"],
  waiting: ["connecting", "waiting"],
  paused: ["paused"],
  reset: ["connecting", "reset"],
  closing: ["connecting", "open", "closing"],
  closed: ["closed"],
};

/** A state machine in the given state. */
function lifeIn(name: StateName): Life {
  const life = new Life();
  for (const step of WAYS[name]) assertEquals(life.enter(STATES[step]), true, `${name}: ${step}`);
  assertEquals(life.name, name);
  return life;
}

for (const [before, following] of Object.entries(TRANSITIONS)) {
  for (const [name, state] of Object.entries(STATES)) {
    const follows = following.includes(name as StateName);
    Deno.test(`state: ${name} ${follows ? "follows" : "doesn't follow"} ${before}`, () => {
      const life = lifeIn(before as StateName);
      assertEquals(life.enter(state), follows);
      assertEquals(life.name, follows ? name : before);
      if (follows) assertEquals(life.state, state);
    });
  }
}

Deno.test("state: the table of allowed transitions", () => {
  assertEquals(TRANSITIONS, {
    new: ["connecting", "paused", "closed"],
    connecting: ["open", "reset", "waiting", "paused", "closed"],
    open: ["waiting", "paused", "closing", "closed"],
    reset: ["open", "waiting", "paused", "closing", "closed"],
    waiting: ["connecting", "paused", "closed"],
    paused: ["connecting", "closed"],
    closing: ["closed"],
    closed: [],
  });
});
