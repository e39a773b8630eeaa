/**
 * Reading and checking of options, also those from plain JavaScript. Each function that takes options has one
 * table with the kind of every option.
 *
 * @module
 */

import { builtinOf } from "../realm/kinds.ts";

/**
 * The kind of each option, by name: a result of `typeof`, a word in quotes, or one of {@linkcode KINDS} and
 * {@linkcode RANGES}. Several kinds are separated by `|`.
 */
export type OptionKinds<T> = { readonly [Name in keyof T]-?: string };

/** Objects are recognized by their members, because they may come from another realm or library. */
const KINDS: Readonly<Record<string, (value: object) => boolean>> = {
  object: (value) => builtinOf(value) === null,
  // A `new String` would give its characters as elements.
  list: (value) => Symbol.iterator in value && builtinOf(value) === null,
  bytes: (value) => ArrayBuffer.isView(value),
  "bytes or an ArrayBuffer": (value) =>
    ArrayBuffer.isView(value) || builtinOf(value)?.endsWith("ArrayBuffer") === true,
  URL: (value) => "href" in value,
  AbortSignal: (value) => "aborted" in value && "addEventListener" in value,
};

/** The ranges of numbers. Times are in milliseconds, and limited by what a timer accepts. */
const RANGES: Readonly<Record<string, readonly [min: number, max: number]>> = {
  time: [0, 0x7fff_ffff],
  period: [1, 0x7fff_ffff],
  addressDelay: [10, 0x7fff_ffff],
  size: [0, Infinity],
  chance: [0, 1],
  limit: [1, Infinity],
  port: [0, 0xffff],
  int31: [0, 0x7fff_ffff],
  int32: [0, 0xffff_ffff],
};

/**
 * The kinds that must be integers: counts and sizes, but not times. `Infinity` is allowed if it is in the
 * range.
 */
const WHOLE = /^(?:size|limit|port|int31|int32)$/;

/** The kinds whose errors may quote a string, because no secret is expected there. */
const QUOTABLE = /^(number|boolean|time|period|size|chance|limit|port|int31|int32|".*"|null)$/;

/** The context of options, for their errors. */
export interface OptionsPlace {
  /** The prefix of an option's name, such as `"tls."`. */
  readonly within?: string;
  /** What to do instead if the options aren't an object. */
  readonly hint?: string;
  /** Options that belong elsewhere or have another name here, and what to do with them. */
  readonly elsewhere?: { readonly known: object; readonly hint: string };
}

/**
 * Reads and checks options. An option that is `undefined` counts as missing. Inherited options, getters and
 * options of another realm are read, each once.
 *
 * @param options The user's options.
 * @param kinds The kinds of the function's options.
 * @param place The context, for errors.
 * @returns A plain object with the options that are set.
 * @throws {TypeError} If the options aren't an object, or one of them is unknown or of the wrong type.
 * @throws {RangeError} If a number is out of its range.
 */
export function readOptions<T extends object>(
  options: T | undefined,
  kinds: OptionKinds<T>,
  place: OptionsPlace = {},
): T {
  const read: Record<string, unknown> = {};
  if (options === undefined) return read as T;
  const { within = "" } = place;
  const given = checkBag(options, place);
  for (const name in given) {
    if (!Object.hasOwn(kinds, name)) checkUnknown(given, name, kinds, place);
  }
  for (const name of Object.keys(kinds)) {
    const value = given[name];
    if (value === undefined) continue;
    const kind = kinds[name as keyof T];
    // A fast path for the most frequent kinds: each message may have options.
    if (typeof value !== kind || value === null) checkOption(within + name, value, kind);
    // A method of a class instance needs its `this`.
    const isMethod = typeof value === "function" && !Object.hasOwn(given, name);
    read[name] = isMethod ? value.bind(given) : value;
  }
  return read as T;
}

/** Rejects lists, `Map`s, `Date`s and promises: they have no options, so a mistake would be ignored. */
function checkBag(options: object, { within = "", hint = "" }: OptionsPlace): Options {
  const isBag = typeof options === "object" && options !== null && !(Symbol.iterator in options) &&
    typeof (options as { then?: unknown }).then !== "function" && builtinOf(options) === null;
  if (isBag) return options as Options;
  const they = within === "" ? "options: they" : `option ${within.slice(0, -1)}: it`;
  throw new TypeError(`Cannot use the ${they} must be an object, got ${shown(options)}${hint}`);
}

type Options = Readonly<Record<string, unknown>>;

/** Returns whether a member isn't an option, but something that a library has added to every object. */
export function isLibrarys(options: object, name: string): boolean {
  return name in Object.prototype && !Object.hasOwn(options, name);
}

function checkUnknown(
  options: Options,
  name: string,
  known: object,
  { within = "", elsewhere }: OptionsPlace,
): void {
  if (isLibrarys(options, name)) return;
  const value = options[name];
  if (value === undefined) return;
  const edits = name.length > 4 ? 2 : 1;
  // `host` of other packages is `hostname` here, although `hosts` is more similar.
  const near = Object.hasOwn(known, `${name}name`)
    ? `${name}name`
    : Object.keys(known).find((it) => isNear(name.toLowerCase(), it.toLowerCase(), edits));
  const meant = near === undefined ? Object.keys(known).filter((it) => endAlike(it, name)) : [near];
  const hint = elsewhere !== undefined && Object.hasOwn(elsewhere.known, name)
    ? elsewhere.hint
    : meant.map((it) => within + it).join(" or ").replace(/.+/, ". Did you mean $&?");
  // The name can be any text, even a secret.
  const text = /^\w{1,40}$/.test(name) ? within + name : `${within}[a name of ${name.length}]`;
  throw new TypeError(
    `Cannot use the option ${text}: there is no such option, got ${shown(value)}${hint}`,
  );
}

/** Returns whether one name is the end of the other, such as `timeout` of `connectTimeout`. */
function endAlike(option: string, name: string): boolean {
  const [a, b] = [option.toLowerCase(), name.toLowerCase()];
  return Math.min(a.length, b.length) > 4 && (a.endsWith(b) || b.endsWith(a));
}

/**
 * Returns whether one text becomes the other with at most this many insertions, deletions and replacements.
 */
function isNear(a: string, b: string, edits: number): boolean {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const [restOfA, restOfB] = [a.slice(same), b.slice(same)];
  if (restOfA === "" || restOfB === "") return restOfA.length + restOfB.length <= edits;
  const near = (x: string, y: string): boolean => isNear(x, y, edits - 1);
  return edits > 0 && (near(restOfA.slice(1), restOfB) || near(restOfA, restOfB.slice(1)) ||
    near(restOfA.slice(1), restOfB.slice(1)));
}

/**
 * Checks one option.
 *
 * @param name The option's name, as the user writes it.
 * @param value Its value.
 * @param kind The allowed kinds, as in {@linkcode OptionKinds}.
 * @throws {TypeError} If the value is of the wrong type.
 * @throws {RangeError} If it is a number out of its range.
 */
export function checkOption(name: string, value: unknown, kind: string): void {
  const kinds = kind.split("|");
  const fault = (wanted: string): string =>
    `Cannot use the option ${name}: it must be ${wanted}, got ${
      shown(value, kinds.every((it) => QUOTABLE.test(it)))
    }`;
  if (!kinds.some((it) => isOfKind(value, it))) {
    const all = kinds.map(withArticle);
    const last = all.pop();
    throw new TypeError(fault(all.length === 0 ? `${last}` : `${all.join(", ")} or ${last}`));
  }
  const range = RANGES[kind];
  if (range === undefined) return;
  const [min, max] = range;
  if (!(value as number >= min && value as number <= max)) {
    throw new RangeError(fault(`from ${min} to ${max}`));
  }
  if (!WHOLE.test(kind) || value === Infinity || Number.isInteger(value)) return;
  throw new RangeError(fault("an integer"));
}

function isOfKind(value: unknown, kind: string): boolean {
  if (kind === "null" || kind === "false") return value === JSON.parse(kind);
  if (kind.startsWith('"')) return value === kind.slice(1, -1);
  const type = kind in RANGES ? "number" : kind;
  // deno-lint-ignore valid-typeof -- the tables name only what `typeof` gives
  if (!(kind in KINDS)) return typeof value === type;
  return typeof value === "object" && value !== null && KINDS[kind]?.(value) === true;
}

function withArticle(kind: string): string {
  if (kind in RANGES) return "a number";
  return /^(?:null|false|bytes|")/.test(kind) ? kind : article(kind);
}

/** Returns a noun with its article. "a" precedes a U, as in "a URL". */
export function article(noun: string): string {
  return `${/^[aeio]/i.test(noun) ? "an" : "a"} ${noun}`;
}

/**
 * Creates the error for an option whose value has the right type, but is still invalid.
 *
 * @param name The option's name, as the user writes it.
 * @param expected What the option must be.
 */
export function malformedOption(name: string, expected: string): TypeError {
  return new TypeError(`Cannot use the option ${name}: it must be ${expected}`);
}

/**
 * Returns a short description of a value for errors. It never shows what may be a secret.
 *
 * @param value The value.
 * @param quote Whether a string may be shown, because no secret is expected there.
 */
export function shown(value: unknown, quote = false): string {
  if (typeof value === "string") {
    if (!quote) return "a string";
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  if (value === null || /^[nbu]/.test(typeof value) && typeof value !== "bigint") {
    return String(value);
  }
  if (typeof value !== "object") return `a ${typeof value}`;
  return article(Array.isArray(value) ? "array" : builtinOf(value) ?? "object");
}
