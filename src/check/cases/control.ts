/** Cases of Pings, Pongs and closing, for either side. RFC 6455 §5.5 and §7. */

import { asciiNoise, filled, hex, noise, utf8 } from "../bytes.ts";
import { type Case, type CaseOptions, connectionCase } from "../case.ts";
import { binary, close, type Frame, more, ping, pong, rest, text } from "../frames.ts";
import {
  answersClose,
  back,
  closes,
  closesInTime,
  closing,
  echo,
  either,
  endsWithUs,
  failing,
  fails,
  failsAlone,
  lastPong,
  mayBeLeftOut,
  pongOf,
  pongs,
  resets,
  send,
  sendInPieces,
  type Step,
} from "../steps.ts";

const S55 = "RFC 6455 §5.5";
const S551 = "RFC 6455 §5.5.1";
const S552 = "RFC 6455 §5.5.2";
const S553 = "RFC 6455 §5.5.3";
const S74 = "RFC 6455 §7.4";

function pingCases(): Case[] {
  const answered = (id: string, title: string, frame: Frame, isVariant = false): Case =>
    connectionCase(
      `ping/${id}`,
      title,
      S552,
      "A Ping gets a Pong with the same payload.",
      [send(frame), pongs(frame)],
      { isVariant },
    );
  const ten = Array.from({ length: 10 }, (_, i) => ping(`ping ${i}`));
  const flood = Array.from({ length: 2000 }, (_, i) => ping(`${i}`));
  return [
    answered("empty", "an empty Ping", ping()),
    answered("payload-1", "a Ping with 1 byte", ping("x"), true),
    answered("payload-5", "a Ping with a text", ping("Hello")),
    answered("payload-124", "a Ping with 124 bytes", ping(asciiNoise(124)), true),
    answered("payload-125", "a Ping with 125 bytes, the maximum", ping(asciiNoise(125))),
    answered("not-utf8", "a Ping whose payload isn't UTF-8", ping(hex("00 ff fe fd fc fb 00 ff"))),
    answered("zeros", "a Ping of zeros", ping(filled(8, 0)), true),
    answered("proto", "a Ping with the payload __proto__", ping("__proto__")),
    connectionCase(
      "ping/payload-126",
      "a Ping with 126 bytes",
      S55,
      "A control frame has 125 bytes at most.",
      [send(ping(filled(126))), fails(1002)],
    ),
    connectionCase(
      "ping/payload-65536",
      "a Ping with 64 KiB",
      S55,
      "A control frame has 125 bytes at most; its length never takes 64 bits.",
      [send(ping(filled(65_536))), fails(1002)],
      { isVariant: true },
    ),
    connectionCase(
      "ping/long-length",
      "a Ping with 5 bytes whose length takes 16 bits",
      "RFC 6455 §5.2",
      "The minimal number of bytes must be used. What a receiver does with more isn't said.",
      [
        send(ping("Hello", { lengthBits: 16 })),
        either(
          pongOf(utf8("Hello")),
          closing([1002], {
            allows: "Close 1002 (informational)",
            verdict: "informational",
            note: () => "it refuses a length with more bytes than needed",
          }),
          ...failing([1002]).slice(1),
        ),
      ],
    ),
    connectionCase(
      "ping/fragment",
      "a Ping with FIN=0",
      S55,
      "A control frame must not be fragmented.",
      [send(ping("abc", more)), fails(1002)],
    ),
    connectionCase(
      "ping/fragments",
      "a Ping in two fragments",
      S55,
      "A control frame must not be fragmented.",
      [send(ping("abc", more), rest("def")), fails(1002)],
      { isVariant: true },
    ),
    connectionCase(
      "ping/in-pieces",
      "a Ping with 125 bytes that comes byte by byte",
      S552,
      "A control frame may be split by TCP like any other.",
      [sendInPieces(1, ping(asciiNoise(125))), pongs(ping(asciiNoise(125)))],
    ),
    connectionCase(
      "ping/ten",
      "ten Pings in one piece",
      S553,
      "Each gets a Pong; or the last one does, if several wait.",
      [send(...ten), lastPong(ten)],
    ),
    connectionCase(
      "ping/2000",
      "two thousand Pings in one piece",
      S553,
      "Each gets a Pong; or the last one does, if several wait.",
      [send(...flood), lastPong(flood, true)],
    ),
    connectionCase(
      "ping/then-message",
      "a Ping, then a text",
      S552,
      "The Pong is sent as soon as is practical.",
      [send(ping("p"), text("abc")), pongs(ping("p")), back(text("abc"))],
    ),
    connectionCase(
      "pong/unasked",
      "a Pong that no Ping asked for",
      S553,
      "It is a heartbeat of one direction and gets no answer.",
      [send(pong()), send(ping("p")), pongs(ping("p"))],
    ),
    connectionCase(
      "pong/unasked-payload",
      "an unasked Pong with a payload",
      S553,
      "It gets no answer.",
      [send(pong("abc")), send(ping("p")), pongs(ping("p"))],
      { isVariant: true },
    ),
    connectionCase(
      "pong/many",
      "a thousand unasked Pongs, then a text",
      S553,
      "They get no answer and change nothing.",
      [
        send(...Array.from({ length: 1000 }, (_, i) => pong(`${i}`)), text("abc")),
        back(text("abc")),
      ],
    ),
    connectionCase(
      "pong/names",
      "unasked Pongs named like members of an object",
      S553,
      "A table of Pings must not take them for members of its own: __proto__, constructor, toString.",
      [
        send(pong("__proto__"), pong("constructor"), pong("toString"), pong("hasOwnProperty")),
        ...echo(text("abc")),
      ],
    ),
    connectionCase(
      "pong/payload-126",
      "a Pong with 126 bytes",
      S55,
      "A control frame has 125 bytes at most.",
      [send(pong(filled(126))), fails(1002)],
    ),
    connectionCase(
      "pong/fragment",
      "a Pong with FIN=0",
      S55,
      "A control frame must not be fragmented.",
      [send(pong("abc", more)), fails(1002)],
    ),
  ];
}

/** Codes that an endpoint may send, and what each is. RFC 6455 §7.4.1, and IANA's registry. */
const SENDABLE: readonly (readonly [code: number, name: string])[] = [
  [1000, "normal closure"],
  [1001, "going away"],
  [1002, "protocol error"],
  [1003, "unsupported data"],
  [1007, "invalid payload"],
  [1008, "policy violation"],
  [1009, "message too big"],
  [1010, "mandatory extension"],
  [1011, "internal error"],
  [1012, "service restart, in IANA's registry"],
  [1013, "try again later, in IANA's registry"],
  [1014, "bad gateway, in IANA's registry"],
  [3000, "the first for libraries"],
  [3999, "the last for libraries"],
  [4000, "the first for private use"],
  [4999, "the last for private use"],
];

/** Codes that no Close may have. RFC 6455 §7.4.1 and §7.4.2. */
const UNSENDABLE: readonly (readonly [code: number, name: string])[] = [
  [0, "not used"],
  [1, "not used"],
  [999, "the last that isn't used"],
  [1004, "reserved"],
  [1005, "no status received: never on the wire"],
  [1006, "abnormal closure: never on the wire"],
  [1015, "TLS handshake: never on the wire"],
  [1016, "not defined"],
  [1100, "not defined"],
  [2000, "not defined"],
  [2999, "the last of the protocol's, not defined"],
  [5000, "above all ranges"],
  [65_535, "the largest number"],
];

/** Codes of IANA's registry that RFC 6455 doesn't have: a peer that knows the RFC only may refuse them. */
const REGISTERED = [1012, 1013, 1014];

function closeCodes(): Case[] {
  const sendable = SENDABLE.map(([code, name]) =>
    connectionCase(
      `close/code-${code}`,
      `a Close with ${code} (${name})`,
      S74,
      "A Close is answered by a Close, typically with the same code; then the server ends TCP.",
      [
        send(close(code)),
        answersClose([code], REGISTERED.includes(code) ? "informational" : "non-strict"),
      ],
      { isVariant: ![1000, 1012, 3000, 4999].includes(code) },
    )
  );
  const unsendable = UNSENDABLE.map(([code, name]) =>
    connectionCase(
      `close/code-${code}`,
      `a Close with ${code} (${name})`,
      S74,
      "Such a code must not be in a Close frame: it is a protocol error.",
      [send(close(code)), fails(1002)],
      { isVariant: ![999, 1005, 1016, 5000].includes(code) },
    )
  );
  return [...sendable, ...unsendable];
}

function closePayloads(): Case[] {
  const answered = (
    id: string,
    title: string,
    frame: Frame,
    why: string,
    codes: readonly (number | null)[],
  ): Case => connectionCase(`close/${id}`, title, S551, why, [send(frame), answersClose(codes)]);
  const refused = (
    id: string,
    title: string,
    frame: Frame,
    why: string,
    codes: readonly number[],
    options?: CaseOptions,
  ): Case =>
    connectionCase(`close/${id}`, title, S551, why, [send(frame), fails(...codes)], options);
  const UTF8 = "A reason is UTF-8; one that isn't is either a protocol error or inconsistent data.";
  return [
    answered(
      "empty",
      "an empty Close",
      close(),
      "A Close may have no code; then the answer needs none.",
      [
        null,
        1000,
      ],
    ),
    answered(
      "reason",
      "a Close with a reason",
      close(1000, "bye"),
      "A reason may follow the code.",
      [1000],
    ),
    answered(
      "reason-123",
      "a Close with a reason of 123 bytes, the maximum",
      close(1000, asciiNoise(123)),
      "Code and reason have 125 bytes at most.",
      [1000],
    ),
    answered(
      "reason-utf8",
      "a Close whose reason has characters of several bytes",
      close(1000, "κόσμε €𝄞 🙂"),
      "A reason is UTF-8.",
      [1000],
    ),
    refused("one-byte", "a Close with one byte", close(hex("03")), "A code takes two bytes.", [
      1002,
    ]),
    refused(
      "reason-124",
      "a Close with a reason of 124 bytes",
      close(1000, asciiNoise(124)),
      "A control frame has 125 bytes at most.",
      [1002],
    ),
    refused("reason-not-utf8", "a reason that isn't UTF-8", close(1000, hex("ce ba ff 62")), UTF8, [
      1007,
      1002,
    ]),
    refused(
      "reason-surrogate",
      "a reason with a surrogate",
      close(1000, hex("61 ed a0 80 62")),
      UTF8,
      [1007, 1002],
      { isVariant: true },
    ),
    refused(
      "reason-cut",
      "a reason that ends inside a character",
      close(1000, hex("61 e2 82")),
      UTF8,
      [1007, 1002],
    ),
    refused(
      "fragment",
      "a Close with FIN=0",
      { ...close(1000), fin: false },
      "A control frame must not be fragmented.",
      [
        1002,
      ],
    ),
  ];
}

function closeOrder(): Case[] {
  const at = (
    id: string,
    title: string,
    section: string,
    why: string,
    steps: readonly Step[],
  ): Case => connectionCase(`close/${id}`, title, section, why, steps);
  return [
    at(
      "then-text",
      "a Close, then a text in the same piece",
      S551,
      "Behind a Close nothing counts.",
      [
        send(close(1000), text("late")),
        answersClose([1000]),
      ],
    ),
    at(
      "then-ping",
      "a Close, then a Ping in the same piece",
      S551,
      "Behind a Close nothing counts.",
      [
        send(close(1000), ping("late")),
        answersClose([1000]),
      ],
    ),
    at("twice", "two Closes in the same piece", S551, "The first one counts.", [
      send(close(1000), close(1001)),
      answersClose([1000]),
    ]),
    at(
      "then-junk",
      "a Close, then bytes that are no frame",
      S551,
      "Behind a Close nothing counts.",
      [
        send(close(1000), text("", { rsv: 7 })),
        answersClose([1000]),
      ],
    ),
    at(
      "behind-text",
      "a text, then a Close in the same piece",
      S551,
      "What came before the Close is delivered; the answer may still be sent.",
      [
        send(text("abc"), close(1000)),
        mayBeLeftOut(text("abc")),
        answersClose([1000]),
      ],
    ),
    at(
      "behind-ping",
      "a Ping, then a Close in the same piece",
      S551,
      "The Pong may still be sent.",
      [
        send(ping("p"), close(1000)),
        either(
          { allows: "Pong", matches: (event) => event.kind === "pong" },
          closing([1000], { allows: "Close" }),
        ),
        answersClose([1000]),
      ],
    ),
    at(
      "in-message",
      "a Close between two fragments",
      "RFC 6455 §5.4",
      "A control frame may come between fragments; the message is never finished.",
      [send(text("abc", more), close(1000), rest("def")), answersClose([1000])],
    ),
    at(
      "in-pieces",
      "a Close with a reason that comes byte by byte",
      S551,
      "TCP may split it anywhere.",
      [
        sendInPieces(1, close(1000, "good bye")),
        answersClose([1000]),
      ],
    ),
    at("after-message", "a text, its answer, then a Close", S551, "The usual course.", [
      ...echo(text("abc")),
      ...closes(),
    ]),
    at(
      "after-256-kib",
      "256 KiB, then a Close in the same piece",
      S551,
      "A Close isn't lost behind a large message.",
      [
        send(binary(noise(262_144)), close(1000)),
        mayBeLeftOut(binary(noise(262_144))),
        answersClose([1000]),
      ],
    ),
    at(
      "then-dribble",
      "a Close, then single bytes again and again",
      "RFC 6455 §7.1.1",
      "Behind both Closes, TCP ends; a peer that goes on sending doesn't keep it open.",
      [send(close(1000)), closesInTime(1000)],
    ),
    at(
      "unanswered",
      "a frame that fails the connection; the peer's Close gets no answer",
      "RFC 6455 §7.1.7",
      "An endpoint that fails the connection doesn't wait for a Close without a limit.",
      [send(text("", { rsv: 2 })), failsAlone([1002])],
    ),
    at(
      "unanswered-dribble",
      "a frame that fails the connection, then texts again and again, and no Close",
      "RFC 6455 §7.1.7",
      "An endpoint that has failed the connection takes no more data, and ends TCP in time.",
      [send(text("", { rsv: 2 })), failsAlone([1002], text("late"))],
    ),
    at(
      "rsv",
      "a Close with all reserved bits",
      "RFC 6455 §5.2",
      "No extension has given them a meaning.",
      [
        send({ ...close(1000), rsv: 7 }),
        fails(1002),
      ],
    ),
  ];
}

/** When TCP is reset: behind which frames. */
const RESETS: readonly (readonly [id: string, title: string, ...frames: Frame[]])[] = [
  ["", "right behind the handshake"],
  ["-unread", "while the peer sends 1 MiB back", binary(noise(1 << 20))],
  ["-in-header", "inside a frame's header", binary("", { announced: 300n, lengthBits: 16 })],
  ["-in-message", "between two fragments", text("abc", more)],
  ["-behind-ping", "right behind a Ping", ping("p")],
  ["-behind-close", "right behind a Close", close(1000)],
  ["-behind-failure", "right behind a frame that fails the connection", text("", { rsv: 2 })],
];

function endings(): Case[] {
  const why = "An end of TCP without a Close ends the connection; nothing is left open.";
  const at = (id: string, title: string, ...frames: readonly Frame[]): Case =>
    connectionCase(`end/${id}`, title, "RFC 6455 §7.1.5", why, [
      ...(frames.length === 0 ? [] : [send(...frames)]),
      endsWithUs(),
    ]);
  return [
    at("at-once", "the end of TCP right behind the handshake"),
    at(
      "in-header",
      "the end of TCP inside a frame's header",
      binary("", { announced: 300n, lengthBits: 16 }),
    ),
    at(
      "in-payload",
      "the end of TCP inside a frame's payload",
      binary("abc", { announced: 100n, lengthBits: 7 }),
    ),
    at("in-message", "the end of TCP between two fragments", text("abc", more)),
    connectionCase(
      "end/behind-message",
      "a text, its answer, then the end of TCP",
      "RFC 6455 §7.1.5",
      why,
      [...echo(text("abc")), endsWithUs()],
    ),
    ...RESETS.map(([id, title, ...frames], i) =>
      connectionCase(
        `end/reset${id}`,
        `a reset of TCP ${title}`,
        "RFC 6455 §7.1.5",
        "A reset ends this connection only: the endpoint goes on, and its next connection works.",
        [...frames.length === 0 ? [] : [send(...frames)], resets()],
        { connections: 2, isVariant: i > 1 },
      )
    ),
    connectionCase(
      "end/behind-close",
      "a Close and the end of TCP together",
      "RFC 6455 §7.1.1",
      "The answer may still be sent; then TCP ends.",
      [send(close(1000)), endsWithUs()],
    ),
  ];
}

/** All of this file. */
export const CONTROL_CASES: readonly Case[] = [
  ...pingCases(),
  ...closeCodes(),
  ...closePayloads(),
  ...closeOrder(),
  ...endings(),
];
