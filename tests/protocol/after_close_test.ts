/** Messages after this end's own Close, and messages with their own buffers. */

import { assertEquals } from "@std/assert";
import { LARGEST_PIECE } from "../../src/protocol/work_budget.ts";
import { joined } from "../support/bytes.ts";
import { frame, peerFrame } from "../support/frames.ts";
import { record, splits, told } from "./support.ts";

Deno.test("after close: with the option, messages are delivered until the peer's Close", () => {
  const rest = joined([
    peerFrame("server", { opcode: 1, payload: "one" }),
    peerFrame("server", { opcode: 2, payload: Uint8Array.of(2), fin: false }),
    peerFrame("server", { opcode: 9, payload: "p" }),
    peerFrame("server", { opcode: 0, payload: Uint8Array.of(3) }),
    peerFrame("server", { opcode: 8, payload: Uint8Array.of(3, 232, 98, 121, 101) }),
    peerFrame("server", { opcode: 1, payload: "too late" }),
  ]);
  for (const chunks of splits(rest)) {
    for (const takesAfterClose of [true, false]) {
      const peer = record("server", { takesAfterClose });
      peer.protocol.close(1000);
      for (const chunk of chunks) peer.protocol.receive(chunk);
      const expected = ["text one", "ping 70", "binary 0203", "close 1000 bye"];
      assertEquals(told(peer), takesAfterClose ? expected : ["ping 70", "close 1000 bye"]);
    }
  }
});

Deno.test("after close: a message that is incomplete when this end closes is delivered complete", () => {
  const peer = record("client", { takesAfterClose: true });
  const whole = frame({ opcode: 1, payload: "in two pieces" });
  peer.protocol.receive(whole.subarray(0, 6));
  peer.protocol.close();
  peer.protocol.receive(whole.subarray(6));
  assertEquals(told(peer), ["text in two pieces"]);
});

Deno.test("after close: the usual size limit applies", () => {
  const peer = record("client", { takesAfterClose: true, maxMessageSize: 4 });
  peer.protocol.close();
  peer.protocol.receive(frame({ opcode: 1, payload: "12345" }));
  assertEquals(told(peer).map((it) => it.slice(0, 12)), ["failure 1009"]);
});

Deno.test("own buffers: each binary message has its own buffer of exactly its length", () => {
  const sizes = [0, 1, 100, 5000, LARGEST_PIECE + 1];
  const frames = joined(sizes.map((size) => frame({ opcode: 2, payload: new Uint8Array(size) })));
  for (const ownBuffers of [true, false]) {
    for (const cut of [frames.length, 60_001]) {
      const peer = record("client", { ownBuffers, ownsChunks: true });
      const buffers: [own: number, all: number][] = [];
      peer.onMessage = (message) => {
        const { byteLength, buffer } = message as Uint8Array;
        buffers.push([byteLength, buffer.byteLength]);
      };
      for (let at = 0; at < frames.length; at += cut) {
        peer.protocol.receive(frames.slice(at, at + cut));
      }
      assertEquals(buffers.map(([own]) => own), sizes);
      assertEquals(buffers.every(([own, all]) => own === all), ownBuffers, `cut at ${cut}`);
    }
  }
});
