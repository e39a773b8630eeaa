// Deno only: starts programs on all runtimes

/** Ended channels, and a session whose client is away, keep no process alive. */

import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { bundled, PATIENCE, RUNTIMES, startProgram } from "../server/programs.ts";

const PROGRAM = "tests/reconnecting/programs/ending.ts";

Deno.test(`a process of ${RUNTIMES.map(([it]) => it).join(", ")} ends by itself after a session`, async () => {
  const script = await bundled(PROGRAM);
  for (const [runtime, command] of RUNTIMES) {
    if (command === null) continue;
    const program = await startProgram([...command, runtime === "Deno" ? PROGRAM : script]);
    try {
      // A session lives for two minutes without its client.
      const { code, text } = await deadline(program.ended, PATIENCE);
      assertEquals([code, text.trim().split("\n").at(-1)], [0, "sessions 1"], runtime);
    } finally {
      await program.stop("SIGKILL");
    }
  }
});
