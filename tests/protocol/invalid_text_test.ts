/** Text that is not UTF-8, and is accepted because the owner allows it. */

import { assertEquals } from "@std/assert";
import { LARGEST_PIECE } from "../../src/protocol/work_budget.ts";
import { seededRandom } from "../support/random.ts";
import { fromHex, joined } from "../support/bytes.ts";
import { frame, peerFrame } from "../support/frames.ts";
import { describe, record, splits, told } from "./support.ts";

const replacing = new TextDecoder("utf-8", { ignoreBOM: true });

const INVALID = [
  "80",
  "61ff62",
  "61c3",
  "c328",
  "e282",
  "f09f98",
  "f0908080ff",
  "eda080",
  "efbbbf fe",
];

Deno.test("invalid text: it is replaced or delivered as bytes, however it is split; valid text stays text", () => {
  for (const text of INVALID) {
    const payload = fromHex(text);
    const expected = { replace: replacing.decode(payload), bytes: payload };
    for (const invalidText of ["replace", "bytes"] as const) {
      const frames = joined([
        peerFrame("server", { opcode: 1, payload }),
        peerFrame("server", { opcode: 1, payload: payload.subarray(0, 1), fin: false }),
        peerFrame("server", { opcode: 0, payload: payload.subarray(1) }),
        peerFrame("server", { opcode: 1, payload: "\ufeffé" }),
        peerFrame("server", { opcode: 2, payload }),
      ]);
      const message = describe(expected[invalidText]);
      for (const chunks of splits(frames)) {
        const peer = record("server", { invalidText });
        for (const chunk of chunks) peer.protocol.receive(chunk);
        assertEquals(told(peer), [message, message, "text \ufeffé", describe(payload)], text);
      }
    }
  }
});

Deno.test("invalid text: a large text has the same replacement in pieces, and all its bytes", () => {
  const random = seededRandom();
  for (const size of [LARGEST_PIECE - 1, LARGEST_PIECE + 1, 3 * LARGEST_PIECE + 2]) {
    // Half of it is continuation bytes, so that pieces end within code points and within invalid bytes.
    const payload = random.bytes(size).map((it) => it < 128 ? it : it < 192 ? 0xe2 : it - 64);
    for (const invalidText of ["replace", "bytes"] as const) {
      const peer = record("client", { invalidText });
      const whole = frame({ opcode: 1, payload });
      for (let at = 0; at < whole.length; at += 60_001) {
        peer.protocol.receive(whole.subarray(at, at + 60_001));
      }
      const expected = invalidText === "bytes" ? payload : replacing.decode(payload);
      assertEquals(told(peer).length, 1);
      // Not assertEquals, because the texts are too long to print.
      const context = `${size} ${invalidText}, seed ${random.seed}`;
      assertEquals(told(peer)[0] === describe(expected), true, context);
    }
  }
});

Deno.test("invalid text: compressed text is handled in the same way", () => {
  const deflate = { compress: () => null, decompress: (it: Uint8Array) => it.slice() };
  for (const invalidText of ["replace", "bytes", "fail"] as const) {
    const peer = record("client", { invalidText, deflate });
    peer.protocol.receive(frame({ opcode: 1, rsv: 4, payload: Uint8Array.of(0x61, 0xff) }));
    peer.protocol.receive(frame({ opcode: 1, rsv: 4, payload: "b" }));
    assertEquals(
      told(peer),
      {
        replace: ["text a\ufffd", "text b"],
        bytes: ["binary 61ff", "text b"],
        fail: ["failure 1007 Invalid UTF-8"],
      }[invalidText],
    );
  }
});

Deno.test("invalid text: a close reason must still be UTF-8", () => {
  const peer = record("client", { invalidText: "replace" });
  peer.protocol.receive(frame({ opcode: 8, payload: Uint8Array.of(3, 232, 0xff) }));
  assertEquals(told(peer), ["failure 1007 Invalid UTF-8"]);
});
