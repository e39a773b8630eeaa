import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { WebSocketChannelError } from "../../mod.ts";
import { closing, collect, type Suite } from "./suite.ts";
import { nextMessage } from "../support/events.ts";

/** The peer closes the connection, or the connection is lost. */
export function testRemoteClose({ test, traits }: Suite): void {
  const content = { code: 4123, reason: "server closed the connection" };

  test("C14 the peer closes: the stream ends, and the close code is set by then", async (context) => {
    const { channel } = await context.open("close");
    const collected = collect(channel);
    channel.sink.add("go");
    assertEquals(await collected, {
      messages: [],
      errors: [],
      closeCode: content.code,
      closeReason: content.reason,
    });
    assertEquals(await closing(channel), {
      ...content,
      wasClean: true,
      initiator: "remote",
      received: content,
      // RFC 6455 §5.5.1: we answer the Close. The platform's own WebSocket doesn't report its answer.
      ...(traits.ownProtocol ? { sent: content } : {}),
    });
    await channel.sink.done;
    assertEquals(channel.state, "closed");
  });

  test("C15 C16 (changed) G11 add after the peer closed returns false", async (context) => {
    const { channel } = await context.open("close");
    channel.sink.add("go");
    await channel.closed;
    assertFalse(channel.sink.add("dropped"));
    assertFalse(channel.sink.add(new Uint8Array(10)));
    await assertRejects(() => channel.sink.addStream(["dropped"]));
    await assertRejects(() => channel.sink.flush());
  });

  test("C17 (changed) S129 close after the peer closed fulfils", async (context) => {
    const { channel } = await context.open("close");
    channel.sink.add("go");
    await channel.closed;
    assertStrictEquals(channel.sink.close(3000, "late"), channel.sink.done);
    await channel.sink.done;
    assertEquals(channel.closeCode, content.code);
  });

  test("C51 the channel notices the peer's close without any reader", async (context) => {
    const { channel } = await context.open("echo-close");
    channel.sink.add("close");
    await channel.closed;
    assertEquals(channel.closeCode, 3001);
    assertEquals(channel.closeReason, "you asked me to");
    await channel.sink.close();
  });

  test("C63 messages, then the peer's close", async (context) => {
    const { channel } = await context.open("greeting");
    const messages: unknown[] = [];
    const over = new Promise<void>((resolve) => {
      channel.stream.listen((message) => {
        messages.push(message);
        if (message === "hello!") channel.sink.add("ping");
      }, { onDone: resolve });
    });
    await over;
    assertEquals(messages, ["hello!", "pong"]);
    assertEquals([channel.closeCode, channel.closeReason], [3678, "raisin"]);
  });

  test("messages received before the peer's close can be read after it", async (context) => {
    const messages = ["one", "two", "three"];
    const { channel } = await context.open("push", { messages, code: 4000 });
    await channel.closed;
    const got: unknown[] = [];
    for await (const message of channel.stream) got.push(message);
    assertEquals(got, messages);
  });

  test("the peer closes without a code: 1005", async (context) => {
    const { channel } = await context.open("raw", { frames: "88 00", then: "end" });
    const info = await closing(channel);
    if (traits.mayLoseAnswer && info.sent === undefined) {
      assertEquals([info.code, info.initiator, info.wasClean], [1005, "remote", false]);
      return;
    }
    assertEquals(info, {
      code: 1005,
      reason: "",
      wasClean: true,
      initiator: "remote",
      received: { code: 1005, reason: "" },
      ...(traits.ownProtocol ? { sent: { code: 1005, reason: "" } } : {}),
    });
  });

  test("C20 the connection is lost: the stream ends without an error, with 1006", async (context) => {
    const { channel } = await context.open("destroy");
    channel.sink.add("lost");
    assertEquals(await collect(channel), {
      messages: [],
      errors: [],
      closeCode: 1006,
      closeReason: "",
    });
    // Only the transport knows whether it had taken the message by then.
    const { dropped, ...rest } = await closing(channel);
    assertEquals(rest, { code: 1006, reason: "", wasClean: false, initiator: "transport" });
    assertEquals(dropped ?? 0, channel.sink.bufferedAmount);
    assertInstanceOf((await channel.closed).error, WebSocketChannelError);
  });

  const broken: [name: string, recipe: "bad-utf8" | "garbage", sent: number][] = [
    ["C18 a close reason that isn't UTF-8", "bad-utf8", 1007],
    ["C30 C31 bytes that are no frame", "garbage", 1002],
  ];
  for (const [name, recipe, code] of broken) {
    test(`${name}: the stream ends without an error, with 1006`, async (context) => {
      const { channel } = await context.open(recipe, {}, { closeTimeout: 50 });
      channel.sink.add("hello");
      const { messages, errors, closeCode } = await collect(channel);
      assertEquals([messages, errors, closeCode], [[], [], 1006]);
      const info = await channel.closed;
      assertEquals([info.code, info.reason, info.wasClean], [1006, "", false]);
      assertInstanceOf(info.error, WebSocketChannelError);
      if (!traits.ownProtocol) return;
      assertEquals(info.initiator, "protocol-error");
      if (traits.mayLoseAnswer && info.sent === undefined) return;
      assertEquals(info.sent?.code, code);
    });
  }

  test("the peer sends a Close and leaves TCP open: the channel ends in bounded time", async (context) => {
    const { channel } = await context.open("server-close-keeps-tcp", {}, { closeTimeout: 50 });
    const { messages, errors } = await collect(channel);
    assertEquals([messages, errors], [[], []]);
    const info = await closing(channel);
    if (traits.seesCloseBeforeTcpEnds) {
      assertEquals([info.code, info.reason, info.initiator], [4123, content.reason, "remote"]);
    } else {
      assertEquals([info.code, info.wasClean, info.initiator], [1006, false, "timeout"]);
    }
    assertFalse(channel.sink.add("dropped"));
  });

  test("G16 Pings are answered without any reader", async (context) => {
    const { channel, server } = await context.open("ping", { text: "alive?" });
    assertEquals(await server.next("pong"), { kind: "pong", payload: "616c6976653f" });
    channel.sink.add("still here");
    assertEquals(await nextMessage(channel), "still here");
  });

  test("G17 S20 guarantee 5: after a break out of the loop the channel works, and notices the peer's close", async (context) => {
    const { channel, server } = await context.open("echo-close");
    channel.sink.add("one");
    for await (const message of channel.stream) {
      assertEquals(message, "one");
      break;
    }
    assertEquals(channel.state, "open");
    assert(channel.sink.add("two"));
    await server.next("message");
    assertEquals(await server.next("message"), { kind: "message", text: "two" });
    channel.sink.add("close");
    assertEquals((await channel.closed).code, 3001);
  });

  test("G8 both ends close at once: the channel ends, with the local side as initiator", async (context) => {
    const { channel } = await context.open("close", {}, { closeTimeout: 2_000 });
    channel.sink.add("go");
    await channel.sink.close(3000, "mine");
    const info = await closing(channel);
    assertEquals([info.wasClean, info.initiator, info.sent?.code], [true, "local", 3000]);
    // Which Close arrives first is the network's choice.
    assert(info.code === 4123 || info.code === 3000, `code ${info.code}`);
  });
}
