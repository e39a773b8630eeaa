/** Finds where a text stops being JSON. No runtime reports that without quoting the text. */

import { INVALID_PAYLOAD_DATA } from "./errors.ts";

/** A message of the channel below one of JSON documents. A binary one counts as malformed. */
export type JsonText = string | Uint8Array;

/**
 * The error for a received message that isn't a JSON document. Its text has the position and no part of the
 * message.
 */
export class MalformedJsonError extends SyntaxError {
  /** The name of the error: `"MalformedJsonError"`. */
  override readonly name: string = "MalformedJsonError";
  /** The close code that is sent to the peer: 1007. */
  readonly closeCode: number = INVALID_PAYLOAD_DATA;
  /** The index of the fault in the text, in UTF-16 code units; `null` if it is unknown. */
  readonly position: number | null;

  /**
   * Creates an error that names the first fault.
   *
   * @param text The message.
   * @param options The `cause`, if a user's `parse` has thrown.
   */
  constructor(text: JsonText, options?: ErrorOptions) {
    const fault = typeof text === "string" ? findJsonFault(text) : null;
    super(`Cannot receive: ${describeFault(text, fault)}`, options);
    this.position = fault?.position ?? null;
  }
}

function describeFault(text: JsonText, fault: JsonFault | null): string {
  if (typeof text !== "string") return "a JSON document must be text, got a binary message";
  if (fault === null) return "the message could not be parsed";
  const { position, expected } = fault;
  const before = text.slice(0, position);
  const line = before.split("\n").length;
  const column = position - before.lastIndexOf("\n");
  return `the message is not JSON at line ${line}, column ${column}, expected ${expected}`;
}

/** Where a text stops being a JSON document. */
export interface JsonFault {
  /** The index in the text, in UTF-16 code units. */
  readonly position: number;
  /** The token that JSON expects there. */
  readonly expected: string;
}

/** The token that may follow. */
type Expectation =
  | "a value"
  | "a value or ]"
  | "a key in quotes or }"
  | "a key in quotes"
  | ":"
  | "more";

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * Finds the first fault of a text that `JSON.parse` has rejected. RFC 8259.
 *
 * @param text The text, of any depth.
 * @returns The fault, or `null` if the text is JSON.
 */
export function findJsonFault(text: string): JsonFault | null {
  return new Scanner(text).scan();
}

class Scanner {
  readonly #text: string;
  #position = 0;
  /** The open brackets. There is no recursion, because a peer may nest deeper than the call stack allows. */
  readonly #open: string[] = [];
  #expected: Expectation = "a value";
  #inString = false;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): JsonFault | null {
    while (this.#step());
    if (this.#position < this.#text.length || this.#open.length > 0 || this.#expected !== "more") {
      return { position: this.#position, expected: this.#describe() };
    }
    return null;
  }

  /** Reads one token. Returns `false` at the end, and if the token isn't expected. */
  #step(): boolean {
    this.#skip(SPACE);
    const char = this.#text[this.#position];
    switch (this.#expected) {
      case "a value or ]":
        return char === "]" ? this.#close() : this.#value(char);
      case "a value":
        return this.#value(char);
      case "a key in quotes or }":
        return char === "}" ? this.#close() : this.#key(char);
      case "a key in quotes":
        return this.#key(char);
      case ":":
        return char === ":" && this.#take("a value");
      case "more":
        return this.#more(char);
    }
  }

  #value(char: string | undefined): boolean {
    if (char === "[" || char === "{") {
      this.#open.push(char);
      return this.#take(char === "[" ? "a value or ]" : "a key in quotes or }");
    }
    const read = char === '"' ? this.#string() : this.#skip(NUMBER) || this.#skip(WORD);
    if (read) this.#expected = "more";
    return read;
  }

  #key(char: string | undefined): boolean {
    const read = char === '"' && this.#string();
    if (read) this.#expected = ":";
    return read;
  }

  #more(char: string | undefined): boolean {
    const open = this.#open.at(-1);
    if (char === "," && open !== undefined) {
      return this.#take(open === "[" ? "a value" : "a key in quotes");
    }
    return (char === "]" && open === "[" || char === "}" && open === "{") && this.#close();
  }

  #close(): boolean {
    this.#open.pop();
    return this.#take("more");
  }

  #take(expected: Expectation): true {
    this.#position++;
    this.#expected = expected;
    return true;
  }

  /** Reads a string. If it is malformed, the position is that of its fault. */
  #string(): boolean {
    const text = this.#text;
    this.#inString = true;
    for (this.#position++; this.#position < text.length;) {
      const code = text.charCodeAt(this.#position);
      if (code === 0x22) {
        this.#position++;
        this.#inString = false;
        return true;
      }
      if (code < 0x20) return false;
      if (code !== 0x5c) this.#position++;
      else if (!this.#skip(ESCAPE)) return false;
    }
    return false;
  }

  /** Skips a match at the position. Returns whether there was one. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#position;
    if (!pattern.test(this.#text)) return false;
    const moved = pattern.lastIndex > this.#position;
    this.#position = pattern.lastIndex;
    return moved;
  }

  #describe(): string {
    if (this.#inString) return 'a character of a string or its closing "';
    if (this.#expected !== "more") return this.#expected;
    const open = this.#open.at(-1);
    return open === undefined ? "the end" : open === "[" ? ", or ]" : ", or }";
  }
}

/**
 * The part of the Standard Schema interface (version 1, https://standardschema.dev) that validation needs.
 * Zod, Valibot, ArkType and others have it under `"~standard"`.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The properties that the standard defines. */
  readonly "~standard": StandardSchemaProps<Input, Output>;
}

/** The properties that the standard defines. */
export interface StandardSchemaProps<Input = unknown, Output = Input> {
  /** The version of the standard. */
  readonly version: 1;
  /** The name of the schema's library. */
  readonly vendor: string;
  /** Validates a value, synchronously or asynchronously. */
  readonly validate: (
    value: unknown,
  ) => StandardResult<Output> | Promise<StandardResult<Output>>;
  /** The types, for the compiler only. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

/** The result of a validation: a value or the issues. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** Why a value isn't valid. */
export interface StandardIssue {
  /** A description of the issue. */
  readonly message: string;
  /** The path to the invalid part, as keys from the outside in. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The maximum length of a schema's message, or of a path, in an error text, in characters. */
const MAX_PART = 200;

/**
 * The error for a value that a schema rejects. Its text has the first issue and the number of issues. Parts
 * in double quotes are left out, because libraries quote the received value there.
 */
export class ValidationError extends TypeError {
  /** The name of the error: `"ValidationError"`. */
  override readonly name: string = "ValidationError";
  /** The close code that is sent to the peer, 1007, if the value was received. */
  readonly closeCode?: number;
  readonly #issues: readonly StandardIssue[];

  /**
   * Creates an error that describes the first issue and its path.
   *
   * @param action The failed action, such as `"Cannot receive"`.
   * @param issues The issues that the schema found.
   * @param closeCode The close code for the peer, if the value was received.
   */
  constructor(action: string, issues: readonly StandardIssue[], closeCode?: number) {
    super(`${action}: ${describe(issues)}`);
    this.#issues = issues;
    if (closeCode !== undefined) this.closeCode = closeCode;
  }

  /**
   * All issues that the schema found. They are not shown when the error is printed, because they may have
   * received values.
   */
  get issues(): readonly StandardIssue[] {
    return this.#issues;
  }
}

function describe(issues: readonly StandardIssue[]): string {
  const count = issues.length === 1 ? "1 issue" : `${issues.length} issues`;
  try {
    const [first] = issues;
    if (first === undefined) return "the value is not valid";
    const { message, path } = first;
    const keys = [...path ?? []].slice(0, MAX_PART).map((step) =>
      String(typeof step === "object" ? step.key : step)
    );
    const at = keys.length === 0 ? "" : `at ${shortened(keys.join("."))}, `;
    return `${shortened(String(message).replace(/"[^]*"/, '"…"'))} (${at}${count})`;
  } catch {
    return `the value is not valid (${count})`;
  }
}

/** Shortens a text that a peer may have influenced, and puts it on one line. */
function shortened(text: string): string {
  const start = text.slice(0, MAX_PART).replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu, "�");
  return text.length > MAX_PART ? `${start}…` : start;
}

/**
 * Reads the result of a validation, which can be any value.
 *
 * @returns The issues, or `null` if there is a `value`.
 * @throws {TypeError} If there is neither, so that nothing is valid by accident.
 */
export function issuesOf(result: unknown): readonly StandardIssue[] | null {
  if (typeof result === "object" && result !== null) {
    const { issues } = result as { issues?: unknown };
    if (Array.isArray(issues)) return issues;
    if (issues === undefined && "value" in result) return null;
  }
  throw new TypeError("Cannot validate: the schema returned neither a value nor issues");
}
