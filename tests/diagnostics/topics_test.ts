import { assertEquals } from "@std/assert";
import { EVENT_KINDS, isObserved, topicName } from "../../src/diagnostics/topics.ts";
import { subscribe } from "../../src/diagnostics/subscribe.ts";

Deno.test("W19 topics: notices a subscriber of every kind while it is subscribed", () => {
  assertEquals(isObserved(), false);
  for (const kind of EVENT_KINDS) {
    const end = subscribe({ [kind]() {} });
    assertEquals([kind, isObserved()], [kind, true]);
    end();
    assertEquals([kind, isObserved()], [kind, false]);
  }
  assertEquals(topicName("open"), "web-socket-channel:open");
});
