/**
 * Measures how much of the protocol and the handshake their own tests reach, and fails unless it is everything:
 *  lines, branches and functions.
 *
 * ```sh
 * deno task coverage             # the table
 * deno task coverage --detailed  # and the lines that no test reaches
 * ```
 */

import { standInArgs } from "./std.ts";
import { fromFileUrl, run } from "./support.ts";

const ROOT = new URL("../", import.meta.url);
const LAYERS = ["protocol", "permessage_deflate", "handshake"];
/** The measured files; of RFC 7692 only the negotiation: the engines differ between runtimes. */
const MEASURED = "(protocol/|handshake/|permessage_deflate/deflate_parameters)";
const PERCENT = 100;

/**
 * Runs the layers' own tests and no others. Their output is of interest only when they fail: `deno task
 * test` shows it.
 */
async function collect(folder: string): Promise<number> {
  const tests = LAYERS.map((layer) => `tests/${layer}`);
  const options = ["--allow-all", `--coverage=${folder}`, "--coverage-raw-data-only"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", ...await standInArgs(), ...options, ...tests],
    cwd: ROOT,
  }).output();
  if (code !== 0) {
    await Deno.stdout.write(stdout);
    await Deno.stderr.write(stderr);
  }
  return code;
}

async function report(folder: string): Promise<number> {
  const include = `--include=^${ROOT.href}src/${MEASURED}`;
  const args = ["coverage", folder, include, `--threshold=${PERCENT}`, ...Deno.args];
  return await run(Deno.execPath(), args, { cwd: fromFileUrl(ROOT) });
}

const folder = await Deno.makeTempDir({ prefix: "coverage-" });
let code: number;
try {
  code = await collect(folder) || await report(folder);
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(code);
