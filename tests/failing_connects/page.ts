/** The page with the texts that users read: docs/reference/failing_connects.md. */

import type { Seen } from "./attempt.ts";
import { FAILING_CONNECTS, type Phase } from "./cases.ts";

/** The page's path from the project's root. */
export const PAGE = "docs/reference/failing_connects.md";

/** The name of our own transport in the page. */
export const OWN = "our own";

/** The beginning of every error's text; the page leaves it out. */
const START = /^Cannot connect to wss?:\/\/[^ ]+: /;

/** A line of the page. */
export function lineOf(transport: string, seen: Seen): string {
  const text = seen.text === null ? "*it connects*" : seen.text.replace(START, "");
  const cells = [
    seen.name,
    transport,
    text.replaceAll("|", "\\|").replace(/\s+/g, " "),
    seen.phase ?? "–",
    seen.status ?? "–",
    retries(seen),
  ];
  return `| ${cells.join(" | ")} |`;
}

function retries({ retryable, retryAfter }: Seen): string {
  if (retryable === null) return "–";
  const after = retryAfter === null ? "" : `, after ${retryAfter / 1000} s`;
  return retryable ? `yes${after}` : "no";
}

/** The results on each runtime, by the cases' names. */
export interface AllSeen {
  /** The results of our own transport, by the runtime's name. */
  readonly own: ReadonlyMap<string, ReadonlyMap<string, Seen>>;
  /** The results of the platforms' own WebSockets and npm `ws`, by their names in the page. */
  readonly others: ReadonlyMap<string, ReadonlyMap<string, Seen>>;
}

/** The lines of a case: ours once, and again for each runtime whose result differs. */
function linesOf(name: string, { own, others }: AllSeen): string[] {
  const lines: string[] = [];
  let common: string | undefined;
  for (const [runtime, all] of own) {
    const seen = all.get(name);
    if (seen === undefined) continue;
    const line = lineOf(OWN, seen);
    if (common === undefined) lines.push(common = line);
    else if (line !== common) lines.push(lineOf(`${OWN}, on ${runtime}`, seen));
  }
  for (const [transport, all] of others) {
    const seen = all.get(name);
    if (seen !== undefined) lines.push(lineOf(transport, seen));
  }
  return lines;
}

const TITLES: Readonly<Record<Phase, string>> = {
  dns: "The host's address",
  tcp: "The TCP connection",
  proxy: "A proxy",
  tls: "TLS",
  handshake: "The opening handshake",
};

const HEAD = [
  "| What fails | Transport | The error's text | `phase` | `status` | `retryable` |",
  "| --- | --- | --- | --- | --- | --- |",
];

/** The tables of the page, one for each phase. */
export function tablesOf(all: AllSeen): string {
  const parts = Object.entries(TITLES).map(([phase, title]) => {
    const names = FAILING_CONNECTS.filter((it) => it.phase === phase).map((it) => it.name);
    return [`## ${title}`, "", ...HEAD, ...names.flatMap((it) => linesOf(it, all)), ""].join("\n");
  });
  return parts.join("\n");
}

/** The versions whose texts the page shows, such as `Deno 2.9`. */
export function versionsIn(page: string): string[] {
  const line = /^Observed with (.+)\.$/m.exec(page)?.[1] ?? "";
  return line.split(/, | and /);
}
