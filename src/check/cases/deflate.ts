/** Cases of compressed messages, for either side. RFC 7692 §6–§8. */

import { concat, filled, hex, noise, utf8 } from "../bytes.ts";
import type { Case } from "../case.ts";
import { BitWriter, deflated, fixedBlock, repeated, stored } from "../deflater.ts";
import {
  binary,
  close,
  evenly,
  fragments,
  type Frame,
  more,
  ping,
  pong,
  rest,
  rsv1,
  text,
} from "../frames.ts";
import type { Event } from "../peer.ts";
import {
  back,
  type Branch,
  closing,
  echo,
  either,
  failing,
  fails,
  message,
  messageMade,
  pongs,
  send,
  sendInPieces,
  sendMade,
  type Step,
} from "../steps.ts";
import { AGAIN, at, HELLO, packed, SENTENCE } from "./deflate_case.ts";

const FROM_RFC = "It is an example of the RFC.";

function examples(): Case[] {
  const hello = (id: string, title: string, section: string, bytes: Uint8Array): Case =>
    at(id, title, section, FROM_RFC, [send(packed(bytes)), back(text("Hello"))]);
  return [
    hello("hello", "a compressed text", "RFC 7692 §7.2.3.1", HELLO),
    at("hello-fragments", "a compressed text in two fragments", "RFC 7692 §7.2.3.1", FROM_RFC, [
      send(...fragments(packed(HELLO), [3])),
      back(text("Hello")),
    ]),
    at(
      "hello-again",
      "a text that refers to the one before",
      "RFC 7692 §7.2.3.2",
      FROM_RFC,
      [send(packed(HELLO)), back(text("Hello")), send(packed(AGAIN)), back(text("Hello"))],
      { compression: { refersBack: true } },
    ),
    hello(
      "stored",
      "a block that isn't compressed",
      "RFC 7692 §7.2.3.3",
      hex("00 05 00 fa ff 48 65 6c 6c 6f 00"),
    ),
    hello("final", "a block with BFINAL", "RFC 7692 §7.2.3.4", hex("f3 48 cd c9 c9 07 00 00")),
    hello(
      "two-blocks",
      "two blocks",
      "RFC 7692 §7.2.3.5",
      hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"),
    ),
    at("empty", "an empty compressed text", "RFC 7692 §7.2.3.6", FROM_RFC, [
      send(packed(hex("00"))),
      back(text("")),
    ]),
    at(
      "empty-fixed",
      "an empty compressed text as a block of the fixed code",
      "RFC 7692 §7.2.3.6",
      "The compressor of zlib writes it so.",
      [
        send(packed(hex("02 00"))),
        back(text("")),
      ],
    ),
  ];
}

/** Two sentences in one block of a code of its own, as zlib writes it. */
const DYNAMIC =
  "2ace4855284ecdc92956284e4d5428ce0033932a154ac0e22091fca2546b081722590cd79158948aa44b47212dbf48a1b8b4285547a138b112ac500f49356dcc0700";

/** RFC 1951 ends with such a block; RFC 7692 §7.2.3.4 doesn't say what more of them mean. */
const onlyFirst = (frame: Frame): Branch =>
  message(frame, {
    allows: "the part up to the first such block (non-strict)",
    verdict: "non-strict",
    note: () => "it drops what is behind a block with BFINAL, and doesn't say so",
  });

function messages(): Case[] {
  const S61 = "RFC 7692 §6.1";
  const S72 = "RFC 7692 §7.2.2";
  return [
    at("binary", "a compressed binary message", S61, "Both kinds may be compressed.", [
      send(binary(HELLO, rsv1)),
      back(binary("Hello")),
    ]),
    at(
      "dynamic",
      "a block with a code of its own",
      S72,
      "Compressors choose a code that fits the text.",
      [
        send(packed(hex(DYNAMIC))),
        back(text(SENTENCE.repeat(2))),
      ],
    ),
    at(
      "not-compressed",
      "a text without RSV1",
      S61,
      "Any message may be sent as it is.",
      echo(text("Hello")),
    ),
    at("in-turn", "compressed and other texts in turn", S61, "RSV1 says it for each message.", [
      send(packed(HELLO), text("plain"), packed(HELLO), text("plain")),
      back(text("Hello"), text("plain"), text("Hello"), text("plain")),
    ]),
    at(
      "window-skips",
      "a reference over a message that wasn't compressed",
      "RFC 7692 §7.2.2",
      "Messages that weren't compressed aren't in the window.",
      [
        send(packed(HELLO), text("other"), packed(AGAIN)),
        back(text("Hello"), text("other"), text("Hello")),
      ],
      { compression: { refersBack: true } },
    ),
    at(
      "window-binary",
      "a text that refers to a binary message",
      "RFC 7692 §7.2.2",
      "All compressed messages of a direction share the window.",
      [send(binary(HELLO, rsv1), packed(AGAIN)), back(binary("Hello"), text("Hello"))],
      { compression: { refersBack: true } },
    ),
    at(
      "final-then-more",
      "a block with BFINAL, then another message",
      "RFC 7692 §7.2.3.4",
      "BFINAL ends a stream of DEFLATE, not the connection's.",
      [
        send(packed(hex("f3 48 cd c9 c9 07 00 00"))),
        back(text("Hello")),
        send(packed(HELLO), packed(deflated(utf8("more")))),
        back(text("Hello"), text("more")),
      ],
    ),
    at(
      "final-inside",
      "a block with BFINAL, then another block of the same message",
      "RFC 7692 §7.2.3.4",
      "A message is all its blocks.",
      [
        send(packed(concat([hex("f3 48 cd c9 c9 07 00"), HELLO]))),
        either(
          message(text("HelloHello")),
          onlyFirst(text("Hello")),
          ...failing([1007, 1002]).slice(0, 1).map((it) => ({
            ...it,
            verdict: "informational" as const,
            note: () => "it refuses more blocks behind one with BFINAL",
          })),
        ),
      ],
    ),
    at("empty-blocks", "a text between empty blocks", S72, "Flushes leave such blocks.", [
      send(packed(concat([hex("00 00 00 ff ff 00 00 00 ff ff"), HELLO]))),
      back(text("Hello")),
    ]),
    at(
      "with-tail",
      "a text whose last four bytes weren't removed",
      "RFC 7692 §7.2.1",
      "They are an empty block: the text is the same.",
      [
        send(packed(concat([HELLO, hex("00 00 ff ff 00")]))),
        back(text("Hello")),
      ],
    ),
    at(
      "each-byte",
      "a compressed text, a fragment for each byte",
      "RFC 7692 §6.1",
      "A fragment may end anywhere.",
      [
        send(...evenly(packed(HELLO), 1)),
        back(text("Hello")),
      ],
    ),
    at(
      "empty-fragments",
      "a compressed text between empty fragments",
      "RFC 7692 §6.1",
      "An empty fragment changes nothing.",
      [
        send(packed(new Uint8Array(), more), rest(HELLO, more), rest("")),
        back(text("Hello")),
      ],
    ),
    at(
      "all-empty",
      "a compressed text of empty fragments only",
      "RFC 7692 §7.2.2",
      "With the four bytes at the end it is an empty block.",
      [
        send(packed(new Uint8Array(), more), rest("")),
        either(
          message(text("")),
          closing([1007, 1002], {
            verdict: "informational",
            allows: "Close 1007 or 1002 (informational)",
            note: () => "it refuses a compressed message without any byte",
          }),
        ),
      ],
    ),
    at(
      "in-pieces",
      "a compressed text byte by byte",
      "RFC 7692 §6.1",
      "TCP may split it anywhere.",
      [
        sendInPieces(1, packed(HELLO), packed(HELLO)),
        back(text("Hello"), text("Hello")),
      ],
    ),
    at(
      "ping-between",
      "a Ping between two compressed fragments",
      "RFC 7692 §6.1",
      "Control frames are never compressed.",
      [
        send(packed(HELLO.subarray(0, 3), more), ping("p"), rest(HELLO.subarray(3))),
        pongs(ping("p")),
        back(text("Hello")),
      ],
    ),
    at(
      "1000",
      "a thousand compressed texts in one piece",
      "RFC 7692 §6.1",
      "They come back in their order.",
      [
        send(...Array.from({ length: 1000 }, (_, i) => packed(deflated(utf8(`${i}`))))),
        back(...Array.from({ length: 1000 }, (_, i) => text(`${i}`))),
      ],
    ),
    at(
      "20000-bytes",
      "20,000 compressed texts of one byte",
      "RFC 6455 §10.4",
      "Many small streams cost time; none of them may be lost.",
      [
        sendMade(
          "20,000 compressed texts of one byte",
          () => new Array(20_000).fill(packed(deflated(utf8("x")))),
        ),
        {
          sends: [],
          allows: ["20,000 texts of one byte"],
          async run(place) {
            for (let i = 0; i < 20_000; i++) await either(message(text("x"))).run(place);
          },
        },
      ],
      { weight: 4 },
    ),
    at(
      "utf8-split",
      "a character that is split between compressed fragments",
      "RFC 6455 §8.1",
      "It is the whole message that is text.",
      [
        send(...evenly(packed(deflated(utf8("κόσμε €𝄞🙂"))), 2)),
        back(text("κόσμε €𝄞🙂")),
      ],
    ),
    at(
      "stored-large",
      "100,000 bytes in blocks that aren't compressed",
      S72,
      "A message may grow by it.",
      [
        send(binary(stored(noise(100_000)), rsv1)),
        back(binary(noise(100_000))),
      ],
    ),
    at(
      "long-matches",
      "100,000 times the same byte",
      S72,
      "The longest matches, at a distance of 1.",
      [
        send(binary(deflated(repeated(0x41, 100_000)), rsv1)),
        back(binary(filled(100_000, 0x41))),
      ],
    ),
  ];
}

function wrong(): Case[] {
  const S61 = "RFC 7692 §6.1";
  const bits = (id: string, title: string, frames: readonly Frame[], isVariant = false): Case =>
    at(
      `rsv-${id}`,
      title,
      S61,
      "RSV1 belongs to the first frame of a message; the others stay reserved.",
      [
        send(...frames),
        fails(1002),
      ],
      { isVariant },
    );
  const data = (
    id: string,
    title: string,
    bytes: Uint8Array,
    why = BROKEN,
    isVariant = false,
  ): Case =>
    at(`bad-${id}`, title, "RFC 7692 §7.2.2", why, [
      send(packed(bytes)),
      either(...failing([1007, 1002])),
    ], {
      isVariant,
    });
  return [
    bits("continuation", "RSV1 on the second fragment", [
      packed(HELLO.subarray(0, 3), more),
      rest(HELLO.subarray(3), rsv1),
    ]),
    bits("continuation-only", "RSV1 on the second fragment only", [
      text("Hel", more),
      rest("lo", rsv1),
    ]),
    bits("ping", "RSV1 on a Ping", [ping(HELLO, rsv1)]),
    bits("pong", "RSV1 on a Pong", [pong(HELLO, rsv1)], true),
    bits("close", "RSV1 on a Close", [{ ...close(1000), ...rsv1 }], true),
    bits("two", "RSV2 on a compressed text", [packed(HELLO, { rsv: 6 })]),
    bits("three", "RSV3 on a text", [text("Hello", { rsv: 1 })], true),
    data("block-type", "a block of the reserved type", hex("06 00")),
    data(
      "stored-lengths",
      "a stored block whose lengths contradict each other",
      hex("00 05 00 00 00 48 65 6c 6c 6f 00"),
    ),
    data(
      "reference",
      "a reference to before the first byte",
      deflated([{ length: 3, distance: 1 }]),
    ),
    data(
      "reference-far",
      "a reference farther back than there are bytes",
      deflated([0x61, { length: 3, distance: 100 }]),
      BROKEN,
      true,
    ),
    data("distance", "a distance of the code 30, which doesn't exist", concat([badDistance()])),
    data("length", "a length of the code 286, which doesn't exist", badLength()),
    data(
      "code",
      "a block whose code has too many lengths",
      hex("04 ff ff ff ff ff ff ff ff ff ff ff ff ff"),
    ),
    data(
      "plain",
      "a text that wasn't compressed, with RSV1",
      utf8("Hello, I am not DEFLATE at all"),
      BROKEN,
      true,
    ),
    at(
      "bad-cut",
      "a stored block that announces more than there is",
      "RFC 7692 §7.2.2",
      "A message whose last block doesn't end isn't complete.",
      [
        send(packed(hex("00 64 00 9b ff 48 65 6c 6c 6f"))),
        either(...failing([1007, 1002]), {
          allows: "what there is (non-strict)",
          verdict: "non-strict",
          matches: (event) => event.kind === "message",
          note: () => "it delivers a compressed message that isn't complete",
        }),
      ],
    ),
    at(
      "bad-utf8",
      "a compressed text that isn't UTF-8",
      "RFC 6455 §8.1",
      "It is the text that must be UTF-8, when decompressed.",
      [
        send(packed(deflated(hex("61 ed a0 80 62")))),
        fails(1007),
      ],
    ),
    at(
      "bad-utf8-cut",
      "a compressed text that ends inside a character",
      "RFC 6455 §8.1",
      "It is the text that must be UTF-8, when decompressed.",
      [
        send(packed(deflated(hex("61 e2 82")))),
        fails(1007),
      ],
      { isVariant: true },
    ),
    at(
      "bad-utf8-binary",
      "compressed bytes that aren't UTF-8",
      "RFC 6455 §5.6",
      "A binary message needs not be UTF-8.",
      [
        send(binary(deflated(hex("61 ed a0 80 62")), rsv1)),
        back(binary(hex("61 ed a0 80 62"))),
      ],
    ),
    at(
      "not-agreed",
      "RSV1 on a connection without compression",
      "RFC 6455 §5.2",
      "RSV1 has no meaning there.",
      [
        send(packed(HELLO)),
        fails(1002),
      ],
      { compression: undefined },
    ),
  ];
}

const BROKEN = "What isn't DEFLATE fails the connection.";

/** A fixed block with a distance code that doesn't exist. */
function badDistance(): Uint8Array {
  const out = new BitWriter().number(0, 1).number(1, 2);
  // "a", a length of 3, the distance code 30.
  return out.code(0x30 + 0x61, 8).code(1, 7).code(30, 5).code(0, 7).number(0, 3).bytes();
}

/** A fixed block with a length code that doesn't exist. */
function badLength(): Uint8Array {
  return new BitWriter().number(0, 1).number(1, 2).code(0x30 + 0x61, 8).code(0xc6, 8).code(0, 5)
    .code(0, 7).bytes();
}

function bombs(): Case[] {
  const why =
    "A limit counts the decompressed bytes. Either the message comes back, or 1009 says that it is too large.";
  const either16 = (make: () => Frame): Step =>
    either(
      messageMade("the message", make),
      closing([1009], { allows: "Close 1009" }),
      ...failing([1009]).slice(1),
    );
  const zeros = (): Frame => binary(new Uint8Array(16 << 20));
  const bomb = (): Uint8Array => deflated(repeated(0, 16 << 20));
  return [
    at("bomb", "16 MiB of zeros in 26 KiB", "RFC 7692 §8", why, [
      sendMade("16 MiB of zeros, compressed to 26 KiB", () => [binary(bomb(), rsv1)]),
      either16(zeros),
    ], { weight: 12 }),
    at("bomb-fragments", "16 MiB of zeros in fragments of 1 KiB", "RFC 7692 §8", why, [
      sendMade(
        "16 MiB of zeros, compressed, in fragments of 1 KiB",
        () => evenly(binary(bomb(), rsv1), 1024),
      ),
      either16(zeros),
    ], { weight: 12, isVariant: true }),
    at(
      "900-finals",
      "900 blocks with BFINAL in one message",
      "RFC 7692 §7.2.3.4",
      "Each begins a stream anew; that must not take long.",
      [
        send(
          packed(
            concat(
              Array.from(
                { length: 900 },
                () => fixedBlock(new BitWriter(), utf8("x"), true).bytes(),
              ),
            ),
          ),
        ),
        either(
          message(text("x".repeat(900))),
          onlyFirst(text("x")),
          closing([1002, 1007, 1008, 1009], {
            allows: "a Close (informational)",
            verdict: "informational",
            note: (event: Event) =>
              `it refuses them with ${event.kind === "close" ? event.code : ""}`,
          }),
        ),
      ],
    ),
  ];
}

/** All of this file. */
export const DEFLATE_CASES: readonly Case[] = [
  ...examples(),
  ...messages(),
  ...wrong(),
  ...bombs(),
];
