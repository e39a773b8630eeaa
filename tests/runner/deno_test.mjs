/**
 * `Deno.test` for Node and Bun. It loads all files, then runs one test after the other and prints each name.
 * The runners of Node and Bun are not used: Bun's fails a test for each rejection that is unhandled for a
 * moment, also for one that the test collects on purpose.
 *
 * Usage: node deno_test.mjs FILE… ; the last line of the output is JSON: { passed, failed, ignored, seconds }, where
 * `ignored` has names, and `seconds` the time of each file.
 */

import process from "node:process";
import { pathToFileURL } from "node:url";

const tests = [];
/** The file that is being loaded. */
let loading = "";

function register(...parts) {
  const fn = parts.find((part) => typeof part === "function");
  const named = parts.find((part) => typeof part === "string");
  const options = Object.assign({}, ...parts.filter((part) => typeof part === "object"));
  tests.push({
    ...options,
    file: loading,
    name: named ?? options.name ?? fn?.name,
    fn: fn ?? options.fn,
  });
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

// Only the members that tests use: code that detects its runtime must not detect Deno.
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
const seconds = {};
for (const file of process.argv.slice(2)) {
  loading = file;
  seconds[file] = 0;
  await import(pathToFileURL(file).href);
}

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
  const start = performance.now();
  try {
    await limited(Promise.resolve(test.fn(context(test.name, failures))));
  } catch (error) {
    failures.push(error);
  }
  seconds[test.file] += (performance.now() - start) / 1000;
  if (failures.length === 0) {
    passed++;
    continue;
  }
  failed++;
  console.log(`FAILED: ${test.name}`);
  for (const failure of failures) console.log(failure?.stack ?? failure);
}
console.log(JSON.stringify({ passed, failed, ignored, seconds }));
// A test that leaves something behind must not keep the next suite waiting.
process.exit(failed === 0 ? 0 : 1);
