/** An engine in memory whose connection a test can cut. */

import { ignore } from "../../src/stream_channel/errors.ts";
import {
  EngineError,
  type EngineEvents,
  type EngineLog,
  type EngineSettings,
  memory,
  type TopicsEngine,
} from "../../src/topics/mod.ts";

/** A test's replacements for methods of a log. */
export type Sabotage = (log: EngineLog, events: EngineEvents) => Partial<EngineLog>;

/** The engine that {@linkcode fakeEngine} returns. */
export interface FakeEngine extends TopicsEngine {
  /** The events of the most recently opened log. */
  readonly events: EngineEvents;
  /** Whether every call rejects. */
  isLost: boolean;
}

/** Creates an engine in memory with replaced methods and a connection. */
export function fakeEngine(sabotage: Sabotage = () => ({})): FakeEngine {
  const engine = memory();
  const fake: FakeEngine = {
    events: {
      onEntry: ignore,
      onEpoch: ignore,
      onGap: ignore,
      onLost: ignore,
      onRestored: ignore,
      onClosed: ignore,
    },
    isLost: false,
    open(events: EngineEvents, settings: EngineSettings): EngineLog {
      (fake as { events: EngineEvents }).events = events;
      const log = engine.open(events, settings);
      const changed = sabotage(log, events);
      const call = <Name extends "publish" | "history" | "announce" | "announced">(name: Name) =>
      // deno-lint-ignore no-explicit-any -- each with its own arguments
      (...args: any[]): any => {
        if (fake.isLost) return Promise.reject(new EngineError("lost by a test"));
        const method = (changed[name] ?? log[name].bind(log)) as (...args: unknown[]) => unknown;
        return method(...args);
      };
      return {
        ready: log.ready,
        publish: call("publish"),
        history: call("history"),
        announce: call("announce"),
        announced: call("announced"),
        close: () => log.close(),
      };
    },
  };
  return fake;
}
