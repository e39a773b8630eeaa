/**
 * Random plans and random bytes. A failure prints its seed; `TEST_SEED=…` reproduces it, and another seed
 * tests other cases.
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Side } from "../../src/protocol/frame.ts";
import { record, type Recorded, told } from "../protocol/support.ts";
import { joined } from "../support/bytes.ts";
import { frame, KEY } from "../support/frames.ts";
import { describe } from "../protocol/support.ts";
import { testSeed } from "../support/random.ts";

const options = { seed: testSeed(), numRuns: 300 };

const text = fc.string({ unit: "binary", maxLength: 200 });
const binary = fc.uint8Array({ maxLength: 300 });
const small = fc.uint8Array({ maxLength: 125 });
const large = fc.integer({ min: 16_000, max: 70_000 }).map((length) =>
  Uint8Array.from({ length }, (_, i) => i * length)
);

/** The text as it is sent: each lone surrogate becomes U+FFFD. */
function wellFormed(value: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(value));
}

type Step =
  | { kind: "text"; value: string }
  | { kind: "binary"; value: Uint8Array }
  | { kind: "ping"; value: Uint8Array }
  | { kind: "pong"; value: Uint8Array };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: text.map((value): Step => ({ kind: "text", value })) },
  { weight: 4, arbitrary: binary.map((value): Step => ({ kind: "binary", value })) },
  { weight: 1, arbitrary: large.map((value): Step => ({ kind: "binary", value })) },
  { weight: 1, arbitrary: small.map((value): Step => ({ kind: "ping", value })) },
  { weight: 1, arbitrary: small.map((value): Step => ({ kind: "pong", value })) },
);

function perform({ protocol }: Recorded, { kind, value }: Step): void {
  if (kind === "text") assert(protocol.sendText(value));
  else if (kind === "binary") assert(protocol.sendBinary(value));
  else if (kind === "ping") assert(protocol.ping(value));
  else assert(protocol.pong(value));
}

function expected({ kind, value }: Step): string {
  if (kind === "text") return describe(wellFormed(value));
  return describe(value).replace("binary", kind);
}

/** Cuts bytes into chunks; repeats the list `sizes` for the chunks' sizes. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? bytes.length;
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  return chunks;
}

const sizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 70_000 })),
  {
    minLength: 1,
    maxLength: 8,
  },
);
const side = fc.constantFrom<Side>("client", "server");
const other = (of: Side): Side => of === "client" ? "server" : "client";

Deno.test("fuzz: messages arrive as they were sent, with any chunks, paused or not", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      sizes,
      side,
      fc.boolean(),
      fc.nat(5),
      (steps, chunkSizes, sender, ownsChunks, pauseEvery) => {
        const from = record(sender);
        const to = record(other(sender), { ownsChunks });
        let count = 0;
        to.onMessage = () => {
          if (pauseEvery > 0 && ++count % pauseEvery === 0) to.protocol.pause();
        };
        for (const it of steps) perform(from, it);
        const wire = joined(from.protocol.output.takeAll());
        for (const chunk of cut(wire, chunkSizes)) to.protocol.receive(chunk);
        while (to.protocol.pendingInput > 0) to.protocol.resume();
        assertEquals(told(to), steps.map(expected));
      },
    ),
    options,
  );
});

/** The answers of an echoing endpoint to the steps and one more Ping, in order. */
function answersTo(steps: readonly Step[]): string[] {
  const answers: string[] = [];
  for (const it of steps) {
    if (it.kind === "text" || it.kind === "binary") answers.push(expected(it));
    // RFC 6455 §5.5.2: each Ping gets a Pong.
    if (it.kind === "ping") answers.push(expected(it).replace("ping", "pong"));
  }
  return [...answers, "pong "];
}

Deno.test("fuzz: an endpoint echoes each message and answers each Ping, in order", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 20 }),
      side,
      fc.boolean(),
      (steps, first, ownsChunks) => {
        const from = record(first, { ownsChunks });
        const to = record(other(first), { ownsChunks });
        to.onMessage = (message) => {
          if (typeof message === "string") to.protocol.sendText(message);
          else to.protocol.sendBinary(message);
        };
        for (const it of steps) perform(from, it);
        from.protocol.ping();
        for (const chunk of from.protocol.output.takeAll()) to.protocol.receive(chunk);
        for (const chunk of to.protocol.output.takeAll()) from.protocol.receive(chunk);
        assertEquals(told(from), answersTo(steps));
        assert(from.protocol.close(1000, "done"));
        for (const chunk of from.protocol.output.takeAll()) to.protocol.receive(chunk);
        for (const chunk of to.protocol.output.takeAll()) from.protocol.receive(chunk);
        assertEquals([from.protocol.state, to.protocol.state], ["closed", "closed"]);
        assertEquals([told(from).at(-1), told(to).at(-1)], ["close 1000 done", "close 1000 done"]);
      },
    ),
    options,
  );
});

interface Plan {
  text: boolean;
  payload: Uint8Array;
  cuts: number[];
  pings: boolean[];
}

const plan: fc.Arbitrary<Plan> = fc.record({
  text: fc.boolean(),
  payload: fc.oneof(binary, text.map((value) => new TextEncoder().encode(value))),
  cuts: fc.array(fc.nat(300), { maxLength: 6 }),
  pings: fc.array(fc.boolean(), { maxLength: 8 }),
});

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** The frames of a plan, and the reports that they must cause. */
function fragments(
  { text, payload, cuts, pings }: Plan,
  key: readonly number[] | null,
): [Uint8Array[], string[]] {
  const places = [0, ...cuts.map((at) => Math.min(at, payload.length)).sort((a, b) => a - b)];
  const wire: Uint8Array[] = [];
  const log: string[] = [];
  const masked = key === null ? {} : { key };
  places.forEach((start, i) => {
    const fin = i === places.length - 1;
    const part = payload.subarray(start, places[i + 1]);
    wire.push(frame({ opcode: i > 0 ? 0 : text ? 1 : 2, fin, payload: part, ...masked }));
    if (fin || pings[i] !== true) return;
    wire.push(frame({ opcode: 9, payload: "between", ...masked }));
    log.push("ping 6265747765656e");
  });
  const message = text ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(payload) : payload;
  return [wire, [...log, describe(message)]];
}

Deno.test("fuzz: messages in fragments, with Pings between, cut anywhere", () => {
  fc.assert(
    fc.property(fc.array(plan, { maxLength: 6 }), sizes, side, (plans, chunkSizes, receiver) => {
      const legal = plans.filter(({ text, payload }) => !text || isUtf8(payload));
      const parts = legal.map((it) => fragments(it, receiver === "server" ? KEY : null));
      const to = record(receiver);
      const wire = joined(parts.flatMap(([frames]) => frames));
      for (const chunk of cut(wire, chunkSizes)) to.protocol.receive(chunk);
      assertEquals(told(to), parts.flatMap(([, log]) => log));
    }),
    options,
  );
});

const LEGAL = /^(text |binary |ping |pong |close \d{4} |failure (1002|1007|1009) )/s;

/** Bytes that often form headers, because purely random ones fail at once. */
const nearlyFrames = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.tuple(fc.constantFrom(0, 1, 2, 8, 9, 10, 128, 129, 130, 136, 137, 138), fc.nat(255), small)
      .map(([first, second, rest]) => Uint8Array.of(first, second, ...rest)),
    fc.record({
      opcode: fc.constantFrom(0, 1, 2, 2, 2, 9, 10),
      fin: fc.boolean(),
      payload: fc.uint8Array({ maxLength: 40 }),
    }).map((spec) => frame({ ...spec, fin: spec.fin || spec.opcode > 7 })),
    fc.record({ opcode: fc.constantFrom(0, 1, 2, 9), payload: fc.uint8Array({ maxLength: 40 }) })
      .map((spec) => frame({ ...spec, key: KEY })),
  ),
  { maxLength: 20 },
);

Deno.test("fuzz: arbitrary bytes have only legal outcomes, the same however they are cut", () => {
  fc.assert(
    fc.property(nearlyFrames, sizes, side, fc.boolean(), (parts, chunkSizes, receiver, closing) => {
      const wire = joined(parts);
      const outcome = (chunks: Uint8Array[], ownsChunks: boolean): string[] => {
        const to = record(receiver, { maxMessageSize: 1000, ownsChunks });
        if (closing) to.protocol.close();
        for (const chunk of chunks) to.protocol.receive(chunk);
        const log = told(to);
        assert(log.every((entry) => LEGAL.test(entry)), log.join("\n"));
        const last = log.findIndex((entry) => /^(close|failure) /.test(entry));
        assert(last === -1 || last === log.length - 1, log.join("\n"));
        assertEquals(to.protocol.state === "closed", last !== -1);
        assertEquals(to.protocol.pendingInput, 0);
        // One Pong, one Close and the earlier Close.
        assert(to.protocol.output.size <= 3 * (125 + 8));
        return log;
      };
      const whole = outcome([wire.slice()], true);
      assertEquals(outcome(cut(wire, chunkSizes), false), whole);
      assertEquals(outcome(cut(wire, [1]), true), whole);
    }),
    { ...options, numRuns: 1000 },
  );
});
