/** Runs all cases in a process of its own, whose runtime trusts the test's authority from its start. */

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { attempt, type Seen, type Via } from "./attempt.ts";
import { type Authorities, createAuthorities, FAILING_CONNECTS } from "./cases.ts";

/** The environment variable that names the authorities' file. */
const AUTHORITIES = "FAILING_CONNECTS_AUTHORITIES";

/** Whether this is the process that prints the results. */
export const isPrinting: boolean = process.env[AUTHORITIES] !== undefined;

/** Prints the result of each case as one line of JSON. */
export async function printAll(via: Via): Promise<void> {
  const authorities: Authorities = JSON.parse(readFileSync(`${process.env[AUTHORITIES]}`, "utf8"));
  for (const it of FAILING_CONNECTS) {
    if (it.ownOnly && via !== "net") continue;
    console.log(JSON.stringify(await attempt(it, via, authorities)));
  }
}

/**
 * Runs a command that calls {@linkcode printAll}, and returns the printed results by the cases' names.
 *
 * @param command The command; for Deno, `--cert` and the authority are inserted behind its first argument.
 */
export async function printed(
  command: readonly string[],
  isDeno: boolean,
): Promise<Map<string, Seen>> {
  const authorities = createAuthorities();
  const folder = mkdtempSync(`${tmpdir()}/failing-connects-`);
  const trusted = `${folder}/trusted.pem`;
  writeFileSync(trusted, authorities.trusted.cert);
  writeFileSync(`${folder}/all.json`, JSON.stringify(authorities));
  const [program = "", first = "", ...rest] = command;
  try {
    const text = await outputOf(
      [program, first, ...(isDeno ? ["--cert", trusted] : []), ...rest],
      { [AUTHORITIES]: `${folder}/all.json`, NODE_EXTRA_CA_CERTS: trusted },
    );
    const lines = text.split("\n").filter((it) => it.startsWith('{"name"'));
    const all: Seen[] = lines.map((it) => JSON.parse(it));
    return new Map(all.map((it) => [it.name, it]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function outputOf(command: readonly string[], env: Record<string, string>): Promise<string> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let errors = "";
  child.stdout.on("data", (chunk: Uint8Array) => text += String(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => errors += String(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`${command.join(" ")} ended with ${code}: ${errors}${text}`));
    });
  });
}
