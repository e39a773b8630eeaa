/**
 * The tutorial's two programs, word for word but for the package's name and the port, by people at three
 * terminals: a server on one runtime, a guest on each of two others.
 */

import { type Built, NPM_NAME, readConfig } from "./build_npm.ts";
import { endTree } from "./process_tree.ts";
import { freePort, inEmptyFolder } from "./readme_projects.ts";
import { fromFileUrl } from "./support.ts";
import { npm, type Runtime } from "./tools.ts";

const TUTORIAL = new URL("../docs/tutorial/chat.md", import.meta.url);
/** The maximum time without output, in milliseconds. */
const LIMIT = 30_000;

/** The programs: a server, and a client. */
async function programs(port: number): Promise<string[]> {
  const text = (await Deno.readTextFile(TUTORIAL))
    .replaceAll((await readConfig()).name, NPM_NAME)
    .replaceAll("8080", String(port));
  const found = [...text.matchAll(/^```ts ignore\n([^]*?)^```$/gm)].map(([, code]) => code ?? "");
  if (found.length !== 2) throw new Error(`The tutorial has ${found.length} programs`);
  return found;
}

/** A program at a terminal, with typed input. */
class Terminal {
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #said = "";

  constructor(command: readonly string[], folder: URL) {
    const [program = "", ...args] = command;
    this.#child = new Deno.Command(program, {
      args,
      cwd: fromFileUrl(folder),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#writer = this.#child.stdin.getWriter();
  }

  /** Reads until a line has arrived. */
  async read(line: string): Promise<void> {
    const timer = setTimeout(() => void this.kill(), LIMIT);
    try {
      while (!this.#said.split("\n").slice(0, -1).includes(line)) {
        const { value, done } = await this.#reader.read();
        if (done) throw new Error(`"${line}" wasn't said, but:\n${this.#said}`);
        this.#said += value;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async type(text: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(text));
  }

  /** Ctrl+D. */
  async endInput(): Promise<void> {
    await this.#writer.close();
  }

  async kill(): Promise<void> {
    await endTree(this.#child.pid);
  }

  /** Reads to the end of the output. */
  async ended(): Promise<void> {
    await this.#writer.abort().catch(() => {});
    while (!(await this.#reader.read()).done);
    await this.#child.status;
  }
}

/**
 * Follows the tutorial.
 *
 * @param runtimes Of the server, and of the two guests.
 */
export function followTutorial(runtimes: readonly Runtime[], built: Built): Promise<void> {
  return inEmptyFolder(async (folder) => {
    const port = await freePort();
    const [server = "", client = ""] = await programs(port);
    await npm(folder, "install", fromFileUrl(built.tarball));
    await Deno.writeTextFile(new URL("server.mjs", folder), server);
    await Deno.writeTextFile(new URL("client.mjs", folder), client);
    const terminals: Terminal[] = [];
    const open = (at: number, ...args: string[]): Terminal => {
      const terminal = new Terminal([...runtimes[at]?.command ?? [], ...args], folder);
      terminals.push(terminal);
      return terminal;
    };
    try {
      const host = open(0, "server.mjs");
      await host.read(`listening at ws://127.0.0.1:${port}`);
      const ada = open(1, "client.mjs", "Ada");
      await ada.read("Ada joined");
      const bob = open(2, "client.mjs", "Bob");
      await ada.read("Bob joined");
      await bob.type("Is anybody here?\n");
      await ada.read("Bob: Is anybody here?");
      await bob.endInput();
      await bob.read("The chat has ended: 1000, ended by local");
      await ada.read("Bob left");
      await host.kill();
      await ada.read("The chat has ended: 1006, ended by transport");
    } finally {
      for (const terminal of terminals) await terminal.kill();
      for (const terminal of terminals) await terminal.ended();
    }
  });
}
