/**
 * Counts the figures of the source's structure, and fails when one is above its budget. Budgets are
 * changed by hand, in this file.
 *
 * ```sh
 * deno task figures              # the figures, and the steps of a message's way
 * deno task figures --calls      # and all calls on that way
 * deno task figures --forwards   # and each function that only forwards
 * deno task figures --callbacks  # and each callback interface
 * ```
 *
 * What is counted, and how: `figures/figure.ts` (sizes), `figures/rules.ts` (forwards and callback
 * interfaces), `figures/message_way.ts` (a message's way, counted by running it).
 */

import type ts from "typescript";
import {
  faultsOf,
  type Figure,
  type Rooms,
  roomsOf,
  type Size,
  sizeFigures,
  sumOf,
  tableOf,
} from "./figures/figure.ts";
import {
  addedWay,
  type Call,
  filesOf,
  objectsOf,
  receivedWay,
  recordMessages,
  type Way,
} from "./figures/message_way.ts";
import { unnamed } from "./figures/page.ts";
import { callbackInterfaces, forwards, type Found, parse } from "./figures/rules.ts";

/** The page that lists the steps of both directions, with its two titles. */
const PAGE = "docs/explanation/architecture.md";
const RECEIVING = "## Receiving a message";
const SENDING = "## Sending a message";

const ROOT = new URL("../", import.meta.url);

/** The budget of each folder of src/. */
const ROOMS: Rooms = {
  "src": { files: 5, lines: 434 },
  "src/cli": { files: 24, lines: 3397 },
  "src/check": { files: 42, lines: 8289 },
  "src/handshake": { files: 11, lines: 1920 },
  "src/http2": { files: 5, lines: 989 },
  "src/native": { files: 13, lines: 1114 },
  "src/net": { files: 20, lines: 3320 },
  "src/diagnostics": { files: 5, lines: 556 },
  "src/page": { files: 3, lines: 131 },
  "src/permessage_deflate": { files: 6, lines: 1300 },
  "src/protocol": { files: 17, lines: 3399 },
  "src/realm": { files: 4, lines: 340 },
  "src/reconnecting": { files: 25, lines: 4006 },
  "src/server": { files: 44, lines: 6818 },
  "src/stream_channel": { files: 22, lines: 6388 },
  "src/faces": { files: 11, lines: 1604 },
  "src/page_faces": { files: 2, lines: 123 },
  "src/topics": { files: 20, lines: 3716 },
  "src/topics_testing": { files: 2, lines: 622 },
  "src/testing": { files: 6, lines: 581 },
  "src/web_socket": { files: 51, lines: 7360 },
};

/** The goal for the folder of streams. */
const STREAMS = "src/stream_channel";
const STREAMS_GOAL: Size = { files: 22, lines: 3300 };

/**
 * What the other folders are to come down to together. The rooms that come beside `server/` don't count:
 * each has a budget of its own.
 */
const REST_GOAL: Size = { files: 78, lines: 11_300 };
const APART: ReadonlySet<string> = new Set([
  STREAMS,
  ...[
    "reconnecting",
    "topics",
    "topics_testing",
    "faces",
    "page_faces",
    "http2",
    "cli",
    "check",
    "diagnostics",
  ].map((
    it,
  ) => `src/${it}`),
]);

const NOTHING: Size = { files: 0, lines: 0 };

interface Budget {
  readonly budget: number;
  readonly goal?: number;
}

/** The budgets of what is counted in the text of src/. */
const FORWARDS: Budget = { budget: 142, goal: 39 };
const CALLBACK_INTERFACES: Budget = { budget: 30, goal: 9 };
/** What a sink hands its values to, and that of a WebSocket channel, do the work: they are no listeners. An owner calls `SinkControl`. */
const CALLBACK_INTERFACES_OF_OTHER_NAMES: Budget = { budget: 4 };

/** The budgets of a message's way. */
interface WayBudgets {
  readonly steps: Budget;
  readonly objects: Budget;
  readonly files: Budget;
  /** The steps and all that they call. */
  readonly "all calls": Budget;
}

const RECEIVED: WayBudgets = {
  steps: { budget: 9 },
  objects: { budget: 3 },
  files: { budget: 4 },
  "all calls": { budget: 30 },
};
const ADDED: WayBudgets = {
  steps: { budget: 12 },
  objects: { budget: 7 },
  files: { budget: 8 },
  "all calls": { budget: 53 },
};

/** The source: src/, and the modules beside it. */
async function sourceFiles(): Promise<ts.SourceFile[]> {
  const paths = ["mod.ts", "status.ts", ...await pathsBelow("src")];
  return await Promise.all(
    paths.map(async (path) => parse(path, await Deno.readTextFile(new URL(path, ROOT)))),
  );
}

async function pathsBelow(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(`${folder}/`, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) paths.push(...await pathsBelow(path));
    else if (name.endsWith(".ts")) paths.push(path);
  }
  return paths.sort();
}

function sizes(files: readonly ts.SourceFile[]): Figure[] {
  const rooms = roomsOf(files.map(({ fileName, text }) => ({ path: fileName, text })));
  const names = [...new Set([...Object.keys(rooms), ...Object.keys(ROOMS)])].sort();
  const sum = (of: Rooms): Size =>
    sumOf(Object.entries(of).filter(([name]) => !APART.has(name)).map(([, size]) => size));
  return [
    ...names.flatMap((it) =>
      sizeFigures(it, rooms[it] ?? NOTHING, ROOMS[it], it === STREAMS ? STREAMS_GOAL : undefined)
    ),
    ...sizeFigures("src without stream_channel", sum(rooms), sum(ROOMS), REST_GOAL),
  ];
}

function figuresOf(way: Way, where: string, budgets: WayBudgets): Figure[] {
  const { steps, calls } = way;
  const now = {
    steps: steps.length,
    objects: objectsOf(steps),
    files: filesOf(steps),
    "all calls": calls.length,
  };
  return (Object.keys(now) as (keyof WayBudgets)[]).map((what) => ({
    where,
    what,
    now: now[what],
    ...budgets[what],
  }));
}

function showSteps(title: string, { steps, calls }: Way): void {
  console.log(`\n${title}`);
  const shown = Deno.args.includes("--calls") ? calls : steps;
  const depths = new Map<number | null, number>([[null, -1]]);
  for (const { id, parent } of calls) depths.set(id, (depths.get(parent) ?? -1) + 1);
  const lines = shown.map((call) => ({ call, text: textOf(call, depths.get(call.id) ?? 0) }));
  const width = Math.max(...lines.map(({ text }) => text.length));
  for (const { call, text } of lines) {
    const number = steps.includes(call) ? String(steps.indexOf(call) + 1) : "";
    console.log(`${number.padStart(3)}  ${text.padEnd(width)}  ${call.path}`);
  }
}

/** With `--calls` a call is indented below its caller. */
function textOf({ name, object }: Call, depth: number): string {
  const indent = Deno.args.includes("--calls") ? "  ".repeat(depth) : "";
  return `${indent}${name}${object === null ? "" : ` #${object}`}`;
}

function showFound(option: string, found: readonly Found[]): void {
  if (!Deno.args.includes(option)) return;
  console.log(`\n${option.slice(2)}:`);
  for (const { path, line, name } of found) console.log(`  ${path}:${line} ${name}`);
}

if (import.meta.main) {
  const all = await sourceFiles();
  const files = all.filter(({ fileName }) => fileName.startsWith("src/"));
  const forwarding = files.flatMap(forwards);
  const callbacks = files.flatMap(callbackInterfaces);
  const otherNames = callbacks.filter(({ name }) => !name.endsWith("Events"));
  const recorded = await recordMessages(all);
  const received = receivedWay(recorded.received);
  const added = addedWay(recorded.added);
  const where = "src";
  const figures: Figure[] = [
    ...sizes(files),
    { where, what: "functions that only forward", now: forwarding.length, ...FORWARDS },
    { where, what: "callback interfaces", now: callbacks.length, ...CALLBACK_INTERFACES },
    {
      where,
      what: "callback interfaces not named …Events",
      now: otherNames.length,
      ...CALLBACK_INTERFACES_OF_OTHER_NAMES,
    },
    ...figuresOf(received, "a received message", RECEIVED),
    ...figuresOf(added, "an added message", ADDED),
  ];
  console.log(tableOf(figures));
  showSteps("A received message, from the socket's event to the listener:", received);
  showSteps("An added message, from sink.add to the socket:", added);
  showFound("--forwards", forwarding);
  showFound("--callbacks", callbacks);
  const faults = faultsOf(figures);
  const page = await Deno.readTextFile(new URL(PAGE, ROOT));
  for (const [title, way] of [[RECEIVING, received], [SENDING, added]] as const) {
    const missing = unnamed(page.slice(page.indexOf(title)), way);
    if (missing.length > 0) faults.push(`${PAGE}, "${title}" lacks ${missing.join(", ")}`);
  }
  if (faults.length > 0) {
    console.error(
      `\nOver budget, or not as it is (tasks/figures.ts):\n${
        faults.map((it) => `  ${it}`).join("\n")
      }`,
    );
    Deno.exit(1);
  }
}
