/**
 * How many messages arrive over unstable connections ("jitter"): 1,000 clients, 120 messages at 2 per second, each
 * connection reset about every 15 seconds and its client offline for 2. This package with resumption and
 * without it, beside partysocket and socket.io, in the same run, on every runtime.
 *
 * ```sh
 * deno task delivery                  # about half an hour
 * deno task delivery --runtime bun    # one runtime: deno, node20, node26, bun; may be repeated
 * deno task delivery --quick          # only to see that it works
 * deno task delivery --write          # and the table of docs/how-to/resume.md
 * ```
 */

import type { Delivery, JitterPlan } from "../bench/delivery/jitter.ts";
import { findRuntime, prepareBeside, RUNTIMES } from "./bench_run.ts";
import { fromFileUrl } from "./support.ts";
import { OUT, output, succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("delivery/", OUT);
const PAGE = new URL("docs/how-to/resume.md", ROOT);

const PEERS = ["partysocket@1.3.0", "socket.io@4.8.4", "socket.io-client@4.8.4", "ws@8"];

/** The names are those of bench/delivery/contenders.ts. */
const CONTENDERS = [
  "this package, with resumption",
  "this package, without it",
  "partysocket",
  "socket.io",
  "socket.io, connection state recovery",
];

const FULL: JitterPlan = {
  clients: 1000,
  messages: 120,
  interval: 500,
  uptime: [10_000, 20_000],
  offline: 2000,
  patience: 30_000,
  seed: 1,
};

const QUICK: JitterPlan = {
  ...FULL,
  clients: 20,
  messages: 20,
  interval: 50,
  uptime: [300, 600],
  offline: 100,
  patience: 5000,
};

/** The maximum duration of one contender, in milliseconds. */
const LIMIT = 300_000;

async function run(
  command: readonly string[],
  contender: string,
  plan: JitterPlan,
): Promise<Delivery> {
  const args = [...command, contender, JSON.stringify(plan)];
  const { code, stdout, stderr } = await output(args, { signal: AbortSignal.timeout(LIMIT) });
  const line = stdout.trim().split("\n").at(-1) ?? "";
  if (code !== 0 || !line.startsWith("{")) throw new Error(`${contender}: ${stderr}${stdout}`);
  return JSON.parse(line);
}

/** The share of received messages, never rounded up to 100 %. */
function share({ delivered, expected }: Delivery): string {
  return `${(Math.floor(delivered / expected * 10_000) / 100).toFixed(2)} %`;
}

function cell(delivery: Delivery): string {
  const { doubled, disordered } = delivery;
  const faults = [
    ...doubled > 0 ? [`${doubled} doubled`] : [],
    ...disordered > 0 ? [`${disordered} out of order`] : [],
  ];
  return [share(delivery), ...faults].join(", ");
}

function valuesOf(flag: string): string[] {
  return Deno.args.flatMap((it, i) => it === flag ? [Deno.args[i + 1] ?? ""] : []);
}

const plan = Deno.args.includes("--quick") ? QUICK : FULL;
const chosen = valuesOf("--runtime");
const script = await prepareBeside(PEERS, FOLDER, "bench/delivery/main.ts");
const versions: string[] = [];
const columns: Delivery[][] = [];
let failed = false;
for (const key of chosen.length > 0 ? chosen : Object.keys(RUNTIMES)) {
  const { version, command } = await findRuntime(key);
  const column: Delivery[] = [];
  // One after the other: each has the machine for itself.
  for (const name of CONTENDERS) {
    const delivery = await run([...command, script], name, plan);
    column.push(delivery);
    console.log(`${version}: ${name}: ${cell(delivery)} (${delivery.resets} resets)`);
  }
  versions.push(version);
  columns.push(column);
  const [own] = column;
  // The only promise that does not depend on the machine.
  failed ||= own === undefined || own.delivered < own.expected || own.doubled + own.disordered > 0;
}

const table = [
  `| | ${versions.join(" | ")} |`,
  `| --- | ${versions.map(() => "---").join(" | ")} |`,
  ...CONTENDERS.map((name, i) =>
    `| ${name} | ${columns.map((column) => cell(column[i] as Delivery)).join(" | ")} |`
  ),
].join("\n");
console.log(`\n${table}`);
if (Deno.args.includes("--write")) {
  const page = await Deno.readTextFile(PAGE);
  const written = page.replace(
    /(<!-- delivery -->\n)[^]*?(<!-- \/delivery -->)/,
    (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`,
  );
  await Deno.writeTextFile(PAGE, written);
  await succeed([Deno.execPath(), "fmt", fromFileUrl(PAGE)]);
}
if (failed) Deno.exit(1);
