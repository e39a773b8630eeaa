/**
 * `Deno.test` for a page or a worker. Importing this module defines it, so the module must be first in a
 * bundle. {@linkcode runTests} runs the registered tests, one after the other.
 */

/** The result of one test. */
export interface TestResult {
  readonly name: string;
  /** Its failures; empty if it passed. */
  readonly failures: readonly string[];
  readonly ignored: boolean;
}

interface Step {
  step(
    nameOrStep: string | { name: string; fn: (t: Step) => unknown },
    fn?: (t: Step) => unknown,
  ): Promise<boolean>;
}

interface Registered {
  readonly name: string;
  readonly fn: (t: Step) => unknown;
  readonly ignore?: boolean;
}

const tests: Registered[] = [];

function register(...parts: unknown[]): void {
  const options = parts.find((part) => typeof part === "object") as Registered | undefined;
  const fn = parts.find((part) => typeof part === "function") as Registered["fn"] | undefined;
  const name = parts.find((part) => typeof part === "string") ?? options?.name ?? fn?.name;
  tests.push({ ...options, name: String(name), fn: (fn ?? options?.fn) as Registered["fn"] });
}

// Only the members that tests use: code that detects its runtime must not detect Deno.
Object.assign(globalThis, { Deno: { test: register } });

function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${described(error.cause)}`;
  const inner = error instanceof AggregateError ? error.errors.map(described).join("\n") : "";
  return [error.stack ?? String(error), inner, cause].filter((it) => it !== "").join("\n");
}

function context(failures: string[]): Step {
  return {
    async step(nameOrStep, fn) {
      const step = typeof nameOrStep === "string" ? { name: nameOrStep, fn } : nameOrStep;
      const inner: string[] = [];
      try {
        await step.fn?.(context(inner));
      } catch (error) {
        inner.push(described(error));
      }
      failures.push(...inner.map((it) => `${step.name}: ${it}`));
      return inner.length === 0;
    },
  };
}

async function run({ name, fn, ignore = false }: Registered): Promise<TestResult> {
  const failures: string[] = [];
  if (!ignore) {
    try {
      await fn(context(failures));
    } catch (error) {
      failures.push(described(error));
    }
  }
  return { name, failures, ignored: ignore };
}

/**
 * Runs all tests.
 *
 * @param leftOut Names of tests that aren't run, and why; each must exist.
 * @param onResult Gets each result as soon as it is known.
 */
export async function runTests(
  leftOut: Readonly<Record<string, string>>,
  onResult: (result: TestResult) => Promise<void>,
): Promise<void> {
  const missing = new Set(Object.keys(leftOut));
  for (const test of tests) {
    const reason = missing.delete(test.name) ? leftOut[test.name] : undefined;
    const result = await run({ ...test, ignore: test.ignore || reason !== undefined });
    await onResult(
      reason === undefined ? result : {
        ...result,
        name: `${test.name} (not applicable: ${reason})`,
      },
    );
  }
  for (const name of missing) {
    await onResult({ name, failures: ["There is no such test to leave out"], ignored: false });
  }
}
