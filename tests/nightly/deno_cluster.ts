// Deno only: it is about Deno's node:cluster

/**
 * Why docs/how-to/deploy.md advises against `node:cluster` on Deno: a closing worker leaves connections hanging. The
 * program does not use this package. When this test fails, Deno has fixed it: then tests/server/rolling_restart_test.ts
 * must test `node:cluster` on Deno as well, and the page must say so.
 */

import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("programs/cluster.mjs", import.meta.url));

/** How long it looks for a connection that hangs, in milliseconds. */
const PATIENCE = 240_000;

Deno.test("Deno's node:cluster still leaves connections waiting while a worker closes", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--quiet", PROGRAM],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (!text.includes("hung")) continue;
    child.kill("SIGKILL");
    break;
  }
  clearTimeout(timer);
  await child.status;
  console.log(text);
  assert(text.includes("hung"), "Every connection was answered");
});
