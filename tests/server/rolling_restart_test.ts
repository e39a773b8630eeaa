/** Replaces the two processes of a server, one after the other, while clients always have messages in flight. */
// Deno only: starts programs on all runtimes

import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { findCommand } from "../support/processes.ts";
import { bundled, newestNode, RUNTIMES, startProgram } from "./programs.ts";
import { Load } from "./rolling_load.ts";
import { missing } from "../support/needs.ts";

/** The number of clients and restarts; both are higher in the nightly run. */
const CLIENTS = Number(Deno.env.get("ROLLING_CLIENTS") ?? 24);
const ROLLS = Number(Deno.env.get("ROLLING_ROLLS") ?? 1);
const PATIENCE = 60_000 + ROLLS * CLIENTS * 500;

const PROGRAM = "tests/server/programs/rolling.ts";
const SUPERVISOR = "tests/server/programs/rolling.py";
const python = findCommand([["python3"]]);
const newest = await newestNode();

const runtimes: [name: string, command: readonly string[] | null][] = [
  ...RUNTIMES,
  ["the newest Node", newest],
];

interface Way {
  readonly name: "fd" | "cluster" | "port";
  readonly what: string;
}

const WAYS: readonly Way[] = [
  { name: "fd", what: "an inherited socket" },
  { name: "cluster", what: "node:cluster" },
  { name: "port", what: "reusePort" },
];

async function commandOf(runtime: string, command: readonly string[], way: Way, what: string) {
  const script = runtime === "Deno" ? PROGRAM : await bundled(PROGRAM);
  const server = [...command, script, way.name, what];
  return way.name === "cluster" ? server : [...python ?? [], SUPERVISOR, way.name, ...server];
}

/** Why a way doesn't work on a runtime; `null` if it does. */
function absent(runtime: string, command: readonly string[] | null, { name }: Way): string | null {
  if (command === null) return missing(runtime, false);
  if (name !== "cluster" && python === null) return missing("Python", false);
  if (name === "cluster" && runtime === "Deno") {
    return "with Deno 2.9's node:cluster a connection now and then waits forever while a worker closes";
  }
  const isOld = runtime === "Node" && newest !== null && newest[0] !== command[0];
  return name === "port" && isOld ? "an old Node has no reusePort" : null;
}

for (const [runtime, command] of runtimes) {
  for (const way of WAYS) {
    const reason = absent(runtime, command, way);
    const left = reason === null ? "" : ` (left out: ${reason})`;
    for (const what of ["echo", "upload"]) {
      Deno.test({
        name: `rolling restart by ${way.what}, ${what}, on ${runtime}: no message is lost${left}`,
        ignore: reason !== null,
        async fn() {
          const words = await commandOf(runtime, command ?? [], way, what);
          const program = await startProgram(words, true);
          const load = new Load(program.url, what === "upload", CLIENTS);
          try {
            const opened = (): Promise<void> => load.opened(load.stayed + CLIENTS);
            await deadline(load.opened(CLIENTS), PATIENCE);
            for (let i = 0; i < ROLLS; i++) {
              const again = opened();
              await program.say(`roll ${i}`);
              await deadline(program.printed(`done roll ${i}`), PATIENCE);
              await deadline(again, PATIENCE);
            }
            await deadline(load.stop(), PATIENCE);
            await program.say("stop");
            const { text } = await deadline(program.ended, PATIENCE);
            const handled = [...text.matchAll(/^handled (\d+)$/gm)]
              .reduce((sum, [, count]) => sum + Number(count), 0);
            const { figures } = load;
            const { sent, echoed } = figures;
            const lost = what === "echo" ? sent - echoed : sent - handled;
            console.log(`${runtime}, ${way.name}, ${what}:`, { ...figures, handled, lost });
            assertEquals(text.match(/^error .*/gm), null);
            assertEquals([lost, figures.wrong, figures.refused], [0, 0, 0]);
            // The servers handled no message twice, although the clients resent some.
            assertEquals(handled, sent);
            // Each process has its own accept queue; the system resets the connections in it.
            const isQueueOwn = way.name === "port" || way.name === "cluster" && runtime === "Bun";
            assert(isQueueOwn || figures.reset === 0, "connections were reset");
            assertEquals(Object.keys(figures.endings).sort(), ["1000", "1012"]);
            assert(load.stayed >= CLIENTS * (ROLLS + 1));
          } finally {
            await load.abandon();
            await program.stop("SIGKILL");
          }
        },
      });
    }
  }
}
