import { assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { Milestones } from "../../src/web_socket/milestones.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import { settled } from "../support/events.ts";

const INFO: CloseInfo = { code: 1000, reason: "", wasClean: true, initiator: "remote" };

Deno.test("milestones: asked for before the event, and after it", async () => {
  for (const early of [true, false]) {
    const milestones = new Milestones();
    if (early) {
      assertFalse(await settled(milestones.ready));
      assertFalse(await settled(milestones.closed));
    }
    milestones.opened();
    await milestones.ready;
    milestones.ended(INFO);
    assertEquals(await milestones.closed, INFO);
    await milestones.ready;
  }
});

Deno.test("milestones: the same promise each time", () => {
  const milestones = new Milestones();
  const { ready, closed } = milestones;
  milestones.opened();
  milestones.ended(INFO);
  assertStrictEquals(milestones.ready, ready);
  assertStrictEquals(milestones.closed, closed);
});

Deno.test("milestones: a failed attempt rejects ready only, and harms nobody who doesn't look", async () => {
  for (const early of [true, false]) {
    const milestones = new Milestones();
    const error = new Error("refused");
    if (early) void milestones.ready;
    milestones.failed(error);
    milestones.ended(INFO);
    assertStrictEquals(await assertRejects(() => milestones.ready), error);
    assertEquals(await milestones.closed, INFO);
  }
});
