import { assert, assertEquals } from "@std/assert";
import { asksForPatience, delayAfter, isWorthRetrying } from "../../src/reconnecting/back_off.ts";
import { SeededRandom } from "../../src/testing/random.ts";
import type { CloseInfo } from "../../src/web_socket/close_info.ts";
import {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
} from "../../src/web_socket/errors.ts";

const LOST: CloseInfo = { code: 1006, reason: "", wasClean: false, initiator: "transport" };

function closedWith(code: number): CloseInfo {
  return {
    code,
    reason: "",
    wasClean: true,
    initiator: "remote",
    received: { code, reason: "" },
    sent: { code, reason: "" },
  };
}

function failedWith(error: unknown): CloseInfo {
  return { ...LOST, error };
}

function refused(status: number, retryAfter: number | null = null): CloseInfo {
  return failedWith(new ConnectError("refused", { status, retryAfter }));
}

Deno.test("retry: follows the table of close codes", () => {
  const final = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 4401, 4403];
  for (const code of final) assertEquals(isWorthRetrying(closedWith(code)), false, `${code}`);
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3000, 4000, 4400, 4999]) {
    assertEquals(isWorthRetrying(closedWith(code)), true, `${code}`);
  }
  assertEquals(isWorthRetrying(LOST), true);
});

Deno.test("retry: the code with which this side failed the connection counts as well", () => {
  const sent = { code: 1009, reason: "" };
  assertEquals(isWorthRetrying({ ...LOST, initiator: "local", sent }), false);
  assertEquals(isWorthRetrying({ ...LOST, sent: { code: 1011, reason: "" } }), true);
});

Deno.test("retry: follows the table of HTTP statuses", () => {
  for (const status of [400, 401, 403, 404, 409, 410, 426, 501, 505, 301]) {
    assertEquals(isWorthRetrying(refused(status)), false, `${status}`);
  }
  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    assertEquals(isWorthRetrying(refused(status)), true, `${status}`);
  }
});

Deno.test("retry: permanent and temporary errors", () => {
  const limit = { option: "maxMessageSize", limit: 1, actual: 2 };
  for (
    const error of [
      new UnsupportedError("tls", "browser"),
      new LimitError("A message", limit),
      new ProtocolError("wrong", 1002),
      new ConnectError("a wrong certificate", { retryable: false }),
    ]
  ) assertEquals(isWorthRetrying(failedWith(error)), false, error.message);
  for (
    const error of [
      new ConnectError("no route", { phase: "tcp" }),
      new TypeError("fetch failed"),
      new DOMException("late", "TimeoutError"),
      "a text",
      undefined,
    ]
  ) assertEquals(isWorthRetrying(failedWith(error)), true, String(error));
});

const TIMES = { firstDelay: 500, maxDelay: 30_000 };

Deno.test("back-off: the delay is a random part of a bound that doubles up to the maximum", () => {
  const bounds = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
  for (const [failures, bound] of bounds.entries()) {
    for (const part of [0, 0.25, 0.999]) {
      const delay = delayAfter(failures, LOST, { ...TIMES, random: () => part });
      assertEquals(delay, part * bound, `after ${failures} failures`);
    }
  }
  for (const failures of [1000, 1e9]) {
    assertEquals(delayAfter(failures, LOST, { ...TIMES, random: () => 1 }), 30_000);
  }
  const none = { firstDelay: 0, maxDelay: 0, random: () => 0.9 };
  assertEquals([delayAfter(0, LOST, none), delayAfter(99, LOST, none)], [0, 0]);
  // After so many doublings the number is Infinity, and 0 times Infinity is NaN.
  assertEquals(delayAfter(5000, LOST, { ...none, maxDelay: 100 }), 0);
});

Deno.test("back-off: the delay is retryAfter plus the random part", () => {
  const random = (): number => 0.5;
  assertEquals(delayAfter(0, refused(503, 7000), { ...TIMES, random }), 7250);
  assertEquals(delayAfter(0, refused(503), { ...TIMES, random }), 250);
});

Deno.test("back-off: the delay after 1012 and 1013 is 5 to 30 seconds", () => {
  for (const code of [1012, 1013]) {
    const at = (part: number): number =>
      Math.round(delayAfter(0, closedWith(code), { ...TIMES, random: () => part }));
    assertEquals([at(0), at(0.5), at(1)], [5000, 17_500, 30_000]);
  }
  const random = new SeededRandom(12);
  const all = Array.from(
    { length: 1000 },
    () => delayAfter(3, closedWith(1012), { ...TIMES, random: () => random.fraction() }),
  );
  assert(all.every((it) => it >= 5000 && it < 30_000));
});

Deno.test("back-off: the delay is never shorter than the server asks for", () => {
  assertEquals([1012, 1013, 1001].map((it) => asksForPatience(closedWith(it))), [
    true,
    true,
    false,
  ]);
  assertEquals([refused(503, 5), refused(503), LOST].map(asksForPatience), [true, false, false]);
});
