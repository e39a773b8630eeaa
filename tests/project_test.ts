/** The project's rules that a program can check. See CONTRIBUTING.md. */
// Deno only: it reads the project's files

import { assertEquals } from "@std/assert";
import { USER_AGENT } from "../src/handshake/client_handshake.ts";
import { filesBelow, readSource, readText, type Source, sourcesBelow } from "./support/sources.ts";

/** The layers of the two RFCs, as values. */
const RFCS = ["status", "protocol", "permessage_deflate", "handshake"];

/** What each layer may import, beside itself. Imports point downward only. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "status": [],
  "realm": [],
  "stream_channel": [],
  "protocol": ["status"],
  "permessage_deflate": ["protocol", "status"],
  "handshake": ["permessage_deflate", "protocol", "status"],
  "web_socket": ["stream_channel", ...RFCS],
  "diagnostics": ["web_socket", "stream_channel", ...RFCS],
  "native": ["web_socket", "stream_channel", ...RFCS, "diagnostics"],
  "net": ["web_socket", "stream_channel", ...RFCS, "diagnostics"],
  "server": ["web_socket", "stream_channel", ...RFCS, "native", "net", "diagnostics"],
  "page": ["web_socket", "stream_channel", ...RFCS, "native"],
  "faces": ["web_socket", "stream_channel", ...RFCS, "native", "net", "top"],
  "page_faces": ["web_socket", "stream_channel", ...RFCS, "native", "page", "faces"],
  "check": ["stream_channel"],
  "testing": ["web_socket", "stream_channel", ...RFCS, "native", "net"],
  "http2": [
    "web_socket",
    "stream_channel",
    ...RFCS,
    "native",
    "net",
    "server",
    "top",
    "diagnostics",
  ],
  "reconnecting": [
    "web_socket",
    "stream_channel",
    ...RFCS,
    "native",
    "net",
    "page",
    "server",
    "top",
  ],
  "topics": ["web_socket", "stream_channel", ...RFCS, "native", "net", "server", "top"],
  "topics_testing": ["web_socket", "stream_channel", ...RFCS, "topics", "testing", "top"],
  "cli": [
    "web_socket",
    "stream_channel",
    ...RFCS,
    "net",
    "server",
    "reconnecting",
    "diagnostics",
    "check",
  ],
  "top": ["web_socket", "stream_channel", ...RFCS, "native", "net", "page", "diagnostics"],
};

/** What every layer may import. */
const BOTTOM = "realm";

/** The top of the client, which may import everything. Entries export from it. */
const TOP = [
  "src/web_socket_channel.ts",
  "src/page_web_socket_channel.ts",
  "src/platform_web_socket_channel.ts",
  "src/connect.ts",
  "src/channel_types.ts",
];

/** The helpers that load a builtin, and the files that may use them. No other file depends on a runtime. */
const BUILTINS = "src/realm/builtin_module.ts";
const MAY_USE_BUILTINS =
  /^src\/(net|server|check|diagnostics|cli)\/|^src\/realm\/parent_port\.ts$|^src\/permessage_deflate\/deflate\.ts$/;

/** Modules that other layers use but that have no test file of their own, and why. */
const WITHOUT_TESTS: Readonly<Record<string, string>> = {
  "src/web_socket/capabilities.ts": "types, and a constant that others' tests compare with",
  "src/page/native_web_socket_channel.ts": "page_web_socket_channel_test.ts is about it as well",
  "src/web_socket/loaded_over.ts": "over_later_test.ts loads it",
  "src/page_faces/page_connector.ts":
    "Chromium's part of the tasks bundles it: tasks/page_bundles.ts",
  "src/native/socket_channel.ts": "native_channel.ts is this, with what is known of a platform",
  "src/stream_channel/channel_like.ts": "types, and a check that every composition's tests meet",
};

/** Syntax that Node 20 can't parse, and functions that it lacks. */
const TOO_NEW: Readonly<Record<string, RegExp>> = {
  "using": /\busing\s+[\w$]+\s*=/,
  "await using": /\bawait\s+using\b/,
  "Promise.withResolvers": /\bPromise\s*\.\s*withResolvers\b/,
  "Promise.try": /\bPromise\s*\.\s*try\b/,
  "Array.fromAsync": /\bArray\s*\.\s*fromAsync\b/,
  "Object.groupBy": /\b(Object|Map)\s*\.\s*groupBy\b/,
  "URL.parse": /\bURL\s*\.\s*parse\b/,
  "Uint8Array.fromBase64": /\b(from|to)(Base64|Hex)\(/,
  "reportError": /\breportError\b/,
  "CloseEvent": /\bCloseEvent\b/,
  "ErrorEvent": /\bErrorEvent\b/,
};

const config = JSON.parse(await readText("deno.json"));
const entries = Object.values(config.exports as Record<string, string>).map((it) => it.slice(2));
const sources = [...await sourcesBelow("src"), await readSource("status.ts")];

/** The layer of a file; `null` if it belongs to none. */
function layerOf(path: string): string | null {
  if (path === "status.ts") return "status";
  if (TOP.includes(path)) return "top";
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? null;
}

/** The violations of a rule in each source, as `path: violation`. */
function faults(find: (source: Source) => Iterable<string>): string[] {
  return sources.flatMap((source) => [...find(source)].map((what) => `${source.path}: ${what}`));
}

/** Each line of bare code that matches, with its number. */
function* linesWith(source: Source, pattern: RegExp): Generator<string> {
  for (const [i, line] of source.bare.split("\n").entries()) {
    if (pattern.test(line)) yield `line ${i + 1}: ${line.trim()}`;
  }
}

Deno.test("project: the layers are the folders of src/", () => {
  const layers = new Set(sources.map(({ path }) => layerOf(path)));
  assertEquals([...layers].filter((it) => it === null || !(it in LAYERS)), []);
});

Deno.test("project: imports point downward only", () => {
  const found = faults(function* ({ path, imports }) {
    const layer = layerOf(path) ?? "";
    // An entry exports every type that it mentions, from any layer, and WebSocketChannel.
    const isEntry = path.endsWith("/mod.ts");
    for (const { target, isType } of imports) {
      if (isEntry && (isType || TOP.includes(target))) continue;
      const other = layerOf(target);
      if (other === layer || other === BOTTOM) continue;
      if (LAYERS[layer]?.includes(other ?? "")) continue;
      yield `imports ${target}`;
    }
  });
  assertEquals(found, []);
});

Deno.test("project: nothing imports a mod.ts", () => {
  const found = faults(function* ({ imports }) {
    for (const { target } of imports) if (/(^|\/)mod\.ts$/.test(target)) yield `imports ${target}`;
  });
  assertEquals(found, []);
});

Deno.test("project: no run-time dependency, and no builtin is imported", async () => {
  const all = [...sources, await readSource("mod.ts")];
  const found = all.flatMap(({ path, imports }) =>
    imports.filter((it) => !it.target.endsWith(".ts")).map((it) => `${path}: ${it.target}`)
  );
  assertEquals(found, []);
});

Deno.test("project: no import cycles, not even of types", () => {
  const graph = new Map(sources.map((it) => [it.path, it.imports.map(({ target }) => target)]));
  assertEquals(cycleIn(graph), null);
});

/** The first cycle, as a path; `null` when there is none. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string | null {
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]): string | null => {
    if (above.includes(path)) return [...above.slice(above.indexOf(path)), path].join(" -> ");
    if (done.has(path)) return null;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...above, path]);
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

Deno.test("project: the check finds cycles", () => {
  const graph = new Map([["a", ["b", "c"]], ["b", ["c"]], ["c", ["d"]], ["d", ["b"]]]);
  assertEquals(cycleIn(graph), "b -> c -> d -> b");
  assertEquals(cycleIn(new Map([["a", ["b", "c"]], ["b", ["c"]]])), null);
});

Deno.test("project: modules that other layers use have a test file; inner helpers may have one", async () => {
  const tests = new Set(await filesBelow("tests"));
  const missing = sources.filter(isLayerFacing).map(({ path }) => path).filter((path) => {
    const test = path.replace(/^src\//, "").replace(/\.ts$/, "_test.ts");
    return !tests.has(`tests/${test}`) && !(path in WITHOUT_TESTS);
  });
  assertEquals(missing, []);
  const paths = sources.map((it) => it.path);
  const stale = Object.keys(WITHOUT_TESTS).filter((path) => !paths.includes(path));
  assertEquals(stale, []);
});

/** Whether an entry or another layer uses its values. A module with only types has nothing to test. */
function isLayerFacing({ path, bare }: Source): boolean {
  const hasValues = /^export (abstract class|class|const|async function|function|let)\b/m.test(
    bare,
  );
  if (path.endsWith("/mod.ts") || !hasValues) return false;
  return sources.some((user) =>
    (user.path.endsWith("/mod.ts") || layerOf(user.path) !== layerOf(path)) &&
    user.imports.some(({ target, isType }) => target === path && !isType)
  );
}

Deno.test("project: only permitted files load builtins, and only by one helper", () => {
  const found = faults(function* (source) {
    if (source.path !== BUILTINS) yield* linesWith(source, /\bgetBuiltinModule\b/);
    if (!MAY_USE_BUILTINS.test(source.path)) {
      yield* source.imports.filter((it) => it.target === BUILTINS).map((it) => it.target);
    }
    yield* linesWith(source, /\brequire\s*\(/);
  });
  assertEquals(found, []);
});

Deno.test("project: the source has nothing that Node 20 can't parse or lacks", () => {
  const found = faults(function* (source) {
    for (const [name, pattern] of Object.entries(TOO_NEW)) {
      for (const line of linesWith(source, pattern)) yield `${name}, ${line}`;
    }
  });
  assertEquals(found, []);
});

/** `instanceof` whose right side isn't a class of this project: that of the file, or an import. */
function* foreignClasses({ bare, path }: Source): Generator<string> {
  for (const [, name = ""] of bare.matchAll(/\binstanceof\s+([\w$.]+)/g)) {
    if (!OWN_CLASSES.has(name)) yield `instanceof ${name}: ${path}`;
  }
}

const OWN_CLASSES = new Set(
  sources.flatMap(({ bare }) => [...bare.matchAll(/\bclass\s+([\w$]+)/g)].map((it) => it[1])),
);

// Another realm has its own Promise, Error, Uint8Array …, and a library may replace a global one.
Deno.test("project: instanceof tests only for the project's own classes", () => {
  assertEquals(faults(foreignClasses), []);
  const source = (bare: string): Source => ({ path: "", text: "", code: "", bare, imports: [] });
  const found = (bare: string): number => [...foreignClasses(source(bare))].length;
  assertEquals(found("a instanceof Promise"), 1);
  assertEquals(found("a instanceof globalThis.Error || a instanceof Uint8Array"), 2);
  assertEquals(found("a instanceof ConnectError"), 0);
});

// A promise or an array of another realm has another constructor, and its `name` can be any text.
Deno.test("project: no code recognises a value by its constructor", () => {
  const pattern = /\.constructor\s*[!=]==|\bisPrototypeOf\b/;
  assertEquals(faults((source) => linesWith(source, pattern)), []);
});

Deno.test("project: no top-level await", () => {
  assertEquals(faults((source) => topLevelAwaits(source.bare)), []);
  assertEquals([...topLevelAwaits("async function f() {\n  await g();\n}\nawait f();\n")], [
    "line 4: await f();",
  ]);
});

function* topLevelAwaits(bare: string): Generator<string> {
  let depth = 0;
  for (const [i, line] of bare.split("\n").entries()) {
    const isTop = depth === 0 && !/\basync\b/.test(line);
    if (isTop && /\bawait\b/.test(line)) yield `line ${i + 1}: ${line.trim()}`;
    for (const char of line) depth += char === "{" ? 1 : char === "}" ? -1 : 0;
  }
}

/** The function that prints an error without a user's handler, and the command line. */
const MAY_PRINT = /^src\/server\/error_hook\.ts$|^src\/cli\//;

Deno.test("project: the library prints nothing except the errors of a server without onError", () => {
  const found = faults(function* (source) {
    if (!MAY_PRINT.test(source.path)) {
      yield* linesWith(source, /\bconsole\b|\bprocess\.std|\balert\(/);
    }
  });
  assertEquals(found, []);
});

/** A hand-written promise of a timer or a turn. `@std/async` and tests/support/turns.ts have these. */
const WAITS = /new Promise[^;\n]*[^.\w](setTimeout|setImmediate)\(/;

Deno.test("project: tests and examples wait with @std/async, or for a turn", async () => {
  const all = [...await sourcesBelow("tests"), ...await sourcesBelow("examples")];
  const found = all.filter(({ path }) => !path.startsWith("tests/offline/"))
    .flatMap((source) => [...linesWith(source, WAITS)].map((line) => `${source.path}: ${line}`));
  assertEquals(found, []);
});

Deno.test("project: the source has no TODO and no FIXME", () => {
  const found = faults(function* ({ text }) {
    for (const [word] of text.matchAll(/\b(TODO|FIXME|XXX)\b/g)) yield word;
  });
  assertEquals(found, []);
});

Deno.test("project: every entry exists, is published, and has a module doc", async () => {
  const included = config.publish.include as string[];
  for (const entry of entries) {
    const text = await readText(entry);
    assertEquals(/^\/\*\*[^]*?@module\s+\*\//.test(text), true, `${entry} has no module doc`);
    const published = included.some((it) => entry === it || entry.startsWith(`${it}/`));
    assertEquals(published, true, `${entry} is not in publish.include`);
  }
});

Deno.test("project: every source file that the docs name exists", async () => {
  const pages = (await filesBelow("docs")).filter((path) => path.endsWith(".md"));
  const missing: string[] = [];
  for (const page of [...pages, "README.md", "CONTRIBUTING.md"]) {
    for (const [path] of (await readText(page)).matchAll(/\bsrc\/[\w./-]+\.ts\b/g)) {
      if (!sources.some((source) => source.path === path)) missing.push(`${page}: ${path}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("project: every link of the docs leads to a file and a heading that exist", async () => {
  const folders = await Promise.all(["docs", "examples"].map(filesBelow));
  const others = ["README.md", "npm/README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
  const pages = [...folders.flat(), ...others].filter((it) => it.endsWith(".md"));
  const root = new URL("../", import.meta.url);
  const broken: string[] = [];
  for (const page of pages) {
    const text = (await readText(page)).replace(/^( *)```[^]*?^\1```$/gm, "");
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const target = new URL(link, new URL(page, root));
      const anchor = target.hash.slice(1);
      target.hash = "";
      const found = await Deno.stat(target).catch(() => null);
      const there = found !== null &&
        (anchor === "" || anchorsOf(await Deno.readTextFile(target)).includes(anchor));
      if (!there) broken.push(`${page}: ${link}`);
    }
  }
  assertEquals(broken, []);
});

/** The anchors of a page's headings, as GitHub creates them. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}

Deno.test("project: the README is short, and begins with two commands", async () => {
  const readme = await readText("README.md");
  const lines = readme.split("\n").length - 1;
  assertEquals(lines <= 200, true, `README.md has ${lines} lines, of at most 200`);
  const commands = /```sh\n([^]*?)```/.exec(readme)?.[1]?.trim().split("\n") ?? [];
  assertEquals(commands.map((it) => it.split("#")[0]?.trim()), [
    "npx -y deno task demo",
    "npx -y deno task test",
  ]);
});

Deno.test("project: every file that is published exists", async () => {
  for (const path of config.publish.include as string[]) {
    await Deno.stat(new URL(`../${path}`, import.meta.url));
  }
});

Deno.test("project: the package's name is defined in deno.json; other files only import from it", async () => {
  const checked = [
    ...sources,
    await readSource("mod.ts"),
    ...await sourcesBelow("tests"),
    ...await sourcesBelow("tasks"),
  ];
  const found = checked.filter(({ code }) => code.includes(config.name)).map(({ path }) => path);
  assertEquals(found, []);
});

Deno.test("project: clients send the version of deno.json", () => {
  assertEquals(USER_AGENT, `web-socket-channel/${config.version}`);
});
