/** Cases of masks, for servers. RFC 6455 §5.1 and §5.3. */

import { asciiNoise, noise } from "../bytes.ts";
import { type Case, connectionCase } from "../case.ts";
import { binary, close, type Frame, more, ping, pong, rest, text } from "../frames.ts";
import { back, backThenFails, echo, fails, send, sendInPieces } from "../steps.ts";

const unmasked = { hasWrongMask: true } as const;

const wrong = (id: string, title: string, frames: readonly Frame[], isVariant = false): Case =>
  connectionCase(
    `mask/${id}`,
    title,
    "RFC 6455 §5.1",
    "A server must close the connection when a frame isn't masked.",
    [send(...frames), fails(1002)],
    { isVariant },
  );

const right = (id: string, title: string, frame: Frame, isVariant = false): Case =>
  connectionCase(
    `mask/${id}`,
    title,
    "RFC 6455 §5.3",
    "Each byte is unmasked with the key's byte at its place modulo 4.",
    echo(frame),
    { isVariant },
  );

/** All of this file. */
export const MASK_CASES: readonly Case[] = [
  right("zero-key", "a key of zeros", text("abcdefgh", { key: [0, 0, 0, 0] })),
  right("ones-key", "a key of ones", text("abcdefgh", { key: [255, 255, 255, 255] })),
  right(
    "one-byte-key",
    "a key of which one byte isn't zero",
    text("abcdefgh", { key: [0, 0, 0x55, 0] }),
    true,
  ),
  right(
    "odd-length",
    "7 bytes: the key's last byte is used once",
    binary(noise(7), { key: [1, 2, 3, 4] }),
  ),
  right("large", "100,001 bytes", binary(noise(100_001), { key: [0x80, 0x7f, 1, 0xfe] })),
  connectionCase(
    "mask/each-another-key",
    "two frames, each with a key of its own",
    "RFC 6455 §5.3",
    "Each frame has its own key.",
    [
      send(text("abcd", { key: [1, 2, 3, 4] }), text("efgh", { key: [9, 8, 7, 6] })),
      back(text("abcd"), text("efgh")),
    ],
  ),
  connectionCase(
    "mask/fragments-another-key",
    "fragments of odd lengths, each with a key of its own",
    "RFC 6455 §5.3",
    "Masking begins anew with each fragment.",
    [
      send(
        text("abc", { ...more, key: [1, 2, 3, 4] }),
        rest("defgh", { ...more, key: [5, 6, 7, 8] }),
        rest("i", { key: [9, 10, 11, 12] }),
      ),
      back(text("abcdefghi")),
    ],
  ),
  connectionCase(
    "mask/in-pieces",
    "a payload in pieces of 3 bytes",
    "RFC 6455 §5.3",
    "A piece of TCP doesn't begin the key anew.",
    [sendInPieces(3, text(asciiNoise(100))), back(text(asciiNoise(100)))],
  ),
  wrong("none-text", "a text without a mask", [text("abc", unmasked)]),
  wrong("none-binary", "a binary message without a mask", [binary("abc", unmasked)], true),
  wrong("none-empty", "an empty text without a mask", [text("", unmasked)], true),
  wrong("none-ping", "a Ping without a mask", [ping("abc", unmasked)]),
  wrong("none-pong", "a Pong without a mask", [pong("abc", unmasked)], true),
  wrong("none-close", "a Close without a mask", [{ ...close(1000), ...unmasked }]),
  wrong("none-continuation", "a Continuation without a mask", [
    text("abc", more),
    rest("def", unmasked),
  ]),
  connectionCase(
    "mask/none-second",
    "a masked text, then one without a mask",
    "RFC 6455 §5.1",
    "Each frame is masked.",
    [send(text("abc"), text("def", unmasked)), backThenFails(text("abc"), 1002)],
  ),
];
