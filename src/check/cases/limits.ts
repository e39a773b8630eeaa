/** Cases of large and of many messages, for either side. RFC 6455 §5.2 and §10.4. */

import { noise, size } from "../bytes.ts";
import { type Case, connectionCase } from "../case.ts";
import { binary, evenly, type Frame, text } from "../frames.ts";
import { closing, either, message, messageMade, sendMade, type Step } from "../steps.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const TILE = 61_441;

/** Large bytes, made in no time: a tile again and again, whose length is odd. Printable ASCII where it is for a text. */
export function large(length: number, isText: boolean): Uint8Array {
  const bytes = new Uint8Array(length);
  const tile = noise(Math.min(TILE, length), 7);
  if (isText) { for (let i = 0; i < tile.length; i++) tile[i] = 33 + (tile[i] ?? 0) % 94; }
  bytes.set(tile);
  for (let done = tile.length; done < length; done *= 2) {
    bytes.copyWithin(done, 0, Math.min(done, length - done));
  }
  return bytes;
}

const tooLarge = (length: number) =>
  closing([1009], {
    allows: "Close 1009 (informational)",
    verdict: "informational",
    note: () => `its limit is below ${size(length)}: it closes with 1009`,
  });

const weightOf = (length: number): number => length >= 4 * MIB ? 12 : length >= MIB ? 6 : 2;

/** How long the steps in between took, and how much that is. */
function timed(bytes: number, count: number, steps: readonly Step[]): Step[] {
  let start = 0;
  return [
    { sends: [], allows: [], run: () => Promise.resolve(void (start = performance.now())) },
    ...steps,
    {
      sends: [],
      allows: [],
      run: ({ subject }) => {
        const seconds = (performance.now() - start) / 1000;
        const rate = count === 1
          ? `${(bytes / MIB / seconds).toFixed(0)} MiB/s`
          : `${Math.round(count / seconds)} messages/s`;
        subject.note("ok", `${rate} there and back, with other cases at the same time`);
        return Promise.resolve();
      },
    },
  ];
}

const SIZES = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB];

function sizes(): Case[] {
  return SIZES.flatMap((length) =>
    [true, false].map((isText) => {
      const make = (): Frame => (isText ? text : binary)(large(length, isText));
      return connectionCase(
        `large/${isText ? "text" : "binary"}-${size(length).replace(" ", "-").toLowerCase()}`,
        `a ${isText ? "text" : "binary message"} of ${size(length)} in one frame`,
        "RFC 6455 §5.2",
        "A large message comes back whole, or a limit is reported with 1009.",
        timed(length, 1, [
          sendMade(`${isText ? "Text" : "Binary"}: ${size(length)}`, () => [make()]),
          either(messageMade("the same message", make), tooLarge(length)),
        ]),
        { weight: weightOf(length), isVariant: length !== 16 * MIB },
      );
    })
  );
}

const FRAGMENTS = [
  [4 * MIB, 256],
  [4 * MIB, 4 * KIB],
  [4 * MIB, 64 * KIB],
  [16 * MIB, 64 * KIB],
  [16 * MIB, MIB],
] as const;

function inFragments(): Case[] {
  return FRAGMENTS.map(([length, each]) =>
    connectionCase(
      `large/${size(length)}-by-${size(each)}`.replaceAll(" ", "-").toLowerCase(),
      `${size(length)} in fragments of ${size(each)}`,
      "RFC 6455 §5.4",
      "The limit, if there is one, is that of the whole message.",
      timed(length, 1, [
        sendMade(`${length / each} fragments of ${size(each)}`, () =>
          evenly(binary(large(length, false)), each)),
        either(
          messageMade("the whole message", () =>
            binary(large(length, false))),
          tooLarge(length),
        ),
      ]),
      { weight: weightOf(length), isVariant: length !== 16 * MIB || each !== MIB },
    )
  );
}

const COUNTS = [
  [0, 300],
  [16, 300],
  [64, 300],
  [256, 300],
  [1024, 300],
  [4096, 200],
  [16_384, 100],
  [65_536, 40],
] as const;

function many(): Case[] {
  return COUNTS.flatMap(([length, count]) =>
    [true, false].map((isText) => {
      const frame = (isText ? text : binary)(large(length, isText));
      return connectionCase(
        `many/${isText ? "text" : "binary"}-${length}`,
        `${count} ${isText ? "texts" : "binary messages"} of ${
          size(length)
        }, one after the other's answer`,
        "RFC 6455 §5.6",
        "Each comes back before the next is sent: the time is that of round trips.",
        timed(length * count, count, [{
          sends: [`${count} messages of ${size(length)}`],
          allows: ["each of them back"],
          async run(place) {
            for (let i = 0; i < count; i++) {
              place.peer.wire.send(place.peer.encode([frame]));
              await either(message(frame)).run(place);
            }
          },
        }]),
        { isVariant: length !== 64 },
      );
    })
  );
}

const UNREAD = Array.from({ length: 64 }, (_, i) => 256 * KIB - i);

/** A peer that is read late. */
function unread(): Case[] {
  const frames = (): Frame[] => UNREAD.map((length) => binary(large(length, false)));
  return [
    connectionCase(
      "many/unread",
      "16 MiB of messages, none of whose answers is read before all are sent",
      "RFC 6455 §5.6",
      "A peer that waits for room in its own direction still delivers all, in order; a limit may end the connection.",
      [
        {
          sends: ["64 messages of about 256 KiB"],
          allows: [],
          async run({ peer }) {
            await peer.sendInPieces(frames(), 64 * KIB);
            await peer.wire.untilFull();
          },
        },
        either(
          messageMade("each message back, in order", () => binary(large(256 * KIB, false)), {
            then: UNREAD.slice(1).map((length) =>
              either(messageMade("the next message", () => binary(large(length, false))))
            ),
          }),
          closing([1008, 1009, 1013], {
            allows: "Close 1008, 1009 or 1013 (informational)",
            verdict: "informational",
            note: () => "its limit is below 16 MiB of answers that wait",
          }),
        ),
      ],
      { weight: 12 },
    ),
  ];
}

/** All of this file. */
export const LIMIT_CASES: readonly Case[] = [...sizes(), ...inFragments(), ...many(), ...unread()];
