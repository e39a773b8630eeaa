import { assertEquals } from "@std/assert";
import { Attempt } from "../../src/web_socket/attempt.ts";
import type { ConnectDeadlineOptions } from "../../src/web_socket/options.ts";
import { FakeClock } from "../support/fake_clock.ts";

function begin(
  options: ConnectDeadlineOptions,
): { attempt: Attempt; clock: FakeClock; told: unknown[] } {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const attempt = new Attempt(
    {
      phase: () => "tls",
      giveUp: (error, initiator) => told.push([error, initiator]),
    },
    options,
    clock,
  );
  return { attempt, clock, told };
}

Deno.test("attempt: the timeout names the phase", () => {
  const { clock, told } = begin({ connectTimeout: 100 });
  clock.advance(99);
  assertEquals(told, []);
  clock.advance(1);
  const [[error, initiator] = []] = told as [DOMException, string][];
  assertEquals([error?.name, initiator], ["TimeoutError", "timeout"]);
  assertEquals(error?.message, "Connecting took longer than 100 ms, in phase tls");
});

Deno.test("attempt: the signal's reason is the error", () => {
  const abort = new AbortController();
  const { told } = begin({ signal: abort.signal });
  abort.abort("enough");
  assertEquals(told, [["enough", "local"]]);
});

Deno.test("attempt: once it is over neither counts", () => {
  const abort = new AbortController();
  const { attempt, clock, told } = begin({ signal: abort.signal, connectTimeout: 100 });
  attempt.end();
  abort.abort();
  clock.advance(1000);
  assertEquals([told, clock.pending], [[], 0]);
});

Deno.test("attempt: 0 is no timeout", () => {
  assertEquals(begin({ connectTimeout: 0 }).clock.pending, 0);
});
