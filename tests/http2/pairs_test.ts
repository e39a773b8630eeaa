// Deno only: it starts programs, on the other runtimes as well

/**
 * Each runtime as the client of each other: echoes 1 MiB on two channels of one session, with and without TLS. `PAIRS=all`
 * runs all pairs, as the nightly run does; without it Deno runs with Node and with Bun.
 */

import { assertEquals } from "@std/assert";
import process from "node:process";
import { certificates } from "../net/support.ts";
import { bundled, newestNode, RUNTIMES, startProgram } from "../server/programs.ts";

const PROGRAM = "tests/server/programs/http2_echo.ts";
const isAll = process.env["PAIRS"] === "all";

type Named = readonly [name: string, command: readonly string[] | null];
const runtimes: readonly Named[] = isAll
  ? [...RUNTIMES, ["the newest Node", await newestNode()]]
  : RUNTIMES;

async function scriptFor(name: string): Promise<string> {
  return name === "Deno" ? PROGRAM : await bundled(PROGRAM);
}

const { authority, local } = certificates();
const IDENTITY = JSON.stringify({ ca: authority.cert, cert: local.cert, key: local.key });

async function ask(
  command: readonly string[],
  script: string,
  urls: string,
  what = "ask",
): Promise<string[]> {
  const [program = "", ...args] = command;
  const { stdout, stderr } = await new Deno.Command(program, {
    args: [...args, script, what, IDENTITY, ...urls.split(" ")],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  return lines.length === urls.split(" ").length
    ? lines
    : [...lines, new TextDecoder().decode(stderr)];
}

const GOOD = JSON.stringify({ isSame: true, sessions: 1, code: 1000, wasClean: true, left: 0 });

for (const [serverName, serverCommand] of runtimes) {
  for (const [clientName, clientCommand] of runtimes) {
    if (!isAll && (serverName === "Deno") === (clientName === "Deno")) continue;
    const missing = [serverCommand, clientCommand].includes(null);
    Deno.test({
      name: `http2 interop ${clientName} as the client of ${serverName}: 1 MiB, plain and with TLS${
        missing ? " (left out: one of them is not installed)" : ""
      }`,
      ignore: missing,
      async fn() {
        const script = await scriptFor(serverName);
        const server = await startProgram([...serverCommand ?? [], script, "serve", IDENTITY]);
        try {
          const said = await ask(clientCommand ?? [], await scriptFor(clientName), server.url);
          assertEquals(said, [`ws ${GOOD}`, `wss ${GOOD}`]);
        } finally {
          await server.stop();
        }
      },
    });
  }
}

/** Makes glibc overwrite freed memory, so that the server's process fails if it reads any. */
const OVERWRITING = ["env", "MALLOC_PERTURB_=165"];

for (const [name, command] of isAll ? runtimes : runtimes.slice(0, 1)) {
  Deno.test({
    name:
      `http2 W44 pool on ${name}: its close does not end the process, even after terminated channels, nor the server on Deno${
        command === null ? " (left out: it is not installed)" : ""
      }`,
    ignore: command === null,
    async fn() {
      const [, deno] = RUNTIMES[0]!;
      const server = await startProgram([
        ...OVERWRITING,
        ...deno ?? [],
        PROGRAM,
        "serve",
        IDENTITY,
      ]);
      try {
        const said = await ask(command ?? [], await scriptFor(name), server.url, "leave");
        assertEquals(said, ["ws 0", "wss 0"]);
        const [plain = ""] = server.url.split(" ");
        assertEquals(await ask(command ?? [], await scriptFor(name), plain), [`ws ${GOOD}`]);
      } finally {
        await server.stop();
      }
    },
  });
}
