import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ResponseHead } from "../../src/handshake/http_head.ts";
import { BodyStream } from "../../src/web_socket/body_stream.ts";
import { type Answer, Exchange } from "../../src/web_socket/exchange.ts";
import { WebSocketChannelError } from "../../src/web_socket/errors.ts";
import { microtasks, settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FakeWire } from "./support.ts";
import { deferred } from "../support/promises.ts";

const encoder = new TextEncoder();

Deno.test("body stream: it pauses the wire at 64 KiB of unread bytes, and resumes it when they are read", async () => {
  const wire = new FakeWire();
  const stream = new BodyStream(wire);
  await microtasks();
  const chunk = new Uint8Array(40_000).fill(7);
  stream.add(chunk);
  assertEquals(wire.isPaused, false);
  stream.add(chunk);
  assertEquals(wire.isPaused, true);
  const reader = stream.readable.getReader();
  const { value } = await reader.read();
  assertEquals([value?.length, value?.at(-1)], [40_000, 7]);
  await microtasks();
  assertEquals(wire.isPaused, false);
  await reader.read();
  stream.end();
  assertEquals((await reader.read()).done, true);
});

Deno.test("body stream: after cancelling or a failure, it resumes the wire and accepts no more bytes", async () => {
  for (const end of ["cancel", "fail"] as const) {
    const wire = new FakeWire();
    const stream = new BodyStream(wire);
    await microtasks();
    stream.add(new Uint8Array(70_000));
    assert(wire.isPaused);
    if (end === "cancel") await stream.readable.cancel();
    else stream.fail(new Error("over"));
    assertEquals(wire.isPaused, false);
    stream.add(new Uint8Array(70_000));
    stream.end();
    stream.fail(new Error("again"));
    assertEquals(wire.isPaused, false);
  }
});

/** A response whose body a hook reads. */
interface Read {
  readonly wire: FakeWire;
  readonly clock: ManualClock;
  readonly exchange: Exchange;
  readonly answer: Promise<Answer>;
  readonly head: ResponseHead | null;
  readonly body: ReadableStream<Uint8Array>;
  /** Lets the hook return. */
  done(): Promise<void>;
  receive(text: string): void;
}

function read(fields: string): Read {
  const wire = new FakeWire();
  const clock = new ManualClock();
  const exchange = new Exchange(wire, { clock, ms: 1000 });
  const hook = deferred();
  let head: ResponseHead | null = null;
  let body: ReadableStream<Uint8Array> | null = null;
  const answer = exchange.send(encoder.encode("GET"), {
    isBare: ({ status }) => status === 101,
    wantsBody: () => true,
    onBody: (seen, stream) => {
      head = seen;
      body = stream;
      return hook.promise;
    },
  });
  answer.catch(() => {});
  const receive = (text: string): void => wire.receive(encoder.encode(text));
  receive(`HTTP/1.1 400 Bad\r\n${fields}\r\n`);
  if (body === null) throw new Error("There was no body");
  const done = (): Promise<void> => {
    hook.resolve();
    return microtasks();
  };
  return { wire, clock, exchange, answer, head, body, done, receive };
}

/** A `Response` is not used here: browsers replace a stream's error. */
async function text(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let whole = "";
  for (const reader = stream.getReader();;) {
    const { value, done } = await reader.read();
    if (done) return whole + decoder.decode();
    whole += decoder.decode(value, { stream: true });
  }
}

Deno.test("refusal's stream: it delivers the whole body, also beyond 64 KiB; the response keeps the beginning", async () => {
  for (
    const [fields, wrap] of [
      ["Content-Length: 200000\r\n", (it: string) => it],
      ["Transfer-Encoding: chunked\r\n", (it: string) => `${it.length.toString(16)}\r\n${it}\r\n`],
    ] as const
  ) {
    const it = read(fields);
    const whole = text(it.body);
    for (let i = 0; i < 20; i++) {
      it.receive(wrap(`${i % 10}`.repeat(10_000)));
      await microtasks();
    }
    if (fields.startsWith("Tr")) it.receive("0\r\n\r\n");
    const received = await whole;
    assertEquals([received.length, received.at(-1)], [200_000, "9"]);
    // The exchange waits for the hook.
    assertEquals(await settled(it.answer), false);
    await it.done();
    assertEquals((await it.answer).body.length, 65_536);
    assertEquals(it.clock.pending, 0);
  }
});

Deno.test("refusal's stream: a body can end with the connection", async () => {
  const it = read("");
  it.receive("go away");
  it.wire.finish();
  assertEquals(await text(it.body), "go away");
  await it.done();
  assertEquals(new TextDecoder().decode((await it.answer).body), "go away");
});

Deno.test("refusal's stream: a truncated body is an error, not an end", async () => {
  for (
    const [fields, failure] of [
      ["Content-Length: 99\r\n", null],
      ["Transfer-Encoding: chunked\r\n", null],
      ["", { error: new Error("reset") }],
    ] as const
  ) {
    const it = read(fields);
    it.receive("5\r\nab");
    it.wire.finish(failure ?? undefined);
    await assertRejects(() => text(it.body), WebSocketChannelError, "it is truncated or malformed");
    await it.done();
    assert((await it.answer).body.length > 0);
  }
});

Deno.test("refusal's stream: wrong framing of a chunked body is an error, not an end", async () => {
  for (const rest of ["\r\nzz\r\nmore", `\r\n5;${"x".repeat(300)}`]) {
    const it = read("Transfer-Encoding: chunked\r\n");
    it.receive(`5\r\nhello${rest}`);
    await assertRejects(() => text(it.body), WebSocketChannelError, "it is truncated or malformed");
    await it.done();
    assertEquals(new TextDecoder().decode((await it.answer).body), "hello");
  }
});

Deno.test("refusal's stream: it is unreadable after the hook returns; the exchange still waits for the beginning", async () => {
  const it = read("Content-Length: 9\r\n");
  it.receive("go ");
  await it.done();
  await assertRejects(() => text(it.body), WebSocketChannelError, "onRefusal has returned");
  assertEquals(await settled(it.answer), false);
  it.receive("away\r\n");
  assertEquals(new TextDecoder().decode((await it.answer).body), "go away\r\n");
  const endless = read("");
  endless.receive("x");
  await endless.done();
  assertEquals(await settled(endless.answer), false);
  endless.clock.advance(1000);
  assertEquals((await endless.answer).body.length, 1);
});

Deno.test("refusal's stream: cancelling the exchange fails the stream and leaves no timer", async () => {
  const it = read("");
  it.exchange.destroy();
  await assertRejects(
    () => text(it.body),
    WebSocketChannelError,
    "the attempt to connect was abandoned",
  );
  await it.done();
  assertEquals([await settled(it.answer), it.clock.pending], [false, 0]);
});

Deno.test("attack 65: body stream: the limit includes the overhead of small chunks", async () => {
  const wire = new FakeWire();
  const stream = new BodyStream(wire);
  await microtasks();
  let added = 0;
  for (; !wire.isPaused && added < 1000; added++) stream.add(Uint8Array.of(1));
  assert(added < 300, `${added}`);
});
