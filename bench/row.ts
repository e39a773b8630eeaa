/** What is measured, as it stands in the JSON: everything else is derived from it. */

/** What was measured of a contender. */
export interface Result {
  readonly name: string;
  /** One value a round, in the row's unit. The rounds of a row's contenders were interleaved. */
  readonly values: readonly number[];
  /** A curve, where the row is one: what the row's `x` says, and the value. */
  readonly points?: readonly (readonly [x: number, y: number])[];
  /** Why there are no values, or too few. */
  readonly failed?: string;
}

/** Contenders side by side. */
export interface Row {
  readonly id: string;
  readonly title: string;
  /** The unit of the values. */
  readonly unit: string;
  /** The unit of the points' first number. */
  readonly x?: string;
  readonly better: "more" | "less";
  /** What one must know to read it, such as which processes do what. */
  readonly note: string;
  readonly results: readonly Result[];
}

/** All rows that a runtime has. */
export interface Run {
  /** `Node 26`: the runtime's name and major version. */
  readonly runtime: string;
  /** The whole version. */
  readonly version: string;
  readonly date: string;
  /** Which sections were run to their end. */
  readonly sections: readonly string[];
  readonly rows: readonly Row[];
}

/** A whole measurement: the file. */
export interface Measurement {
  readonly machine: string;
  /** Whether it was only a try: then its figures mean nothing. */
  readonly quick: boolean;
  readonly runs: readonly Run[];
}

/** The median; 0 of nothing. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which a part of the values is, from 0 to 1: the nearest of them; 0 of nothing. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(part * (sorted.length - 1))] ?? 0;
}

/** The distance from the quartiles to the median, as a part of the median. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  if (middle === 0) return 0;
  return (quantile(values, 0.75) - quantile(values, 0.25)) / 2 / middle;
}

/**
 * The ratio of two contenders: the median of the rounds' ratios, because what slows a machine down for
 * a while slows both of a round. `null` where one of them has no values.
 */
export function ratioOf(own: Result, other: Result): number | null {
  const rounds = Math.min(own.values.length, other.values.length);
  if (rounds === 0) return null;
  const ratios: number[] = [];
  for (let i = 0; i < rounds; i++) ratios.push((own.values[i] ?? 0) / (other.values[i] ?? 0));
  return median(ratios);
}

/** A number with four significant digits: more would only be noise, and a larger file. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
