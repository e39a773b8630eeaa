/** The runtime of this process. */

import { readFileSync } from "node:fs";
import process from "node:process";

const versions = process.versions as Record<string, string | undefined>;

/** The name of this runtime. */
export const runtime: "Deno" | "Node" | "Bun" = versions["deno"] !== undefined
  ? "Deno"
  : versions["bun"] !== undefined
  ? "Bun"
  : "Node";

/** Whether it has a `WebSocket` of its own. */
export const hasGlobal: boolean = typeof globalThis.WebSocket === "function";

/** The maximum number of open files and sockets of a process. */
export function descriptors(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}
