/** Compares clients over a socket: throughput, latency, connecting. */

import { apart } from "../affinity.ts";
import { type ClientName, connectClient } from "../clients.ts";
import { type RoundTrips, roundTrips } from "../load.ts";
import { type Contender, type Effort, measureAll, repeated } from "../measure.ts";
import { sizeName } from "../numbers.ts";
import { rawClient, rawSocket } from "../raw.ts";
import { type Result, rounded, type Row } from "../row.ts";
import {
  echoResults,
  isThere,
  type Pair,
  pairName,
  RAW,
  type RowHead,
  rowOf,
  Servers,
} from "./section.ts";

const APART = "The client in one process, the server in another, both on this runtime.";

const ALONE = `${APART} On Linux, each has a processor of its own.`;

const PAIRS: readonly Pair[] = [
  ["ours", "ours"],
  ["global WebSocket", "ours"],
  ["undici", "ours"],
  ["ws", "ours"],
  ["ws, no bufferutil", "ours"],
  ["websocket-driver", "ours"],
  ["ours", "ws"],
  ["ws", "ws"],
  ["ws, no bufferutil", "ws, no bufferutil"],
];

/** Other forms of our client. */
const VIEWS: readonly Pair[] = [["ours, for await", "ours"], ["ours, Web Streams", "ours"]];

/** Throughput, latency, the native channel, and connecting. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const servers = new Servers();
  for (const [size, window] of [[64, 256], [16_384, 32], [1 << 20, 8]] as const) {
    const pairs = size === 64 ? [...PAIRS, ...VIEWS] : PAIRS;
    const head: RowHead = {
      id: `echo-${size}`,
      title: `Echo of ${sizeName(size)}, ${window} in flight`,
      unit: "messages/s",
      note: APART,
    };
    yield rowOf(head, await echoResults(servers, { size, window, pairs }, effort));
  }
  yield* latency(servers, effort);
  yield* native(servers, effort);
  yield await connecting(servers, effort);
  await servers.stop();
}

const ONE_AT_A_TIME: readonly Pair[] = PAIRS.filter(([client, server]) =>
  client !== "ws, no bufferutil" && (server === "ours" || client === server)
);

async function* latency(servers: Servers, effort: Effort): AsyncGenerator<Row> {
  const message = new Uint8Array(64).fill(97);
  const trips: RoundTrips[] = [];
  for (const pair of ONE_AT_A_TIME.filter(isThere)) {
    const client = await connectClient(pair[0], (await servers.get(pair[1])).url);
    trips.push(roundTrips(pairName(pair), client, message));
  }
  const socket = await rawSocket((await servers.get("raw")).port);
  trips.push(roundTrips(RAW, rawClient(socket, 64), message));
  const release = apart(await servers.pids());
  const results = await measureAll(trips, effort).finally(release);
  yield rowOf({
    id: "latency",
    title: "Round trip of 64 B, one at a time: the median",
    unit: "µs",
    x: "%",
    better: "less",
    note: ALONE,
  }, results.map((result, at) => ({ ...result, points: distribution(trips[at]?.samples ?? []) })));
  yield rowOf({
    id: "latency-99",
    title: "Round trip of 64 B, one at a time: 99th percentile",
    unit: "µs",
    better: "less",
    note: ALONE,
  }, results.map((result, at) => ({ ...result, values: trips[at]?.tails ?? [] })));
}

const PERCENTS = [0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95, 97, 98, 99, 99.5, 99.9];

function distribution(samples: readonly number[]): [number, number][] {
  const sorted = Float64Array.from(samples).sort();
  return PERCENTS.map((percent) => {
    const at = Math.round(percent / 100 * (sorted.length - 1));
    return [percent, rounded(sorted[at] ?? 0)];
  });
}

async function* native(servers: Servers, effort: Effort): AsyncGenerator<Row> {
  const pairs: Pair[] = [["ours, native", "ours"], ["global WebSocket", "ours"]];
  // A ratio near 1 needs more rounds to be visible.
  const more = { ...effort, rounds: effort.quick ? effort.rounds : effort.rounds * 2 };
  for (const [size, window] of [[64, 256], [16_384, 32], [1 << 20, 8]] as const) {
    if (!pairs.every(isThere)) return;
    const head: RowHead = {
      id: `native-${size}`,
      title: `The global WebSocket with and without our channel, ${sizeName(size)}, ${window}`,
      unit: "messages/s",
      note: APART,
    };
    yield rowOf(head, await echoResults(servers, { size, window, pairs, raw: false }, more));
  }
}

async function connecting(servers: Servers, effort: Effort): Promise<Row> {
  const pairs: Pair[] = [
    ["ours", "ours"],
    ["ws", "ours"],
    ["global WebSocket", "ours"],
    ["undici", "ours"],
    ["ours", "ws"],
    ["ws", "ws"],
  ];
  const contenders: Contender[] = [];
  for (const pair of pairs.filter(isThere)) {
    const { url } = await servers.get(pair[1]);
    contenders.push(repeated(pairName(pair), () => cycle(pair[0], url)));
  }
  const results: Result[] = await measureAll(contenders, effort);
  return rowOf({
    id: "connect",
    title: "Connect, first echo, close, one after the other",
    unit: "connections/s",
    note: APART,
  }, results);
}

/** Connects, receives one echo, and closes. */
export async function cycle(name: ClientName, url: string): Promise<number> {
  const client = await connectClient(name, url);
  await new Promise<void>((resolve) => {
    client.onMessage = resolve;
    client.send("hello");
  });
  await client.close();
  return 1;
}
