/**
 * Runs a command with a time limit, so that one that hangs can't use up all of CI's time. The command's output goes to
 * standard output and into a file. At the limit, or when this program is stopped, it prints which processes run, ends
 * them and exits with 124. Processes that a finished command leaves running are printed and ended as well.
 *
 * Usage: node limit.mjs MINUTES LOG COMMAND [ARGUMENT…]
 */

import { spawn } from "node:child_process";
import { createWriteStream, readdirSync, readFileSync } from "node:fs";
import process from "node:process";

const TIMED_OUT = 124;
/** How long the output may still come after the command has ended, in milliseconds. */
const DRAIN = 5_000;
/** Every descendant has this in its environment, also after its parent has ended. */
const MARK = `CI_STEP_MARK=${process.pid}-${Date.now()}`;

const [minutes, log, command, ...args] = process.argv.slice(2);
const file = createWriteStream(log);

function say(text) {
  process.stdout.write(text);
  file.write(text);
}

function read(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    // It has ended meanwhile, or there is no such file system.
    return "";
  }
}

/** All that runs of the command: by the mark, or by descent. Linux only; elsewhere nothing is found. */
function running(root) {
  let pids = [];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  } catch {
    return [];
  }
  const parents = new Map(pids.map((pid) => {
    // The program's name is in parentheses, and may hold any; its state and its parent follow.
    const [state, parent] = read(pid, "stat").replace(/^.*\) /s, "").split(" ");
    return [pid, { state, parent: Number(parent) }];
  }));
  const found = new Set([root]);
  for (const pid of pids) {
    if (pid !== process.pid && read(pid, "environ").split("\0").includes(MARK)) found.add(pid);
  }
  for (let before = 0; before !== found.size;) {
    before = found.size;
    for (const [pid, { parent }] of parents) if (found.has(parent)) found.add(pid);
  }
  const isOver = (pid) => "ZX".includes(parents.get(pid)?.state ?? "X");
  return [...found].filter((pid) => !isOver(pid));
}

function describe(pid) {
  return `  ${pid}: ${read(pid, "cmdline").split("\0").join(" ").trim().slice(0, 300)}\n`;
}

/** Ends processes, the ones that they start meanwhile included, and waits until they are gone. */
function end(root) {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < 100; round++) {
    const pids = running(root);
    if (pids.length === 0) return;
    if (round > 0) Atomics.wait(clock, 0, 0, 20);
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }
}

const [key, value] = MARK.split("=");
const child = spawn(command, args, {
  stdio: ["ignore", "pipe", "pipe"],
  env: { ...process.env, [key]: value },
});
child.stdout.on("data", say);
child.stderr.on("data", say);

let exit = null;
let drained;
let finished = false;

function finish() {
  if (finished) return;
  finished = true;
  clearTimeout(limit);
  clearTimeout(drained);
  // Its number may be another process's by now, so only the mark counts.
  const left = running(NaN);
  if (left.length > 0 && exit !== TIMED_OUT) {
    say(`##### left running by: ${command} ${args.join(" ")}\n${left.map(describe).join("")}`);
  }
  end(NaN);
  file.end(() => process.exit(exit));
}

/** Names and ends all that is running. */
function stop(why) {
  exit = TIMED_OUT;
  const what = running(child.pid).map(describe).join("");
  say(`\n##### ${why}: ${command} ${args.join(" ")}\n##### still running:\n${what}`);
  end(child.pid);
  child.kill("SIGKILL");
  finish();
}

const limit = setTimeout(
  () => stop(`not done after ${minutes} minutes`),
  Number(minutes) * 60_000,
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stop(`stopped by ${signal}`));

child.on("error", (error) => {
  say(`${error}\n`);
  exit = 127;
  finish();
});
child.on("exit", (code) => {
  exit ??= code ?? 1;
  // Something that it left behind may hold the pipes.
  drained = setTimeout(finish, DRAIN);
});
child.on("close", finish);
