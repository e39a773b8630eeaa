import { assertEquals, assertFalse, assertThrows } from "@std/assert";
import { isSendable } from "../../status.ts";
import { WebSocketChannel } from "../../mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import {
  checkCloseArguments,
  closeUnasked,
  unsendable,
  type WebSocketSink,
} from "../../src/web_socket/web_socket_sink.ts";

const check = (code?: number, reason?: string): void =>
  checkCloseArguments(code, reason, isSendable);

Deno.test("close arguments: none, a code, a code and a reason", () => {
  check();
  check(undefined, "");
  check(1000);
  check(1000, "");
  check(3005, "please close");
  check(4999, "x");
});

Deno.test("close arguments C2 C3 C4 G5 a code that must not be sent is a RangeError", () => {
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1, 1000.5, NaN]) {
    const error = assertThrows(() => check(code, "why"), RangeError);
    assertEquals(
      error.message,
      `Cannot close: the code must be one of 1000-1003, 1007-1014 and 3000-4999, got ${code}`,
    );
  }
  assertThrows(() => check("1000" as unknown as number), RangeError);
  assertThrows(() => check(null as unknown as number), RangeError);
});

Deno.test("close arguments G5 a reason needs a code", () => {
  const error = assertThrows(() => check(undefined, "why"), TypeError);
  assertEquals(error.message, 'Cannot close: a reason needs a code, got only "why"');
});

Deno.test("close arguments: a reason that is not a string is a TypeError", () => {
  const error = assertThrows(() => check(1000, 42 as unknown as string), TypeError);
  assertEquals(error.message, "Cannot close: the reason must be a string, got number");
});

Deno.test("close arguments C5 a reason is at most 123 bytes of UTF-8. RFC 6455 §5.5", () => {
  check(1000, "x".repeat(123));
  check(1000, "é".repeat(61));
  check(1000, "€".repeat(41));
  check(1000, "🎈".repeat(30) + "abc");
  for (
    const [reason, bytes] of [
      ["x".repeat(124), 124],
      ["é".repeat(62), 124],
      ["€".repeat(41) + "x", 124],
      ["🎈".repeat(31), 124],
      // A lone surrogate becomes U+FFFD: three bytes.
      ["\ud800".repeat(42), 126],
    ] as const
  ) {
    const error = assertThrows(() => check(1000, reason), SyntaxError);
    assertEquals(
      error.message,
      `Cannot close: the reason must be at most 123 bytes of UTF-8, got ${bytes}`,
    );
  }
});

Deno.test("close arguments: the error names the codes that can be sent", () => {
  const { message } = unsendable("x", "1000 only");
  assertEquals(message, "Cannot close: the code must be one of 1000 only, got a string");
});

Deno.test("closeUnasked: it closes like close, but drops the user's later messages, and the user may still close", async () => {
  const { client, server } = webSocketChannelPair();
  const { sink } = server;
  sink.add("before");
  const adding = sink.addStream((async function* () {
    yield "first";
    await new Promise(() => {});
  })());
  const source = adding.then(() => null, (error: Error) => error.name);
  assertEquals(await client.stream.next(), { done: false, value: "before" });
  closeUnasked(sink as unknown as WebSocketSink<never>, 1012, "restarting");
  assertEquals(server.state, "closing");
  // The stream ends at once, and an interrupted source rejects.
  assertEquals(await server.stream.next(), { done: true, value: undefined });
  assertEquals(await source, "InvalidStateError");
  assertFalse(sink.add("after"));
  const { code, reason, wasClean } = await client.closed;
  assertEquals([code, reason, wasClean], [1012, "restarting", true]);
  const info = await server.closed;
  assertEquals([info.sent?.code, info.initiator, info.dropped], [1012, "local", undefined]);
  await sink.close(4000);
  assertThrows(() => sink.add("after the user's own close"), DOMException);
});

Deno.test("closeUnasked: it checks its arguments first, the first call wins, and while connecting it ends the attempt", async () => {
  const { client, server } = webSocketChannelPair();
  const sink = server.sink as unknown as WebSocketSink<never>;
  assertThrows(() => closeUnasked(sink, 1005), RangeError);
  assertEquals(server.state, "open");
  closeUnasked(sink, 4001);
  closeUnasked(sink, 4002);
  assertEquals((await client.closed).code, 4001);
  const closed = webSocketChannelPair();
  void closed.server.sink.close(4003);
  closeUnasked(closed.server.sink as unknown as WebSocketSink<never>, 4004);
  assertEquals((await closed.client.closed).code, 4003);
  const connecting = WebSocketChannel.from(new Promise<WebSocket>(() => {}));
  closeUnasked(connecting.sink as unknown as WebSocketSink<never>, 1001);
  assertEquals((await connecting.closed).initiator, "local");
});
