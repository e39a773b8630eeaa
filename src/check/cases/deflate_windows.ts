/** Cases of windows and of context takeover, for either side. RFC 7692 §7.1. */

import { asciiNoise, concat, utf8 } from "../bytes.ts";
import type { Case, CaseOptions } from "../case.ts";
import { copied, deflated } from "../deflater.ts";
import { type Frame, text } from "../frames.ts";
import { back, type Branch, echo, either, failing, message, send, type Step } from "../steps.ts";
import { AGAIN, at, HELLO, packed, SENTENCE } from "./deflate_case.ts";

/** A text whose second half is its first: a compressor with a window refers back to the limit of its window. */
const tempting = (bits: number): Uint8Array => {
  const half = asciiNoise((1 << bits) + 300, bits);
  return concat([half, half.subarray(0, 600), half.subarray(half.length - 200), half]);
};

const BITS = [8, 9, 10, 11, 12, 13, 14, 15];

/** Whether the peer has used its compressor at all. */
const hasCompressed = (otherwise: "ok" | "informational" = "informational"): Step => ({
  sends: [],
  allows: [`compressed messages; or others${otherwise === "ok" ? "" : " (informational)"}`],
  run: ({ subject, peer }) => {
    if (peer.compressed === 0) subject.note(otherwise, "it sends all of this without compression");
    else subject.note("ok", `it refers up to ${peer.inflater?.farthest ?? 0} bytes back`);
    return Promise.resolve();
  },
});

function windows(): Case[] {
  const PEER = "Its references reach no farther back than the window that was agreed on.";
  const OWN = "It keeps as many bytes as the window that was agreed on has.";
  return BITS.flatMap((bits) => {
    const isVariant = bits !== 9 && bits !== 15;
    const distance = 1 << bits;
    // zlib, which most use, has no such window: it can be agreed to all the same, and not be used.
    const may = bits === 8 ? "ok" : "informational";
    const first = asciiNoise(distance, bits);
    const copy = Math.min(258, distance);
    const twice = concat([first, first.subarray(0, copy)]);
    const long = text(tempting(bits));
    return [
      at(
        `window-peer-${bits}`,
        `a text that tempts the peer to refer back, with its window of ${bits} bits`,
        "RFC 7692 §7.1.2",
        PEER,
        [
          ...echo(long),
          hasCompressed(may),
        ],
        { compression: { peerBits: bits }, isVariant },
      ),
      at(
        `window-peer-${bits}-forgets`,
        `the same text twice, with the peer's window of ${bits} bits and without takeover`,
        "RFC 7692 §7.1.1",
        "Without takeover, no message refers to an earlier one.",
        [
          ...echo(long),
          ...echo(long),
          hasCompressed(may),
        ],
        { compression: { peerBits: bits, peerForgets: true }, isVariant },
      ),
      at(
        `window-own-${bits}`,
        `a reference ${distance} bytes back, with our window of ${bits} bits`,
        "RFC 7692 §7.1.2",
        OWN,
        [
          send(packed(deflated([...first, ...copied(copy, distance)]))),
          back(text(twice)),
        ],
        { compression: { ownBits: bits }, isVariant },
      ),
      at(
        `window-own-${bits}-messages`,
        `a reference ${distance} bytes back, to an earlier message, with our window of ${bits} bits`,
        "RFC 7692 §7.1.2",
        OWN,
        [
          send(packed(deflated(first))),
          back(text(first)),
          send(packed(deflated(copied(copy, distance)))),
          back(text(first.subarray(0, 258))),
        ],
        { compression: { ownBits: bits, refersBack: true }, isVariant },
      ),
      at(
        `window-both-${bits}`,
        `texts both ways, with both windows of ${bits} bits, without takeover`,
        "RFC 7692 §7.1",
        "Each direction has its own parameters.",
        [
          send(packed(deflated([...first, ...copied(copy, distance)]))),
          back(text(twice)),
          ...echo(long),
        ],
        {
          compression: { peerBits: bits, ownBits: bits, peerForgets: true, ownForgets: true },
          isVariant: true,
        },
      ),
    ];
  });
}

function takeover(): Case[] {
  const long = text(SENTENCE.repeat(20));
  const beyond = (
    id: string,
    title: string,
    why: string,
    frames: readonly Frame[],
    expected: readonly Frame[],
    compression: CaseOptions["compression"],
  ): Case => {
    const branches: Branch[] = [
      message(expected[1] ?? text(""), {
        verdict: "informational",
        note: () => "it keeps more than was agreed on, and takes the reference",
      }),
      ...failing([1007, 1002]),
    ];
    return at(id, title, "RFC 7692 §7.1", why, [
      send(...frames.slice(0, 1)),
      back(...expected.slice(0, 1)),
      send(...frames.slice(1)),
      either(...branches),
    ], compression === undefined ? {} : { compression });
  };
  const first = asciiNoise(2000);
  return [
    at(
      "takeover-peer",
      "the same text three times",
      "RFC 7692 §7.1.1",
      "The peer may refer to earlier messages.",
      [
        ...echo(long),
        ...echo(long),
        ...echo(long),
        hasCompressed(),
      ],
    ),
    at(
      "takeover-peer-none",
      "the same text three times, without the peer's takeover",
      "RFC 7692 §7.1.1",
      "No message refers to an earlier one.",
      [
        ...echo(long),
        ...echo(long),
        ...echo(long),
        hasCompressed(),
      ],
      { compression: { peerForgets: true } },
    ),
    at(
      "takeover-own-none",
      "texts that don't refer back, without our takeover",
      "RFC 7692 §7.1.1",
      "Each message begins with an empty window.",
      [
        send(packed(HELLO), packed(HELLO)),
        back(text("Hello"), text("Hello")),
      ],
      { compression: { ownForgets: true } },
    ),
    beyond(
      "takeover-own-broken",
      "a text that refers back, although we agreed not to",
      "The peer may have thrown the window away; then the reference is broken.",
      [packed(HELLO), packed(AGAIN)],
      [text("Hello"), text("Hello")],
      { ownForgets: true },
    ),
    beyond(
      "window-own-broken",
      "a reference 1,024 bytes back, with our window of 9 bits",
      "The peer may keep 512 bytes only; then the reference is broken.",
      [
        packed(deflated(first)),
        packed(deflated([0x61, ...copied(10, 1025)])),
      ],
      [
        text(first),
        text(concat([utf8("a"), first.subarray(first.length - 1024, first.length - 1014)])),
      ],
      { ownBits: 9 },
    ),
  ];
}

/** All of this file. */
export const WINDOW_CASES: readonly Case[] = [
  ...takeover(),
  ...windows(),
];
