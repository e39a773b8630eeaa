import { messageOf } from "../realm/kinds.ts";
import { printable } from "./printable.ts";
import { module, type ParseOption, type Process } from "./process.ts";
import type { Printer } from "./printer.ts";

/** The command line was wrong. */
export class UsageError extends Error {}

/** An option of a command. */
export interface Option extends ParseOption {
  /** What stands for the value in the help. */
  readonly value?: string;
  /** What it does. */
  readonly help: string;
}

/** Options by name. */
export type Options = Readonly<Record<string, Option>>;

/** The arguments of a command, parsed. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(positionals: readonly string[], values: Readonly<Record<string, unknown>>) {
    this.positionals = positionals;
    this.#values = values;
  }

  /** Whether a flag was given. */
  has(name: string): boolean {
    return this.#values[name] === true;
  }

  /** Whether an option was given, of any type. */
  isGiven(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  /** The value of an option; `undefined` when it wasn't given. */
  text(name: string): string | undefined {
    return this.#values[name] as string | undefined;
  }

  /** The values of an option that may be given several times. */
  all(name: string): readonly string[] {
    return (this.#values[name] ?? []) as readonly string[];
  }

  /** A whole number. */
  count(name: string, fallback: number, min = 1, max = 1_000_000_000): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw this.#wrong(name, `a whole number from ${min} to ${max}`, text);
  }

  /** A number of bytes, with `k` or `M` behind it for 1,024 and 1,048,576. */
  size(name: string, fallback: number, max: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const [, digits, unit = ""] = /^(\d{1,10})([kKmM]?)$/.exec(text) ?? [];
    const value = Number(digits) * (unit === "" ? 1 : /k/i.test(unit) ? 1024 : 1_048_576);
    if (value >= 0 && value <= max) return value;
    throw this.#wrong(name, `a number of bytes from 0 to ${max}, such as 64, 16k or 1M`, text);
  }

  /** A number of seconds, as milliseconds. */
  seconds(name: string, fallback: number, max = 86_400): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d{0,9}(?:\.\d{1,6})?$/.test(text) && text !== "" ? Number(text) : NaN;
    if (value >= 0 && value <= max) return value * 1000;
    throw this.#wrong(name, `a number of seconds from 0 to ${max}`, text);
  }

  #wrong(name: string, expected: string, text: string): UsageError {
    return new UsageError(`Cannot use --${name}: it must be ${expected}, got "${text}"`);
  }
}

/** What a command works with. */
export interface Context {
  readonly printer: Printer;
  readonly process: Process;
  /** Aborts when the command is to end: Ctrl-C, or its output has no reader. */
  readonly stop: AbortSignal;
  /** What Ctrl-C does, where a terminal reports it as a key: the first one ends the command, the second one the process. */
  readonly interrupt: () => void;
}

/** A command. */
export interface Command {
  readonly name: string;
  /** What its positional arguments are, such as `"URL"`. */
  readonly takes: string;
  readonly summary: string;
  /** How many positional arguments it has to have, with these options. */
  readonly count: number | ((values: Readonly<Record<string, unknown>>) => number);
  readonly options: Options;
  /** More for its help. */
  readonly details?: string;
  /** Runs it. */
  run(given: Arguments, context: Context): Promise<number>;
}

/** What every command has. */
export const COMMON: Options = {
  json: { type: "boolean", help: "print results as lines of JSON" },
  help: { type: "boolean", short: "h", help: "show this help" },
};

/**
 * Parses the arguments of a command.
 *
 * @throws {UsageError} When an option is unknown or lacks its value, or there are too many or too few arguments.
 */
export function parse(command: Command, args: readonly string[]): Arguments {
  const options = { ...command.options, ...COMMON };
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = module("util").parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(faultOf(command, error));
  }
  const { values, positionals } = parsed;
  const count = typeof command.count === "number" ? command.count : command.count(values);
  if (values["help"] !== true && positionals.length !== count) {
    const few = positionals.length < count;
    const what = few ? "too few arguments" : `too many: "${positionals[count]}"`;
    throw new UsageError(`Cannot run ${command.name}: it takes ${command.takes}, got ${what}`);
  }
  return new Arguments(positionals, values);
}

/** The runtimes' words differ. */
function faultOf({ name }: Command, error: unknown): string {
  const text = messageOf(error);
  const option = /'(?:-\w, )?(-{1,2}[^\s'=]*)/.exec(text)?.[1];
  if (/unknown option/i.test(text) && option !== undefined) {
    return `Cannot use ${option}: ${name} has no such option. See ${name} --help`;
  }
  if (/ambiguous/i.test(text) && option !== undefined) {
    return `Cannot use ${option}: it takes a value, and what follows begins with "-"`;
  }
  if (/missing/i.test(text) && option !== undefined) {
    return `Cannot use ${option}: it takes a value`;
  }
  return `Cannot use the options: ${text.split(/\. |\n/)[0]}`;
}

/** The help of a command. */
export function helpOf(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON });
  const names = options.map(([name, { short, value }]) =>
    `${short === undefined ? "    " : `-${short}, `}--${name}${
      value === undefined ? "" : ` ${value}`
    }`
  );
  const width = Math.max(...names.map((it) => it.length));
  const lines = options.map(([, { help }], i) => `  ${names[i]?.padEnd(width)}  ${help}`);
  return [
    `web-socket-channel ${command.name} ${command.takes}`,
    "",
    command.summary,
    ...(command.details === undefined ? [] : ["", command.details]),
    "",
    "Options:",
    ...lines,
  ].join("\n");
}

/** A line about what was wrong, safe to print. */
export function shownFault(error: unknown): string {
  return printable(messageOf(error) || String(error));
}
