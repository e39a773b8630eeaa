/**
 * A stand-in for the functions of `@std/assert` that the tests use, for machines that can't
 * reach JSR: the same signatures, over `node:assert/strict`.
 */

import strict from "node:assert/strict";

export class AssertionError extends strict.AssertionError {
  constructor(message: string) {
    super({ message });
  }
}

function text(message: string | undefined, fallback: string): string {
  return message === undefined ? fallback : `${fallback}: ${message}`;
}

/** No argument if there is no message: Node 26 rejects `undefined`. */
function given(message: string | undefined): [] | [string] {
  return message === undefined ? [] : [message];
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

export function assertFalse(expr: unknown, msg = ""): asserts expr is false {
  if (expr) throw new AssertionError(msg);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  strict.deepStrictEqual(actual, expected, ...given(msg));
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  strict.notDeepStrictEqual(actual, expected, ...given(msg));
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  strict.strictEqual(actual, expected, ...given(msg));
}

export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  strict.notStrictEqual(actual, expected, ...given(msg));
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    throw new AssertionError(text(msg, `Expected actual: "${actual}" to not be null or undefined`));
  }
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) throw new AssertionError(text(msg, `Expect ${actual} > ${expected}`));
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) throw new AssertionError(text(msg, `Expect ${actual} >= ${expected}`));
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) throw new AssertionError(text(msg, `Expect ${actual} < ${expected}`));
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) throw new AssertionError(text(msg, `Expect ${actual} <= ${expected}`));
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  strict.match(actual, expected, ...given(msg));
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    throw new AssertionError(text(msg, `Expected actual: "${actual}" to contain: "${expected}"`));
  }
}

export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  msg?: string,
): void {
  for (const value of Array.from(expected)) {
    if (Array.from(actual).some((it) => isEqual(it, value))) continue;
    throw new AssertionError(text(msg, `Expected actual to include ${String(value)}`));
  }
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    strict.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any
  expectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is T {
  if (actual instanceof expectedType) return;
  throw new AssertionError(
    text(msg, `Expected object to be an instance of "${expectedType.name}"`),
  );
}

export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(text(msg, `Expected "error" to be an Error object`));
  }
  if (ErrorClass !== undefined && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      text(
        msg,
        `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor.name}" (${error.message})`,
      ),
    );
  }
  const matches = msgMatches === undefined ||
    (typeof msgMatches === "string"
      ? error.message.includes(msgMatches)
      : msgMatches.test(error.message));
  if (matches) return;
  throw new AssertionError(
    text(msg, `Expected error message to include "${msgMatches}", but got "${error.message}"`),
  );
}

export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E {
  try {
    fn();
  } catch (error) {
    assertIsError(error, ErrorClass, msgIncludes, msg);
    return error as E;
  }
  throw new AssertionError(text(msg, "Expected function to throw"));
}

export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    throw new AssertionError(text(msg, "Function throws when expected to reject"));
  }
  try {
    await promise;
  } catch (error) {
    assertIsError(error, ErrorClass, msgIncludes, msg);
    return error as E;
  }
  throw new AssertionError(text(msg, "Expected function to reject"));
}

export function fail(msg?: string): never {
  throw new AssertionError(text(msg, "Failed assertion"));
}
