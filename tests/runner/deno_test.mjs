/**
 * `Deno.test` for Node and Bun: it registers, and runs one test after the other when all files are
 * loaded, saying which. Their own runners aren't used because Bun's fails a test for any rejection that was
 * unhandled for a moment, also one that the test collects on purpose.
 *
 * Usage: node deno_test.mjs FILE… ; the last line of the output is JSON: { passed, failed, ignored }, where
 * `ignored` has names.
 */

import process from "node:process";
import { pathToFileURL } from "node:url";

const tests = [];

function register(...parts) {
  const fn = parts.find((part) => typeof part === "function");
  const named = parts.find((part) => typeof part === "string");
  const options = Object.assign({}, ...parts.filter((part) => typeof part === "object"));
  tests.push({ ...options, name: named ?? options.name ?? fn?.name, fn: fn ?? options.fn });
}

register.ignore = (...args) => register(...args, { ignore: true });

function context(name, failures) {
  return {
    name,
    async step(first, second) {
      const step = typeof first === "object" ? first : { name: first, fn: second };
      try {
        await step.fn(context(`${name} › ${step.name}`, failures));
        return true;
      } catch (error) {
        failures.push(error);
        return false;
      }
    },
  };
}

// Only what tests use: code that asks where it runs must not take this for Deno.
globalThis.Deno = { test: register };

/** The longest that a test may take before it counts as one that hangs, in milliseconds. */
const LIMIT = 120_000;

async function limited(promise) {
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`It takes longer than ${LIMIT} ms`)), LIMIT);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** As on Deno, a test begins in a turn of the event loop of its own. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const only = process.env.TEST_FILTER;
for (const file of process.argv.slice(2)) await import(pathToFileURL(file).href);

let passed = 0;
let failed = 0;
const ignored = [];
for (const test of tests) {
  if (only !== undefined && !test.name.includes(only)) continue;
  if (test.ignore) {
    ignored.push(test.name);
    continue;
  }
  const failures = [];
  // Where even a timer can't interrupt it, this says which test it was.
  console.log(`run: ${test.name}`);
  await turn();
  try {
    await limited(Promise.resolve(test.fn(context(test.name, failures))));
  } catch (error) {
    failures.push(error);
  }
  if (failures.length === 0) {
    passed++;
    continue;
  }
  failed++;
  console.log(`FAILED: ${test.name}`);
  for (const failure of failures) console.log(failure?.stack ?? failure);
}
console.log(JSON.stringify({ passed, failed, ignored }));
// A test that leaves something behind must not keep the next suite waiting.
process.exit(failed === 0 ? 0 : 1);
