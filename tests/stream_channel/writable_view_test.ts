import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { microtasks, settled } from "../support/events.ts";
import { open } from "./targets.ts";

Deno.test("writable: writes wait for room; close closes; abort is addError", async () => {
  const { target, controller } = open({ highWaterMark: 2 });
  const writer = controller.sink.writable.getWriter();
  await writer.write("a");
  const second = writer.write("b");
  assertFalse(await settled(second));
  target.bufferedAmount = 0;
  controller.drained();
  await second;
  const closed = writer.close();
  await microtasks();
  assertEquals(target.calls.at(-1), "close");
  controller.finish();
  await closed;

  const other = open();
  const error = new Error("stop");
  await other.controller.sink.writable.abort(error);
  assertEquals(other.target.calls, [["abort", error]]);
});

Deno.test("writable: errors when the channel ends, so that pipeTo stops", async () => {
  for (const end of ["finish", "close", "before"] as const) {
    const { controller } = open();
    if (end === "before") controller.finish();
    let cancelled: unknown;
    const source = new ReadableStream<string>({ cancel: (reason) => void (cancelled = reason) });
    const piped = source.pipeTo(controller.sink.writable);
    if (end === "finish") controller.finish();
    if (end === "close") controller.sink.close();
    await assertRejects(() => piped, DOMException, "Cannot ");
    assert(cancelled instanceof DOMException);
  }
});
