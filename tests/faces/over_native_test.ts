/** The standard's cases, for this package's class over the platform's own `WebSocket`. */

import { createWebSocket } from "../../src/faces/mod.ts";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { standardCases } from "./standard_cases.ts";
import { withSubject } from "./support.ts";

/** Node's own WebSocket ends with 1006 when a compressed message arrives after its Close. */
const LEFT_OUT = platform() === "node" ? "messages sent after Blobs arrive after them" : null;

const WebSocket = createWebSocket({ transport: "native" });

for (const { section, name, run } of standardCases) {
  Deno.test({
    name: `WebSocket over the platform's, ${section}: ${name}`,
    ignore: !hasNativeWebSocket() || LEFT_OUT !== null && name.startsWith(LEFT_OUT),
    fn: () => withSubject(WebSocket, run),
  });
}
