/** The calls on a message's way through the source, counted by running it. */

import type ts from "typescript";
import { fromFileUrl } from "../support.ts";
import { OUT, succeed } from "../tools.ts";
import { instrument } from "./instrument.ts";

/** A call of a function of the source. */
export interface Call {
  /** Calls are numbered from 0, in the order in which they begin. */
  readonly id: number;
  /** The call that it was made by; `null` when the platform made it. */
  readonly parent: number | null;
  readonly name: string;
  /** The file that the function is in. */
  readonly path: string;
  /** The number of the object that `this` is, from 1; `null` where there is none. */
  readonly object: number | null;
}

/**
 * What is seen from outside: the user's listener runs; the platform is asked to call back later, to
 * write to the socket, or for random numbers.
 */
export type Landmark = "listener" | "schedule" | "write" | "random";

/** The calls that were made, and the innermost one that was running at each landmark. */
export interface Recorded {
  readonly calls: readonly Call[];
  readonly landmarks: readonly { readonly name: Landmark; readonly call: number }[];
}

/** A message's way. */
export interface Way {
  /** The calls that lead from one end to the other, in the order in which they begin. */
  readonly steps: readonly Call[];
  /** These and all that they call. */
  readonly calls: readonly Call[];
}

const FOLDER = new URL("figures/", OUT);
const PROGRAM = new URL("program.ts", import.meta.url);

/**
 * Runs the instrumented source, and records a received and an added message.
 *
 * @param files The source, with `mod.ts` and all that it imports.
 */
export async function recordMessages(
  files: readonly ts.SourceFile[],
): Promise<{ received: Recorded; added: Recorded }> {
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
  for (const file of files) {
    const copy = new URL(file.fileName, FOLDER);
    await Deno.mkdir(new URL(".", copy), { recursive: true });
    await Deno.writeTextFile(copy, instrument(file));
  }
  const command = [Deno.execPath(), "run", "--allow-all", "--no-config", fromFileUrl(PROGRAM)];
  return JSON.parse(await succeed([...command, new URL("mod.ts", FOLDER).href]));
}

/**
 * The way of a received message, from the socket's event to the user's listener. Its steps are the calls
 * that are running when the listener is called.
 */
export function receivedWay(recorded: Recorded): Way {
  return wayBetween(recorded, [stackAt(recorded, "listener")]);
}

/**
 * The way of an added message, from `sink.add` to the socket. Its steps are the calls that are running
 * when the platform is asked for random numbers (RFC 6455 §5.3: for the masking key; then the frame is being
 * encoded), when the flush at the end of the turn is scheduled, and when the socket is written to.
 */
export function addedWay(recorded: Recorded): Way {
  const stacks = (["random", "schedule", "write"] as const).map((it) => stackAt(recorded, it));
  return wayBetween(recorded, stacks);
}

/** The calls that are running at the landmark when it is passed for the first time, the outermost first. */
function stackAt({ calls, landmarks }: Recorded, name: Landmark): Call[] {
  const landmark = landmarks.find((it) => it.name === name);
  if (landmark === undefined) throw new Error(`Cannot follow the message: no landmark ${name}`);
  const stack: Call[] = [];
  let call = calls[landmark.call];
  while (call !== undefined) {
    stack.unshift(call);
    call = call.parent === null ? undefined : calls[call.parent];
  }
  return stack;
}

function wayBetween({ calls }: Recorded, stacks: readonly Call[][]): Way {
  const steps = [...new Set(stacks.flat())].sort((a, b) => a.id - b.id);
  const within = new Set(
    stacks.flatMap(([outermost]) => outermost === undefined ? [] : [outermost.id]),
  );
  // A call begins behind the one that it was made by.
  for (const { id, parent } of calls) if (parent !== null && within.has(parent)) within.add(id);
  return { steps, calls: calls.filter(({ id }) => within.has(id)) };
}

/** How many objects have methods among the calls. */
export function objectsOf(calls: readonly Call[]): number {
  return new Set(calls.map((it) => it.object).filter((it) => it !== null)).size;
}

/** How many files have functions among the calls. */
export function filesOf(calls: readonly Call[]): number {
  return new Set(calls.map((it) => it.path)).size;
}
