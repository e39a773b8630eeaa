/**
 * Other packages, which are installed beside the bundle of the benchmarks. `ws` is installed twice: with
 * `bufferutil`, which it then uses for masking, and without. They have other names, because Bun
 * replaces `ws` with its own implementation.
 */

import { createRequire } from "node:module";
import process from "node:process";
// @ts-types="./peers.d.ts"
import type { Drivers, WsPackage } from "./peers.d.ts";

const require = createRequire(import.meta.url);

/** npm `ws` with `bufferutil`, which must be installed: otherwise this would be the other contender. */
export function ws(): WsPackage {
  delete process.env["WS_NO_BUFFER_UTIL"];
  require("bufferutil");
  return require("peer-ws");
}

/** npm `ws` alone. */
export function plainWs(): WsPackage {
  process.env["WS_NO_BUFFER_UTIL"] = "1";
  return require("peer-ws-plain");
}

/** npm `websocket-driver`. */
export function drivers(): Drivers {
  return require("websocket-driver");
}

/** The `WebSocket` of npm `undici`; Node only: others replace it. */
export function undiciWebSocket(): typeof WebSocket {
  return require("undici").WebSocket;
}
