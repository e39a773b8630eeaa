/** The standard's cases, for this package's class over its own transport. */

import { WebSocket } from "../../src/faces/mod.ts";
import { standardCases } from "./standard_cases.ts";
import { withSubject } from "./support.ts";

for (const { section, name, run } of standardCases) {
  Deno.test(`WebSocket, ${section}: ${name}`, () => withSubject(WebSocket, run));
}
