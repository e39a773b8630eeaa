/** Cases of messages, lengths, reserved bits and opcodes, for either side. RFC 6455 §5.2. */

import { asciiNoise, filled, noise, size } from "../bytes.ts";
import { type Case, connectionCase } from "../case.ts";
import { binary, close, type Frame, more, ping, pong, raw, rest, text } from "../frames.ts";
import {
  back,
  backAndPongs,
  closing,
  echo,
  either,
  endsWithUs,
  failing,
  fails,
  message,
  send,
  sendInPieces,
} from "../steps.ts";

const S52 = "RFC 6455 §5.2";
const S56 = "RFC 6455 §5.6";

/** Lengths on both sides of each border: 7 bits, 16 bits, 64 bits, and of common buffers. */
const LENGTHS = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 63, 64, 124, 125, 126, 127, 128, 129, 254, 255, 256, 257, 1023, 1024],
  ...[4095, 4096, 4097, 16_383, 16_384, 65_534, 65_535, 65_536, 65_537, 65_551, 131_072],
];

function lengths(): Case[] {
  return LENGTHS.flatMap((length) => [
    connectionCase(
      `message/text-${length}`,
      `a text of ${size(length)}`,
      S56,
      "The length takes 7, 16 or 64 bits; each must be read, and written with as few as possible.",
      echo(text(asciiNoise(length))),
      { isVariant: ![0, 1, 126, 65_536].includes(length) },
    ),
    connectionCase(
      `message/binary-${length}`,
      `a binary message of ${size(length)}`,
      S56,
      "Binary messages may hold any bytes, and stay binary.",
      echo(binary(noise(length))),
      { isVariant: ![0, 1, 126, 65_536].includes(length) },
    ),
  ]);
}

/** Announces a length, and sends a few bytes of it. */
const announce = (announced: bigint, lengthBits: 16 | 64 = 64): Frame =>
  binary("abc", { announced, lengthBits });

const tooLarge = (id: string, title: string, announced: bigint, why: string): Case =>
  connectionCase(`length/${id}`, title, S52, why, [
    send(announce(announced)),
    either(...failing([1002, 1009])),
  ]);

const PROMISE =
  "A length is a promise, not data: memory is taken as bytes arrive, and a limit may refuse it at once.";

const announced = (id: string, title: string, length: bigint, why = PROMISE): Case =>
  connectionCase(
    `length/${id}`,
    title,
    S52,
    why,
    [
      send(announce(length)),
      {
        sends: ["the end of TCP"],
        allows: ["Close 1009 at once, or the end of TCP once there is no more to come"],
        run: ({ subject, peer }) => endsWithUs().run({ subject, peer }),
      },
    ],
  );

function longForms(): Case[] {
  const why =
    "The minimal number of bytes must be used. What a receiver does with more isn't said: most take it.";
  const take = (frame: Frame, id: string, title: string, isVariant = false): Case =>
    connectionCase(`length/${id}`, title, S52, why, [
      send(frame),
      either(
        message(binary(frame.payload)),
        closing([1002], {
          allows: "Close 1002 (informational)",
          verdict: "informational",
          note: () => "it refuses a length with more bytes than needed",
        }),
      ),
    ], { isVariant });
  return [
    take(
      binary("", { lengthBits: 16 }),
      "0-in-16-bits",
      "an empty message whose length takes 16 bits",
    ),
    take(
      binary("abc", { lengthBits: 16 }),
      "3-in-16-bits",
      "3 bytes whose length takes 16 bits",
      true,
    ),
    take(
      binary(filled(125), { lengthBits: 16 }),
      "125-in-16-bits",
      "125 bytes whose length takes 16 bits",
      true,
    ),
    take(binary("abc", { lengthBits: 64 }), "3-in-64-bits", "3 bytes whose length takes 64 bits"),
    take(
      binary(filled(65_535), { lengthBits: 64 }),
      "65535-in-64-bits",
      "65,535 bytes whose length takes 64 bits",
      true,
    ),
  ];
}

function hugeLengths(): Case[] {
  return [
    tooLarge(
      "top-bit",
      "a length with its highest bit set",
      1n << 63n,
      "The most significant bit must be 0; read as a signed number, the length is negative.",
    ),
    tooLarge(
      "all-bits",
      "a length of 64 ones",
      (1n << 64n) - 1n,
      "Read as a signed number it is -1.",
    ),
    announced(
      "2-63-less-1",
      "a length of 2^63 - 1",
      (1n << 63n) - 1n,
      "The largest legal length; no machine has that much memory, so it must be refused or not taken.",
    ),
    announced(
      "2-53-plus-1",
      "a length of 2^53 + 1",
      (1n << 53n) + 1n,
      "A double can't hold it: rounded, it is another length.",
    ),
    announced(
      "2-32",
      "a length of 2^32 + 3, with 3 bytes",
      (1n << 32n) + 3n,
      "Cut to 32 bits it is 3, and the message would seem to be complete.",
    ),
    announced(
      "2-31-less-1",
      "a header that announces 2^31 - 1 bytes, then 3 bytes",
      (1n << 31n) - 1n,
    ),
    announced("1-mib", "a header that announces 1 MiB, then 3 bytes", 1n << 20n),
  ];
}

const RSV_KINDS: readonly (readonly [name: string, frame: Frame])[] = [
  ["text", text("abc")],
  ["binary", binary("abc")],
  ["ping", ping("abc")],
  ["pong", pong("abc")],
  ["close", close(1000)],
  ["empty-text", text("")],
];

function reservedBits(): Case[] {
  const why = "A reserved bit that no extension has given a meaning fails the connection.";
  const bits = (rsv: number): string => rsv.toString(2).padStart(3, "0");
  const single = RSV_KINDS.flatMap(([name, frame]) =>
    [1, 2, 3, 4, 5, 6, 7].map((rsv) =>
      connectionCase(
        `rsv/${name}-${bits(rsv)}`,
        `${name.replace("-", " ")} with the reserved bits ${bits(rsv)}`,
        S52,
        why,
        [
          ...echo(text("before")),
          send({ ...frame, rsv }, ping("behind")),
          fails(1002),
        ],
        { isVariant: ![1, 2, 4].includes(rsv) },
      )
    )
  );
  const inFragments = [1, 2, 4, 7].map((rsv) =>
    connectionCase(
      `rsv/continuation-${bits(rsv)}`,
      `a Continuation with the reserved bits ${bits(rsv)}`,
      S52,
      why,
      [send(text("abc", more), rest("def", { rsv })), fails(1002)],
      { isVariant: rsv !== 4 },
    )
  );
  return [
    ...single,
    ...inFragments,
    connectionCase(
      "rsv/in-pieces",
      "reserved bits in a frame that comes byte by byte",
      S52,
      "The first byte is enough to fail the connection.",
      [sendInPieces(1, text("abc", { rsv: 2 })), fails(1002)],
    ),
    connectionCase(
      "rsv/ping-in-message",
      "a Ping with a reserved bit between two fragments",
      S52,
      why,
      [send(text("abc", more), ping("", { rsv: 1 }), rest("def")), fails(1002)],
    ),
  ];
}

const RESERVED = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];

function reservedOpcodes(): Case[] {
  const why = "An unknown opcode fails the connection.";
  return RESERVED.flatMap((opcode) => {
    const kind = opcode < 8 ? "data" : "control";
    const isVariant = opcode !== 3 && opcode !== 11;
    return [
      connectionCase(
        `opcode/${opcode}-empty`,
        `an empty frame of the reserved ${kind} opcode ${opcode}`,
        S52,
        why,
        [send(raw(opcode)), fails(1002)],
        { isVariant },
      ),
      connectionCase(
        `opcode/${opcode}-payload`,
        `a frame of the reserved ${kind} opcode ${opcode} with a payload`,
        S52,
        why,
        [...echo(text("before")), send(raw(opcode, "abc"), ping()), fails(1002)],
        { isVariant },
      ),
      connectionCase(
        `opcode/${opcode}-in-message`,
        `the reserved ${kind} opcode ${opcode} between two fragments`,
        S52,
        why,
        [send(text("abc", more), raw(opcode, ""), rest("def")), fails(1002)],
        { isVariant },
      ),
      connectionCase(
        `opcode/${opcode}-fragment`,
        `a frame with FIN=0 of the reserved ${kind} opcode ${opcode}`,
        S52,
        why,
        [send(raw(opcode, "abc", more), rest("def")), fails(1002)],
        { isVariant: true },
      ),
    ];
  });
}

const MANY = Array.from({ length: 1000 }, (_, i) => text(`message ${i}`));

function order(): Case[] {
  return [
    connectionCase(
      "message/two-in-one-piece",
      "two messages in one piece of TCP",
      "RFC 6455 §5.1",
      "TCP has no borders: the bytes of one piece aren't one message.",
      [send(text("first"), text("second")), back(text("first"), text("second"))],
    ),
    connectionCase(
      "message/1000-in-one-piece",
      "a thousand messages in one piece of TCP",
      "RFC 6455 §5.1",
      "They are all delivered, in their order.",
      [send(...MANY), back(...MANY)],
    ),
    connectionCase(
      "message/kinds-in-turn",
      "text and bytes in turn, the same content",
      S56,
      "The kind of a message is a part of it.",
      [
        send(text("abc"), binary("abc"), text("abc"), binary("abc")),
        back(text("abc"), binary("abc"), text("abc"), binary("abc")),
      ],
    ),
    connectionCase(
      "message/half-a-frame",
      "one and a half frames in one piece, then the other half",
      S52,
      "A frame may begin in one piece of TCP and end in another.",
      [
        {
          sends: ['Text: "first"; and half of Text: "second", then its other half'],
          allows: [],
          run: async ({ peer }) => {
            const bytes = peer.encode([text("first"), text("second")]);
            await peer.wire.sendInPieces(bytes, bytes.length - 4);
          },
        },
        back(text("first"), text("second")),
      ],
    ),
    connectionCase(
      "message/empty-then-full",
      "an empty text, then one that isn't",
      S56,
      "A message without a payload is a message.",
      [send(text(""), text("abc")), back(text(""), text("abc"))],
    ),
    connectionCase(
      "message/ping-between",
      "a Ping between two messages",
      "RFC 6455 §5.5.2",
      "The Pong may come before or behind the answers.",
      [send(text("a"), ping("p")), backAndPongs([text("a")], [ping("p")]), ...echo(text("b"))],
    ),
  ];
}

const PIECES = [1, 2, 3, 5, 13, 64, 997];

function pieces(): Case[] {
  const long = text(asciiNoise(300, 3));
  return PIECES.flatMap((length) => [
    connectionCase(
      `pieces/text-${length}`,
      `a text of 300 bytes in pieces of ${size(length)}`,
      "RFC 6455 §5.1",
      "A frame's header, mask and payload may each be split anywhere.",
      [sendInPieces(length, long), back(long)],
      { isVariant: length !== 1 },
    ),
    connectionCase(
      `pieces/utf8-${length}`,
      `a text with characters of 2, 3 and 4 bytes in pieces of ${size(length)}`,
      S56,
      "A character may be split between pieces.",
      [sendInPieces(length, text("κόσμε €𝄞 🙂 ﷽")), back(text("κόσμε €𝄞 🙂 ﷽"))],
      { isVariant: length !== 1 },
    ),
    connectionCase(
      `pieces/many-${length}`,
      `messages, Pings and fragments in pieces of ${size(length)}`,
      "RFC 6455 §5.1",
      "The borders of pieces mean nothing.",
      [
        sendInPieces(length, text("ab"), ping("p"), text("c", more), ping("q"), rest("d")),
        backAndPongs([text("ab"), text("cd")], [ping("p"), ping("q")]),
      ],
      { isVariant: length !== 1 },
    ),
  ]);
}

/** All of this file. */
export const FRAME_CASES: readonly Case[] = [
  ...lengths(),
  ...order(),
  ...pieces(),
  ...longForms(),
  ...hugeLengths(),
  ...reservedBits(),
  ...reservedOpcodes(),
];
