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

/** A value that a schema doesn't accept. */
export class ValidationError extends TypeError {
  /** The class's name. */
  override readonly name: string = "ValidationError";
  /** What the schema found. */
  readonly issues: readonly StandardIssue[];

  /**
   * Says which issue came first, and where.
   *
   * @param action What failed, such as `"Cannot receive"`.
   * @param issues What the schema found.
   */
  constructor(action: string, issues: readonly StandardIssue[]) {
    super(`${action}: ${issues.length === 0 ? "not valid" : describe(issues)}`);
    this.issues = issues;
  }
}

function describe(issues: readonly StandardIssue[]): string {
  return issues.map(({ message, path = [] }) => {
    const keys = path.map((step) => String(typeof step === "object" ? step.key : step));
    return keys.length === 0 ? message : `${message} (at ${keys.join(".")})`;
  }).join("; ");
}
