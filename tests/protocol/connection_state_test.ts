import { assertEquals } from "@std/assert";
import {
  type ConnectionState,
  type ConnectionTrigger,
  stateAfter,
} from "../../src/protocol/connection_state.ts";

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
    assertEquals(stateAfter(state, trigger), next);
  });
}
