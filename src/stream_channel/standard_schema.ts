/**
 * The part of the Standard Schema interface (version 1, https://standardschema.dev) that is needed
 * to validate: what Zod, Valibot, ArkType and others offer under `"~standard"`.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What the standard defines. */
  readonly "~standard": StandardSchemaProps<Input, Output>;
}

/** The properties that the standard defines. */
export interface StandardSchemaProps<Input = unknown, Output = Input> {
  /** The version of the standard. */
  readonly version: 1;
  /** Who made the schema. */
  readonly vendor: string;
  /** Validates, at once or in time. */
  readonly validate: (
    value: unknown,
  ) => StandardResult<Output> | Promise<StandardResult<Output>>;
  /** The types, for the compiler only. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

/** What a validation gives: a value, or the issues. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** Why a value isn't valid. */
export interface StandardIssue {
  /** What is wrong, in words. */
  readonly message: string;
  /** Where, as keys from the outside in. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The longest part of a schema's text, or of a path, that an error text has, in characters. */
const MAX_PART = 200;

/**
 * A value that a schema doesn't accept. Its text has the first issue, without what stands in double
 * quotes, because libraries put the received value there, and how many issues there are.
 */
export class ValidationError extends TypeError {
  /** The class's name. */
  override readonly name: string = "ValidationError";
  /** The close code for the peer, 1007, when the value was received. */
  readonly closeCode?: number;
  readonly #issues: readonly StandardIssue[];

  /**
   * Describes the first issue, and where it is.
   *
   * @param action What failed, such as `"Cannot receive"`.
   * @param issues What the schema found.
   * @param closeCode The close code for the peer, when the value was received.
   */
  constructor(action: string, issues: readonly StandardIssue[], closeCode?: number) {
    super(`${action}: ${describe(issues)}`);
    this.#issues = issues;
    if (closeCode !== undefined) this.closeCode = closeCode;
  }

  /** All that the schema found. Not shown when the error is printed: it may hold received values. */
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

/** A part of a text that a peer may have a say in: on one line, and not too long. */
function shortened(text: string): string {
  const start = text.slice(0, MAX_PART).replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/gu, "�");
  return text.length > MAX_PART ? `${start}…` : start;
}

/**
 * Reads the result of a validation, which may be anything.
 *
 * @returns The issues; `null` when there are none, but a `value`.
 * @throws {TypeError} When it is neither: nothing is valid by accident.
 */
export function issuesOf(result: unknown): readonly StandardIssue[] | null {
  if (typeof result === "object" && result !== null) {
    const { issues } = result as { issues?: unknown };
    if (Array.isArray(issues)) return issues;
    if (issues === undefined && "value" in result) return null;
  }
  throw new TypeError("Cannot validate: the schema returned neither a value nor issues");
}
