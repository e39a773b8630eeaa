/**
 * The part of `node:assert/strict` that the stand-ins of tests/offline/ use, for pages and workers. If the
 * real `@std/assert` isn't available, it replaces that module in a browser's bundle.
 */

class AssertionError extends Error {
  override name = "AssertionError";

  constructor({ message }: { message: string }) {
    super(message);
  }
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (ArrayBuffer.isView(value)) return `${tag(value)} ${JSON.stringify(Object.values(value))}`;
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value) ?? tag(value);
  } catch {
    return tag(value);
  }
}

function tag(value: unknown): string {
  return Object.prototype.toString.call(value);
}

type Compared = [actual: object, expected: object][];

function isEqual(actual: unknown, expected: unknown, above: Compared = []): boolean {
  if (Object.is(actual, expected)) return true;
  if (typeof actual !== "object" || typeof expected !== "object") return false;
  if (actual === null || expected === null) return false;
  // Compare a value that contains itself only once.
  if (above.some(([a, b]) => a === actual && b === expected)) return true;
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return false;
  if (tag(actual) !== tag(expected)) return false;
  const within: Compared = [...above, [actual, expected]];
  const same = (a: unknown, b: unknown): boolean => isEqual(a, b, within);
  if (!hasSameContent(actual, expected, same)) return false;
  const keys = keysOf(actual);
  return keys.length === keysOf(expected).length && keys.every((key) => {
    const [a, b] = [actual, expected].map((it) => (it as Record<PropertyKey, unknown>)[key]);
    return Object.hasOwn(expected, key) && same(a, b);
  });
}

/** The own fields to compare. An error's stack, for example, is not one of them. */
function keysOf(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

/** The content of an object that is not in its own fields. */
function hasSameContent(
  actual: object,
  expected: object,
  same: (a: unknown, b: unknown) => boolean,
): boolean {
  if (Array.isArray(actual)) return actual.length === (expected as unknown[]).length;
  if (actual instanceof Date) return same(actual.getTime(), (expected as Date).getTime());
  if (actual instanceof RegExp) return String(actual) === String(expected);
  if (actual instanceof Error) {
    const other = expected as Error;
    return actual.name === other.name && actual.message === other.message;
  }
  if (actual instanceof ArrayBuffer) {
    return same(new Uint8Array(actual), new Uint8Array(expected as ArrayBuffer));
  }
  if (actual instanceof Map || actual instanceof Set) {
    return same([...actual], [...expected as Iterable<unknown>]);
  }
  if (actual instanceof Number || actual instanceof String) {
    return same(actual.valueOf(), expected.valueOf());
  }
  return true;
}

/** Fails with the message, or throws it if it is an error. */
function check(holds: boolean, message: string | Error | undefined, fallback: () => string): void {
  if (holds) return;
  if (message instanceof Error) throw message;
  throw new AssertionError({ message: message ? `${message}: ${fallback()}` : fallback() });
}

/** The default export of `node:assert/strict`. */
export default class Strict {
  static readonly AssertionError: typeof AssertionError = AssertionError;

  static deepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void {
    check(isEqual(actual, expected), message, () => `${shown(actual)} is not ${shown(expected)}`);
  }

  static notDeepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void {
    check(!isEqual(actual, expected), message, () => `${shown(actual)} was not expected`);
  }

  static strictEqual(actual: unknown, expected: unknown, message?: string | Error): void {
    const same = Object.is(actual, expected);
    check(same, message, () => `${shown(actual)} is not the same as ${shown(expected)}`);
  }

  static notStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void {
    check(!Object.is(actual, expected), message, () => `${shown(actual)} was not expected`);
  }

  static match(actual: string, expected: RegExp, message?: string | Error): void {
    check(expected.test(actual), message, () => `${shown(actual)} doesn't match ${expected}`);
  }
}
