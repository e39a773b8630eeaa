/**
 * Runs every connect of the list on this runtime. The error of our own transport is correct, and the page
 * shows it. Neither our own transport nor a channel over the platform's `WebSocket` reports less than npm
 * `ws`, or the platform.
 */

import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { attempt, type Seen } from "./attempt.ts";
import { createAuthorities, FAILING_CONNECTS, type FailingConnect } from "./cases.ts";
import { lineOf, OWN, PAGE, versionsIn } from "./page.ts";
import { isPrinting, printAll, printed } from "./print_all.ts";

const authorities = createAuthorities();
const page = readFileSync(PAGE, "utf8").split("\n");
const { deno, bun } = process.versions as Record<string, string | undefined>;
const version = deno ?? bun ?? process.versions.node;
const [major, minor] = version.split(".");
const runtime = deno !== undefined
  ? `Deno ${major}.${minor}`
  : bun !== undefined
  ? `Bun ${major}.${minor}`
  : `Node ${major}`;
/** The platform's own texts belong to one system and one version. */
const isObserved = process.platform === "linux" && versionsIn(page.join("\n")).includes(runtime);

/** The line that the page has instead of the expected `line`. */
function assertShown(transport: string, seen: Seen): void {
  if (!isObserved) return;
  const line = lineOf(transport, seen);
  const shown = page.filter((it) => it.startsWith(line.split("|", 3).join("|") + "|"));
  assertEquals(shown, [line], "The page is not as it is: deno task failing_connects --write");
}

/** Fails unless the error reports all facts of the case. */
function assertTold(it: FailingConnect, { phase, status, retryable }: Seen): void {
  const expected = it.isTimeout
    ? { phase: null, status: null, retryable: null }
    : { phase: it.phase, status: it.status ?? null, retryable: it.retryable ?? false };
  assertEquals({ phase, status, retryable }, expected, it.name);
}

if (isPrinting) {
  Deno.test("failing connects: prints what the platform's own WebSocket reports", async () => {
    await printAll("native");
  });
} else {
  for (const it of FAILING_CONNECTS) {
    Deno.test(`failing connect: ${it.name}: our own transport reports the reason`, async () => {
      const seen = await attempt(it, "net", authorities);
      assertTold(it, seen);
      const other = `${OWN}, on ${runtime}`;
      const isOther = page.some((line) => line.startsWith(`| ${it.name} | ${other} |`));
      assertShown(isOther ? other : OWN, seen);
    });
  }

  Deno.test({
    name: "failing connects: our own transport reports no less than npm ws",
    ignore: platform() !== "node", // the other runtimes run ws on their own node:http
    fn: async () => {
      for (const it of FAILING_CONNECTS.filter((each) => !each.ownOnly)) {
        const ours = await attempt(it, "net", authorities);
        const theirs = await attempt(it, "ws", authorities);
        assertNoLess(ours, theirs);
      }
    },
  });

  Deno.test({
    name:
      "failing connects: a channel over the platform's own WebSocket reports no less than the platform",
    ignore: !hasNativeWebSocket(),
    fn: async () => {
      const all = await printed(nativeCommand(), platform() === "deno");
      for (const it of FAILING_CONNECTS.filter((each) => !each.ownOnly)) {
        const seen = all.get(it.name);
        assert(seen !== undefined, it.name);
        if (platform() === "node") assertMute(it, seen);
        else {
          assertHonest(it, seen);
          assertShown(platform() === "deno" ? "Deno's" : "Bun's", seen);
        }
      }
    },
  });
}

/** Our error also has the status and the platform's text. */
function assertNoLess(ours: Seen, theirs: Seen): void {
  const status = /server response: (\d+)/.exec(theirs.text ?? "")?.[1];
  if (status !== undefined) assertEquals(ours.status, Number(status), ours.name);
  // Our text replaces the parser's own words, and those for an end, by plain language.
  const isPlain = theirs.text === null || !/\((?!HPE_)[A-Z_\d]+\)$/.test(theirs.text) ||
    theirs.text.startsWith("socket hang up");
  if (isPlain) return;
  const [reported] = theirs.text.split(/ \([A-Z_\d]+\)$/);
  assertEquals(ours.reported.split("error:")[1], reported?.split("error:")[1], ours.name);
  if (!reported?.includes("error:")) assertEquals(ours.reported, reported);
}

/** The error is correct, and has all that the platform reported. */
function assertHonest(it: FailingConnect, seen: Seen): void {
  // Not every platform checks all of a 101.
  if (seen.text === null) return assertEquals(it.status, 101, it.name);
  if (it.isTimeout) return assertTold(it, seen);
  if (seen.phase !== null) assertEquals(seen.phase, it.phase, it.name);
  if (seen.status !== null) assertEquals(seen.status, it.status, it.name);
  if (seen.phase !== null) assertEquals(seen.retryable, it.retryable ?? false, it.name);
  const reported = seen.reported.replace(/^.*? (?:WebSocket|failed): /, "");
  const isTold = seen.text.includes(reported) || seen.text.includes(`answered ${seen.status}`);
  assert(isTold, `${it.name}: "${seen.text}" hasn't "${reported}"`);
  if (deno !== undefined && it.needsTrust && it.phase === "handshake") {
    assertEquals([seen.phase, seen.status], [null, null]);
    assert(seen.text.includes('connect with transport: "net" or require: ["failureCause"]'));
  }
}

/** Node's WebSocket reports nothing, and the error says so. */
function assertMute(it: FailingConnect, seen: Seen): void {
  if (seen.text === null) return assertEquals(it.status, 101, it.name);
  if (it.isTimeout) return assertTold(it, seen);
  const text = seen.text.replace(/^Cannot connect to \S+: /, "");
  assertEquals(
    text,
    "the connection could not be opened, and the platform does not report why. To get the cause, " +
      'connect with transport: "net" or require: ["failureCause"]',
    it.name,
  );
  assert(
    isObserved === false || page.join("\n").replace(/\s+/g, " ").includes(text),
    "in the page",
  );
}

/** The command that prints what the platform's own WebSocket reports. */
function nativeCommand(): string[] {
  const here = fileURLToPath(import.meta.url);
  if (platform() !== "deno") return [process.execPath, process.argv[1] ?? "", here];
  const program = fileURLToPath(new URL("./program.ts", import.meta.url));
  return [process.execPath, "run", "--quiet", "--allow-all", "--no-check", program, "native"];
}
