import { assertEquals } from "@std/assert";
import { Attempt } from "../../src/web_socket/attempt.ts";
import { WebSocketChannelError } from "../../src/web_socket/errors.ts";
import type { ConnectDeadlineOptions } from "../../src/web_socket/options.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

function begin(
  options: ConnectDeadlineOptions,
  trace: Error | null = null,
): { attempt: Attempt; clock: ManualClock; told: unknown[] } {
  const clock = new ManualClock();
  const told: unknown[] = [];
  const attempt = new Attempt(
    {
      phase: () => "tls",
      url: () => "ws://a.test/",
      giveUp: (error, initiator) => told.push([error, initiator]),
    },
    options,
    clock,
    trace,
  );
  return { attempt, clock, told };
}

Deno.test("attempt: its timer keeps the process alive only while the channel does", () => {
  const { attempt, clock } = begin({ connectTimeout: 100 });
  const told: string[] = [];
  Object.assign(clock, { ref: () => told.push("ref"), unref: () => told.push("unref") });
  attempt.isRef = false;
  // The deadline then starts another timer.
  clock.advance(50);
  attempt.isRef = true;
  const count = told.length;
  clock.advance(10);
  assertEquals([told[0], told.at(-1), told.length], ["unref", "ref", count]);
  assertEquals(told.slice(1, -1).every((it) => it === "unref"), true);
  attempt.end();
  attempt.isRef = false;
  begin({ connectTimeout: 0 }).attempt.isRef = false;
  assertEquals(told.length, count);
});

Deno.test("attempt: the timeout names the phase", () => {
  const { clock, told } = begin({ connectTimeout: 100 });
  clock.advance(99);
  assertEquals(told, []);
  clock.advance(1);
  const [[error, initiator] = []] = told as [DOMException, string][];
  assertEquals([error?.name, initiator], ["TimeoutError", "timeout"]);
  const message = "Cannot connect to ws://a.test/: it took longer than 100 ms, in phase tls";
  assertEquals(error?.message, message);
});

Deno.test("attempt: its errors have the stack of the call that started it", () => {
  const trace = new Error("trace");
  for (const first of ["", "Error: trace\n", "Error\n"]) {
    trace.stack = `${first}    at caller (program.js:1:2)\n    at program.js:3:4`;
    const { attempt, clock, told } = begin({ connectTimeout: 100 }, trace);
    const error = new WebSocketChannelError("lost");
    attempt.locate(error);
    const frames = "    at caller (program.js:1:2)\n    at program.js:3:4";
    assertEquals(error.stack, `WebSocketChannelError: lost\n${frames}`);
    clock.advance(100);
    const [[late] = []] = told as [DOMException][];
    assertEquals(late?.stack, `TimeoutError: ${late?.message}\n${frames}`);
  }
  for (const stack of ["", "Error", undefined, [{}]]) {
    Object.assign(trace, { stack });
    const error = new WebSocketChannelError("lost");
    const before = error.stack;
    begin({}, trace).attempt.locate(error);
    begin({}).attempt.locate(error);
    assertEquals(error.stack, before);
  }
});

Deno.test("attempt: the attempt fails with the signal's reason", () => {
  const abort = new AbortController();
  const { told } = begin({ signal: abort.signal });
  abort.abort("enough");
  assertEquals(told, [["enough", "local"]]);
});

Deno.test("attempt: the signal and the timeout have no effect after the attempt has ended", () => {
  const abort = new AbortController();
  const { attempt, clock, told } = begin({ signal: abort.signal, connectTimeout: 100 });
  attempt.end();
  abort.abort();
  clock.advance(1000);
  assertEquals([told, clock.pending], [[], 0]);
});

Deno.test("attempt: a timeout of 0 disables it", () => {
  assertEquals(begin({ connectTimeout: 0 }).clock.pending, 0);
});
