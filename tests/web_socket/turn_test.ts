import { assertEquals } from "@std/assert";
import { afterTurn } from "../../src/web_socket/turn.ts";
import { microtasks } from "../support/events.ts";

Deno.test("afterTurn: behind all microtasks, with setImmediate and without", async () => {
  const scope = globalThis as { setImmediate?: unknown };
  const { setImmediate } = scope;
  try {
    for (const how of [setImmediate, undefined]) {
      scope.setImmediate = how;
      const log: string[] = [];
      const called = new Promise<void>((resolve) =>
        afterTurn(() => {
          log.push("turn");
          resolve();
        })
      );
      await microtasks(1000);
      log.push("microtasks");
      await called;
      assertEquals(log, ["microtasks", "turn"]);
    }
  } finally {
    scope.setImmediate = setImmediate;
  }
});
