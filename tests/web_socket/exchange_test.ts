import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects } from "@std/assert";
import { HandshakeError } from "../../src/handshake/handshake_error.ts";
import {
  type Answer,
  type AnswerOptions,
  Exchange,
  NoAnswer,
} from "../../src/web_socket/exchange.ts";
import type { WireEvents } from "../../src/web_socket/wire.ts";
import { settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FakeWire } from "./support.ts";
import { utf8 } from "../support/bytes.ts";

/** A request that is sent, and its result. */
interface Sent {
  readonly wire: FakeWire;
  readonly clock: ManualClock;
  readonly exchange: Exchange;
  readonly answer: Promise<Answer>;
  receive(text: string): void;
}

const OPTIONS: AnswerOptions = {
  isBare: ({ status }) => status === 101,
  wantsBody: () => true,
};

function send(options: Partial<AnswerOptions> = {}): Sent {
  const wire = new FakeWire();
  const clock = new ManualClock();
  const exchange = new Exchange(wire, { clock, ms: 1000 });
  const answer = exchange.send(utf8("GET"), { ...OPTIONS, ...options });
  answer.catch(() => {});
  return { wire, clock, exchange, answer, receive: (text) => wire.receive(utf8(text)) };
}

function text({ body }: Answer): string {
  return new TextDecoder().decode(body);
}

/** The bytes and events that the wire's next owner receives. */
function taker(): WireEvents & { readonly log: unknown[] } {
  const log: unknown[] = [];
  return {
    log,
    onChunk: (chunk) => void log.push(new TextDecoder().decode(chunk)),
    onDrain: () => void log.push("drain"),
    onEnded: (failure) => void log.push(["over", failure]),
    onEnd: (failure) => void log.push(["end", failure]),
  };
}

const ACCEPTED = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

Deno.test("exchange attack 28: a response in chunks of any size, with bytes after it", async () => {
  const whole = send();
  assertEquals(whole.wire.sent(), "474554");
  whole.receive(`${ACCEPTED}frames`);
  const { head, body } = await whole.answer;
  assertEquals([head.status, body.length, whole.exchange.hasRest], [101, 0, true]);
  const bytewise = send();
  for (const character of ACCEPTED) {
    assertFalse(await settled(bytewise.answer));
    bytewise.receive(character);
  }
  assertEquals([(await bytewise.answer).head.status, bytewise.exchange.hasRest], [101, false]);
});

Deno.test("exchange: the wire's next owner first receives the bytes that arrived meanwhile, in order", async () => {
  const { wire, exchange, answer, receive } = send();
  receive(`${ACCEPTED}a`);
  await answer;
  receive("b");
  const events = taker();
  exchange.handOver(events);
  assertEquals(events.log, ["a", "b"]);
  receive("c");
  wire.finish();
  assertEquals(events.log, ["a", "b", "c", ["end", null]]);
  assertEquals(wire.log, []);
});

Deno.test("exchange: a wire that ends before its next owner takes it over", async () => {
  const ended = send();
  ended.receive(`${ACCEPTED}a`);
  ended.wire.finish();
  await ended.answer;
  const events = taker();
  ended.exchange.handOver(events);
  assertEquals(events.log, ["a", ["end", null]]);
  const lost = send();
  const failure = { error: new Error("reset") };
  lost.receive(`${ACCEPTED}a`);
  lost.wire.break(failure);
  lost.receive("b");
  lost.wire.finish(failure);
  await lost.answer;
  const others = taker();
  lost.exchange.handOver(others);
  // This comes first, so that a reader without room does not hold back the buffered bytes.
  assertEquals(others.log, [["over", failure], "a", "b", ["end", failure]]);
});

Deno.test("exchange: it keeps bytes that arrive meanwhile unchanged, also if the wire reuses its chunks", async () => {
  const { wire, exchange, answer } = send();
  const chunk = utf8(`${ACCEPTED}abc`);
  wire.receive(chunk);
  chunk.fill(0);
  await answer;
  const other = utf8("def");
  wire.receive(other);
  other.fill(0);
  const events = taker();
  exchange.handOver(events);
  assertEquals(events.log, ["abc", "def"]);
});

Deno.test("exchange: it waits for a body until it is complete", async () => {
  const { answer, receive, clock } = send();
  receive("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nhel");
  assertFalse(await settled(answer));
  receive("lo, and more");
  assertEquals([text(await answer), clock.pending], ["hello", 0]);
});

Deno.test("exchange: it does not wait for a body that is complete or absent", async () => {
  for (
    const [rest, body] of [
      ["401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", "no"],
      ["401 Unauthorized\r\nContent-Length: 0\r\n\r\n", ""],
      ["304 Not Modified\r\n\r\n", ""],
    ] as const
  ) {
    const { answer, receive, clock } = send();
    receive(`HTTP/1.1 ${rest}`);
    assertEquals([text(await answer), clock.pending], [body, 0]);
  }
});

Deno.test("exchange: it does not wait for an unwanted body", async () => {
  const { answer, receive, clock } = send({ wantsBody: ({ status }) => status !== 302 });
  receive("HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nhe");
  assertEquals([(await answer).head.status, clock.pending], [302, 0]);
});

Deno.test("exchange: a body ends with the wire, for whatever reason the wire ends", async () => {
  for (const failure of [null, { error: new Error("reset") }]) {
    const { wire, answer, receive, clock } = send();
    receive("HTTP/1.1 400 Bad Request\r\n\r\nbecause");
    assertFalse(await settled(answer));
    wire.finish(failure);
    assertEquals([text(await answer), clock.pending], ["because", 0]);
  }
});

Deno.test("exchange: a timeout cuts off a body that never ends", async () => {
  const { answer, receive, clock } = send();
  receive("HTTP/1.1 400 Bad Request\r\n\r\nbe");
  for (let i = 0; i < 9; i++) {
    clock.advance(100);
    receive("c");
  }
  assertFalse(await settled(answer));
  clock.advance(100);
  assertEquals([text(await answer), clock.pending], ["beccccccccc", 0]);
});

Deno.test("exchange: a wire that ends before the response causes NoAnswer, with the cause", async () => {
  for (const begun of ["", "HTTP/1.1 101 Switching"]) {
    const lost = send();
    lost.receive(begun);
    const error = new Error("reset");
    lost.wire.finish({ error });
    assertEquals((await assertRejects(() => lost.answer, NoAnswer)).cause, error);
    const ended = send();
    ended.receive(begun);
    ended.wire.finish();
    assertFalse("cause" in await assertRejects(() => ended.answer, NoAnswer));
  }
});

Deno.test("exchange: a response that is not HTTP, and bytes that arrive after it", async () => {
  const { answer, receive } = send();
  receive("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  receive("more");
  assertInstanceOf(await answer.catch((error: unknown) => error), HandshakeError);
});

Deno.test("exchange: destroying it ends the wire, settles nothing, and leaves no timer", async () => {
  const { wire, clock, exchange, answer, receive } = send();
  receive("HTTP/1.1 400 Bad Request\r\n\r\nbe");
  assertEquals(clock.pending, 1);
  exchange.destroy();
  assertEquals([wire.log, clock.pending], [["destroy"], 0]);
  assertFalse(await settled(answer));
});

Deno.test("exchange: ref and unref call the wire's; a lower buffered amount has no effect", () => {
  const { wire, exchange } = send();
  exchange.unref();
  exchange.ref();
  wire.watch();
  wire.drain();
  assertEquals(wire.log, ["unref", "ref"]);
  assert(!exchange.hasRest);
});
