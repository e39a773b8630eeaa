/**
 * Checks this package and others, servers and clients, and writes the reports and the tables of them.
 *
 * ```sh
 * deno task check_peers          # the tables
 * deno task check_peers --write  # and docs/assets/check/, and the tables of README and docs anew
 * ```
 */

import { checkClient, type CheckOptions, checkServer, type Report } from "../src/check/mod.ts";
import { PLACES, tableOf, withTable } from "../tests/check/published.ts";
import { findCommand, start } from "../tests/support/processes.ts";
import { fromFileUrl } from "./support.ts";
import { NEWEST_NODE, OUT, output, runtime, succeed, toolbox } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const PEERS = new URL("tests/check/peers/", ROOT);
const REPORTS = new URL("docs/assets/check/", ROOT);
const OPTIONS: CheckOptions = { timeout: 8000 };
/** This package is never silent: only a busy machine causes a wait. */
const OWN_OPTIONS: CheckOptions = { timeout: 60_000 };

/** A program to check, by the name of its report. */
interface Subject {
  readonly file: string;
  readonly name: string;
  readonly server?: readonly string[];
  readonly client?: readonly string[];
}

async function bundled(): Promise<string> {
  const folder = new URL("check/", OUT);
  await Deno.mkdir(folder, { recursive: true });
  const file = fromFileUrl(new URL("own.mjs", folder));
  const options = ["--quiet", "--platform=deno", "--format=esm", `--output=${file}`];
  await succeed([Deno.execPath(), "bundle", ...options, fromFileUrl(new URL("own.ts", PEERS))], {
    cwd: fromFileUrl(ROOT),
  });
  return file;
}

/** The programs with `ws` of npm beside them. */
async function withWs(): Promise<{ folder: URL; version: string }> {
  const folder = await toolbox("check-ws", ["ws"]);
  for (const name of ["echo_server.mjs", "echo_client.mjs"]) {
    await Deno.copyFile(new URL(name, PEERS), new URL(name, folder));
  }
  const text = await Deno.readTextFile(new URL("node_modules/ws/package.json", folder));
  return { folder, version: JSON.parse(text).version };
}

async function subjects(): Promise<Subject[]> {
  const node = (await runtime(`Node ${NEWEST_NODE}`)).command;
  const bun = (await runtime("Bun")).command;
  const deno = [Deno.execPath(), "run", "--quiet", "--no-config", "--allow-all"];
  const version = async (command: readonly string[]): Promise<string> =>
    (await output([...command, "--version"])).stdout.trim().replace(/^v/, "");
  const [nodeVersion, bunVersion] = [await version(node), await version(bun)];
  const own = await bundled();
  const ws = await withWs();
  const [server, client] = ["echo_server.mjs", "echo_client.mjs"].map((it) =>
    fromFileUrl(new URL(it, ws.folder))
  ) as [string, string];
  const python = findCommand([["python3"], ["/usr/bin/python3"]], ["-c", "import websockets"]);
  const py = async (): Promise<Subject> => {
    const ask = ["-c", "import websockets; print(websockets.__version__)"];
    const { stdout } = await output([...python ?? [], ...ask]);
    const file = (name: string): string => fromFileUrl(new URL(name, PEERS));
    return {
      file: "python",
      name: `Python websockets ${stdout.trim()}`,
      server: [...python ?? [], file("echo_server.py")],
      client: [...python ?? [], file("echo_client.py")],
    };
  };
  return [
    {
      file: "own_deno",
      name: `this package, Deno ${Deno.version.deno}`,
      server: [...deno, own],
      client: [...deno, own],
    },
    {
      file: "own_node",
      name: `this package, Node ${nodeVersion}`,
      server: [...node, own],
      client: [...node, own],
    },
    {
      file: "own_bun",
      name: `this package, Bun ${bunVersion}`,
      server: [...bun, own],
      client: [...bun, own],
    },
    {
      file: "ws",
      name: `ws ${ws.version}`,
      server: [...node, server, "ws"],
      client: [...node, client],
    },
    {
      file: "deno",
      name: `Deno ${Deno.version.deno}`,
      server: [...deno, server, "deno"],
      client: [...deno, client],
    },
    {
      file: "bun",
      name: `Bun ${bunVersion}`,
      server: [...bun, server, "bun"],
      client: [...bun, client],
    },
    { file: "node", name: `Node ${nodeVersion} (undici)`, client: [...node, client] },
    ...python === null ? [] : [await py()],
  ];
}

async function serverReport({ name, file, server = [] }: Subject): Promise<Report> {
  const running = start(server);
  try {
    const { port } = await running.next();
    return await checkServer(`ws://127.0.0.1:${port}`, {
      ...(file.startsWith("own_") ? OWN_OPTIONS : OPTIONS),
      subject: name,
    });
  } finally {
    await running.close();
  }
}

async function clientReport({ name, file, client = [] }: Subject): Promise<Report> {
  let running: ReturnType<typeof start> | undefined;
  try {
    return await checkClient({
      ...(file.startsWith("own_") ? OWN_OPTIONS : OPTIONS),
      subject: name,
      idleTimeout: 20_000,
      onListen: (url) => running = start([...client, url, ...file === "ws" ? ["ws"] : []]),
    });
  } finally {
    await running?.close();
  }
}

/** The published report, with transcripts only of results other than ok. */
function slim(report: Report): Report {
  const results = report.results.map((it) => ({
    ...it,
    transcript: it.verdict === "ok"
      ? []
      : it.transcript.filter((line) =>
        !/^[<>] [\w-]+: /.test(line) ||
        /^[<>] (Text|Binary|Close|Ping|Pong|Cont|Sec-WebSocket-(Ext|Proto))/.test(line)
      ).slice(-12),
  }));
  return { ...report, results };
}

const only = Deno.args.filter((it) => !it.startsWith("--"));
const isWriting = Deno.args.includes("--write");
await Deno.mkdir(REPORTS, { recursive: true });
for (const subject of await subjects()) {
  if (only.length > 0 && !only.includes(subject.file)) continue;
  for (const side of ["server", "client"] as const) {
    if (subject[side] === undefined) continue;
    const report = await (side === "server" ? serverReport : clientReport)(subject);
    console.log(
      side,
      subject.name,
      JSON.stringify(report.counts),
      report.isComplete,
      `${report.duration} ms`,
    );
    if (!isWriting) continue;
    const file = new URL(`${side}_${subject.file}.json`, REPORTS);
    await Deno.writeTextFile(file, `${JSON.stringify(slim(report))}\n`);
  }
}
if (isWriting) {
  for (const place of PLACES) {
    const file = new URL(place, ROOT);
    const text = await Deno.readTextFile(file);
    await Deno.writeTextFile(file, withTable(text, await tableOf()));
  }
}
Deno.exit(0);
