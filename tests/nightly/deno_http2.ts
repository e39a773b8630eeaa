// Deno only: it is about Deno's node:http2

/**
 * Why `destroyLater` in src/net/http2.ts exists: Deno frees a session of HTTP/2 while it reads its GOAWAY. The
 * program does not use this package, and glibc overwrites its freed memory. When this test fails, Deno has fixed it:
 * then remove `destroyLater`.
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
