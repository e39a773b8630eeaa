// Deno only: it is about Deno's node:http2

/**
 * Why `destroyLater` in src/net/http2.ts exists: Deno frees a session of HTTP/2 while it reads a GOAWAY of it. The
 * program has nothing of this package; glibc overwrites freed memory for it. When this test fails Deno has mended it:
 * then `destroyLater` goes.
 */

import { assertNotEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("programs/http2_goaway.mjs", import.meta.url));

Deno.test({
  name: "Deno's node:http2 still reads a session that it has freed",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { signal, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--quiet", PROGRAM],
      env: { MALLOC_PERTURB_: "165" },
      stderr: "inherit",
    }).output();
    assertNotEquals(signal, null, new TextDecoder().decode(stdout));
  },
});
