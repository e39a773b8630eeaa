// Deno only: it starts programs, on the other runtimes as well

/** Attack 66: `parentPort` stays usable after a channel over it. */

import { assertEquals } from "@std/assert";
import { bundled, RUNTIMES } from "../server/programs.ts";
import { leftOut } from "../support/needs.ts";

const PROGRAM = "tests/security/programs/parent_port.ts";

for (const [runtime, command] of RUNTIMES) {
  Deno.test({
    name: `attack 66: on ${runtime} parentPort outlives a channel over it${
      leftOut(runtime, command !== null)
    }`,
    ignore: command === null,
    async fn() {
      const [program = "", ...args] = command ?? [];
      const script = runtime === "Deno" ? PROGRAM : await bundled(PROGRAM);
      const { stdout, stderr } = await new Deno.Command(program, {
        args: [...args, script],
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout).trim();
      const expected = JSON.stringify([["hello from the worker"], ["closed", "still here"]]);
      assertEquals(text, expected, new TextDecoder().decode(stderr));
    },
  });
}
