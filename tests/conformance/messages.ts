import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import type { MessageInput } from "../../mod.ts";
import { HOSTILE_KINDS, hostileBytes, withoutBytes } from "../support/hostile_bytes.ts";
import { assertEchoes, type Suite } from "./suite.ts";
import { nextMessage } from "../support/events.ts";

/** The channel sends and delivers messages whole and in order. */
export function testMessages({ test, traits }: Suite): void {
  const texts: [name: string, text: string][] = [
    ["C22 C46 an empty text", ""],
    ["C24 C48 a text", "Hello World!"],
    ["C26 a text of 120,000 characters", "Hello World!".repeat(10_000)],
    ["C28 a text beyond the basic plane", "🎨⛳🌈"],
  ];
  for (const [name, text] of texts) {
    test(`${name} is echoed`, async (context) => {
      const { channel } = await context.open("echo");
      await assertEchoes(channel, text);
      await channel.sink.close();
    });
  }

  const binaries: [name: string, bytes: Uint8Array][] = [
    ["C23 C47 no bytes", new Uint8Array()],
    ["C25 five bytes", Uint8Array.of(1, 2, 3, 4, 5)],
    ["C27 a million bytes", Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251)],
  ];
  for (const [name, bytes] of binaries) {
    test(`${name} are echoed as a Uint8Array`, async (context) => {
      const { channel } = await context.open("echo");
      channel.sink.add(bytes);
      const echo = await nextMessage(channel);
      assertInstanceOf(echo, Uint8Array);
      assertEquals(new Uint8Array(echo), bytes);
      await channel.sink.close();
    });
  }

  test("C29 C50 (changed) text and binary keep their order and kind", async (context) => {
    const { channel } = await context.open("echo");
    const sent = [Uint8Array.of(1), "Hello!", Uint8Array.of(1, 2), "Hello World!"];
    for (const message of sent) assert(channel.sink.add(message));
    const got: unknown[] = [];
    while (got.length < sent.length) {
      const message = await nextMessage(channel);
      got.push(typeof message === "string" ? message : new Uint8Array(message));
    }
    assertEquals(got, sent);
  });

  test("W15 every type of binary data is sent as a binary message", async (context) => {
    const { channel, server } = await context.open("watch");
    const buffer = Uint8Array.of(9, 1, 2, 3, 4, 9).buffer;
    channel.sink.add(buffer);
    channel.sink.add(new DataView(buffer, 1, 4));
    channel.sink.add(new Uint16Array(buffer, 2, 1));
    assertEquals(await server.next("message"), { kind: "message", binary: "090102030409" });
    assertEquals(await server.next("message"), { kind: "message", binary: "01020304" });
    assertEquals(await server.next("message"), { kind: "message", binary: "0203" });
  });

  test("S183 a lone surrogate is sent as U+FFFD", async (context) => {
    const { channel } = await context.open("echo");
    channel.sink.add("a\ud800b");
    assertEquals(await nextMessage(channel), "a\ufffdb");
  });

  test("attack 16: changing the bytes after add doesn't change what is sent", async (context) => {
    const { channel, server } = await context.meet("watch");
    const bytes = Uint8Array.of(1, 2, 3);
    channel.sink.add(bytes);
    bytes.fill(7);
    assertEquals(await server.next("message"), { kind: "message", binary: "010203" });
    channel.sink.add(bytes);
    bytes.fill(0);
    assertEquals(await server.next("message"), { kind: "message", binary: "070707" });
    assertEquals(bytes, Uint8Array.of(0, 0, 0));
  });

  test("attack 50: bytes that misreport their size are sent whole, a value without bytes is a TypeError", async (context) => {
    const { channel } = await context.open("echo");
    for (const size of [1, 100, 20_000]) {
      for (const [i, kind] of HOSTILE_KINDS.entries()) {
        const bytes = new Uint8Array(size).fill(i + 1);
        assert(channel.sink.add(hostileBytes(kind, bytes).value), kind);
        const echo = await nextMessage(channel);
        assertInstanceOf(echo, Uint8Array);
        assertEquals(new Uint8Array(echo), bytes, `${kind}, ${size} bytes`);
      }
    }
    for (const [name, value] of withoutBytes()) {
      assertThrows(() => channel.sink.add(value), TypeError, undefined, name);
    }
    await assertEchoes(channel, "unharmed");
  });

  test("C64 C65 messages added before the connection is open are sent in order", async (context) => {
    const { channel, server } = await context.meet("watch");
    assertEquals(channel.state, "connecting");
    channel.sink.add("first");
    channel.sink.add(Uint8Array.of(2));
    channel.sink.add("third");
    assertEquals(channel.sink.bufferedAmount, 11);
    assertEquals(await server.next("message"), { kind: "message", text: "first" });
    assertEquals(await server.next("message"), { kind: "message", binary: "02" });
    assertEquals(await server.next("message"), { kind: "message", text: "third" });
    await channel.sink.flush();
    assertEquals(channel.sink.bufferedAmount, 0);
  });

  const wrong: [name: string, value: unknown][] = [
    ["a number", 42],
    ["null", null],
    ["undefined", undefined],
    ["an object", {}],
    ["an array of numbers", [1, 2, 3]],
    ["a Blob", new Blob(["x"])],
    ["a String object", new String("x")],
  ];
  test("G10 C49 (changed) C61 (changed) add throws a TypeError for a value that is no message, and the channel stays usable", async (context) => {
    const { channel } = await context.meet("echo");
    for (const [name, value] of wrong) {
      assertThrows(() => channel.sink.add(value as MessageInput), TypeError, undefined, name);
    }
    await channel.ready;
    for (const [name, value] of wrong) {
      assertThrows(() => channel.sink.add(value as MessageInput), TypeError, undefined, name);
    }
    await assertEchoes(channel, "unharmed");
  });

  test("a Ping between fragments is answered, and the message arrives whole", async (context) => {
    const { channel, server } = await context.open("ping-between-fragments");
    const message = await nextMessage(channel);
    assertEquals(message, "first second");
    assertEquals(await server.next("pong"), { kind: "pong", payload: "6265747765656e" });
  });

  if (!traits.keepsByteOrderMark) return;
  test("G22 a byte order mark is kept", async (context) => {
    const { channel } = await context.open("echo");
    await assertEchoes(channel, "\ufeffmarked");
  });
}
