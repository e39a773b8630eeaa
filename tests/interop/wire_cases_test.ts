/**
 * The most important cases of a public test suite for RFC 6455 against an echoing server, over TCP:
 * fragmentation, reserved bits and opcodes, closing, and text that fails at its first bad byte.
 */

import { assertEquals } from "@std/assert";
import { echo, withServer } from "../support/own_server.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { fromHex, joined, utf8 } from "../support/bytes.ts";
import {
  clientFrame as masked,
  closeCodeIn,
  closePayload,
  frame,
  framesIn,
} from "../support/frames.ts";

const text = (payload: string, fin = true): Uint8Array => masked({ opcode: 1, payload, fin });
const rest = (payload: string, fin = true): Uint8Array => masked({ opcode: 0, payload, fin });
const ping = (payload = ""): Uint8Array => masked({ opcode: 9, payload });
const close = (code: number, reason: string | Uint8Array = ""): Uint8Array =>
  masked({ opcode: 8, payload: closePayload(code, reason) });

/** The server's frames as text: `text …`, `pong …`, `close 1000 …`. */
function described(bytes: Uint8Array): string[] {
  const names: Record<number, string> = {
    1: "text",
    2: "binary",
    8: "close",
    9: "ping",
    10: "pong",
  };
  return framesIn(bytes).map(({ opcode, payload }) => {
    const code = opcode === 8 && payload.length > 1 ? `${closeCodeIn(payload)}` : "";
    // Each implementation chooses its own reason for a failure, so it isn't compared.
    const failure = ["1002", "1007", "1009"].includes(code);
    const words = failure ? "" : new TextDecoder().decode(payload.subarray(opcode === 8 ? 2 : 0));
    return [names[opcode], code, words].filter((it) => it !== "").join(" ");
  });
}

/** Sends bytes to an echoing server, in pieces, and returns the bytes that it sends until it ends the connection. */
async function exchange(url: string, wire: Uint8Array, pieces: number): Promise<string[]> {
  const client = new RawClient(url);
  client.request();
  await client.response();
  for (let at = 0; at < wire.length && !client.hasEnded; at += pieces) {
    const piece = wire.subarray(at, at + pieces);
    await new Promise<void>((resolve) => client.socket.write(piece, () => resolve()));
  }
  await client.end();
  const { body } = client;
  await client.destroy();
  return described(new Uint8Array(body));
}

const BYE = close(1000, "bye");
const CLOSED = "close 1000 bye";
const MALFORMED = "close 1002";
const NO_TEXT = "close 1007";

type Case = [name: string, frames: Uint8Array[], expected: string[]];

const cases: Case[] = [
  // Messages and Pings.
  ["an empty text", [text(""), BYE], ["text", CLOSED]],
  ["text of 126 bytes", [text("*".repeat(126)), BYE], [`text ${"*".repeat(126)}`, CLOSED]],
  ["a Ping of 125 bytes", [ping("x".repeat(125)), BYE], [`pong ${"x".repeat(125)}`, CLOSED]],
  ["a Ping of 126 bytes", [ping("x".repeat(126)), BYE], [MALFORMED]],
  ["an unsolicited Pong", [masked({ opcode: 10, payload: "x" }), ping("y"), BYE], [
    "pong y",
    CLOSED,
  ]],
  [
    "ten Pings",
    [...Array.from({ length: 10 }, (_, i) => ping(`payload-${i}`)), BYE],
    [...Array.from({ length: 10 }, (_, i) => `pong payload-${i}`), CLOSED],
  ],
  // Reserved bits and opcodes.
  ...[1, 2, 3, 4, 5, 6, 7].map((rsv): Case => [
    `reserved bits ${rsv}`,
    [text("before"), masked({ opcode: 1, rsv }), ping()],
    ["text before", MALFORMED],
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): Case => [
    `the reserved opcode ${opcode}`,
    [text("before"), masked({ opcode, payload: "x" }), ping()],
    ["text before", MALFORMED],
  ]),
  ["a frame without a mask", [frame({ opcode: 1, payload: "x" })], [MALFORMED]],
  // Fragmentation.
  ["a Ping in fragments", [masked({ opcode: 9, fin: false }), rest("x")], [MALFORMED]],
  ["a Pong in fragments", [masked({ opcode: 10, fin: false }), rest("x")], [MALFORMED]],
  ["text in two fragments", [text("a", false), rest("b"), BYE], ["text ab", CLOSED]],
  [
    "a Ping between fragments",
    [text("a", false), ping("p"), rest("b"), BYE],
    ["pong p", "text ab", CLOSED],
  ],
  ["a continuation without a first frame", [rest("a"), text("b")], [MALFORMED]],
  ["an unfinished continuation without a first frame", [rest("a", false), text("b")], [MALFORMED]],
  [
    "a continuation behind a whole message",
    [text("a", false), rest("b"), rest("c", false), text("d")],
    ["text ab", MALFORMED],
  ],
  ["a new text inside a message", [text("a", false), text("b")], [MALFORMED]],
  [
    "five fragments with Pings between, twice",
    Array(2).fill([
      text("1", false),
      rest("2", false),
      ping("x"),
      rest("3", false),
      rest("4", false),
      ping("y"),
      rest("5"),
    ]).flat().concat(BYE),
    [...Array(2).fill(["pong x", "pong y", "text 12345"]).flat(), CLOSED],
  ],
  ["only empty fragments", [text("", false), rest("", false), rest(""), BYE], ["text", CLOSED]],
  // Text.
  ["text cut inside a code point", [
    masked({ opcode: 1, payload: utf8("€").subarray(0, 1), fin: false }),
    masked({ opcode: 0, payload: utf8("€").subarray(1) }),
    BYE,
  ], ["text €", CLOSED]],
  ...[
    ["an overlong form", "c0af"],
    ["a surrogate", "eda080"],
    ["above U+10FFFF", "f4908080"],
    ["a lone continuation byte", "80"],
    ["a truncated sequence", "e282"],
    ["a byte that never occurs", "ff"],
  ].map(([name = "", hex = ""]): Case => [
    `text that isn't UTF-8: ${name}`,
    [masked({ opcode: 1, payload: fromHex(`616263${hex}`) }), ping()],
    [NO_TEXT],
  ]),
  ["a noncharacter is a character", [text("\uffff\u{10ffff}"), BYE], [
    "text \uffff\u{10ffff}",
    CLOSED,
  ]],
  // Closing.
  ["messages, then a Close", [text("a"), text("b"), BYE], ["text a", "text b", CLOSED]],
  ["two Closes", [BYE, close(3000)], [CLOSED]],
  ["a Ping behind the Close", [BYE, ping("late")], [CLOSED]],
  ["a text behind the Close", [BYE, text("late")], [CLOSED]],
  ["a Close inside a message", [text("a", false), BYE, rest("b")], [CLOSED]],
  ["an empty Close", [masked({ opcode: 8 })], ["close"]],
  ["a Close of one byte", [masked({ opcode: 8, payload: "a" })], [MALFORMED]],
  ["a reason of 123 bytes", [close(1000, "x".repeat(123))], [`close 1000 ${"x".repeat(123)}`]],
  ["a reason of 124 bytes", [close(1000, "x".repeat(124))], [MALFORMED]],
  ["a reason that isn't UTF-8", [close(1000, fromHex("cebae1bdb9cf83eda080"))], [
    NO_TEXT,
  ]],
  ...[1000, 1001, 1003, 1008, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map((
    code,
  ): Case => [`close code ${code}`, [close(code)], [`close ${code}`]]),
  ...[1002, 1007, 1009].map((
    code,
  ): Case => [`close code ${code}`, [close(code)], [`close ${code}`]]),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code): Case => [
    `close code ${code}, which must not be sent`,
    [close(code)],
    [MALFORMED],
  ]),
];

const chops: [name: string, pieces: number][] = [["whole", Infinity], ["byte by byte", 1], [
  "in pieces of three bytes",
  3,
]];

for (const [name, pieces] of chops) {
  Deno.test(`the wire cases of an echoing server, frames ${name}`, async () => {
    await withServer(echo, {}, async (server) => {
      for (const [title, frames, expected] of cases) {
        const wire = joined(frames);
        const size = pieces === Infinity ? wire.length : pieces;
        assertEquals(await exchange(server.url, wire, size), expected, title);
      }
      await server.idle();
    });
  });
}

/** The bytes of `κόσμε`, then an overlong or impossible sequence, then more text. */
const BROKEN = fromHex("cebae1bdb9cf83cebcceb5" + "f4908080" + "656469746564");

Deno.test("text fails at its first bad byte, in the middle of a frame whose rest never arrives", async () => {
  await withServer(echo, {}, async (server) => {
    const whole = masked({ opcode: 1, payload: BROKEN });
    const header = whole.length - BROKEN.length;
    // F4 can begin a code point, F4 90 can't.
    for (const [sent, fails] of [[header + 12, false], [header + 13, true]] as const) {
      const client = new RawClient(server.url);
      client.request();
      await client.response();
      client.socket.write(whole.subarray(0, sent));
      if (fails) {
        await client.end();
        assertEquals(described(new Uint8Array(client.body)), [NO_TEXT]);
      } else {
        const channel = server.channels.at(-1);
        // The server can't be pinged here, because the Ping would be read as part of the unfinished frame.
        assertEquals(channel?.state, "open");
      }
      await client.destroy();
    }
    await server.idle();
  });
});

Deno.test("text fails at its first bad byte in a later fragment, before the message is whole", async () => {
  await withServer(echo, {}, async (server) => {
    const client = new RawClient(server.url);
    client.request();
    await client.response();
    const first = masked({ opcode: 1, payload: BROKEN.subarray(0, 12), fin: false });
    const second = masked({ opcode: 0, payload: BROKEN.subarray(12), fin: false });
    client.socket.write(joined([first, second.subarray(0, 7)]));
    await client.end();
    assertEquals(described(new Uint8Array(client.body)), [NO_TEXT]);
    await client.destroy();
    await server.idle();
  });
});
