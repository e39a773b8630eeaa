/**
 * The tests that every engine of topics must pass, also your own.
 *
 * @example
 * ```ts
 * import { memory } from "@web-socket/channel/topics";
 * import { testEngine } from "@web-socket/channel/topics/testing";
 *
 * const names: string[] = [];
 * testEngine({
 *   create() {
 *     const engine = memory();
 *     return Promise.resolve({ engine: () => engine, end: () => Promise.resolve() });
 *   },
 *   // With Deno: (name, run) => Deno.test(name, run); with Node: test of node:test.
 *   test: (name) => names.push(name),
 * });
 * ```
 *
 * @module
 */

export { type EngineWorld, testEngine, type TestEngineOptions } from "./engine_suite.ts";
export type {
  EngineEvents,
  EngineLog,
  EngineSettings,
  HistoryPage,
  HistoryRange,
  LogEntry,
  LogGap,
  LogPlace,
  LogPublishing,
  TopicsEngine,
} from "../topics/engine.ts";
export type { Clock } from "../web_socket/clock.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "../web_socket_channel.ts";
export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export type * from "../channel_types.ts";
