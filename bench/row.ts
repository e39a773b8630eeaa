/** The measured values, in the form of the JSON file. Everything else is derived from them. */

/** The measurement of a contender. */
export interface Result {
  readonly name: string;
  /** One value per round, in the row's unit. The rounds of a row's contenders were interleaved. */
  readonly values: readonly number[];
  /** The points of a curve, if the row is one: the row's `x`, and the value. */
  readonly points?: readonly (readonly [x: number, y: number])[];
  /** Why there are no values, or too few. */
  readonly failed?: string;
}

/** The measurements of several contenders. */
export interface Row {
  readonly id: string;
  readonly title: string;
  /** The unit of the values. */
  readonly unit: string;
  /** The unit of the points' first number. */
  readonly x?: string;
  readonly better: "more" | "less";
  /** An explanation for readers, such as the work of each process. */
  readonly note: string;
  readonly results: readonly Result[];
}

/** All rows of a runtime. */
export interface Run {
  /** `Node 26`: the runtime's name and major version. */
  readonly runtime: string;
  /** The full version. */
  readonly version: string;
  readonly date: string;
  /** The sections that ran to their end. */
  readonly sections: readonly string[];
  readonly rows: readonly Row[];
}

/** A complete measurement: the content of the file. */
export interface Measurement {
  readonly machine: string;
  /** Whether it was only a smoke test: then its figures are not meaningful. */
  readonly quick: boolean;
  readonly runs: readonly Run[];
}

/** The median; 0 without a value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The quantile for a part from 0 to 1: the nearest of the values; 0 without a value. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(part * (sorted.length - 1))] ?? 0;
}

/** Half the distance between the quartiles, as a part of the median. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  if (middle === 0) return 0;
  return (quantile(values, 0.75) - quantile(values, 0.25)) / 2 / middle;
}

/**
 * The ratio of two contenders: the median of the rounds' ratios, because other work of the machine
 * slows both contenders of a round. `null` if one of them has no values.
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
