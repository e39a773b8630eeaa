/**
 * The bundled program that `deno task bench` runs on each runtime: `rows NAME` measures a section and prints its
 * rows as lines of JSON, `serve NAME` is a server to measure, `copy NAME PORT SIZE` a client.
 */

import process from "node:process";
import { copy } from "./large_client.ts";
import type { Effort } from "./measure.ts";
import type { Section } from "./rows/section.ts";
import { serve } from "./server_process.ts";

const SECTIONS: Readonly<Record<string, () => Promise<{ rows: Section }>>> = {
  protocol: () => import("./rows/protocol.ts"),
  net: () => import("./rows/net.ts"),
  server: () => import("./rows/server.ts"),
  compression: () => import("./rows/compression.ts"),
  tls: () => import("./rows/tls.ts"),
  growth: () => import("./rows/growth.ts"),
  many: () => import("./rows/many.ts"),
  large: () => import("./rows/large.ts"),
  http2: () => import("./rows/http2.ts"),
  diagnostics: () => import("./rows/diagnostics.ts"),
  topics: () => import("./rows/topics.ts"),
};

const QUICK: Effort = { rounds: 1, milliseconds: 15, quick: true };
const FULL: Effort = { rounds: 7, milliseconds: 150, quick: false };

async function measure(name: string, effort: Effort): Promise<void> {
  const load = SECTIONS[name];
  if (load === undefined) throw new RangeError(`No such section: ${name}`);
  const { rows } = await load();
  for await (const row of rows(effort)) console.log(JSON.stringify(row));
}

const [command, name = "", ...options] = process.argv.slice(2);
if (command === "serve") {
  await serve(name);
} else if (command === "copy") {
  const [port, size] = options;
  await copy(name, Number(port), Number(size));
  process.exit(0);
} else {
  await measure(name, options.includes("--quick") ? QUICK : FULL);
  // A peer's streams or sockets may still be open.
  process.exit(0);
}
