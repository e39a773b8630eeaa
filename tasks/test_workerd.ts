/**
 * The conformance suite of the native channel in workerd, the runtime of Cloudflare's Workers: its
 * `WebSocket` is one of its own, though it looks like Node. The servers of the tests run in this process.
 *
 * ```sh
 * deno task test:workerd
 * ```
 */

import { ControlServer } from "../tests/browser/control_server.ts";
import { startRecipe } from "../tests/support/recipes.ts";
import { fromFileUrl } from "./support.ts";
import { ignoredNote } from "./table.ts";
import { bundle, Watchdog } from "./test_browser.ts";
import { OUT, tool } from "./tools.ts";

const FOLDER = new URL("workerd/", OUT);

/** The date whose behaviour a worker asks for: the newest that the binary has, and an old one. */
const DATES = ["2024-09-23", "2026-11-01"];

/** The behaviour of workerd's own WebSocket that a channel over it can't change. */
const LEFT_OUT: Readonly<Record<string, string>> = Object.fromEntries(
  ["connect (native)", "from (native)"].flatMap((name) => [
    [
      `${name}: S183 a lone surrogate is sent as U+FFFD`,
      "workerd sends a lone surrogate as it is, which is no UTF-8",
    ],
    [
      `${name}: C18 a close reason that isn't UTF-8: the stream ends without an error, with 1006`,
      "workerd takes a close reason that is no UTF-8",
    ],
    [
      `${name}: C30 C31 bytes that are no frame: the stream ends without an error, with 1006`,
      "workerd fires an error event for it, and no close event",
    ],
  ]),
);

/** The result of the suite. */
export interface WorkerdOutcome {
  readonly date: string;
  readonly passed: number;
  readonly failed: number;
  readonly ignored: readonly string[];
}

function configuration(date: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .tests),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
);
const tests :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "${date}",
  compatibilityFlags = ["nodejs_compat"],
);
`;
}

/** workerd's own binary: its package's script would only start it. */
async function workerd(): Promise<string> {
  const folder = await tool("workerd");
  const os = Deno.build.os === "windows" ? "windows" : Deno.build.os;
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "64";
  const file = os === "windows" ? "bin/workerd.exe" : "bin/workerd";
  return fromFileUrl(new URL(`../@cloudflare/workerd-${os}-${arch}/${file}`, folder));
}

async function run(code: string, date: string): Promise<WorkerdOutcome> {
  const counts = { date, passed: 0, failed: 0, ignored: [] as string[] };
  const watchdog = new Watchdog();
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => finish = resolve);
  const server = new ControlServer("", startRecipe, {
    onResult: (_place, { name, failures, ignored }) => {
      watchdog.pat();
      if (ignored) counts.ignored.push(name);
      else counts[failures.length === 0 ? "passed" : "failed"]++;
      if (failures.length > 0) console.log(`FAILED (workerd): ${name}\n${failures.join("\n")}`);
    },
    onDone: () => finish(),
  });
  const preamble = `globalThis.CONTROL_URL = ${JSON.stringify(server.controlUrl)};\n`;
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeTextFile(new URL("worker.js", FOLDER), preamble + code);
  await Deno.writeTextFile(new URL("config.capnp", FOLDER), configuration(date));
  const child = new Deno.Command(await workerd(), {
    args: ["test", "config.capnp"],
    cwd: fromFileUrl(FOLDER),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output().then(({ stderr }) => {
    throw new Error(`workerd has ended: ${new TextDecoder().decode(stderr)}`);
  });
  try {
    watchdog.pat();
    await Promise.race([finished, watchdog.barked, ended]);
  } catch (error) {
    counts.failed++;
    console.log(`FAILED (workerd): ${error instanceof Error ? error.message : error}`);
  } finally {
    watchdog.stop();
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await ended.catch(() => {});
    await server.close();
  }
  return counts;
}

/** Runs the suite, once by each date. */
export async function testInWorkerd(): Promise<WorkerdOutcome[]> {
  const code = await bundle(
    ["tests/conformance/native_test.ts", "tests/native/workerd_pair_test.ts"],
    LEFT_OUT,
    (call) => `export default { test: () => ${call} };`,
  );
  const outcomes: WorkerdOutcome[] = [];
  for (const date of DATES) outcomes.push(await run(code, date));
  return outcomes;
}

if (import.meta.main) {
  const outcomes = await testInWorkerd();
  for (const { date, passed, failed, ignored } of outcomes) {
    const skipped = ignored.length > 0 ? `, ${ignoredNote(ignored)}` : "";
    console.log(`workerd, as of ${date}: ${passed} passed, ${failed} failed${skipped}`);
  }
  Deno.exit(outcomes.every(({ failed }) => failed === 0) ? 0 : 1);
}
