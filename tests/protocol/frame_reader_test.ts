import { assert, assertEquals, assertThrows } from "@std/assert";
import { type FrameHandler, FrameReader } from "../../src/protocol/frame_reader.ts";
import { frame, hex, joined, splits } from "./support.ts";

interface Recording {
  reader: FrameReader;
  log: string[];
  onFrame: () => void;
}

function recording(ownsChunks: boolean): Recording {
  const log: string[] = [];
  const handler: FrameHandler = {
    onHeader(header) {
      log.push(`header ${header.opcode} ${header.length}`);
      if (header.opcode !== 15) return true;
      reader.stop();
      return false;
    },
    onFrame(_header, chunk, start, end) {
      log.push(`frame ${hex(chunk.subarray(start, end))}`);
      recorded.onFrame();
    },
    onBegin: (header) => void log.push(`begin ${header.length}`),
    onPart(_header, chunk, start, end, phase) {
      log.push(`part ${phase} ${hex(chunk.subarray(start, end))}`);
      recorded.onFrame();
    },
  };
  const reader = new FrameReader(handler, ownsChunks, { left: Infinity });
  const recorded: Recording = { reader, log, onFrame: () => {} };
  return recorded;
}

Deno.test("reader: a frame in one piece, in parts, and a header in parts", () => {
  const { reader, log } = recording(false);
  const wire = frame({ opcode: 2, form: 16, payload: "ab" });
  reader.receive(wire);
  reader.receive(wire.subarray(0, 1));
  reader.receive(new Uint8Array(0));
  reader.receive(wire.subarray(1, 3));
  reader.receive(wire.subarray(3, 4));
  reader.receive(wire.subarray(4, 5));
  reader.receive(joined([wire.subarray(5), wire]));
  assertEquals(log, [
    "header 2 2",
    "frame 6162",
    "header 2 2",
    "begin 2",
    "part 0 ",
    "part 0 61",
    "part 1 62",
    "header 2 2",
    "frame 6162",
  ]);
});

Deno.test("reader: it stops for good, in the middle of a chunk and of what waits", () => {
  for (const ownsChunks of [false, true]) {
    for (
      const chunks of splits(
        joined([frame({ opcode: 1 }), frame({ opcode: 15 }), frame({ opcode: 2 })]),
      )
    ) {
      const { reader, log } = recording(ownsChunks);
      reader.pause();
      for (const chunk of chunks) reader.receive(chunk.slice());
      assertEquals(reader.pending, 6);
      reader.resume();
      assertEquals(log, ["header 1 0", "frame ", "header 15 0"]);
      reader.receive(frame({ opcode: 2 }));
      assertEquals([log.length, reader.pending], [3, 0]);
    }
  }
});

Deno.test("attack 19: what a handler throws comes out, and the bytes behind are kept", () => {
  for (const ownsChunks of [false, true]) {
    for (const split of [0, 3]) {
      const recorded = recording(ownsChunks);
      const { reader, log } = recorded;
      const wire = joined([
        frame({ opcode: 2, payload: "abc" }),
        frame({ opcode: 2, payload: "d" }),
      ]);
      if (split > 0) reader.receive(wire.slice(0, split));
      recorded.onFrame = () => {
        throw new Error("the handler's");
      };
      const rest = wire.slice(split);
      assertThrows(() => reader.receive(rest), Error, "the handler's");
      if (!ownsChunks) rest.fill(0xff);
      recorded.onFrame = () => {};
      assertEquals(reader.pending, 3);
      reader.receive(frame({ opcode: 2, payload: "e" }));
      assertEquals(log.slice(-4), ["header 2 1", "frame 64", "header 2 1", "frame 65"]);
      assertEquals(reader.pending, 0);
    }
  }
});

Deno.test("reader: pausing after each of many frames of one chunk takes linear work", () => {
  const recorded = recording(true);
  const { reader, log } = recorded;
  recorded.onFrame = () => reader.pause();
  const count = 20_000;
  const wire = new Uint8Array(2 * count);
  for (let i = 0; i < count; i++) wire[2 * i] = 0x82;
  reader.receive(wire);
  for (let i = 1; i < count; i++) reader.resume();
  assertEquals([log.length, reader.pending], [2 * count, 0]);
  assert(log.every((entry, i) => entry === (i % 2 === 0 ? "header 2 0" : "frame ")));
});
