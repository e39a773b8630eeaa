/**
 * Libraries that take a `WebSocket` class or a channel, from npm, end to end with the npm package, on every
 * runtime: each program of `tests/consumers/programs/` is one of them. Their servers are their own, Debian's, or this
 * package's.
 *
 * ```sh
 * deno task test:consumers            # all of them
 * deno task test:consumers nats mqtt  # some of them
 * ```
 */

import { buildNpm } from "./build_npm.ts";
import { limited } from "./process_tree.ts";
import { fromFileUrl } from "./support.ts";
import { findChromium } from "./test_browser.ts";
import { NEWEST_NODE, npm, OLDEST_NODE, runtime, toolbox } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const PROGRAMS = new URL("tests/consumers/programs/", ROOT);

/** The maximum duration of a program, in milliseconds. */
const LIMIT = 90_000;

/** A library, or several of one kind. */
interface Consumer {
  /** Its program, without `.mjs`. */
  readonly name: string;
  /** A program of the system that it needs. */
  readonly needs?: string;
  /** It takes long: it runs on one runtime only. */
  readonly isLong?: true;
}

const CONSUMERS: readonly Consumer[] = [
  { name: "graphql_ws" },
  { name: "partysocket" },
  { name: "reconnecting_websocket" },
  { name: "rxjs" },
  { name: "nats", needs: "nats-server" },
  { name: "mqtt", needs: "mosquitto" },
  { name: "socket_io" },
  { name: "trpc" },
  { name: "y_websocket" },
  { name: "puppeteer", needs: "chromium", isLong: true },
];

/** The packages that the programs import. */
const PACKAGES = [
  ...["graphql", "graphql-ws", "partysocket", "reconnecting-websocket", "rxjs"],
  ...["@nats-io/nats-core", "mqtt", "socket.io", "socket.io-client"],
  ...["@trpc/server", "@trpc/client", "y-websocket", "y-protocols", "yjs", "lib0"],
  "puppeteer-core",
];

const NEWEST = `Node ${NEWEST_NODE}`;

/** The results of the consumers on a runtime. */
export interface ConsumerOutcome {
  readonly runtime: string;
  readonly passed: number;
  readonly failed: number;
  /** The consumers that didn't run, and why. */
  readonly note: string;
}

/** The project that has them all, and the package as a user gets it. */
async function project(): Promise<URL> {
  const folder = await toolbox("consumers", PACKAGES);
  const { tarball } = await buildNpm("whichever is available", "consumers");
  await npm(folder, "install", "--no-save", "--ignore-scripts", fromFileUrl(tarball));
  for await (const { name } of Deno.readDir(PROGRAMS)) {
    if (name.endsWith(".mjs")) await Deno.copyFile(new URL(name, PROGRAMS), new URL(name, folder));
  }
  return folder;
}

/** Where a program of the system is; `null`: nowhere. */
async function find(program: string): Promise<string | null> {
  if (program === "chromium") return await findChromium();
  for (const folder of ["/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"]) {
    if (await Deno.stat(folder + program).then((it) => it.isFile, () => false)) {
      return folder + program;
    }
  }
  return null;
}

async function commands(): Promise<[name: string, command: readonly string[]][]> {
  const others = [`Node ${OLDEST_NODE}`, NEWEST, "Bun"];
  const found = await Promise.all(others.map(async (it) => (await runtime(it)).command));
  return [
    ["Deno", [Deno.execPath(), "run", "--quiet", "--allow-all"]],
    ...others.map((name, i): [string, readonly string[]] => [name, found[i] ?? []]),
  ];
}

/**
 * Runs the consumers.
 *
 * @param wanted Their names; left out: all.
 */
export async function testConsumers(
  wanted: readonly string[] = [],
): Promise<readonly ConsumerOutcome[]> {
  const folder = await project();
  const outcomes: ConsumerOutcome[] = [];
  for (const [name, command] of await commands()) {
    let [passed, failed] = [0, 0];
    const notes: string[] = [];
    for (const consumer of CONSUMERS) {
      if (wanted.length > 0 && !wanted.includes(consumer.name)) continue;
      if (consumer.isLong && name !== NEWEST) continue;
      const { needs } = consumer;
      const program = needs === undefined ? "" : await find(needs);
      if (program === null) {
        notes.push(`${consumer.name}: ${needs} isn't installed`);
        continue;
      }
      const file = fromFileUrl(new URL(`${consumer.name}.mjs`, folder));
      const args = program === "" ? [] : [program];
      const { code, stdout, stderr } = await limited([...command, file, ...args], LIMIT, folder);
      if (code === 0 && stdout.trimEnd().endsWith("ok")) passed++;
      else {
        failed++;
        console.log(`\n=== FAILED: ${consumer.name} on ${name}\n${stdout}\n${stderr}`);
      }
    }
    outcomes.push({ runtime: name, passed, failed, note: notes.join("; ") });
  }
  return outcomes;
}

if (import.meta.main) {
  const outcomes = await testConsumers(Deno.args);
  for (const { runtime, passed, failed, note } of outcomes) {
    console.log(`${runtime}: ${passed} passed, ${failed} failed. ${note}`);
  }
  Deno.exit(outcomes.some(({ failed }) => failed > 0) ? 1 : 0);
}
