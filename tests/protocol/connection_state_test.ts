import { assertEquals } from "@std/assert";
import {
  ConnectionLifecycle,
  type ConnectionState,
  type ConnectionTrigger,
} from "../../src/protocol/connection_state.ts";

/** How to get into each state. */
const ways: Record<ConnectionState, ConnectionTrigger[]> = {
  open: [],
  closing: ["sendClose"],
  closed: ["receiveClose"],
};

const table: [ConnectionState, ConnectionTrigger, ConnectionState][] = [
  ["open", "sendClose", "closing"],
  ["open", "receiveClose", "closed"],
  ["open", "fail", "closed"],
  ["open", "end", "closed"],
  ["closing", "sendClose", "closing"],
  ["closing", "receiveClose", "closed"],
  ["closing", "fail", "closed"],
  ["closing", "end", "closed"],
  ["closed", "sendClose", "closed"],
  ["closed", "receiveClose", "closed"],
  ["closed", "fail", "closed"],
  ["closed", "end", "closed"],
];

for (const [state, trigger, next] of table) {
  Deno.test(`connection: ${state} × ${trigger} → ${next}`, () => {
    const lifecycle = new ConnectionLifecycle();
    for (const step of ways[state]) lifecycle.apply(step);
    assertEquals(lifecycle.state, state);
    lifecycle.apply(trigger);
    assertEquals(lifecycle.state, next);
  });
}
