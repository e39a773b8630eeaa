import { assertEquals } from "@std/assert";
import { BAD_UTF8, CORRUPT_COMPRESSION, type Failure } from "../../src/protocol/failure.ts";
import { InflatingMessage } from "../../src/protocol/inflating_message.ts";
import { InflateError } from "../../src/protocol/message_deflate.ts";
import { MessageInPieces } from "../../src/protocol/pieces.ts";
import { LARGEST_PIECE } from "../../src/protocol/work_budget.ts";
import { utf8 } from "./support.ts";

interface Collecting {
  readonly inflating: InflatingMessage;
  readonly message: MessageInPieces;
  readonly reported: (Failure | null)[];
}

function collecting(flags: number): Collecting {
  const message = new MessageInPieces(flags, 1 << 24, { left: Infinity });
  const reported: (Failure | null)[] = [];
  const inflating = new InflatingMessage(message, (failure) => reported.push(failure));
  return { inflating, message, reported };
}

Deno.test("inflating: the end is kept during the call, and reported after it", () => {
  for (const isLate of [false, true]) {
    const { inflating, message, reported } = collecting(0x81);
    inflating.isLate = isLate;
    assertEquals([inflating.outcome, inflating.onInflated(utf8("text"))], [undefined, true]);
    inflating.onInflateEnd(null);
    inflating.onInflateEnd(new InflateError("corrupt"));
    assertEquals([inflating.outcome, reported], [null, isLate ? [null] : []]);
    assertEquals(message.finish(), "text");
    const failing = collecting(0x82);
    failing.inflating.isLate = isLate;
    failing.inflating.onInflateEnd(new InflateError("corrupt"));
    assertEquals(failing.inflating.outcome, CORRUPT_COMPRESSION);
    assertEquals(failing.reported, isLate ? [CORRUPT_COMPRESSION] : []);
  }
});

Deno.test("inflating: large text that isn't UTF-8 is reported at once", () => {
  const { inflating, reported } = collecting(0x81);
  assertEquals(inflating.onInflated(new Uint8Array(LARGEST_PIECE).fill(0xff)), true);
  assertEquals(reported, [BAD_UTF8]);
});

Deno.test("inflating: what is large, and not text, waits for its size", () => {
  const { inflating, message } = collecting(0x82);
  const piece = new Uint8Array(5 * LARGEST_PIECE);
  assertEquals(inflating.onInflated(piece), false);
  inflating.onInflatedSize(piece.length);
  assertEquals([inflating.onInflated(piece), message.size], [true, piece.length]);
});

Deno.test("inflating: given up, it takes everything and reports nothing", () => {
  const { inflating, message, reported } = collecting(0x81);
  inflating.isLate = true;
  inflating.abandon();
  assertEquals(inflating.onInflated(utf8("text")), true);
  inflating.onInflatedSize(10);
  inflating.onInflateEnd(null);
  assertEquals([message.size, inflating.outcome, reported], [0, undefined, []]);
});
