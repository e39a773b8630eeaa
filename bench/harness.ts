/**
 * Measures things beside each other: all in one process, in interleaved rounds, because only ratios
 * taken in one run mean anything on a machine that others use as well.
 */

/** One thing to measure. */
export interface Contender {
  readonly name: string;
  /** Does some work. Gives how much, in the group's unit; a promise where it can't do it at once. */
  run(): number | Promise<number>;
}

/** What a contender's rate should be: at least so many times that of another, or so many a second. */
export interface Target {
  readonly name: string;
  readonly ratio?: { readonly of: string; readonly least: number };
  readonly rate?: number;
}

/** Things that do the same work. */
export interface Group {
  readonly title: string;
  /** What is counted, such as `messages`. */
  readonly unit: string;
  readonly contenders: readonly Contender[];
  readonly targets: readonly Target[];
}

/** Something that is measured once, and isn't a rate, such as memory. */
export interface Fact {
  readonly title: string;
  readonly unit: string;
  readonly values: readonly (readonly [name: string, value: number])[];
  /** What a value should be at most. */
  readonly targets: readonly { readonly name: string; readonly most: number }[];
}

/** How long to measure. */
export interface Effort {
  readonly rounds: number;
  /** The least time of a contender in a round, in milliseconds. */
  readonly milliseconds: number;
}

/** What was measured of a contender: units a second. */
export interface Result {
  readonly name: string;
  readonly median: number;
  /** The distance of the quartiles, as a part of the median. */
  readonly spread: number;
}

/** A target, and what was reached: both as a ratio, or both as a rate. */
export interface Verdict {
  readonly name: string;
  readonly of: string | null;
  readonly least: number;
  readonly reached: number;
}

/** What was measured of a group. */
export interface Report {
  readonly title: string;
  readonly unit: string;
  readonly results: readonly Result[];
  readonly verdicts: readonly Verdict[];
}

/** Measures a group. The first round warms up, and doesn't count. */
export async function measure(group: Group, { rounds, milliseconds }: Effort): Promise<Report> {
  const { contenders } = group;
  const rates: number[][] = contenders.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      // Each round begins with another one, so that none always follows the same.
      const at = (i + round) % contenders.length;
      const contender = contenders[at];
      if (contender === undefined) continue;
      const rate = await rateOf(contender, milliseconds);
      if (round > 0) rates[at]?.push(rate);
    }
  }
  const results = contenders.map(({ name }, at) => summary(name, rates[at] ?? []));
  return {
    title: group.title,
    unit: group.unit,
    results,
    verdicts: group.targets.map((target) => verdict(target, results)),
  };
}

async function rateOf(contender: Contender, milliseconds: number): Promise<number> {
  const start = performance.now();
  let done = 0;
  let elapsed = 0;
  do {
    const work = contender.run();
    done += typeof work === "number" ? work : await work;
    elapsed = performance.now() - start;
  } while (elapsed < milliseconds);
  return done / elapsed * 1000;
}

function summary(name: string, rates: readonly number[]): Result {
  const sorted = [...rates].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  const median = at(0.5);
  return { name, median, spread: (at(0.75) - at(0.25)) / median };
}

function verdict({ name, ratio, rate }: Target, results: readonly Result[]): Verdict {
  const medianOf = (wanted: string): number =>
    results.find((result) => result.name === wanted)?.median ?? 0;
  const own = medianOf(name);
  return ratio === undefined
    ? { name, of: null, least: rate ?? 0, reached: own }
    : { name, of: ratio.of, least: ratio.least, reached: own / medianOf(ratio.of) };
}

/** A report as text for people. */
export function table({ title, unit, results, verdicts }: Report): string {
  const width = Math.max(...results.map(({ name }) => name.length));
  const best = Math.max(...results.map(({ median }) => median));
  const rows = results.map(({ name, median, spread }) => {
    const bar = "█".repeat(Math.max(1, Math.round(24 * median / best)));
    const percent = `±${Math.round(50 * spread)} %`;
    return `  ${name.padEnd(width)}  ${short(median).padStart(8)}/s ${percent.padStart(6)}  ${bar}`;
  });
  const notes = verdicts.map(({ name, of, least, reached }) => {
    const mark = reached >= least ? "reached" : "MISSED";
    return of === null
      ? `  ${mark}: ${name}: ${short(reached)}/s, target ${short(least)}/s`
      : `  ${mark}: ${name}: ${reached.toFixed(2)} × ${of}, target ${least} ×`;
  });
  return [`${title} (${unit})`, ...rows, ...notes, ""].join("\n");
}

/** A fact as text for people. */
export function list({ title, unit, values, targets }: Fact): string {
  const width = Math.max(...values.map(([name]) => name.length));
  const most = Math.max(...values.map(([, value]) => value), 1);
  const rows = values.map(([name, value]) => {
    const bar = "█".repeat(Math.max(1, Math.round(24 * value / most)));
    return `  ${name.padEnd(width)}  ${short(value).padStart(8)}  ${bar}`;
  });
  const notes = targets.map((target) => {
    const reached = values.find(([name]) => name === target.name)?.[1] ?? Infinity;
    const mark = reached <= target.most ? "reached" : "MISSED";
    return `  ${mark}: ${target.name}: ${short(reached)}, target at most ${short(target.most)}`;
  });
  return [`${title} (${unit})`, ...rows, ...notes, ""].join("\n");
}

function short(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value.toFixed(1);
}
