import { assertEquals } from "@std/assert";
import { ChannelStreamController } from "../../src/stream_channel/stream_controller.ts";
import { microtasks, record } from "../support/events.ts";
import { collectUncaught } from "../support/unhandled.ts";

Deno.test("listen: what a callback throws is rethrown, and neither the source nor a message suffers", async () => {
  const controller = new ChannelStreamController<number>();
  const events: unknown[] = [];
  const fail = (event: unknown): never => {
    events.push(event);
    throw event;
  };
  const lost = new Error("lost");
  const uncaught = await collectUncaught(async () => {
    controller.add(1);
    controller.stream.listen(fail, { onError: fail, onDone: () => fail("done") });
    controller.add(2);
    await microtasks();
    controller.add(3);
    controller.fail(lost);
  });
  assertEquals(events, [1, 2, 3, lost, "done"]);
  assertEquals(uncaught, events);
});

Deno.test("listen: an error comes once, behind the messages, then done", async () => {
  for (const early of [true, false]) {
    const controller = new ChannelStreamController<number>();
    const late = early ? undefined : record(controller.stream).events;
    controller.add(1);
    const error = new Error("lost");
    controller.fail(error);
    controller.fail(new Error("later"));
    controller.add(2);
    controller.end();
    const events = late ?? record(controller.stream).events;
    await microtasks();
    assertEquals(events, [1, ["error", error], "done"]);
  }
});

Deno.test("a signal cancels the subscription", () => {
  const controller = new ChannelStreamController<number>();
  const abort = new AbortController();
  const events: number[] = [];
  controller.stream.listen((value) => events.push(value), { signal: abort.signal });
  controller.add(1);
  abort.abort();
  controller.add(2);
  assertEquals(events, [1]);
  const other = new ChannelStreamController<number>();
  other.stream.listen((value) => events.push(value), { signal: AbortSignal.abort() });
  other.add(3);
  assertEquals(events, [1]);
});
