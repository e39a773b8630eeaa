import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import {
  ChannelLife,
  type ChannelTrigger,
  closeContent,
  Closing,
} from "../../src/web_socket/channel_state.ts";
import type { ChannelState } from "../../src/web_socket/web_socket_channel.ts";
import { settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

const INFO: CloseInfo = { code: 1000, reason: "", wasClean: true, initiator: "remote" };

function conclude(life: ChannelLife): void {
  life.apply("end");
  life.conclude(INFO);
}

// The states.

Deno.test("life W6 every trigger in every state: the state never moves backwards, and each change is reported", () => {
  const paths: Record<ChannelState, ChannelTrigger[]> = {
    connecting: [],
    open: ["open"],
    closing: ["open", "close"],
    closed: ["open", "end"],
  };
  const expected: Record<ChannelState, Record<ChannelTrigger, ChannelState>> = {
    connecting: { open: "open", close: "connecting", peerClose: "connecting", end: "closed" },
    open: { open: "open", close: "closing", peerClose: "closing", end: "closed" },
    closing: { open: "closing", close: "closing", peerClose: "closing", end: "closed" },
    closed: { open: "closed", close: "closed", peerClose: "closed", end: "closed" },
  };
  for (const state of Object.keys(paths) as ChannelState[]) {
    for (const trigger of ["open", "close", "peerClose", "end"] as const) {
      const life = new ChannelLife();
      for (const before of paths[state]) life.apply(before);
      assertEquals(life.state, state);
      const next = expected[state][trigger];
      assertEquals([life.apply(trigger), life.state], [next !== state, next]);
      assertEquals(life.isOver, next === "closed");
    }
  }
});

Deno.test("life: closing fulfils when the channel starts to close, or ends without closing", async () => {
  const triggers: ChannelTrigger[][] = [
    ["open", "close"],
    ["open", "peerClose"],
    ["open", "end"],
    [
      "end",
    ],
  ];
  for (const path of triggers) {
    for (const early of [true, false]) {
      const life = new ChannelLife();
      if (early) assertFalse(await settled(life.onClosing));
      for (const trigger of path) life.apply(trigger);
      assert(await settled(life.onClosing));
    }
  }
});

// Its promises.

Deno.test("life: the promises settle the same way before and after the event", async () => {
  for (const early of [true, false]) {
    const life = new ChannelLife();
    if (early) {
      assertFalse(await settled(life.ready));
      assertFalse(await settled(life.closed));
    }
    life.apply("open");
    await life.ready;
    conclude(life);
    assertEquals(await life.closed, INFO);
    await life.ready;
  }
});

Deno.test("life: each getter returns the same promise every time", () => {
  const life = new ChannelLife();
  const { ready, closed } = life;
  life.apply("open");
  conclude(life);
  assertStrictEquals(life.ready, ready);
  assertStrictEquals(life.closed, closed);
});

Deno.test("life: a failed attempt rejects only ready, and causes no unhandled rejection", async () => {
  for (const early of [true, false]) {
    const life = new ChannelLife();
    const error = new Error("refused");
    if (early) void life.ready;
    life.fail(error);
    conclude(life);
    assertStrictEquals(await assertRejects(() => life.ready), error);
    assertEquals(await life.closed, INFO);
  }
});

// How it closes.

Deno.test("life: the closing details are null before the channel closes", () => {
  const life = new ChannelLife();
  assertEquals(life.known, null);
  const { closing } = life;
  assertStrictEquals(life.known, closing);
  assertStrictEquals(life.closing, closing);
});

Deno.test("closing: the details are null until they are known", () => {
  const closing = new Closing();
  assertEquals([closing.code, closing.reason, closing.isDone], [null, null, false]);
  closing.received = { code: 3000, reason: "why" };
  assertEquals([closing.code, closing.reason], [null, null]);
  closing.isKnown = true;
  assertEquals([closing.code, closing.reason, closing.isDone], [3000, "why", false]);
  closing.sent = { code: 1000, reason: "" };
  assertEquals(closing.isDone, true);
});

Deno.test("closing RFC 6455 §7.1.5: the code is 1006 if no Close was received", () => {
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

Deno.test("closing: it reports the initiator, unless the transport or a timer ended the channel", () => {
  const closing = new Closing();
  closing.closer = "local";
  const initiator = (wasClean: boolean, seen: "remote" | "timeout" | "transport"): string =>
    closing.info({ wasClean, initiator: seen }).initiator;
  assertEquals(initiator(true, "remote"), "local");
  assertEquals(initiator(false, "transport"), "local");
  assertEquals(initiator(false, "timeout"), "timeout");
  for (const failedBy of ["protocol-error", "local"] as const) {
    closing.failedBy = failedBy;
    assertEquals(initiator(false, "timeout"), failedBy);
  }
});

Deno.test("closing: the details contain everything that is known", () => {
  const closing = new Closing();
  const error = new Error("lost");
  const sent = { code: 1000, reason: "" };
  const received = { code: 1001, reason: "away" };
  Object.assign(closing, { sent, received, error, isKnown: true });
  const info = closing.info({ wasClean: true, initiator: "remote" });
  assertEquals([info.code, info.reason, info.sent, info.received], [1001, "away", sent, received]);
  assertStrictEquals(info.error, error);
});

Deno.test("closing: the timer is started once, and stopped", () => {
  const closing = new Closing();
  const clock = new ManualClock();
  let times = 0;
  closing.startTimer(clock, 10, () => times++);
  closing.startTimer(clock, 1, () => times++);
  clock.advance(9);
  assertEquals(times, 0);
  closing.stopTimer();
  clock.advance(10);
  assertEquals([times, clock.pending], [0, 0]);
});

Deno.test("closeContent: without a code, the code is 1005. RFC 6455 §7.1.5", () => {
  assertEquals(closeContent(undefined, ""), { code: 1005, reason: "" });
  assertEquals(closeContent(3000, "why"), { code: 3000, reason: "why" });
});

Deno.test("closing: error texts name what ended the channel", () => {
  const closing = new Closing();
  assertEquals(closing.text, "the channel ended");
  closing.received = { code: 1001, reason: "" };
  assertEquals(closing.text, "the peer closed with 1001");
  closing.received = { code: 4000, reason: 'a "b"' };
  assertEquals(closing.text, 'the peer closed with 4000 and the reason "a \\"b\\""');
  closing.closer = "local";
  assertEquals(closing.text, "the channel ended");
});

Deno.test("closing: the details contain the dropped messages, if there are any", () => {
  const closing = new Closing();
  assertFalse("dropped" in closing.info({ wasClean: true, initiator: "remote" }));
  closing.dropped = 3;
  assertEquals(closing.info({ wasClean: true, initiator: "remote" }).dropped, 3);
});
