/** A newcomer's five programs: each is short, and prints the same on every runtime. */
// Deno only: starts processes

import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { fileURLToPath } from "node:url";
import { runtime } from "../../tasks/tools.ts";
import { standInArgs } from "../../tasks/std.ts";
import { bundled, PATIENCE } from "./programs.ts";

const ROOT = new URL("../../", import.meta.url);

/** The maximum number of lines that a newcomer reads at a glance. */
const MAX_LINES = 40;

/** 100,000 bytes of each of the numbers up to 2000, modulo 256. */
const CHECKSUM = "c657e11ce9f50425c87090b2caa0482e9be414a5b36a0b25d46bc0aaea988a91";

/** The output of each program. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  echo: ["client: hello", "client: 1 2 3", "server: a client left with 1000 done"],
  chat_rooms: [
    // The messages of a guest who then leaves.
    '{"joined":"blue","here":["red","blue"]}',
    '{"from":"blue","text":"hello"}',
    // The messages of the other guest, who joined first.
    '{"joined":"red","here":["red"]}',
    '{"joined":"blue","here":["red","blue"]}',
    '{"from":"blue","text":"hello"}',
    '{"left":"blue","here":["red"]}',
  ],
  token_login: [
    "header: hello, the gardener",
    "cookie: hello, the gardener",
    "query: hello, the gardener",
    "subprotocol: hello, the gardener",
    "wrong token: refused with 401",
    "no token: refused with 401",
  ],
  upload: [
    ...[50, 100, 150, 200].map((it) => `received ${it} MB`),
    `checksum ${CHECKSUM}`,
    "complete",
  ],
  json_rpc: [
    "max 15",
    "sleep it took too long",
    "fly there is no method fly",
    "max closed: 1007",
  ],
};

/** The runtimes of the programs. */
const RUNTIMES = ["Deno", "Node 20", "Node 26", "Bun"];

/** The command that runs a program: on runtimes other than Deno, as one bundled JavaScript file. */
async function commandOf(name: string, program: string): Promise<string[]> {
  const source = `examples/${program}.ts`;
  if (name === "Deno") {
    return [Deno.execPath(), "run", ...await standInArgs(), "--quiet", "--allow-all", source];
  }
  return [...(await runtime(name)).command, await bundled(source)];
}

/** The exit code of a program, and how much its memory grew since its first output, in kB. */
interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly growth: number;
}

async function run([command = "", ...args]: readonly string[]): Promise<Ended> {
  const child = new Deno.Command(command, {
    args,
    cwd: fileURLToPath(ROOT),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stdout = "";
  const peaks: number[] = [];
  const reading = (async () => {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += part;
      peaks.push(await peakOf(child.pid));
    }
  })();
  const [stderr, { code }] = await Promise.all([
    new Response(child.stderr).text(),
    child.status,
    reading,
  ]);
  return { code, stdout, stderr, growth: Math.max(0, ...peaks) - (peaks[0] ?? 0) };
}

/** The peak memory of a process, in kB; 0 if the system doesn't report it. */
async function peakOf(pid: number): Promise<number> {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(await Deno.readTextFile(`/proc/${pid}/status`))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

for (const [program, lines] of Object.entries(PROGRAMS)) {
  Deno.test(`example ${program}: at most ${MAX_LINES} lines of at most 120 characters`, async () => {
    const source = await Deno.readTextFile(new URL(`examples/${program}.ts`, ROOT));
    const written = source.trimEnd().split("\n");
    assert(written.length <= MAX_LINES, `${written.length} lines`);
    assertEquals(written.filter((line) => line.length > 120), []);
  });

  for (const name of RUNTIMES) {
    Deno.test(`example ${program} on ${name}: prints the expected lines, and ends by itself`, async () => {
      const ended = await deadline(run(await commandOf(name, program)), PATIENCE);
      const { code, stdout, stderr, growth } = ended;
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      assertEquals(stdout.trimEnd().split("\n"), lines);
      // Three quarters of the upload, 150 MB, follow.
      assert(growth < 75_000, `${growth} kB more`);
    });
  }
}
