import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import * as status from "../../status.ts";
import { assertInvalidState } from "../support/events.ts";
import { assertEchoes, closing, collect, type Suite } from "./suite.ts";
import { rejection } from "../support/promises.ts";

/** The user closes the channel. */
export function testLocalClose({ test, traits }: Suite): void {
  test("C1 G9 closing ends the stream at once: later messages of the peer are not delivered", async (context) => {
    const { channel } = await context.open("flood");
    const closed = channel.sink.close();
    const { messages, errors } = await collect(channel);
    assertEquals(messages, []);
    assertEquals(errors, []);
    await closed;
  });

  test("G9 messages between our Close and the peer's are not delivered", async (context) => {
    const { channel } = await context.open("messages-after-close");
    const collected = collect(channel);
    await channel.sink.close(3000);
    assertEquals((await collected).messages, []);
  });

  const codes: [id: string, code: number | undefined, reason: string | undefined][] = [
    ["C6", undefined, undefined],
    ["C7", 1000, undefined],
    ["C8", 3000, undefined],
    ["C9", 4999, undefined],
    ["C10", 3000, "Client initiated closure"],
    ["C52 (changed)", 3005, "please close"],
  ];
  for (const [id, code, reason] of codes) {
    test(`${id} close(${code ?? ""}) sends its code to the peer, which answers with the same code`, async (context) => {
      const { channel, server } = await context.open("watch");
      const collected = collect(channel);
      const closed = channel.sink.close(code, reason);
      assertEquals(channel.state, "closing");
      await closed;
      const content = { code: code ?? 1005, reason: reason ?? "" };
      assertEquals(await server.next("close"), { kind: "close", ...content });
      assertEquals((await collected).messages, []);
      assertEquals(await channel.closed, {
        ...content,
        wasClean: true,
        initiator: "local",
        sent: content,
        received: content,
      });
      assertEquals(channel.closeCode, content.code);
      assertEquals(channel.closeReason, content.reason);
      assertEquals(channel.state, "closed");
    });
  }

  test("the first page's close(goingAway) works everywhere, and closed reports what was sent", async (context) => {
    const { channel, server } = await context.open("watch");
    await channel.sink.close(status.goingAway, "bye");
    const { sent } = await channel.closed;
    const code = traits.allCloseCodes ? status.goingAway : status.normalClosure;
    assertEquals(sent, { code, reason: "bye" });
    assertEquals(await server.next("close"), { kind: "close", code, reason: "bye" });
  });

  test("C2 C3 C4 C5 G5 a bad code or reason throws at once, and the channel stays usable", async (context) => {
    const { channel, server } = await context.open("echo");
    const { sink } = channel;
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, 1000.5, NaN]) {
      assertThrows(() => sink.close(code), RangeError, String(code));
    }
    assertThrows(() => sink.close(3000, "x".repeat(124)), SyntaxError, "124");
    assertThrows(() => sink.close(3000, "é".repeat(62)), SyntaxError, "124");
    assertThrows(() => sink.close(undefined, "why"), TypeError, "why");
    assertEquals(channel.state, "open");
    await assertEchoes(channel, "unharmed");
    const reason = "é".repeat(61) + "x";
    await sink.close(3000, reason);
    assertEquals(await server.next("close"), { kind: "close", code: 3000, reason });
  });

  if (traits.allCloseCodes) {
    test("every code that RFC 6455 allows an endpoint to send is sent", async (context) => {
      const server = await context.start("watch");
      for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]) {
        const channel = context.connect(server.url);
        await channel.ready;
        await channel.sink.close(code, "x");
        assertEquals(await server.next("close"), { kind: "close", code, reason: "x" });
      }
    });
  } else {
    test("G5 a code that this transport can't send is a RangeError, and the channel stays usable", async (context) => {
      const { channel } = await context.open("echo");
      for (const code of [1002, 1003, 1008, 1011, 1014]) {
        assertThrows(() => channel.sink.close(code, "x"), RangeError, String(code));
      }
      assertEquals(channel.state, "open");
      await assertEchoes(channel, "unharmed");
    });
  }

  test("C11 (changed) the first of two calls wins; both return done", async (context) => {
    const { channel, server } = await context.open("watch");
    const first = channel.sink.close(3000, "first");
    assertStrictEquals(channel.sink.close(3001, "second"), first);
    assertStrictEquals(channel.sink.done, first);
    await first;
    assertEquals(await server.next("close"), { kind: "close", code: 3000, reason: "first" });
  });

  test("C12 C13 G11 add after close throws, also when the connection has ended", async (context) => {
    const { channel } = await context.open("watch");
    const closed = channel.sink.close();
    const attempts = [
      () => channel.sink.add("x"),
      () => channel.sink.add(new Uint8Array(10)),
      () => channel.sink.addError(new Error("x")),
      () => channel.sink.addStream([]),
    ];
    for (const attempt of attempts) assertInvalidState(attempt);
    await closed;
    for (const attempt of attempts) assertInvalidState(attempt);
  });

  test("C45 S122 messages added before close() are sent before the Close", async (context) => {
    const { channel, server } = await context.open("watch");
    for (let i = 0; i < 100; i++) channel.sink.add(`message ${i}`);
    await channel.sink.close(3000);
    for (let i = 0; i < 100; i++) {
      assertEquals(await server.next("message"), { kind: "message", text: `message ${i}` });
    }
    assertEquals(await server.next("close"), { kind: "close", code: 3000, reason: "" });
  });

  test("C66 (changed) G3 closing while connecting ends the attempt: ready rejects, the stream ends without an error", async (context) => {
    const { channel, server } = await context.meet("slow-upgrade");
    channel.sink.add("discarded");
    await server.next("request");
    const collected = collect(channel);
    const closed = channel.sink.close(3678, "raisin");
    assertEquals(channel.state, "closed");
    const error = await rejection(channel.ready);
    assertEquals((error as DOMException).name, "AbortError");
    await closed;
    const { messages, errors } = await collected;
    assertEquals([messages, errors], [[], []]);
    assertEquals(await closing(channel), {
      code: 1006,
      reason: "",
      wasClean: false,
      initiator: "local",
      dropped: "discarded".length,
    });
    server.release();
    await server.next("disconnect");
    assertFalse((await server.queued()).some((event) => event.kind === "message"));
  });

  test("G3 closing while the server is silent settles at once", async (context) => {
    const { channel } = await context.meet("silent");
    await channel.sink.close();
    await assertRejects(() => channel.ready, DOMException);
  });

  test("C70 (changed) connecting within connectTimeout, then closing", async (context) => {
    const { channel, server } = await context.open("watch", {}, { connectTimeout: 10_000 });
    await channel.sink.close(3678, "raisin");
    assertEquals(await server.next("close"), { kind: "close", code: 3678, reason: "raisin" });
  });

  test("G6 a peer never answers the Close: the channel ends after closeTimeout", async (context) => {
    const { channel, server } = await context.open("never-close", {}, { closeTimeout: 50 });
    const collected = collect(channel);
    await channel.sink.close(3000, "bye");
    assertEquals(await server.next("close"), { kind: "close", code: 3000, reason: "bye" });
    assertEquals(await closing(channel), {
      code: 1006,
      reason: "",
      wasClean: false,
      initiator: "timeout",
      sent: { code: 3000, reason: "bye" },
    });
    assertEquals((await collected).errors, []);
    assertEquals(channel.closeCode, 1006);
  });

  test("G7 a peer answers the Close and leaves TCP open: the channel ends in bounded time", async (context) => {
    const { channel } = await context.open("close-keeps-tcp", {}, { closeTimeout: 50 });
    await channel.sink.close(3000, "bye");
    const content = { code: 3000, reason: "bye" };
    const expected = traits.seesCloseBeforeTcpEnds
      ? { ...content, wasClean: true, initiator: "local", sent: content, received: content }
      : { code: 1006, reason: "", wasClean: false, initiator: "timeout", sent: content };
    assertEquals<unknown>(await closing(channel), expected);
  });

  test("terminate ends the connection at once, without a closing handshake", async (context) => {
    const { channel, server } = await context.open("watch");
    const collected = collect(channel);
    channel.terminate();
    assertEquals(channel.state, "closed");
    channel.terminate();
    assertEquals(await closing(channel), {
      code: 1006,
      reason: "",
      wasClean: false,
      initiator: "local",
    });
    assertEquals((await collected).errors, []);
    assertFalse(channel.sink.add("dropped"));
    await channel.sink.close();
    await server.next("close");
  });

  test("await using's dispose closes, and never rejects", async (context) => {
    const { channel, server } = await context.open("watch");
    await channel[Symbol.asyncDispose]();
    assertEquals(await server.next("close"), { kind: "close", code: 1005, reason: "" });
    await channel[Symbol.asyncDispose]();
    const failed = context.connect(server.url, { signal: AbortSignal.abort() });
    await failed[Symbol.asyncDispose]();
  });

  test("closing the writable closes; cancelling the readable closes", async (context) => {
    const { channel, server } = await context.open("watch");
    await channel.writable.close();
    assertEquals(await server.next("close"), { kind: "close", code: 1005, reason: "" });
    const other = context.connect(server.url);
    await other.ready;
    await other.readable.cancel();
    assertEquals(await server.next("close"), { kind: "close", code: 1005, reason: "" });
    assert((await other.closed).wasClean);
  });
}
