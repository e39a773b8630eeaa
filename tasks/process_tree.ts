/** Ends a process with all its descendants, so that a hanging test leaves no process behind. */

import { fromFileUrl } from "./support.ts";

/** Every process and its parent. */
async function parents(): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  if (Deno.build.os === "linux") {
    for await (const { name } of Deno.readDir("/proc")) {
      const stat = /^\d+$/.test(name)
        ? await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "")
        : "";
      // The program's name is in parentheses, and may hold any; its state and its parent follow.
      const parent = stat.replace(/^[^]*\) /, "").split(" ")[1];
      if (parent !== undefined) found.set(Number(name), Number(parent));
    }
    return found;
  }
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).output();
  for (const line of new TextDecoder().decode(stdout).trim().split("\n")) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    if (pid !== undefined && parent !== undefined) found.set(pid, parent);
  }
  return found;
}

async function descendants(root: number): Promise<Set<number>> {
  const all = await parents();
  const found = new Set([root]);
  for (let before = 0; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of all) if (found.has(parent)) found.add(pid);
  }
  return found;
}

/** Kills a process and its descendants. */
export async function endTree(pid: number): Promise<void> {
  if (Deno.build.os === "windows") {
    await new Deno.Command("taskkill", { args: ["/T", "/F", "/PID", String(pid)] }).output();
    return;
  }
  for (const it of await descendants(pid)) {
    try {
      Deno.kill(it, "SIGKILL");
    } catch {
      // The process has already ended.
    }
  }
}

/** The result of a command with a time limit. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether it was ended at its time limit. */
  readonly isLate: boolean;
}

/**
 * Runs a command, and ends it with all that it has started when its time is out.
 *
 * @param milliseconds Its time.
 * @param folder Where it runs.
 */
export async function limited(
  command: readonly string[],
  milliseconds: number,
  folder: URL,
): Promise<Ended> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    cwd: fromFileUrl(folder),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void endTree(child.pid);
  }, milliseconds);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr), isLate };
}
