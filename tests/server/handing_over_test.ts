/** A connection that one process accepts and another serves. */
// Deno only: starts programs on all runtimes

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { RawClient } from "../support/recipe_clients.ts";
import { clientFrame } from "../support/frames.ts";
import { bundled, newestNode, PATIENCE, RUNTIMES, startProgram } from "./programs.ts";
import { leftOut } from "../support/needs.ts";

const PROGRAM = "tests/server/programs/handing_over.ts";

for (const [runtime, command] of [...RUNTIMES, ["the newest Node", await newestNode()] as const]) {
  const left = leftOut(runtime, command !== null);
  const what = runtime === "Bun" ? "Bun sends no socket" : "no message is lost";
  Deno.test({
    name: `a connection sent to another process, on ${runtime}: ${what}${left}`,
    ignore: command === null,
    async fn() {
      const program = await startProgram([...command ?? [], await bundled(PROGRAM)]);
      const client = new RawClient(program.url);
      try {
        client.request("/", []);
        // The client need not await the answer: this is its head, or follows directly.
        client.socket.write(clientFrame({ opcode: 1, payload: "early" }));
        if (runtime === "Bun") {
          assertEquals(await deadline(program.printed("no socket"), PATIENCE), "no socket");
          return;
        }
        assertStringIncludes(await deadline(client.response(), PATIENCE), " 101 ");
        client.send(1, "late");
        assertEquals(await deadline(client.hex(13), PATIENCE), "81056561726c79" + "81046c617465");
      } finally {
        await client.destroy();
        await program.stop();
      }
    },
  });
  Deno.test({
    name: `a process that dies while it receives connections, on ${runtime}${
      runtime === "Bun" ? " (left out: Bun sends no socket)" : left
    }`,
    ignore: command === null || runtime === "Bun",
    async fn() {
      const program = await startProgram([...command ?? [], await bundled(PROGRAM)]);
      const clients: RawClient[] = [];
      const come = (path: string): RawClient => {
        const client = new RawClient(program.url);
        clients.push(client);
        client.request(path, []);
        return client;
      };
      try {
        // A connection that the process served from the start ends with the process.
        const served = come("/");
        assertStringIncludes(await deadline(served.response(), PATIENCE), " 101 ");
        program.signal("SIGUSR2");
        await deadline(program.printed("stalls"), PATIENCE);
        const under = come("/last");
        assert(Number((await deadline(program.printed("exit "), PATIENCE)).slice(5)) > 0);
        await deadline(served.end(), PATIENCE);
        // Deno keeps the sockets in flight until the sender ends.
        if (runtime !== "Deno") await deadline(under.end(), PATIENCE);
        // The sender continues: it accepts, and ends the sockets that it can't send.
        await deadline(come("/").end(), PATIENCE);
        assertEquals((await deadline(program.stop(), PATIENCE)).code, 0);
        await deadline(under.end(), PATIENCE);
        assertEquals(under.head, "");
      } finally {
        for (const client of clients) await client.destroy();
        await program.stop("SIGKILL");
      }
    },
  });
}
