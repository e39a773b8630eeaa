// Deno only: it starts programs, on the other runtimes as well

/** A server whose process may not open another file: it lives on, and accepts again. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { bundled, PATIENCE, RUNTIMES, startProgram } from "../server/programs.ts";
import { upgraded } from "../server/support.ts";
import { RawClient } from "../support/recipe_clients.ts";

const PROGRAM = "tests/server/programs/few_files.ts";

/** How many files the process may have open. */
const LIMIT = 100;

/** Whether a message comes back in time. */
async function echoes(url: string): Promise<RawClient> {
  const client = await upgraded({ url });
  client.send(1, "hello");
  assertEquals(await client.hex(7), "810568656c6c6f");
  return client;
}

for (const [runtime, command] of RUNTIMES) {
  const reason = command === null ? " (left out: it is not installed)" : "";
  Deno.test({
    name: `attack 68: no file left to accept with, on ${runtime}: it accepts again${reason}`,
    ignore: command === null || Deno.build.os === "windows",
    async fn() {
      const script = runtime === "Deno" ? PROGRAM : await bundled(PROGRAM);
      const limited = ["sh", "-c", `ulimit -n ${LIMIT}; exec "$@"`, "sh"];
      const program = await startProgram([...limited, ...command ?? [], script]);
      const clients: RawClient[] = [];
      try {
        const first = await deadline(echoes(program.url), PATIENCE);
        clients.push(first);
        // More than the process can accept: the system queues them, or the runtime ends them.
        for (let i = 0; i < 2 * LIMIT; i++) {
          const client = new RawClient(program.url);
          client.request();
          clients.push(client);
        }
        // All that can be accepted are; the server still speaks with those that it has.
        const accepted = (): number => clients.filter(({ head }) => head !== "").length;
        for (let before = -1; before < accepted();) {
          before = accepted();
          for (let i = 0; i < 5; i++) {
            first.send(1, "ping!");
            await deadline(first.hex(7 * (i + 1)), PATIENCE);
          }
        }
        first.send(1, "alive");
        while (!first.bytes.includes("alive")) {
          await deadline(
            new Promise<void>((resolve) => first.socket.once("data", () => resolve())),
            PATIENCE,
          );
        }
        await Promise.all(clients.splice(0).map((client) => client.destroy()));
        const again = await deadline(echoes(program.url), PATIENCE);
        clients.push(again);
        again.send(1, "end");
        assertEquals(await deadline(again.hex(11), PATIENCE), "810568656c6c6f880203e9");
        again.send(8, Uint8Array.of(3, 233));
        await again.end();
        await again.destroy();
        const { code, text } = await deadline(program.ended, PATIENCE);
        assertEquals(code, 0);
        assertStringIncludes(text, "closed\n");
      } finally {
        await program.stop("SIGKILL");
        for (const client of clients) await client.destroy();
      }
    },
  });
}
