/**
 * Runs the standard's cases with each runtime's own `WebSocket`. This checks the cases, and the list of the runtimes'
 * differences.
 */

import { platform } from "../../src/web_socket/platform.ts";
import type { WebSocketFaceClass } from "../../src/faces/web_socket.ts";
import { NATIVE_DIFFERENCES } from "./native_differences.ts";
import { standardCases } from "./standard_cases.ts";
import { withSubject } from "./support.ts";

const { WebSocket } = globalThis as unknown as { WebSocket?: WebSocketFaceClass };
const differences = NATIVE_DIFFERENCES[platform()] ?? [];

for (const { section, name, run } of standardCases) {
  const known = `${section}: ${name}`;
  Deno.test({
    name: `native WebSocket, ${known}`,
    ignore: WebSocket === undefined || differences.some((it) => known.startsWith(it)),
    fn: () => withSubject(WebSocket as WebSocketFaceClass, run),
  });
}
