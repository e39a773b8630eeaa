/** Draws the pictures of a measurement. */

import type { Measurement, Row, Run } from "../row.ts";
import { type Axis, bytes, draw, type Panel, type Picture, type Series, short } from "./svg.ts";

/** Pictures by file name, without those that have no measurement. */
export function plots(measurement: Measurement): Map<string, string> {
  const { runs, machine, quick } = measurement;
  const subtitle = quick ? "A quick try: the figures mean nothing" : machine;
  const all: Record<string, Omit<Picture, "subtitle">> = {
    throughput: throughput(runs),
    latency: latency(runs),
    memory: memory(runs),
    growth: growth(runs),
    many: many(runs),
    large: large(runs),
  };
  return new Map(
    Object.entries(all)
      .filter(([, { panels }]) => panels.length > 0)
      .map(([name, picture]) => [`${name}.svg`, draw({ ...picture, subtitle })]),
  );
}

/** A panel for each runtime that has the row. */
function panelsOf(
  runs: readonly Run[],
  id: string,
  panel: (row: Row, run: Run) => Panel,
): Panel[] {
  return runs.flatMap((run) => {
    const row = run.rows.find((it) => it.id === id);
    return row === undefined ? [] : [panel(row, run)];
  });
}

/** The contenders to draw, with their labels: more would hide each other. */
const NAMES: Readonly<Record<string, string>> = {
  "ours ↔ ours": "ours",
  "global WebSocket ↔ ours": "global WebSocket (our server)",
  "ws ↔ ws": "ws",
  "ws Receiver": "ws",
  "raw TCP, a turn": "raw TCP",
};

function series({ results }: Row): Series[] {
  return results.flatMap(({ name, points = [] }) => {
    const isDrawn = points.length > 0 && (name in NAMES || !/ ↔ |mask/.test(name));
    return isDrawn ? [{ name: NAMES[name] ?? name, points }] : [];
  });
}

const SIZE: Axis = {
  label: "message size, bytes (log)",
  scale: "log",
  text: bytes,
  ticks: [16, 1024, 65_536, 1 << 22, 1 << 26],
};

function throughput(runs: readonly Run[]): Omit<Picture, "subtitle"> {
  const panels = panelsOf(runs, "growth-size", (row, { runtime }) => ({
    title: runtime,
    x: SIZE,
    y: { label: "MB/s each way (log)", scale: "log" },
    series: series(row),
  }));
  return { title: "Throughput over message size: echo on one connection", panels, columns: 2 };
}

function latency(runs: readonly Run[]): Omit<Picture, "subtitle"> {
  const panels = panelsOf(runs, "latency", (row, { runtime }) => ({
    title: runtime,
    x: {
      label: "per cent of the round trips that are no slower",
      scale: "linear",
      ticks: [0, 50, 90, 99, 99.9].map(nines),
      text: (value) => short(100 - 100 * 10 ** -value),
    },
    y: { label: "µs (log)", scale: "log" },
    series: series(row).map(({ name, points }) => ({
      name,
      points: points.map(([percent, time]) => [nines(percent), time] as const),
    })),
  }));
  return { title: "Round trip of 64 B, one at a time: distribution", panels, columns: 2 };
}

/** A scale for quantiles: the distances between 90, 99 and 99.9 per cent are equal. */
function nines(percent: number): number {
  return -Math.log10(1 - percent / 100);
}

function memory(runs: readonly Run[]): Omit<Picture, "subtitle"> {
  const panels = panelsOf(runs, "growth-memory", (row, { runtime }) => ({
    title: runtime,
    x: { label: "connections", scale: "linear" },
    y: { label: "MB over the server without any", scale: "linear" },
    series: series(row),
  }));
  return { title: "A server's memory over connections", panels, columns: 2 };
}

function many(runs: readonly Run[]): Omit<Picture, "subtitle"> {
  const panels = panelsOf(runs, "many-growth", (row, { runtime }) => ({
    title: runtime,
    x: { label: "connections (log)", scale: "log" },
    y: { label: "µs of the processor per message", scale: "linear" },
    series: series(row),
  }));
  return { title: "What a message costs the server, over busy connections", panels, columns: 2 };
}

function large(runs: readonly Run[]): Omit<Picture, "subtitle"> {
  const panels = panelsOf(runs, "large-memory", (row, { runtime }) => ({
    title: runtime,
    x: { label: "seconds", scale: "linear" },
    y: { label: "MB of the process", scale: "linear" },
    series: series(row),
  }));
  return { title: "Memory during the echo of one message of 4 GiB", panels, columns: 2 };
}

/** The growth curves of the first run on the newest Node, or of the first run if there is none. */
function growth(runs: readonly Run[]): Omit<Picture, "subtitle"> {
  const nodes = runs.filter(({ runtime }) => runtime.startsWith("Node"));
  nodes.sort((a, b) => b.runtime.localeCompare(a.runtime, "en", { numeric: true }));
  const run = nodes[0] ?? runs[0];
  const one = (id: string, title: string, x: string, y: string): Panel[] =>
    panelsOf(run === undefined ? [] : [run], id, (row) => ({
      title,
      x: { label: `${x} (log)`, scale: "log" },
      y: { label: `${y} (log)`, scale: "log" },
      series: series(row),
    }));
  const perMessage = panelsOf(run === undefined ? [] : [run], "growth-size", (row) => ({
    title: "One message of so many bytes",
    x: SIZE,
    y: { label: "ms (log)", scale: "log" },
    series: series(row).map(({ name, points }) => ({
      name,
      points: points.map(([size, rate]) => [size, size / (rate * 1e3)] as const),
    })),
  }));
  return {
    title: `How cost grows (${run?.runtime ?? ""}): a straight line of slope 1 is linear`,
    panels: [
      ...perMessage,
      ...one("growth-count", "So many messages of 64 B", "messages", "ms"),
      ...one("growth-fragments", "One message of so many fragments", "fragments", "ms"),
      ...one("growth-connections", "So many connections, one echo each", "connections", "ms"),
    ],
    columns: 2,
  };
}
