/** The programs of docs/how-to/share_a_port.md, on Node, with the genuine frameworks. */
// Deno only: starts programs and installs packages from npm

import { assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { fileURLToPath } from "node:url";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { output, toolbox } from "../../tasks/tools.ts";
import { findCommand } from "../support/processes.ts";
import { bundled, PATIENCE, startProgram } from "./programs.ts";
import { missing } from "../support/needs.ts";

const PAGE = new URL("../../docs/how-to/share_a_port.md", import.meta.url);

/** The nightly run tests frameworks that are large or need a build. */
const isNight = Deno.env.get("FRAMEWORKS") === "all";
const node = findCommand([["node"]]);

interface Framework {
  readonly title: string;
  readonly packages: readonly string[];
  readonly isLarge: boolean;
  /** Whether it ends the process by itself on SIGTERM, at once. */
  readonly isEnding?: boolean;
  /** The files of the application. */
  readonly files: Readonly<Record<string, string>>;
  /** The programs that build the application. */
  readonly build: readonly (readonly string[])[];
  /** The path of its own WebSocket, as its client uses it, and the beginning of the first message. */
  own?(page: string): { path: string; protocols: string[]; starts: string };
}

const nextFiles = { "pages/index.js": `export default function Page() { return "A page"; }` };

const FRAMEWORKS: readonly Framework[] = [
  {
    title: "Vite",
    packages: ["vite"],
    isLarge: false,
    isEnding: true,
    files: { "index.html": "<!doctype html><title>A page</title>" },
    build: [],
    own: (page) => ({
      path: `/?token=${/wsToken = "([^"]+)"/.exec(page)?.[1]}`,
      protocols: ["vite-hmr"],
      starts: `{"type":"connected"`,
    }),
  },
  {
    title: "NestJS",
    packages: [
      ...["@nestjs/common", "@nestjs/core", "@nestjs/platform-express"],
      ...["reflect-metadata", "rxjs"],
    ],
    isLarge: false,
    files: {},
    build: [],
  },
  {
    title: "Next.js",
    packages: ["next", "react", "react-dom"],
    isLarge: true,
    files: nextFiles,
    build: [],
    own: () => ({ path: "/_next/hmr?id=1", protocols: [], starts: "{" }),
  },
  {
    title: "Nitro, Nuxt",
    packages: ["nitropack"],
    isLarge: true,
    files: { "routes/index.ts": `export default defineEventHandler(() => "A page");` },
    build: [["node_modules/nitropack/dist/cli/index.mjs", "build", "--preset", "node"]],
  },
];

/** Returns the guide's program below a title, with the package imported from a file. */
function programOf(title: string, entry: string): string {
  const page = Deno.readTextFileSync(PAGE);
  const start = page.indexOf(`\n## ${title}\n`);
  const [, code = ""] = /```js ignore\n([^]*?)\n```/.exec(page.slice(start)) ?? [];
  assertStringIncludes(code, "WebSocketServer.attach(");
  return code.replace(/"@web-socket\/\w+\/server"/, JSON.stringify(entry));
}

for (const { title, packages, isLarge, isEnding, files, build, own } of FRAMEWORKS) {
  const reason = node === null
    ? missing("Node", false)
    : isLarge && !isNight
    ? "it takes long, and is run each night"
    : null;
  Deno.test({
    name: `frameworks: ${title} and a WebSocket on one port${
      reason === null ? "" : ` (left out: ${reason})`
    }`,
    ignore: reason !== null,
    async fn() {
      const folder = await toolbox(`framework_${title.replace(/\W+/g, "_")}`, packages);
      const path = (name: string): string => fileURLToPath(new URL(name, folder));
      for (const [name, text] of Object.entries(files)) {
        await Deno.mkdir(path(name.replace(/[^/]*$/, "")), { recursive: true });
        await Deno.writeTextFile(path(name), text);
      }
      const entry = await bundled("src/server/mod.ts");
      await Deno.writeTextFile(path("main.mjs"), programOf(title, entry));
      for (const [script = "", ...args] of build) {
        const { code, stderr } = await output(["node", path(script), ...args], {
          cwd: path("."),
        });
        assertEquals(code, 0, stderr);
      }
      const program = await startProgram(["node", "main.mjs", "0"], false, path("."));
      try {
        await deadline(use(program.url, own), PATIENCE);
        if (isEnding) {
          await deadline(program.stop("SIGTERM"), PATIENCE);
          return;
        }
        const client = NetWebSocketChannel.connect(`${program.url.replace("http", "ws")}/echo`);
        await client.ready;
        const { code } = await program.stop("SIGTERM");
        assertEquals([(await client.closed).code, code], [1012, 0]);
      } finally {
        await program.stop("SIGKILL");
      }
    },
  });
}

async function use(url: string, own: Framework["own"]): Promise<void> {
  const socket = url.replace("http", "ws");
  await (await fetch(url)).text();
  const client = NetWebSocketChannel.connect(`${socket}/echo`);
  client.sink.add("hello");
  assertEquals((await client.stream.next()).value, "hello");
  await client.sink.close();
  if (own === undefined) {
    const { error } = await NetWebSocketChannel.connect(`${socket}/other`).closed;
    return assertEquals((error as { status?: number }).status, 404);
  }
  const { path, protocols, starts } = own(await (await fetch(`${url}/@vite/client`)).text());
  const theirs = NetWebSocketChannel.connect(socket + path, { protocols, origin: url });
  assertStringIncludes(String((await theirs.stream.next()).value), starts);
  theirs.terminate();
}
