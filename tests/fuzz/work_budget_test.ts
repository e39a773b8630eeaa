/**
 * Random budgets, and messages that are decompressed at once, in pieces, or later: the reports are the
 * same as without a budget.
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  InflateError,
  type InflateEvents,
  type MessageDeflate,
} from "../../src/protocol/message_deflate.ts";
import type { WorkBudget } from "../../src/protocol/work_budget.ts";
import { createMessageDeflate } from "../../src/permessage_deflate/deflate.ts";
import { turns } from "../../src/web_socket/turns.ts";
import { record, type Recorded, told } from "../protocol/support.ts";
import { joined } from "../support/bytes.ts";
import { type FrameSpec, KEY } from "../support/frames.ts";
import { frame } from "../support/frames.ts";
import { testSeed } from "../support/random.ts";
import { turn } from "../support/turns.ts";

const options = { seed: testSeed(), numRuns: 400 };

/** A stand-in for DEFLATE: it reverses the bytes behind a 0, and returns them when and as the test says. */
class Backwards implements MessageDeflate {
  readonly #plan: () => number;
  #pending: (() => void)[] = [];

  /** @param plan Returns 0 for bytes at once, 1 for pieces within the call, 2 for pieces later. */
  constructor(plan: () => number) {
    this.#plan = plan;
  }

  compress(payload: Uint8Array): Uint8Array {
    return joined([Uint8Array.of(0), payload.slice().reverse()]);
  }

  decompress(payload: Uint8Array, maxLength: number, receiver: InflateEvents): Uint8Array | null {
    const error = payload[0] !== 0
      ? new InflateError("corrupt")
      : payload.length - 1 > maxLength
      ? new InflateError("too-big")
      : null;
    const bytes = payload.slice(1).reverse();
    const how = this.#plan();
    if (how === 0) {
      if (error !== null) throw error;
      return bytes;
    }
    const steps: (() => void)[] = [];
    for (let at = 0; error === null && at < bytes.length; at += 7) {
      steps.push(() => void receiver.onInflated(bytes.subarray(at, at + 7)));
    }
    steps.push(() => receiver.onInflateEnd(error));
    if (how === 1) { for (const step of steps) step(); }
    else this.#pending = steps;
    return null;
  }

  abandon(): void {
    this.#pending = [];
  }

  /** Delivers the pending pieces. */
  step(): void {
    this.#pending.shift()?.();
  }
}

/** Frames that are mostly legal. */
const spec: fc.Arbitrary<FrameSpec> = fc.oneof(
  { weight: 6, arbitrary: message(fc.constantFrom(1, 2), fc.string({ unit: "binary" })) },
  { weight: 2, arbitrary: message(fc.constant(9), fc.string({ maxLength: 20 })) },
  { weight: 2, arbitrary: message(fc.constant(2), fc.string({ minLength: 500, maxLength: 3000 })) },
  {
    weight: 6,
    arbitrary: message(fc.constantFrom(1, 2), fc.string({ unit: "binary" })).map((it) => ({
      ...it,
      rsv: 4,
      payload: new Backwards(() => 0).compress(new TextEncoder().encode(String(it.payload))),
    })),
  },
  { weight: 1, arbitrary: fc.constant({ opcode: 1, rsv: 4, payload: "corrupt" }) },
  { weight: 1, arbitrary: fc.constant({ opcode: 1, rsv: 4, payload: "\0\xff" }) },
  { weight: 1, arbitrary: fc.constant({ opcode: 8 }) },
);

function message(
  opcode: fc.Arbitrary<number>,
  payload: fc.Arbitrary<string>,
): fc.Arbitrary<FrameSpec> {
  return fc.record({ opcode, payload });
}

/** Each message as one frame, or as two. */
function wireOf(specs: readonly FrameSpec[], halves: readonly boolean[]): Uint8Array<ArrayBuffer> {
  return joined(specs.flatMap((it, i) => {
    const whole = typeof it.payload === "string"
      ? new TextEncoder().encode(it.payload)
      : it.payload ?? new Uint8Array(0);
    if (it.opcode > 7 || halves[i % halves.length] !== true) return [frame({ ...it, key: KEY })];
    const at = whole.length >> 1;
    return [
      frame({ ...it, key: KEY, fin: false, payload: whole.subarray(0, at) }),
      frame({ opcode: 9, key: KEY }),
      frame({ opcode: 0, key: KEY, payload: whole.subarray(at) }),
    ];
  }));
}

function chunksOf(wire: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < wire.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    chunks.push(wire.slice(at, at + size));
    at += size;
  }
  return chunks;
}

Deno.test("fuzz: the reports and their order are the same with any budget as without one", () => {
  fc.assert(
    fc.property(
      fc.array(spec, { maxLength: 20 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (specs, halves, sizes, budgets, plans, ownsChunks) => {
        const wire = wireOf(specs, halves);
        const plain = record("server", { deflate: new Backwards(() => 0) });
        plain.protocol.receive(wire.slice());

        let i = 0;
        const budget: WorkBudget = { left: 0 };
        const deflate = new Backwards(() => plans[i++ % plans.length] ?? 0);
        const cut = record("server", { deflate, budget, ownsChunks });
        for (const chunk of chunksOf(wire, sizes)) {
          cut.protocol.receive(chunk);
          if (i++ % 3 === 0) goOn(cut, deflate, budget, budgets[i % budgets.length] ?? 1);
        }
        let turns = 0;
        while (cut.protocol.isBehind) {
          assert(turns++ < 100_000);
          goOn(cut, deflate, budget, budgets[turns % budgets.length] ?? 1);
        }
        assertEquals(cut.protocol.pendingInput, 0);
        const log = told(cut).filter((entry) => entry !== "unblocked");
        assertEquals(log, told(plain));
        assertEquals(cut.protocol.state, plain.protocol.state);
      },
    ),
    options,
  );
});

/** One turn: the decompressor returns a few bytes, then the protocol reads the pending input. */
function goOn(to: Recorded, deflate: Backwards, budget: WorkBudget, left: number): void {
  deflate.step();
  budget.left = left;
  to.protocol.proceed();
  budget.left = 0;
}

const PARAMETERS = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};

Deno.test("fuzz: the reports are the same with the platform's decompressor", async () => {
  const size = fc.oneof(fc.nat(500), fc.nat(5000), fc.integer({ min: 900_000, max: 1_300_000 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(size, fc.boolean()), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1000, max: 2_000_000 }),
      async (messages, sizes, left) => {
        const client = createMessageDeflate(PARAMETERS, "client", { threshold: 0, turns });
        const server = createMessageDeflate(PARAMETERS, "server", { turns });
        assert(client !== null && server !== null);
        const from = record("client", { deflate: client });
        for (const [length, isText] of messages) {
          const bytes = Uint8Array.from({ length }, (_, i) => 97 + (i * length >> 8) % 20);
          if (isText) from.protocol.sendText(new TextDecoder().decode(bytes));
          else from.protocol.sendBinary(bytes);
        }
        const wire = joined(from.protocol.output.takeAll());
        const budget: WorkBudget = { left: 0 };
        const to = record("server", { deflate: server, budget });
        const sums: [boolean, number, number][] = [];
        to.log.push = (entry: string) => entry === "unblocked" ? 0 : sums.push(sumOf(entry));
        for (const chunk of chunksOf(wire, sizes)) to.protocol.receive(chunk);
        for (let turns = 0; to.protocol.isBehind; turns++) {
          assert(turns < 1_000_000);
          budget.left = left;
          to.protocol.proceed();
          budget.left = 0;
          await turn();
        }
        const expected = messages.map(([length, isText]) =>
          sumOf(
            (isText ? "text " : "binary ") +
              Array.from({ length }, (_, i) => {
                const code = 97 + (i * length >> 8) % 20;
                return isText ? String.fromCharCode(code) : code.toString(16);
              }).join(""),
          )
        );
        assertEquals(sums, expected);
      },
    ),
    { ...options, numRuns: 6 },
  );
});

/** The type, length and checksum of a message, because whole messages would fill the log. */
function sumOf(entry: string): [boolean, number, number] {
  let sum = 0;
  for (let i = 0; i < entry.length; i++) sum = Math.imul(sum, 31) + entry.charCodeAt(i) | 0;
  return [entry.startsWith("text"), entry.length, sum];
}
