import { assertEquals, assertStrictEquals } from "@std/assert";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { Protocol } from "../../src/protocol/protocol.ts";
import type { MessageDeflate, SharedDeflate } from "../../src/protocol/message_deflate.ts";
import { joined } from "../support/bytes.ts";

function noKeys(): number {
  throw new Error("A server asks for no masking key");
}

/** A server's end, and its output. */
function server(deflate?: MessageDeflate): { protocol: Protocol; output: () => Uint8Array } {
  const protocol = new Protocol({
    side: "server",
    maskingKeys: noKeys,
    maxMessageSize: 100,
    deflate,
  }, { onMessage() {}, onPong() {}, onClose() {}, onFailure() {}, onOutput() {} });
  return { protocol, output: () => joined(protocol.output.takeAll()) };
}

/** A "compressor" that omits the first byte, and counts its calls. */
class FakeShared implements SharedDeflate {
  readonly kind: string;
  compressed = 0;
  sent = 0;

  constructor(kind: string) {
    this.kind = kind;
  }

  compress(payload: Uint8Array): Uint8Array | null {
    this.compressed++;
    return payload.length > 1 ? payload.subarray(1) : null;
  }

  onSent(): void {
    this.sent++;
  }
}

function withShared(shared: SharedDeflate): MessageDeflate {
  return { compress: () => null, decompress: (payload) => payload, shared };
}

Deno.test("a prepared message has the same frame as a message that is sent alone", () => {
  for (const length of [0, 1, 125, 126, 0x3ffe, 0x4000, 0xffff, 0x1_0000]) {
    const text = "x".repeat(length);
    const bytes = new Uint8Array(length).fill(7);
    for (const message of [text, bytes]) {
      const alone = server();
      if (typeof message === "string") alone.protocol.sendText(message);
      else alone.protocol.sendBinary(message);
      const shared = server();
      const prepared = new PreparedMessage(message);
      assertEquals(shared.protocol.sendPrepared(prepared), true);
      assertEquals(shared.protocol.output.size, prepared.frame.length);
      assertEquals(shared.output(), alone.output(), `length ${length}`);
      assertEquals(prepared.size, length);
    }
  }
});

Deno.test("a prepared message is encoded once, and keeps a copy of the bytes", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const message = new PreparedMessage(bytes);
  bytes.fill(9);
  assertEquals(message.frame, Uint8Array.of(0x82, 3, 1, 2, 3));
  assertStrictEquals(message.frame, message.frame);
  assertEquals(message.content, Uint8Array.of(1, 2, 3));
  assertEquals(new PreparedMessage("é").frame, Uint8Array.of(0x81, 2, 0xc3, 0xa9));
});

Deno.test("a prepared message is compressed once for each kind of compressor", () => {
  const message = new PreparedMessage("abc");
  const first = new FakeShared("a");
  const second = new FakeShared("a");
  const third = new FakeShared("b");
  for (const shared of [first, second, third, third]) {
    const { protocol, output } = server(withShared(shared));
    protocol.sendPrepared(message);
    assertEquals(output(), Uint8Array.of(0xc1, 2, 98, 99));
  }
  assertEquals([first, second, third].map((it) => it.compressed), [1, 0, 1]);
  assertEquals([first, second, third].map((it) => it.sent), [1, 1, 2]);
});

Deno.test("a prepared message that does not shrink, or must not be compressed, is sent uncompressed", () => {
  const small = new FakeShared("a");
  const end = server(withShared(small));
  end.protocol.sendPrepared(new PreparedMessage("a"));
  end.protocol.sendPrepared(new PreparedMessage("abc"), { compress: false });
  assertEquals(end.output(), Uint8Array.of(0x81, 1, 97, 0x81, 3, 97, 98, 99));
  assertEquals([small.compressed, small.sent], [1, 0]);
  const without = server({ compress: () => null, decompress: (payload) => payload });
  without.protocol.sendPrepared(new PreparedMessage("abc"));
  assertEquals(without.output(), Uint8Array.of(0x81, 3, 97, 98, 99));
});

Deno.test("no prepared message is sent after a Close", () => {
  const { protocol, output } = server();
  protocol.close(1000);
  output();
  assertEquals(protocol.sendPrepared(new PreparedMessage("late")), false);
  assertEquals(output().length, 0);
});
