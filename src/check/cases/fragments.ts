/** Cases of fragmented messages, for either side. RFC 6455 §5.4. */

import { asciiNoise, noise } from "../bytes.ts";
import { type Case, connectionCase } from "../case.ts";
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
  text,
} from "../frames.ts";
import {
  answersClose,
  back,
  backThenFails,
  closing,
  either,
  failing,
  fails,
  lastPong,
  messageMade,
  pongs,
  send,
  sendInPieces,
  sendMade,
  type Step,
} from "../steps.ts";

const S54 = "RFC 6455 §5.4";

const at = (
  id: string,
  title: string,
  why: string,
  steps: readonly Step[],
  isVariant = false,
): Case => connectionCase(`fragment/${id}`, title, S54, why, steps, { isVariant });

/** A message in fragments comes back as one message. */
const whole = (
  id: string,
  title: string,
  frames: readonly Frame[],
  message: Frame,
  isVariant = false,
): Case =>
  at(id, title, "The fragments make up one message.", [send(...frames), back(message)], isVariant);

function wholeMessages(): Case[] {
  return [
    whole("two", "a text in two fragments", [text("Hel", more), rest("lo")], text("Hello")),
    whole(
      "two-binary",
      "bytes in two fragments",
      [binary("Hel", more), rest("lo")],
      binary("Hello"),
    ),
    whole(
      "three",
      "a text in three fragments",
      [text("a", more), rest("b", more), rest("c")],
      text("abc"),
    ),
    whole(
      "empty-first",
      "an empty fragment, then the text",
      [text("", more), rest("abc")],
      text("abc"),
    ),
    whole(
      "empty-last",
      "the text, then an empty fragment",
      [text("abc", more), rest("")],
      text("abc"),
    ),
    whole("empty-middle", "an empty fragment between two", [
      text("a", more),
      rest("", more),
      rest("b"),
    ], text("ab")),
    whole(
      "all-empty",
      "three empty fragments",
      [text("", more), rest("", more), rest("")],
      text(""),
    ),
    whole(
      "all-empty-binary",
      "three empty fragments of bytes",
      [
        binary("", more),
        rest("", more),
        rest(""),
      ],
      binary(""),
      true,
    ),
    whole(
      "each-byte",
      "300 fragments of one byte",
      evenly(text(asciiNoise(300)), 1),
      text(asciiNoise(300)),
    ),
    whole(
      "growing",
      "fragments of 1, 2, 4 … 1024 bytes",
      fragments(
        binary(noise(3000)),
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
      ),
      binary(noise(3000)),
    ),
    whole(
      "border-lengths",
      "fragments of 125, 126, 65,535 and 65,536 bytes",
      fragments(
        binary(noise(131_500)),
        [125, 126, 65_535, 65_536],
      ),
      binary(noise(131_500)),
    ),
    whole(
      "1000",
      "a thousand fragments of 10 bytes",
      evenly(binary(noise(10_000)), 10),
      binary(noise(10_000)),
    ),
    whole(
      "long-forms",
      "fragments whose lengths take 16 bits where 7 would do",
      [
        text("Hel", { ...more, lengthBits: 16 }),
        rest("lo", { lengthBits: 16 }),
      ].map((it) => ({ ...it, lengthBits: 16 as const })),
      text("Hello"),
    ),
    at(
      "two-messages",
      "two messages of two fragments each in one piece",
      "The first ends where FIN is 1.",
      [
        send(text("a", more), rest("b"), binary("c", more), rest("d")),
        back(text("ab"), binary("cd")),
      ],
    ),
    at("in-pieces", "fragments that come byte by byte", "TCP may split them anywhere.", [
      sendInPieces(1, text("Hel", more), rest("lo ", more), rest("you")),
      back(text("Hello you")),
    ]),
    at("then-whole", "a message in fragments, then one in a frame", "The first one has ended.", [
      send(text("a", more), rest("b"), text("cd")),
      back(text("ab"), text("cd")),
    ]),
  ];
}

function controlBetween(): Case[] {
  const why = "A control frame may come between two fragments, and is answered at once.";
  const many = Array.from({ length: 50 }, (_, i) => ping(`${i}`));
  return [
    at("ping-between", "a Ping between two fragments", why, [
      send(text("Hel", more), ping("p")),
      pongs(ping("p")),
      send(rest("lo")),
      back(text("Hello")),
    ]),
    at("ping-between-in-one-piece", "a Ping between two fragments, all in one piece", why, [
      send(text("Hel", more), ping("p"), rest("lo")),
      pongs(ping("p")),
      back(text("Hello")),
    ]),
    at("pings-between", "a Ping behind each of five fragments", why, [
      send(
        text("a", more),
        ping("1"),
        rest("b", more),
        ping("2"),
        rest("c", more),
        ping("3"),
        rest("d", more),
        ping("4"),
        rest("e"),
      ),
      lastPong([1, 2, 3, 4].map((it) => ping(`${it}`))),
      back(text("abcde")),
    ]),
    at("many-pings-between", "fifty Pings between two fragments", why, [
      send(text("a", more), ...many, rest("b")),
      lastPong(many),
      back(text("ab")),
    ], true),
    at("pong-between", "an unasked Pong between two fragments", "It gets no answer.", [
      send(text("a", more), pong("x"), rest("b")),
      back(text("ab")),
    ]),
    at("ping-between-empty", "a Ping between two empty fragments", why, [
      send(text("", more), ping("p"), rest("")),
      pongs(ping("p")),
      back(text("")),
    ], true),
    at(
      "close-between",
      "a Close with a reason between two fragments",
      "The message is never finished.",
      [
        send(binary("abc", more), close(1001, "leaving")),
        answersClose([1001]),
      ],
    ),
  ];
}

function wrongOrder(): Case[] {
  const first = "A Continuation needs a message that was begun.";
  const inside = "A message must end before the next one begins.";
  return [
    at("continuation-first", "a Continuation at first", first, [send(rest("abc")), fails(1002)]),
    at("continuation-first-fin-0", "a Continuation with FIN=0 at first", first, [
      send(rest("abc", more), text("def")),
      fails(1002),
    ]),
    at("continuation-empty-first", "an empty Continuation at first", first, [
      send(rest("")),
      fails(1002),
    ], true),
    at("continuation-behind", "a Continuation behind a message of one frame", first, [
      send(text("a"), rest("b")),
      backThenFails(text("a"), 1002),
    ]),
    at("continuation-behind-fragments", "a Continuation behind the last fragment", first, [
      send(text("a", more), rest("b"), rest("c")),
      backThenFails(text("ab"), 1002),
    ]),
    at("continuation-behind-ping", "a Continuation behind a Ping", first, [
      send(ping("p"), rest("c")),
      pongs(ping("p")),
      fails(1002),
    ]),
    at("text-inside", "a text inside a message in fragments", inside, [
      send(text("a", more), text("b"), rest("c")),
      fails(1002),
    ]),
    at("binary-inside", "bytes inside a text in fragments", inside, [
      send(text("a", more), binary("b"), rest("c")),
      fails(1002),
    ]),
    at("text-inside-binary", "a text inside bytes in fragments", inside, [
      send(binary("a", more), text("b"), rest("c")),
      fails(1002),
    ], true),
    at("text-twice", "two first fragments", inside, [
      send(text("a", more), text("b", more), rest("c")),
      fails(1002),
    ], true),
    at("text-inside-in-pieces", "a text inside a message in fragments, byte by byte", inside, [
      sendInPieces(1, text("a", more), text("b")),
      fails(1002),
    ], true),
    at("empty-text-inside", "an empty text inside a message in fragments", inside, [
      send(text("a", more), text(""), rest("c")),
      fails(1002),
    ], true),
  ];
}

const FLOODS: readonly {
  readonly id: string;
  readonly title: string;
  readonly frames: () => Frame[];
  readonly whole: () => Frame;
}[] = [
  {
    id: "64-bytes",
    title: "65,536 fragments of 64 bytes: 4 MiB",
    frames: () => evenly(binary(noise(1 << 22)), 64),
    whole: () => binary(noise(1 << 22)),
  },
  {
    id: "one-byte",
    title: "131,000 fragments of one byte",
    frames: () => evenly(binary(noise(131_000)), 1),
    whole: () => binary(noise(131_000)),
  },
  {
    id: "empty",
    title: "100,000 empty fragments, then one byte",
    frames: () => [
      text("", more),
      ...Array.from({ length: 100_000 }, () => rest("", more)),
      rest("x"),
    ],
    whole: () => text("x"),
  },
];

/** Fragments that cost memory, not bytes: a limit may refuse them. */
function floods(): Case[] {
  return FLOODS.map(({ id, title, frames, whole }) =>
    connectionCase(
      `fragment/flood-${id}`,
      title,
      "RFC 6455 §10.4",
      id === "64-bytes"
        ? "Small fragments are legal, and their sum is an ordinary message."
        : "Empty and tiny fragments cost the receiver more than the sender; a limit may refuse them.",
      [
        sendMade(title, frames),
        either(
          messageMade("the whole message", whole),
          closing([1008, 1009], {
            allows: "Close 1008 or 1009 (informational)",
            verdict: "informational",
            note: (event) =>
              `it refuses so many fragments with ${event.kind === "close" ? event.code : ""}`,
          }),
          ...failing([1008, 1009]).slice(1),
        ),
      ],
      { weight: 4 },
    )
  );
}

/** All of this file. */
export const FRAGMENT_CASES: readonly Case[] = [
  ...wholeMessages(),
  ...controlBetween(),
  ...wrongOrder(),
  ...floods(),
];
