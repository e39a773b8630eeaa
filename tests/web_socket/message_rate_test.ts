import { assertEquals } from "@std/assert";
import { MessageRate, type RateRule, verdictBy } from "../../src/web_socket/message_rate.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

function started(rule: Partial<RateRule>): { rate: MessageRate; clock: ManualClock } {
  const clock = new ManualClock(50);
  const whole: RateRule = {
    messages: undefined,
    bytes: undefined,
    per: 1000,
    isPausing: false,
    verdictOn: () => "close",
    ...rule,
  };
  return { rate: new MessageRate(whole, clock), clock };
}

Deno.test("message rate: each kind has its own bucket, and the longer wait applies", () => {
  const { rate, clock } = started({ messages: 2, bytes: 100, verdictOn: () => "pause" });
  const take = (kind: "messages" | "bytes", amount: number) => rate.take(kind, amount, null);
  assertEquals([take("messages", 1), take("bytes", 100), take("messages", 1)], [
    "allow",
    "allow",
    "allow",
  ]);
  assertEquals(rate.wait, 0);
  assertEquals([take("bytes", 10), rate.wait], ["pause", 100]);
  assertEquals([take("messages", 1), rate.wait], ["pause", 500]);
  clock.advance(500);
  assertEquals(rate.wait, 0);
});

Deno.test("message rate: if the verdict is always to pause, it pauses before the message that exceeds the limit", () => {
  const { rate, clock } = started({ messages: 2, isPausing: true, verdictOn: () => "pause" });
  const take = () => rate.take("messages", 1, null);
  assertEquals([take(), take(), rate.wait], ["allow", "pause", 500]);
  clock.advance(500);
  assertEquals([rate.wait, take(), rate.wait], [0, "pause", 500]);
});

Deno.test("message rate: allowed excess is forgiven, and an error has the numbers", () => {
  const { rate } = started({ bytes: 10, verdictOn: () => "allow" });
  assertEquals([rate.take("bytes", 25, null), rate.wait], ["allow", 0]);
  assertEquals(rate.take("messages", 1000, null), "allow");
  const { rate: strict } = started({ bytes: 10 });
  assertEquals(strict.take("bytes", 25, null), "close");
  const { message, option, limit, actual } = strict.errorOf("bytes");
  assertEquals([option, limit, actual], ["rateLimit.bytes", 10, 25]);
  assertEquals(message, "The peer's input within 1000 ms exceeds rateLimit.bytes (10 bytes)");
});

Deno.test("message rate: errors of the user's function are reported, and close the channel", () => {
  const faults: unknown[] = [];
  const fail = (error: unknown): void => void faults.push(error);
  const thrown = new Error("broken");
  const throwing = verdictBy(() => {
    throw thrown;
  }, fail);
  assertEquals([throwing("bytes", null), faults], ["close", [thrown]]);
  assertEquals(verdictBy(() => Promise.reject(thrown), fail)("bytes", null), "close");
  assertEquals(verdictBy(() => "pause", fail)("bytes", null), "pause");
  assertEquals(faults.length, 2);
});
