/**
 * Runs the tests: a line for each file, with what was left out and why, then the failures in full.
 *
 * ```sh
 * deno task test                    # all
 * deno task test tests/net          # these files and folders
 * CI=true deno task test            # a line for each test, as deno test prints it
 * ```
 */

import { standInArgs } from "./std.ts";
import { fromFileUrl, run, TextLineStream } from "./support.ts";
import { ignoredNote } from "./table.ts";

const ROOT = new URL("../", import.meta.url);

/** What `deno test` prints, as a line for each file. */
export class FileReporter {
  #path: string | null = null;
  #passed = 0;
  #failed = 0;
  #ignored: string[] = [];
  /** The failures, and the sum: they are printed as they are. */
  #isEnd = false;

  /**
   * Takes a line.
   *
   * @returns The lines to print in its place.
   */
  take(colored: string): string[] {
    if (this.#isEnd) return [colored];
    // deno-lint-ignore no-control-regex -- the colours of a terminal
    const line = colored.replace(/\x1b\[[\d;]*m/g, "");
    const [, path] = /^running \d+ tests? from (?:\.\/)?(\S+)$/.exec(line) ?? [];
    if (path !== undefined) {
      const done = this.#finish();
      this.#path = path;
      return done;
    }
    if (/^ ERRORS |^(?:ok|FAILED) \| /.test(line)) {
      this.#isEnd = true;
      return [...this.#finish(), colored];
    }
    if (/^Uncaught error|^error: /.test(line)) return [colored];
    const [, name = "", outcome] = /^(\S.*?) \.\.\. .*?(ok|FAILED|ignored) \(/.exec(line) ?? [];
    if (outcome === "ok") this.#passed++;
    if (outcome === "FAILED") this.#failed++;
    if (outcome === "ignored") this.#ignored.push(name);
    return [];
  }

  /** The file that runs, for a line of progress. */
  get path(): string | null {
    return this.#path;
  }

  #finish(): string[] {
    if (this.#path === null) return [];
    const note = ignoredNote(this.#ignored);
    const line =
      `${this.#failed === 0 ? "ok    " : "FAILED"} ${this.#path}: ${this.#passed} passed` +
      (this.#failed === 0 ? "" : `, ${this.#failed} failed`) + (note === "" ? "" : `, ${note}`);
    this.#path = null;
    this.#passed = this.#failed = 0;
    this.#ignored = [];
    return [line];
  }
}

async function main(args: string[]): Promise<number> {
  const command = ["test", ...await standInArgs(), "--allow-all", ...args];
  if (Deno.env.get("CI") !== undefined || args.some((it) => it.startsWith("--reporter"))) {
    return await run(Deno.execPath(), command, { cwd: fromFileUrl(ROOT) });
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: command,
    cwd: fromFileUrl(ROOT),
    stdin: "inherit",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reporter = new FileReporter();
  const isTerminal = Deno.stdout.isTerminal();
  const clear = isTerminal ? "\r\x1b[K" : "";
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) {
    for (const it of reporter.take(line)) console.log(clear + it);
    if (isTerminal && reporter.path !== null) {
      await Deno.stdout.write(new TextEncoder().encode(`${clear}running ${reporter.path}`));
    }
  }
  return (await child.status).code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
