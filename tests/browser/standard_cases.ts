/**
 * The cases of the WebSockets standard in a browser: with the page's class of this package, and with the browser's own
 * class as the control.
 */

import { WebSocket } from "../../src/page_faces/mod.ts";
import type { WebSocketFaceClass } from "../../src/faces/web_socket.ts";
import { standardCases } from "../faces/standard_cases.ts";
import { withSubject } from "../faces/support.ts";

const { WebSocket: Own } = globalThis as unknown as { WebSocket: WebSocketFaceClass };

for (
  const [name, Class] of [["the page's class", WebSocket], ["the browser's own", Own]] as const
) {
  for (const { section, name: what, run } of standardCases) {
    Deno.test(`${name}, ${section}: ${what}`, () => withSubject(Class, run));
  }
}
