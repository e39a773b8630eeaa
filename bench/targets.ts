/** The targets: ratios of contenders that were measured in the same rounds. */

import { number, sizeName } from "./numbers.ts";
import { median, ratioOf, type Result, type Row, type Run } from "./row.ts";

/** A target for one contender of a row. */
export interface Target {
  readonly row: string;
  /** A description for readers. */
  readonly what: string;
  readonly name: string;
  /** The other contenders: the best measured one counts. Without them the value itself counts. */
  readonly of?: readonly string[];
  /** Whether the target is the growth of the cost of one, from a tenth of the last point's `x` to that point. */
  readonly linear?: boolean;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** The runtimes. Default: all. */
  readonly on?: readonly string[];
}

/** A target with its measurement. */
export interface Verdict {
  readonly target: Target;
  readonly reached: number;
  /** The other contender that counts. */
  readonly of: string | null;
  readonly isMet: boolean;
}

const OURS = "ours ↔ ours";
const WS = "ws ↔ ours";
const GLOBAL = "global WebSocket ↔ ours";
const RAW = "raw TCP, a turn";
const RAW_MESSAGES = "raw TCP, a message";
const MASKED = "raw TCP + a mask, an unmask, a copy";
const CLIENTS = [
  GLOBAL,
  "undici ↔ ours",
  WS,
  "ws, no bufferutil ↔ ours",
  "websocket-driver ↔ ours",
];

/** All targets, in the order of the rows. */
export const targets: readonly Target[] = [
  ...echo(64, "ws ↔ ws", ["ws ↔ ws"], 12, ["Node"]),
  ...echo(64, "raw TCP, a turn", [RAW], 1, ["Node"]),
  ...echo(64, "raw TCP, a message", [RAW_MESSAGES], 1, ["Node"]),
  ...echo(64, "the global WebSocket", [GLOBAL], 8, ["Deno"]),
  ...echo(64, "the global WebSocket", [GLOBAL], 8, ["Bun"]),
  ...echo(16_384, "the best other client", CLIENTS, 1),
  ...echo(1_048_576, "raw TCP with mask, unmask, copy", [MASKED], 0.9),
  ...echo(1_048_576, "ws with bufferutil", [WS], 1),
  ...echo(16_384, "ws with bufferutil at both ends", ["ws ↔ ws"], 1),
  ...echo(1_048_576, "ws with bufferutil at both ends", ["ws ↔ ws"], 1),
  {
    row: "echo-64",
    what: "for await vs. listen, 64 B",
    name: "ours, for await ↔ ours",
    of: [OURS],
    atLeast: 0.5,
  },
  { row: "latency", what: "round trip vs. raw TCP", name: OURS, of: [RAW], atMost: 1.15 },
  native(64),
  native(16_384),
  native(1_048_576),
  { row: "connect", what: "connect, echo, close vs. ws", name: OURS, of: [WS], atLeast: 1.2 },
  {
    row: "slow-reader",
    what: "100 readers, one more reads nothing vs. without it",
    name: "and one that reads nothing",
    of: ["100 readers"],
    atLeast: 0.9,
  },
  { row: "idle-memory", what: "idle connection, bytes", name: "ours", atMost: 2048 },
  {
    row: "idle-memory",
    what: "idle connection that is pinged, bytes",
    name: "ours, pings",
    atMost: 2048,
  },
  {
    row: "idle-memory",
    what: "idle connection with compression agreed, bytes",
    name: "ours, compression",
    atMost: 2560,
  },
  deflate(2, ["Node", "Bun"]),
  deflate(1, ["Deno"]),
  {
    row: "memory-64",
    what: "64 B in memory, messages a second",
    name: "ours, the protocol",
    atLeast: 2_000_000,
    on: ["Node"],
  },
  linear("growth-size", "a byte's time, at 64 MiB", OURS),
  linear("growth-count", "a message's time, of 1,000,000", OURS),
  linear("growth-fragments", "a fragment's time, of 100,000", "ours"),
  linear("growth-connections", "a connection's time, of 10,000", "ours"),
  linear("growth-memory", "a connection's memory, of 10,000", "ours, in use"),
  many("1000-1-64", "1,000 busy connections", "floor", 1.15),
  many("512-1-5", "HttpArena's echo-ws", "floor", 1.15),
  many("512-16-5", "HttpArena's echo-ws-pipeline", "ws", 1 / 8),
  { ...many("512-16-5", "HttpArena's echo-ws-pipeline", "Bun.serve", 1 / 0.7), on: ["Bun"] },
  many("broadcast-1000", "broadcast to 1,000", "floor", 1.2),
  {
    row: "size",
    what: "bundle of ./native's connect, kB",
    name: "./native, connect alone",
    atMost: 7,
  },
  topics("topics-publish", "in memory: cost", { atMost: 1.15 }),
  topics("topics-sockets", "over sockets", { atLeast: 0.9 }),
  { row: "size", what: "bundle of mod.ts, kB", name: ".", atMost: 16 },
];

function echo(
  size: number,
  beside: string,
  of: readonly string[],
  atLeast: number,
  on?: readonly string[],
): Target[] {
  const what = `echo of ${sizeName(size)} vs. ${beside}`;
  const target = { row: `echo-${size}`, what, name: OURS, of, atLeast };
  return [on === undefined ? target : { ...target, on }];
}

function native(size: number): Target {
  const what = `native channel vs. the bare WebSocket, ${sizeName(size)}`;
  return { row: `native-${size}`, what, name: "ours, native ↔ ours", of: [GLOBAL], atLeast: 0.95 };
}

function deflate(atLeast: number, on: readonly string[]): Target {
  const what = "permessage-deflate vs. ws, 1 KiB of JSON";
  return { row: "deflate", what, name: OURS, of: ["ws ↔ ws"], atLeast, on };
}

/** The server's processor time for a message, compared with another server. */
function many(row: string, what: string, beside: string, atMost: number): Target {
  const name = "ours";
  return { row: `many-${row}`, what: `${what}: cost vs. ${beside}`, name, of: [beside], atMost };
}

function topics(row: string, where: string, limit: Pick<Target, "atLeast" | "atMost">): Target {
  const what = `Topics.publish vs. broadcast, ${where}`;
  return { row, what, name: "ours, publish", of: ["ours, broadcast"], ...limit };
}

/** A linear cost: ten times as many may cost only slightly more than ten times as much. */
function linear(row: string, what: string, name: string): Target {
  return { row, what: `${what}, vs. a tenth`, name, linear: true, atMost: 1.5 };
}

/** The results of a run, without the targets of missing rows. */
export function verdicts(run: Run): Verdict[] {
  const family = run.runtime.split(" ")[0] ?? "";
  return targets.flatMap((target) => {
    const row = run.rows.find(({ id }) => id === target.row);
    if (row === undefined || target.on?.includes(family) === false) return [];
    return verdict(target, row) ?? [];
  });
}

/** The result of a target; `null` if it wasn't measured. */
export function verdict(target: Target, row: Row): Verdict | null {
  const own = row.results.find(({ name }) => name === target.name);
  if (own === undefined || own.values.length === 0) return null;
  const { reached, of } = reachedBy(own, target, row);
  if (reached === null) return null;
  const { atLeast = -Infinity, atMost = Infinity } = target;
  return { target, reached, of, isMet: reached >= atLeast && reached <= atMost };
}

function reachedBy(
  own: Result,
  target: Target,
  row: Row,
): { reached: number | null; of: string | null } {
  if (target.linear === true) return { reached: growth(own, row.better), of: null };
  if (target.of === undefined) return { reached: median(own.values), of: null };
  const others = row.results.filter(({ name }) => target.of?.includes(name));
  const ratios = others.flatMap((other) => {
    const ratio = ratioOf(own, other);
    return ratio === null ? [] : [{ reached: ratio, of: other.name }];
  });
  // The best of the others is the one with the worst ratio for this package.
  ratios.sort((a, b) => row.better === "more" ? a.reached - b.reached : b.reached - a.reached);
  return ratios[0] ?? { reached: null, of: null };
}

/**
 * The cost of one at the last point, relative to the last point with at most a tenth as many. If more is
 * better, the points are rates per second.
 */
function growth({ points = [] }: Result, better: Row["better"]): number | null {
  const last = points.at(-1);
  if (last === undefined) return null;
  const tenth = points.filter(([less]) => less <= last[0] / 10).at(-1);
  if (tenth === undefined || tenth[1] === 0) return null;
  return better === "more" ? tenth[1] / last[1] : (last[1] / last[0]) / (tenth[1] / tenth[0]);
}

/** The text of a target's limit. */
export function limitOf({ atLeast, atMost }: Target): string {
  return atLeast === undefined ? `≤ ${number(atMost ?? 0)}` : `≥ ${number(atLeast)}`;
}
