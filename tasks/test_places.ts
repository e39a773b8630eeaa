/**
 * Places that replace Node's `WebSocket`, before or after this package is loaded: jsdom and happy-dom,
 * MSW and mock-socket, Vitest's environments. What `connect` chooses there, and that no header field goes
 * into a constructor that takes none.
 *
 * ```sh
 * deno task test:places
 * ```
 */

import { startRecipe } from "../tests/support/recipes.ts";
import { fromFileUrl } from "./support.ts";
import { NEWEST_NODE, output, runtime, succeed, toolbox } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);

/** A place, and what is expected there. */
interface Place {
  readonly name: string;
  /** The script that makes the place, and calls `probe`. */
  readonly script: string;
  /** Vitest runs it, in this environment. */
  readonly environment?: string;
  /** It answers instead of a server. */
  readonly isMock?: true;
  /** What each of `OPTIONS` gives; left out: {@linkcode REPLACED}. */
  readonly expected?: readonly RegExp[];
}

const OPTIONS = [{}, { headers: { "X-A": "b" } }, {
  transport: "native",
  headers: { "X-A": "b" },
}, { transport: "net" }];

const NATIVE = /^native: hello, 1000 local$/;
const NET = /^net: hello, 1000 local$/;
const UNSUPPORTED =
  /^UnsupportedError: Unsupported on node: headers\. The option headers needs it\. .*transport: "net"/;

/** `connect` uses another library's WebSocket if the options allow. */
const REPLACED: readonly RegExp[] = [NATIVE, NET, UNSUPPORTED, NET];
/** The same without a server: connecting over the network fails. */
const MOCKED: readonly RegExp[] = [
  NATIVE,
  /^ConnectError: .*host can't be found/,
  UNSUPPORTED,
  /^ConnectError: .*host can't be found/,
];

/** In Vitest the files call `test`. */
const VITEST = `import { test } from "vitest";
import { probe } from "./probe.mjs";
test("place", probe, 60_000);
`;

const PLACES: readonly Place[] = [
  {
    name: "jsdom, loaded first",
    script: `import { JSDOM } from "jsdom";
import { probe } from "./probe.mjs";
const { window } = new JSDOM("", { url: "http://localhost/" });
Object.defineProperty(globalThis, "WebSocket", { get: () => window.WebSocket, configurable: true });
globalThis.window = window;
await probe();
`,
  },
  {
    name: "happy-dom, loaded first",
    script: `import { GlobalRegistrator } from "@happy-dom/global-registrator";
import { probe } from "./probe.mjs";
GlobalRegistrator.register({ url: "http://localhost/" });
await probe();
`,
  },
  {
    name: "MSW, listening first",
    isMock: true,
    script: `import { ws } from "msw";
import { setupServer } from "msw/node";
import { probe } from "./probe.mjs";
const link = ws.link("ws://no-such-host.invalid/");
setupServer(link.addEventListener("connection", ({ client }) => {
  client.addEventListener("message", ({ data }) => client.send(data));
})).listen();
await probe();
`,
  },
  {
    name: "MSW, listening after the package is loaded",
    isMock: true,
    script: `import process from "node:process";
import { ws } from "msw";
import { setupServer } from "msw/node";
import { probe } from "./probe.mjs";
await import(process.env.PLACE_PACKAGE);
const link = ws.link("ws://no-such-host.invalid/");
setupServer(link.addEventListener("connection", ({ client }) => {
  client.addEventListener("message", ({ data }) => client.send(data));
})).listen();
await probe();
`,
  },
  {
    name: "mock-socket",
    isMock: true,
    script: `import { Server, WebSocket } from "mock-socket";
import { probe } from "./probe.mjs";
globalThis.WebSocket = WebSocket;
new Server("ws://no-such-host.invalid/").on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data));
});
await probe();
`,
  },
  {
    name: "Vitest, environment node",
    environment: "node",
    script: VITEST,
    expected: [NET, NET, NATIVE, NET],
  },
  { name: "Vitest, environment happy-dom", environment: "happy-dom", script: VITEST },
];

const PACKAGES = [
  "jsdom",
  "happy-dom",
  "@happy-dom/global-registrator",
  "msw",
  "mock-socket",
  "vitest",
];

/** The package as one module. */
async function bundled(folder: URL): Promise<string> {
  const file = new URL("package.mjs", folder);
  const path = fromFileUrl(file);
  const options = ["--quiet", "--platform=deno", "--format=esm", `--output=${path}`];
  const main = fromFileUrl(new URL("mod.ts", ROOT));
  await succeed([Deno.execPath(), "bundle", ...options, main], { cwd: fromFileUrl(ROOT) });
  return file.href;
}

async function command({ environment }: Place, file: URL, folder: URL): Promise<string[]> {
  const { command: node } = await runtime(`Node ${NEWEST_NODE}`);
  if (environment === undefined) return [...node, fromFileUrl(file)];
  const vitest = fromFileUrl(new URL("node_modules/vitest/vitest.mjs", folder));
  const options = ["--environment", environment, "--root", fromFileUrl(folder)];
  return [...node, vitest, "run", ...options, fromFileUrl(file)];
}

/** The fault of a place; `null` if everything is as expected. */
async function faultIn(place: Place, folder: URL, bundle: string): Promise<string | null> {
  const name = place.name.replaceAll(/\W+/g, "_");
  const file = new URL(`${name}.test.mjs`, folder);
  await Deno.writeTextFile(file, place.script);
  const echo = await startRecipe("echo");
  try {
    const { stdout, stderr } = await output(await command(place, file, folder), {
      cwd: fromFileUrl(folder),
      env: {
        PLACE_PACKAGE: bundle,
        PLACE_URL: place.isMock ? "ws://no-such-host.invalid/" : echo.url,
        PLACE_OPTIONS: JSON.stringify(OPTIONS),
      },
      signal: AbortSignal.timeout(60_000),
    });
    const line = stdout.split("\n").find((it) => it.startsWith('{"outcomes"'));
    if (line === undefined) return `It has printed nothing:\n${stdout}\n${stderr}`;
    const { outcomes } = JSON.parse(line) as { outcomes: string[] };
    const expected = place.expected ?? (place.isMock ? MOCKED : REPLACED);
    const wrong = expected.findIndex((it, i) => !it.test(outcomes[i] ?? ""));
    if (wrong >= 0) return `${JSON.stringify(OPTIONS[wrong])}: ${outcomes[wrong]}`;
    for (const event of await echo.queued()) {
      if (event.kind !== "request") continue;
      // What an options bag becomes where the standard has the subprotocols.
      if (event.headers["sec-websocket-protocol"] !== undefined) return "An options bag was sent";
    }
    return null;
  } finally {
    await echo.close();
  }
}

/** The result of each place. */
export async function testPlaces(): Promise<{ name: string; error: string | null }[]> {
  const folder = await toolbox("places", PACKAGES);
  const probe = new URL("probe.mjs", folder);
  await Deno.copyFile(new URL("tests/places/probe.mjs", ROOT), probe);
  const bundle = await bundled(folder);
  const results: { name: string; error: string | null }[] = [];
  for (const place of PLACES) {
    results.push({ name: place.name, error: await faultIn(place, folder, bundle) });
  }
  return results;
}

if (import.meta.main) {
  const results = await testPlaces();
  for (const { name, error } of results) {
    console.log(
      `${error === null ? "passed" : "FAILED"}: ${name}${error === null ? "" : `\n${error}`}`,
    );
  }
  Deno.exit(results.every(({ error }) => error === null) ? 0 : 1);
}
