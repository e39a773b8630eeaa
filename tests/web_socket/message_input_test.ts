import { assert, assertEquals, assertThrows } from "@std/assert";
import { CountedQueue } from "../../src/stream_channel/counted_queue.ts";
import {
  checkMessage,
  type EarlyMessage,
  keepMessage,
  utf8Length,
} from "../../src/web_socket/message_input.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("message: text and bytes of every kind can be sent", () => {
  const buffer = new ArrayBuffer(8);
  for (
    const message of [
      "",
      "text",
      buffer,
      new Uint8Array(buffer),
      new Float64Array(buffer),
      new BigInt64Array(buffer),
      new DataView(buffer),
    ]
  ) checkMessage(message);
});

Deno.test("message C49 C50 (changed) anything else is a TypeError that names the received value", () => {
  for (
    const [value, name] of [
      [42, "42"],
      [null, "null"],
      [undefined, "undefined"],
      [true, "true"],
      [1n, "1"],
      [Symbol("x"), "Symbol(x)"],
      [[1, 2, 3], "an Array"],
      [{}, "an Object"],
      [Object.create(null), "an object"],
      [new Blob([]), "a Blob"],
      [new Date(), "a Date"],
      [new URL("a:b"), "a URL"],
      [new (class {})(), "an object"],
      [() => "secret", "a function"],
    ] as const
  ) {
    const error = assertThrows(() => checkMessage(value), TypeError);
    assertEquals(
      error.message,
      `Cannot add: a message must be a string, an ArrayBuffer or a view of one, got ${name}`,
    );
  }
  const nameless = assertThrows(() => checkMessage(() => "text"), TypeError);
  assert(nameless.message.startsWith("Cannot add: a message must be a string"));
});

Deno.test("message: utf8Length is the length of an encoder's output", () => {
  const encoder = new TextEncoder();
  const texts = [
    "",
    "a",
    "é",
    "€",
    "🎈",
    "\ud83c",
    "\udf88",
    "\udf88\ud83c",
    "a\ud83c",
    "\ud83c🎈",
  ];
  const random = seededRandom();
  for (let i = 0; i < 500; i++) {
    const units = Array.from({ length: random.integer(0, 40) }, () =>
      random.pick([
        random.integer(0, 0x7f),
        random.integer(0x80, 0x7ff),
        random.integer(0x800, 0xffff),
        random.integer(0xd800, 0xdfff),
      ]));
    texts.push(String.fromCharCode(...units));
  }
  for (const text of texts) {
    const expected = encoder.encode(text).length;
    assertEquals(utf8Length(text), expected, `${JSON.stringify(text)}, seed ${random.seed}`);
  }
});

Deno.test("early messages: they keep their order and options, and count in bytes", () => {
  const early = new CountedQueue<EarlyMessage>();
  keepMessage(early, "é", undefined);
  keepMessage(early, Uint8Array.of(1, 2, 3), { compress: false });
  assertEquals([early.length, early.size], [2, 5]);
  assertEquals(early.shift(), { message: "é", options: undefined });
  const second = early.shift();
  assertEquals([second.message, second.options], [Uint8Array.of(1, 2, 3), { compress: false }]);
  assertEquals(early.length, 0);
});

Deno.test("early messages: the queue does not keep the caller's bytes, nor a view's buffer", () => {
  const early = new CountedQueue<EarlyMessage>();
  const bytes = Uint8Array.of(1, 2, 3, 4);
  keepMessage(early, bytes.subarray(1, 3), undefined);
  keepMessage(early, bytes.buffer, undefined);
  bytes.fill(9);
  assertEquals(early.shift().message, Uint8Array.of(2, 3));
  assertEquals(early.shift().message, Uint8Array.of(1, 2, 3, 4));
});

Deno.test("early messages: dropped messages were never sent, so they still count", () => {
  const early = new CountedQueue<EarlyMessage>();
  keepMessage(early, "abc", undefined);
  early.drop();
  assertEquals([early.length, early.size], [0, 3]);
});
