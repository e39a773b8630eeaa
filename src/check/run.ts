/** Runs cases, several at a time, and gives the report of them. */

import type { Case } from "./case.ts";
import { Fault } from "./fault.ts";
import { shortened } from "./http.ts";
import {
  type CaseResult,
  type CheckedSide,
  type CheckOptions,
  countVerdicts,
  type Report,
  type Verdict,
} from "./report.ts";
import type { Note } from "./server_subject.ts";
import type { Subject } from "./subject.ts";

/** The worst last. */
const ORDER: readonly Verdict[] = ["ok", "informational", "non-strict", "unimplemented", "failed"];

const DEFAULT_CONCURRENCY = 16;
/** How long to wait for each thing that must come, in milliseconds. */
export const DEFAULT_TIMEOUT = 5000;
/** How many times that long a case may take. */
const WAITS = 10;
/** How many characters a note may have. */
const MAX_NOTE = 500;
const MAX_DELAY = 2 ** 31 - 1;

/** The cases that are meant; all when none are named. @throws {RangeError} When a name stands for no case. */
export function chooseCases<C extends { readonly id: string }>(
  all: readonly C[],
  names: readonly string[] | undefined,
): C[] {
  if (names === undefined) return [...all];
  const wanted: unknown[] = [...names];
  const isMeant = (id: string, name: unknown): boolean =>
    typeof name === "string" && name !== "" && id.startsWith(name);
  for (const name of wanted) {
    if (!all.some(({ id }) => isMeant(id, name))) {
      throw new RangeError(`Cannot check: no case is called ${String(name)}`);
    }
  }
  return all.filter(({ id }) => wanted.some((name) => isMeant(id, name)));
}

/** A run of cases. */
export interface Run<S extends Subject> {
  readonly side: CheckedSide;
  readonly subject: string;
  readonly cases: readonly Case<S>[];
  readonly options: CheckOptions;
  /** Makes what a case is run on; `destroy` ends its connections. */
  prepare(it: Case<S>, note: Note): Promise<S & { destroy(): void }>;
}

/** Runs all cases. */
export async function runAll<S extends Subject>(run: Run<S>): Promise<Report> {
  const { cases, options, side, subject } = run;
  const { signal, onResult, concurrency = DEFAULT_CONCURRENCY } = options;
  const started = new Date().toISOString();
  const start = performance.now();
  const results = new Map<string, CaseResult>();
  const active = new Set<{ destroy(): void }>();
  // One listener: Node warns of many.
  const stop = (): void => active.forEach((it) => it.destroy());
  signal?.addEventListener("abort", stop);
  let isOver = false;
  try {
    await inParallel(cases, concurrency, signal, async (it) => {
      const result = await runCase(run, it, active);
      if (result === null || isOver) return;
      results.set(it.id, result);
      try {
        await onResult?.(result, { done: results.size, all: cases.length });
      } catch (error) {
        isOver = true;
        throw error;
      }
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    // What the user's function has thrown ends the other cases as well.
    stop();
  }
  const ordered = cases.flatMap(({ id }) => results.get(id) ?? []);
  return {
    schema: 1,
    side,
    subject,
    started,
    duration: Math.round(performance.now() - start),
    isComplete: ordered.length === cases.length,
    counts: countVerdicts(ordered),
    results: ordered,
  };
}

/** Calls a function for each case, as many at a time as their weights allow, until the signal aborts. */
async function inParallel<C extends { readonly weight: number }>(
  cases: readonly C[],
  room: number,
  signal: AbortSignal | undefined,
  run: (it: C) => Promise<void>,
): Promise<void> {
  // The heavy ones first: one of them at the end would be run alone.
  const waiting = [...cases].sort((a, b) => b.weight - a.weight);
  let used = 0;
  await new Promise<void>((resolve, reject) => {
    const fill = (): void => {
      while (waiting.length > 0 && !signal?.aborted) {
        const at = waiting.findIndex(({ weight }) => used === 0 || used + weight <= room);
        const [it] = at < 0 ? [] : waiting.splice(at, 1);
        if (it === undefined) return;
        used += it.weight;
        run(it).then(() => {
          used -= it.weight;
          fill();
        }, (error) => {
          waiting.length = 0;
          reject(error);
        });
      }
      if (used === 0) resolve();
    };
    fill();
  });
}

/** The result of one case; `null` when the run was aborted meanwhile. */
async function runCase<S extends Subject>(
  { options: { signal, timeout = DEFAULT_TIMEOUT }, prepare }: Run<S>,
  it: Case<S>,
  active: Set<{ destroy(): void }>,
): Promise<CaseResult | null> {
  let verdict: Verdict = "ok";
  const notes: string[] = [];
  const note: Note = (found, whole) => {
    // It may quote what the peer has sent.
    const text = shortened(whole, MAX_NOTE);
    if (ORDER.indexOf(found) > ORDER.indexOf(verdict)) verdict = found;
    if (text !== "" && !notes.includes(text)) notes.push(text);
  };
  const subject = await prepare(it, note);
  const start = performance.now();
  active.add(subject);
  // A peer may always have something to say: each wait is short, and the case has no end.
  let isLate = false;
  const limit = Math.min(WAITS * timeout, MAX_DELAY);
  const timer = setTimeout(() => {
    isLate = true;
    note("failed", `it keeps the case busy for more than ${limit / 1000} s`);
    subject.destroy();
  }, limit);
  try {
    await it.run(subject);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (!isLate) note(error.verdict, error.message);
  } finally {
    clearTimeout(timer);
    active.delete(subject);
    subject.destroy();
  }
  if (signal?.aborted) return null;
  const { id, title, section } = it;
  const duration = Math.round(10 * (performance.now() - start)) / 10;
  const { transcript } = subject;
  return { id, title, section, verdict, note: notes.join(". "), duration, transcript };
}
