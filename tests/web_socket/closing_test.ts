import { assertEquals, assertStrictEquals } from "@std/assert";
import { closeContent, Closing } from "../../src/web_socket/closing.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("closing: nothing is known before it is", () => {
  const closing = new Closing();
  assertEquals([closing.code, closing.reason, closing.isDone], [null, null, false]);
  closing.received = { code: 3000, reason: "why" };
  assertEquals([closing.code, closing.reason], [null, null]);
  closing.isKnown = true;
  assertEquals([closing.code, closing.reason, closing.isDone], [3000, "why", false]);
  closing.sent = { code: 1000, reason: "" };
  assertEquals(closing.isDone, true);
});

Deno.test("closing RFC 6455 §7.1.5: 1006 where no Close was received", () => {
  const closing = new Closing();
  closing.isKnown = true;
  assertEquals([closing.code, closing.reason], [1006, ""]);
  assertEquals(closing.info({ wasClean: false, initiator: "transport" }), {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "transport",
  });
});

Deno.test("closing: who began counts, but not for what the transport or a timer ended", () => {
  const closing = new Closing();
  closing.closer = "local";
  const initiator = (wasClean: boolean, seen: "remote" | "timeout" | "transport"): string =>
    closing.info({ wasClean, initiator: seen }).initiator;
  assertEquals(initiator(true, "remote"), "local");
  assertEquals(initiator(false, "transport"), "local");
  assertEquals(initiator(false, "timeout"), "timeout");
  closing.isFailed = true;
  assertEquals(initiator(false, "timeout"), "protocol-error");
});

Deno.test("closing: the story has what there was", () => {
  const closing = new Closing();
  const error = new Error("lost");
  const sent = { code: 1000, reason: "" };
  const received = { code: 1001, reason: "away" };
  Object.assign(closing, { sent, received, error, isKnown: true });
  const info = closing.info({ wasClean: true, initiator: "remote" });
  assertEquals([info.code, info.reason, info.sent, info.received], [1001, "away", sent, received]);
  assertStrictEquals(info.error, error);
});

Deno.test("closing: the timer is set once, and stopped", () => {
  const closing = new Closing();
  const clock = new FakeClock();
  let times = 0;
  closing.startTimer(clock, 10, () => times++);
  closing.startTimer(clock, 1, () => times++);
  clock.advance(9);
  assertEquals(times, 0);
  closing.stopTimer();
  clock.advance(10);
  assertEquals([times, clock.pending], [0, 0]);
});

Deno.test("closeContent: without a code it is 1005. RFC 6455 §7.1.5", () => {
  assertEquals(closeContent(undefined, ""), { code: 1005, reason: "" });
  assertEquals(closeContent(3000, "why"), { code: 3000, reason: "why" });
});
