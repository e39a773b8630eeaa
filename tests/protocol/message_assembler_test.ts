import { assert, assertEquals } from "@std/assert";
import { FrameReader } from "../../src/protocol/frame_reader.ts";
import { MessageAssembler } from "../../src/protocol/message_assembler.ts";
import { describe, frame, hex, joined, splits, utf8 } from "./support.ts";

interface Assembled {
  assembler: MessageAssembler;
  receive(chunk: Uint8Array): void;
  log: string[];
  messages: (string | Uint8Array)[];
}

function assemble(maxMessageSize = 1 << 24): Assembled {
  const log: string[] = [];
  const messages: (string | Uint8Array)[] = [];
  const budget = { left: Infinity };
  const options = { side: "client", maxMessageSize, deflate: null, budget } as const;
  const assembler = new MessageAssembler(options, {
    onMessage(message) {
      messages.push(message);
      log.push(describe(message));
    },
    onControl: (opcode, payload) => void log.push(`control ${opcode} ${hex(payload)}`),
    onFailure(failure) {
      reader.stop();
      log.push(`failure ${failure.code}`);
    },
    onUnfinished: () => {},
    onFinished: () => {},
  });
  const reader = new FrameReader(assembler, true, budget);
  return { assembler, log, messages, receive: (chunk) => reader.receive(chunk.slice()) };
}

Deno.test("assembler: fragments, empty ones too, with control frames between", () => {
  const wire = joined([
    frame({ opcode: 2, fin: false }),
    frame({ opcode: 0, fin: false, payload: "a" }),
    frame({ opcode: 9, payload: "?" }),
    frame({ opcode: 0, fin: false }),
    frame({ opcode: 0, fin: false, payload: "bc" }),
    frame({ opcode: 0 }),
    frame({ opcode: 1, fin: false }),
    frame({ opcode: 0 }),
  ]);
  for (const chunks of splits(wire)) {
    const { receive, log } = assemble();
    chunks.forEach(receive);
    assertEquals(log, ["control 9 3f", "binary 616263", "text "]);
  }
});

Deno.test("assembler: a message in many small fragments doesn't keep much more than its bytes", () => {
  for (const [count, size] of [[3, 5], [100, 64], [1000, 64]] as const) {
    const { receive, messages } = assemble();
    receive(frame({ opcode: 2, fin: false }));
    for (let i = 1; i < count; i++) {
      receive(frame({ opcode: 0, fin: false, payload: new Uint8Array(size) }));
    }
    receive(frame({ opcode: 0, payload: new Uint8Array(size) }));
    const [message] = messages;
    assert(message instanceof Uint8Array);
    assertEquals(message.length, count * size);
    assert(message.buffer.byteLength <= 2 * message.length, `${message.buffer.byteLength}`);
  }
});

Deno.test("assembler: a frame in many chunks ends in a buffer of exactly its size", () => {
  const { receive, messages } = assemble();
  const payload = Uint8Array.from({ length: 200_000 }, (_, i) => i);
  const wire = frame({ opcode: 2, payload });
  for (let at = 0; at < wire.length; at += 1000) receive(wire.subarray(at, at + 1000));
  const [message] = messages;
  assert(message instanceof Uint8Array);
  assert(hex(message) === hex(payload));
  assertEquals(message.buffer.byteLength, payload.length);
});

Deno.test("assembler: dropping begins between the parts of a message and of a control frame", () => {
  const wire = joined([
    frame({ opcode: 1, fin: false, payload: "abc" }),
    frame({ opcode: 10, payload: "def" }),
    frame({ opcode: 0, fin: false, payload: Uint8Array.of(0xff, 0xff) }),
    frame({ opcode: 0 }),
    frame({ opcode: 1, payload: utf8("gone") }),
    frame({ opcode: 9 }),
  ]);
  for (let at = 0; at < 12; at++) {
    const { assembler, receive, log } = assemble();
    receive(wire.subarray(0, at));
    assembler.drop();
    receive(wire.subarray(at));
    assertEquals(log, [`control 10 ${hex(utf8("def"))}`, "control 9 "]);
  }
});

Deno.test("assembler: what can't be counted is too big even when it would be dropped", () => {
  const { assembler, receive, log } = assemble(10);
  assembler.drop();
  receive(Uint8Array.of(0x82, 127, 0, 0x1f, 255, 255, 255, 255, 255, 255));
  assertEquals(log, []);
  const other = assemble();
  other.assembler.drop();
  other.receive(Uint8Array.of(0x82, 127, 0, 0x20, 0, 0, 0, 0, 0, 0));
  assertEquals(other.log, ["failure 1009"]);
});
