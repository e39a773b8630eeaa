import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  type ConnectOptions,
  type IncomingMessage,
  LimitError,
  type Message,
  UnsupportedError,
  type WebSocketChannel,
} from "../../mod.ts";
import { joined, utf8 } from "../support/bytes.ts";
import { nextMessage } from "../support/events.ts";
import { deferred, rejection } from "../support/promises.ts";
import type { Suite } from "./suite.ts";

const STREAMED: ConnectOptions = { streamLargerThan: 1000, maxMessageSize: 1_000_000 };
const TEXT = "aé€🎨 ".repeat(1000);

function* chunks(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function next(channel: WebSocketChannel): Promise<Message | IncomingMessage> {
  return await nextMessage(channel) as Message | IncomingMessage;
}

async function nextLarge(channel: WebSocketChannel): Promise<IncomingMessage> {
  const message = await next(channel);
  assert(typeof message === "object" && "readable" in message, "the message is whole");
  return message;
}

async function read({ readable }: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of readable) parts.push(typeof part === "string" ? utf8(part) : part);
  return joined(parts);
}

/** Messages that are sent and received as streams. */
export function testLarge({ test, traits }: Suite): void {
  if (!traits.ownProtocol) {
    test("W21 messages as streams: a transport that can't send them throws, and stays usable", async (context) => {
      const { channel } = await context.open("echo");
      assertThrows(
        () => channel.sink.addMessage(["a"], { kind: "text" }),
        UnsupportedError,
        "messageStreams",
      );
      assertEquals(channel.capabilities.messageStreams, false);
      channel.sink.add("b");
      assertEquals(await next(channel), "b");
    });
    return;
  }

  for (const kind of ["text", "binary"] as const) {
    test(`W21 messages as streams: ${kind}, cut anywhere, is echoed in parts`, async (context) => {
      const { channel } = await context.open("echo", {}, STREAMED);
      const bytes = utf8(TEXT);
      const sent = channel.sink.addMessage(chunks(bytes, 997), { kind });
      const message = await nextLarge(channel);
      assertEquals(message.kind, kind);
      assertEquals(await read(message), bytes);
      await message.done;
      await sent;
      assertEquals(message.received, bytes.length);
      channel.sink.add("small");
      assertEquals(await next(channel), "small");
    });
  }

  test("W21 messages as streams: a message that is added whole arrives in parts, too", async (context) => {
    const { channel } = await context.open("echo", {}, STREAMED);
    channel.sink.add(TEXT);
    assertEquals(new TextDecoder().decode(await read(await nextLarge(channel))), TEXT);
  });

  test("W22 messages as streams: other messages are queued behind a stream, a Ping is sent between its parts", async (context) => {
    const { channel } = await context.open("echo", {}, STREAMED);
    const more = deferred();
    const sent = channel.sink.addMessage(
      async function* () {
        yield TEXT;
        await more.promise;
        yield "end";
      }(),
      { kind: "text" },
    );
    channel.sink.add("behind");
    await channel.ping();
    more.resolve();
    const bytes = await read(await nextLarge(channel));
    assertEquals(new TextDecoder().decode(bytes), `${TEXT}end`);
    assertEquals(await next(channel), "behind");
    await sent;
  });

  test("W22 messages as streams: a Ping between received fragments", async (context) => {
    const { channel, server } = await context.open("ping-between-fragments", {}, {
      streamLargerThan: 0,
    });
    assertEquals(await read(await nextLarge(channel)), utf8("first second"));
    assertEquals(await server.next("pong"), {
      kind: "pong",
      payload: "6265747765656e",
    } as never);
  });

  test("W23 messages as streams: maxMessageSize ends the connection in the middle", async (context) => {
    // Fragments of 500 bytes: no header says how large the message is.
    const frames = ["02", ...Array.from({ length: 19 }, () => "00")]
      .map((flags) => `${flags}7e01f4${"61".repeat(500)}`).join("");
    const raw = { frames, answers: true };
    const { channel } = await context.open("raw", raw, { ...STREAMED, maxMessageSize: 5000 });
    const message = await nextLarge(channel);
    assertInstanceOf(await rejection(read(message)), LimitError);
    assertInstanceOf(await rejection(message.done), LimitError);
    assertEquals((await channel.closed).sent?.code, 1009);
  });

  test("W24 messages as streams: the reader cancels a message: its rest is skipped, the next message follows", async (context) => {
    const { channel } = await context.open("echo", {}, STREAMED);
    channel.sink.add(TEXT);
    channel.sink.add("next");
    const message = await nextLarge(channel);
    message.cancel();
    assertEquals(await next(channel), "next");
    await message.done;
  });

  test("W25 messages as streams: an abort in the middle, or a failing source, ends the connection with 1011", async (context) => {
    for (const how of ["abort", "failure"] as const) {
      const { channel } = await context.open("watch", {}, STREAMED);
      const controller = new AbortController();
      const reason = new Error(how);
      const source = async function* () {
        yield TEXT;
        if (how === "failure") throw reason;
        controller.abort(reason);
        yield "never";
      };
      const options = { kind: "text", signal: controller.signal } as const;
      assertEquals(await rejection(channel.sink.addMessage(source(), options)), reason);
      const { sent, error } = await channel.closed;
      assertEquals([sent?.code, error], [1011, reason]);
    }
  });

  test("W26 messages as streams: a connection is lost in the middle: reading the message fails", async (context) => {
    // The peer sends 1500 bytes of a fragment of 2000.
    const frames = "027e07d0" + "61".repeat(1500);
    const { channel } = await context.open("raw", { frames, then: "destroy" }, STREAMED);
    const message = await nextLarge(channel);
    const reading = rejection(read(message));
    const { error } = await channel.closed;
    assertEquals(await reading, error);
    assertEquals(await rejection(message.done), error);
    assertEquals(message.received, 1500);
  });

  test("W26 messages as streams: the peer leaves while a message is sent: its source is cancelled", async (context) => {
    const { channel } = await context.open("close", {}, STREAMED);
    const cancelled = deferred();
    const source = new ReadableStream<string>({
      start: (it) => it.enqueue("begun"),
      cancel: () => cancelled.resolve(),
    });
    const sent = channel.sink.addMessage(source, { kind: "text" });
    await channel.ping();
    channel.terminate();
    await cancelled.promise;
    assertInstanceOf(await rejection(sent), Error);
    assertInstanceOf((await channel.closed).error, Error);
  });
}
