/** Cases of UTF-8, for either side. RFC 6455 §8.1, RFC 3629. */

import { hex, utf8 } from "../bytes.ts";
import { type Case, connectionCase } from "../case.ts";
import { binary, evenly, fragments, more, ping, rest, text } from "../frames.ts";
import { back, echo, either, failing, fails, pongOf, send, sendInPieces } from "../steps.ts";

const S81 = "RFC 6455 §8.1";
const S3629 = "RFC 6455 §8.1, RFC 3629 §3";

type Named = readonly [id: string, title: string, bytes: string, isVariant?: boolean];

const VALID: readonly Named[] = [
  ["nul", "U+0000", "00"],
  ["7f", "U+007F, the last of one byte", "7f"],
  ["80", "U+0080, the first of two bytes", "c2 80"],
  ["7ff", "U+07FF, the last of two bytes", "df bf", true],
  ["800", "U+0800, the first of three bytes", "e0 a0 80"],
  ["d7ff", "U+D7FF, the last before the surrogates", "ed 9f bf"],
  ["e000", "U+E000, the first behind the surrogates", "ee 80 80", true],
  ["fffd", "U+FFFD, the replacement character", "ef bf bd"],
  ["ffff", "U+FFFF, the last of three bytes, a noncharacter", "ef bf bf"],
  ["fdd0", "U+FDD0, a noncharacter", "ef b7 90", true],
  ["10000", "U+10000, the first of four bytes", "f0 90 80 80"],
  ["1fffe", "U+1FFFE, a noncharacter", "f0 9f bf be", true],
  ["10ffff", "U+10FFFF, the last of all", "f4 8f bf bf"],
  ["bom", "a byte order mark at the beginning, which belongs to the text", "ef bb bf 61 62 63"],
  ["combining", "combining characters, which stay as they are", "61 cc 88 20 65 cc 81 20 c3 a9"],
  ["mixed", "characters of 1, 2, 3 and 4 bytes", "24 c2 a2 e2 82 ac f0 90 8d 88"],
  ["line-ends", "CR, LF, CR LF, U+0085 and U+2028", "0d 0a 0d 0a c2 85 e2 80 a8"],
  ["controls", "control characters", "00 01 02 1b 1f 7f"],
];

const INVALID: readonly Named[] = [
  ["lone-80", "a continuation byte alone", "80"],
  ["lone-bf", "the last continuation byte alone", "bf", true],
  ["two-continuations", "two continuation bytes alone", "80 bf", true],
  ["continuation-behind-text", "a continuation byte behind a letter", "61 80", true],
  ["cut-2", "the first byte of two", "c3"],
  ["cut-3", "the first two bytes of three", "e2 82"],
  ["cut-3-first", "the first byte of three", "e2", true],
  ["cut-4", "the first three bytes of four", "f0 9f 99"],
  ["cut-4-first", "the first byte of four", "f0", true],
  ["cut-before-text", "the first byte of two, then a letter", "c3 61"],
  ["cut-3-before-text", "the first two bytes of three, then a letter", "e2 82 61", true],
  ["cut-4-before-text", "the first three bytes of four, then a letter", "f0 9f 99 61", true],
  ["overlong-2", "a slash in two bytes", "c0 af"],
  ["overlong-2-max", "U+007F in two bytes", "c1 bf", true],
  ["overlong-3", "a slash in three bytes", "e0 80 af"],
  ["overlong-3-max", "U+07FF in three bytes", "e0 9f bf", true],
  ["overlong-4", "a slash in four bytes", "f0 80 80 af"],
  ["overlong-4-max", "U+FFFF in four bytes", "f0 8f bf bf", true],
  ["overlong-nul", "U+0000 in two bytes", "c0 80", true],
  ["overlong-5", "a slash in five bytes", "f8 80 80 80 af", true],
  ["overlong-6", "a slash in six bytes", "fc 80 80 80 80 af", true],
  ["surrogate-first", "U+D800, the first surrogate", "ed a0 80"],
  ["surrogate-last", "U+DFFF, the last surrogate", "ed bf bf", true],
  ["surrogate-pair", "a pair of surrogates, three bytes each (CESU-8)", "ed a0 bd ed b8 80"],
  ["surrogate-low", "U+DC00, a low surrogate", "ed b0 80", true],
  ["above", "U+110000, above the last", "f4 90 80 80"],
  ["above-f5", "the byte F5, which would be above the last", "f5 80 80 80", true],
  ["five-bytes", "a sequence of five bytes", "f8 88 80 80 80"],
  ["six-bytes", "a sequence of six bytes", "fc 84 80 80 80 80", true],
  ["fe", "the byte FE", "fe"],
  ["ff", "the byte FF", "ff", true],
  ["fe-ff", "a byte order mark of UTF-16", "fe ff 00 61", true],
  ["latin-1", "a word in Latin-1", "47 72 fc df 65"],
  ["late", "a bad byte behind 5,000 good ones", ""],
];

const late = utf8("a".repeat(5000) + "\0");
late[5000] = 0xff;

function whole(): Case[] {
  return [
    ...VALID.map(([id, title, bytes, isVariant = false]) =>
      connectionCase(
        `utf8/valid-${id}`,
        title,
        S3629,
        "Every sequence that RFC 3629 allows is text, and comes back as it was.",
        echo(text(hex(bytes))),
        { isVariant },
      )
    ),
    ...INVALID.map(([id, title, bytes, isVariant = false]) =>
      connectionCase(
        `utf8/invalid-${id}`,
        title,
        S3629,
        "A text that isn't UTF-8 fails the connection.",
        [send(text(id === "late" ? late : hex(bytes))), fails(1007)],
        { isVariant },
      )
    ),
    ...INVALID.filter(([id]) => id !== "late").map(([id, title, bytes]) =>
      connectionCase(
        `utf8/binary-${id}`,
        `as bytes: ${title}`,
        "RFC 6455 §5.6",
        "A binary message needs not be UTF-8.",
        echo(binary(hex(bytes))),
        { isVariant: id !== "lone-80" },
      )
    ),
  ];
}

const WORDS = utf8("κόσμε €𝄞🙂");

function split(): Case[] {
  const borders = Array.from({ length: WORDS.length - 1 }, (_, i) => i + 1);
  return [
    ...borders.map((border) =>
      connectionCase(
        `utf8/split-${border}`,
        `a text of many-byte characters, split into fragments behind byte ${border}`,
        S81,
        "A character may begin in one fragment and end in the next.",
        [send(...fragments(text(WORDS), [border])), back(text(WORDS))],
        { isVariant: border !== 1 },
      )
    ),
    connectionCase(
      "utf8/split-each-byte",
      "a text of many-byte characters, a fragment for each byte",
      S81,
      "A character may be spread over several fragments.",
      [send(...evenly(text(WORDS), 1)), back(text(WORDS))],
    ),
    connectionCase(
      "utf8/split-with-ping",
      "a Ping inside a character that is split",
      S81,
      "A control frame isn't a part of the text.",
      [
        send(text(hex("e2 82"), more), ping("p"), rest(hex("ac"))),
        either(pongOf(utf8("p"))),
        back(text("€")),
      ],
    ),
    connectionCase(
      "utf8/split-empty",
      "an empty fragment inside a character that is split",
      S81,
      "An empty fragment changes nothing.",
      [send(text(hex("f0 9f"), more), rest("", more), rest(hex("99 82"))), back(text("🙂"))],
    ),
    connectionCase(
      "utf8/split-surrogates",
      "a pair of surrogates, one in each fragment",
      S81,
      "Neither is UTF-8, put together neither.",
      [send(text(hex("ed a0 bd"), more), rest(hex("ed b8 80"))), fails(1007)],
    ),
    connectionCase(
      "utf8/split-cut",
      "a character that isn't finished in the last fragment",
      S81,
      "A message's end is where its text must be complete.",
      [send(text("abc", more), rest(hex("e2 82"))), fails(1007)],
    ),
    connectionCase(
      "utf8/split-messages",
      "a character that begins in one message and ends in the next",
      S81,
      "Each message is a text by itself.",
      [send(text(hex("e2 82")), text(hex("ac"))), fails(1007)],
    ),
    connectionCase(
      "utf8/invalid-in-pieces",
      "a bad text byte by byte",
      S81,
      "A text that isn't UTF-8 fails the connection.",
      [sendInPieces(1, text(hex("61 62 c0 af 63"))), fails(1007)],
    ),
  ];
}

/** Texts that are wrong before they have ended. */
function early(): Case[] {
  const ping1 = ping("still there?");
  const soon = (id: string, title: string, bad: string, end: string): Case =>
    connectionCase(
      `utf8/early-${id}`,
      title,
      S81,
      "A receiver may fail the connection at the first bad byte; it must at the end of the message.",
      [
        send(text(hex(bad), more), ping1),
        either(
          ...failing([1007]),
          pongOf(ping1.payload, {
            allows: "Pong, and the failure at the end of the message (informational)",
            verdict: "informational",
            note: () => "it finds bad UTF-8 at the end of a message only",
            then: [send(rest(hex(end))), fails(1007)],
          }),
        ),
      ],
    );
  return [
    soon("byte", "a first fragment with the byte FF", "61 ff", "62"),
    soon("overlong", "a first fragment that begins an overlong character", "61 c0", "af"),
    soon("surrogate", "a first fragment that begins a surrogate", "61 ed a0", "80"),
    soon("above", "a first fragment that begins a character above U+10FFFF", "61 f4 90", "80 80"),
    connectionCase(
      "utf8/early-in-frame",
      "a bad byte in a frame that doesn't end",
      S81,
      "A receiver may fail the connection at the first bad byte, or wait for the rest of the frame.",
      [
        send(text(hex("61 ff 62"), { announced: 100n, lengthBits: 7 })),
        {
          sends: ["97 more bytes, unless it has failed the connection by then"],
          allows: [],
          run: ({ peer }) => {
            peer.wire.send(utf8("x".repeat(97)));
            return Promise.resolve();
          },
        },
        fails(1007),
      ],
    ),
  ];
}

/** All of this file. */
export const TEXT_CASES: readonly Case[] = [...whole(), ...split(), ...early()];
