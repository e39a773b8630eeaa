/** The errors of the command line for wrong use, on every runtime. */

import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { createServer } from "node:net";
import { closeServer, listen } from "../support/loopback.ts";
import { begin, complete, type Ended } from "./support_in_process.ts";

const NOWHERE = "ws://127.0.0.1/";

Deno.test("W28 a command that can't run reports the reason, with an exit code for its kind", async () => {
  const server = createServer();
  const port = await listen(server);
  await closeServer(server);
  const cases: [string[], number, RegExp][] = [
    [["connect", NOWHERE, "--colour"], 2, /Cannot use --colour: connect has no such option/],
    [["connect", "ws://["], 2, /Cannot connect: "ws:\/\/\[" is not a URL/],
    [
      ["connect", "ws://me:secret@host:99999/"],
      2,
      /^error: Cannot connect: "ws:\/\/…@host:99999\/"/,
    ],
    [["connect", "ftp://host/"], 2, /Cannot connect: "ftp:" is neither ws: nor wss:/],
    [["connect", ""], 2, /Cannot connect: "" is not a URL/],
    [["replay", "/nowhere", NOWHERE], 2, /Cannot read FILE, "\/nowhere": ENOENT/],
    [["replay", "/", NOWHERE], 2, /Cannot read FILE, "\/": EISDIR/],
    [["check", "127.0.0.1", "--html", "/nowhere/x"], 2, /--html, "\/nowhere\/x": ENOENT/],
    [["check", "--listen", "0", "--insecure"], 2, /Cannot use --insecure together with --listen/],
    [["check", NOWHERE, "--host", "::1"], 2, /Cannot use --host without --listen/],
    [["check", NOWHERE, "--case", "none"], 2, /Cannot check: no case is called none/],
    [["connect"], 2, /takes URL, got too few arguments/],
    [["ping", NOWHERE, "--count", "none"], 2, /--count: it must be a whole number/],
    [["connect", NOWHERE, "--header", "no"], 2, /--header: it must be 'NAME: VALUE'/],
    [["connect", NOWHERE, "--ca", "/nowhere"], 2, /--ca, "\/nowhere": ENOENT/],
    [["ping", "127.0.0.1", "-c", "-1"], 2, /Cannot use -c: it takes a value, and what follows/],
    [["ping", "127.0.0.1", "--header"], 2, /Cannot use --header: it takes a value$/m],
    [["dance"], 2, /There is no command "dance"/],
    [["\x1b[2J"], 2, /There is no command "\\x1b\[2J"/],
    [["connect", `ws://127.0.0.1:${port}`], 3, /the connection was refused/],
    [["check", `ws://127.0.0.1:${port}`], 3, /nothing there answers a request/],
    [["listen", "99999"], 2, /is not a port/],
    [["listen", "0", "--log", "--exec", "cat"], 2, /Cannot use --log together with --exec/],
    [["listen", "0", "--cert", "/x"], 2, /Cannot use --cert without --key/],
    [["tap", "x:y:z", NOWHERE], 2, /Cannot listen at "x:y:z": it must be a port/],
  ];
  for (const [args, code, text] of cases) {
    const { code: got, err, out } = await complete(args);
    assertEquals([args, got, out], [args, code, ""], err);
    assertMatch(err, text);
    assertFalse(err.includes("secret") || err.includes("\x1b"), err);
  }
});

/** Values that each kind of option must refuse. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  NUMBER: ["", "none", "-1", "0", "1.5", "1e3", "99999999999"],
  SECONDS: ["", "soon", "-1", ".", "1e3", "Infinity", "NaN"],
  BYTES: ["", "many", "-1", "1.5k", "1T", "9999999999"],
  PORT: ["", "http", "-1", "65536", "1.5"],
  FACTOR: ["", "0", "-1", "fast", "NaN"],
  FILE: ["", "/nowhere/file"],
  URL: ["ftp://host", "http://", "no proxy"],
  ORIGIN: ["a\nb"],
  NAME: ["a b", "a\nb"],
  PATH: ["", "chat", "/a?b", "/*"],
  "'NAME: VALUE'": ["", "no", ": a", "a b: c", "a: b\nc"],
};

/** The other arguments that a command needs. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  listen: ["0"],
  tap: ["0", NOWHERE],
  replay: ["/dev/null", NOWHERE],
};

/** Runs a command that should end by itself, and ends one that doesn't. */
async function refusedOf(args: readonly string[]): Promise<Ended> {
  const command = begin(args);
  command.end();
  await command.until(/^error: |listening at/m).catch(() => {});
  command.interrupt();
  return await command.ended;
}

const COMMANDS = ["connect", "listen", "ping", "bench", "tap", "replay", "check"];

for (const name of COMMANDS) {
  Deno.test(`W28 ${name}: each option refuses a wrong and a missing value, with exit code 2`, async () => {
    const args = ARGUMENTS[name] ?? [NOWHERE];
    const { out: help } = await complete([name, "--help"]);
    const options = [...help.matchAll(/^ {2}(?:-\w,| {3}) --(\S+) ('NAME: VALUE'|[A-Z]+) /gm)];
    assert(options.length > 0, help);
    for (const [, option = "", kind = ""] of options) {
      // --ca and similar options, which other tests cover.
      for (const wrong of WRONG[kind] ?? []) {
        const alone = option === "cert" ? ["--key=/x"] : option === "key" ? ["--cert=/x"] : [];
        const needs = option === "idle" ? ["--listen=0"] : alone;
        const rest = option === "listen" || option === "idle" ? [] : args;
        const given = [name, ...rest, ...needs, `--${option}=${wrong}`];
        const { code, err } = await refusedOf(given);
        assertEquals([given, code], [given, 2], err);
        assertMatch(err, /^error: Cannot /);
      }
      const { code, err } = await refusedOf([name, ...args, `--${option}`]);
      assertEquals([option, code], [option, 2], err);
      assertMatch(err, /: it takes a value/);
    }
    const flags = [...help.matchAll(/^ {2}(?:-\w,| {3}) --(\S+) {2}/gm)].map((it) => it[1]);
    for (const flag of flags) {
      if (flag === "help") continue;
      const { code, err } = await refusedOf([name, ...args, `--${flag}=yes`]);
      assertEquals([flag, code], [flag, 2], err);
    }
    for (const count of [0, args.length + 1]) {
      const { code, err } = await complete([name, ...Array(count).fill(NOWHERE)]);
      assertEquals([count, code], [count, 2]);
      assertMatch(err, count === 0 ? /too few arguments/ : /got too many/);
    }
  });
}

Deno.test("W28 --help, help and --version print text, and so does no argument", async () => {
  const overview = await complete(["--help"]);
  assertEquals(overview.code, 0);
  for (const name of COMMANDS) assertMatch(overview.out, new RegExp(`^  ${name} `, "m"));
  for (const args of [["help"], ["-h"]]) assertEquals(await complete(args), overview);
  assertEquals(await complete([]), { ...overview, code: 2 });
  for (const args of [["--version"], ["-v"]]) {
    const { code, out } = await complete(args);
    assertEquals(code, 0);
    assertMatch(out, /^\S+ \d+\.\d+\.\d+\n$/);
  }
  for (const name of COMMANDS) {
    for (const flag of ["-h", "--help"]) {
      const { code, out } = await complete([name, flag]);
      assertEquals(code, 0);
      assertMatch(out, new RegExp(`^web-socket-channel ${name} `));
    }
  }
});

Deno.test("W29 replay refuses a file that is not a recording, and names the line", async () => {
  const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(`${tmpdir()}/usage-`);
  try {
    for (
      const [text, expected] of [
        ["", /line 1: the file is empty/],
        ["hello\n", /line 1: it is not a JSON object/],
        ["[1,2]\n", /line 1: it is not the first line of a recording/],
        ['{"type":"tap"}\n{"type":', /line 2: it is not a JSON object/],
        ['{"type":"tap"}\nnull\n', /line 2: it is not a JSON object/],
        ['{"type":"tap"}\n{"connection":1}\n', /line 2: its "at" is not a number/],
      ] as const
    ) {
      await writeFile(`${folder}/file`, text);
      const { code, err } = await complete(["replay", `${folder}/file`, NOWHERE]);
      assertEquals([text, code], [text, 2], err);
      assertMatch(err, expected);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
