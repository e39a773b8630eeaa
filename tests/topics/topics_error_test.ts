import { assertEquals } from "@std/assert";
import { EngineError, TopicsError, WebSocketChannelError } from "../../src/topics/mod.ts";

Deno.test("topics: errors have a reason, and are instances of this package's classes", () => {
  const cause = new EngineError("lost");
  const error = new TopicsError("Cannot publish", { reason: "lost", cause, mayBePublished: true });
  assertEquals(error instanceof WebSocketChannelError, true);
  assertEquals([error.name, error.reason, error.mayBePublished], ["TopicsError", "lost", true]);
  assertEquals([error.cause, cause.name], [cause, "EngineError"]);
  const other = new TopicsError("Cannot publish", { reason: "closed" });
  assertEquals([other.mayBePublished, "cause" in other], [false, false]);
});
