/** The examples match the README, and run against a local server. */
// Deno only: it starts processes

import { assert, assertEquals } from "@std/assert";
// @ts-types="./support/ws.d.ts"
import { type WebSocket, WebSocketServer } from "ws";
import { deno, type Finished } from "./support/command.ts";
import { type RecipeOptions, type RecipeServer, withRecipe } from "./support/recipes.ts";
import { closeServer } from "./support/loopback.ts";

const ROOT = new URL("../", import.meta.url);

/** The README's first blocks, in order, and their files. The README only names the third. */
const SHOWN = ["first_page_dart.ts", "first_page_javascript.ts"];
const FIRST_PAGE = [...SHOWN, "first_page_finally.ts"];

/** Examples of single things. */
const OTHERS = ["json_messages.ts", "multi_channel.ts"];

/** Examples of servers: tests/server/examples_test.ts runs them. */
const SERVERS = [
  "basic_auth_server.ts",
  "chat",
  "deploy",
  "echo_server.ts",
  "express_server.ts",
  "fastify_server.ts",
  "hono_server.ts",
  "reverse_proxy.ts",
];

/** Files that tests import: tests/diagnostics/telemetry_test.ts and the test below. */
const PARTS = ["debug.ts", "open_telemetry.ts", "prometheus.ts"];

/** Servers with their clients: tests/server/newcomer_programs_test.ts runs them. */
const PROGRAMS = ["chat_rooms.ts", "echo.ts", "json_rpc.ts", "token_login.ts", "upload.ts"];

/** The input of the examples that read JSON. */
const TICKS = { messages: ['{"tick":1}', '{"tick":2}'], code: 1000, reason: "that's all" };

/** An example as the README shows it: without the first comment, and with a URL. */
function asShown(source: string): string {
  const code = source.slice(source.indexOf("import "));
  const declaration = /^const url = .* \?\? (".*");\n\n/m.exec(code);
  if (declaration === null) throw new Error(`No URL to be given in: ${source}`);
  const [line, url] = declaration;
  return code.replace(line, "").replace("connect(url", `connect(${url}`);
}

function run(example: string, server: RecipeServer): Promise<Finished> {
  return deno(["run", "--allow-all", `examples/${example}`, server.url]);
}

Deno.test("the README's programs of the first page match the examples, except the URL", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const blocks = [...readme.matchAll(/^```ts.*\n([^]*?)^```$/gm)].map((match) => match[1]);
  const examples = SHOWN.map((name) => Deno.readTextFile(new URL(`examples/${name}`, ROOT)));
  for (const example of await Promise.all(examples)) {
    assert(blocks.includes(asShown(example)), asShown(example));
  }
});

Deno.test("every example is run by a test", async () => {
  const names = (await Array.fromAsync(Deno.readDir(new URL("examples/", ROOT)))).map((it) =>
    it.name
  );
  const run = [...FIRST_PAGE, ...OTHERS, ...SERVERS, ...PROGRAMS, ...PARTS];
  assertEquals(names.sort(), [...run, "README.md"].sort());
  const index = await Deno.readTextFile(new URL("examples/README.md", ROOT));
  assertEquals(run.filter((name) => !index.includes(`(${name}`)), []);
});

Deno.test("example first_page_dart: answers the first message, then closes", async () => {
  await withRecipe("push", { messages: ["hello"] }, async (server) => {
    const { code, stdout, stderr } = await run("first_page_dart.ts", server);
    assertEquals({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
    assertEquals(await server.next("message"), { kind: "message", text: "received!" });
    const close = await server.next("close");
    // Deno's own WebSocket refuses to send 1001: then it is 1000.
    assertEquals(close, { kind: "close", code: 1000, reason: "" });
  });
});

for (const example of ["first_page_javascript.ts", "first_page_finally.ts"]) {
  Deno.test(`example ${example}: subscribes and prints what arrives`, async () => {
    await withRecipe("push", { ...TICKS, wait: "data" }, async (server) => {
      const { code, stdout, stderr } = await run(example, server);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      assertEquals(stdout, "{ tick: 1 }\n{ tick: 2 }\n");
      const request = await server.next("request");
      assertEquals(request.headers["sec-websocket-protocol"], "v2");
      assertEquals(await server.next("message"), {
        kind: "message",
        text: '{"subscribe":"ticks"}',
      });
      assertEquals((await server.next("close")).code, 1000);
    });
  });

  Deno.test(`example ${example}: fails with an error that names the cause`, async () => {
    await withRecipe("http", { status: 401 }, async (server) => {
      const { code, stderr } = await run(example, server);
      assertEquals(code, 1);
      const told = /ConnectError: Cannot connect to \S+: .*401/.test(stderr);
      assertEquals(told, true, stderr);
    });
  });
}

Deno.test("example json_messages: sends and receives values as JSON", async () => {
  await withRecipe("echo", {}, async (server) => {
    const { code, stdout, stderr } = await run("json_messages.ts", server);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertEquals(stdout, "2 × tea\n1 × milk\nclosed by: local\n");
    assertEquals(await server.next("message"), {
      kind: "message",
      text: '{"item":"tea","count":2}',
    });
  });
});

Deno.test("example json_messages: ends cleanly after a malformed message and after a refusal", async () => {
  const malformed: RecipeOptions = { messages: ["no JSON"], wait: "data" };
  for (const recipe of ["push", "http"] as const) {
    await withRecipe(recipe, recipe === "push" ? malformed : { status: 401 }, async (server) => {
      const { code, stdout, stderr } = await run("json_messages.ts", server);
      const by = recipe === "push" ? "local" : "transport";
      assertEquals({ code, stdout }, { code: 1, stdout: `closed by: ${by}\n` });
      assertEquals(/^Cannot go on: Cannot (receive|connect).*\n$/.test(stderr), true, stderr);
    });
  }
});

Deno.test("example multi_channel: each virtual channel has its own messages, in Dart's wire format", async () => {
  // Do what Dart's MultiChannel does at the other end: it answers on id + 1.
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  const seen: unknown[] = [];
  const sockets: WebSocket[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      seen.push(message);
      const [id, text] = message;
      if (id !== 0 && message.length === 2) {
        socket.send(JSON.stringify([id + 1, `${text.slice(0, -1)}: yes`]));
      }
    });
  });
  await new Promise<void>((resolve) => server.on("listening", resolve));
  const { port } = server.address() as { port: number };
  try {
    const finished = await deno([
      "run",
      "--allow-all",
      "examples/multi_channel.ts",
      `ws://127.0.0.1:${port}`,
    ]);
    assertEquals({ code: finished.code, stderr: finished.stderr }, { code: 0, stderr: "" });
    assertEquals(
      finished.stdout,
      "anybody in the kitchen: yes\nanybody in the garden: yes\nanybody in the attic: yes\n" +
        "closed by: local\n",
    );
    assertEquals(seen.slice(0, 6), [
      [0, "kitchen is 1"],
      [1, "anybody in the kitchen?"],
      [0, "garden is 3"],
      [3, "anybody in the garden?"],
      [0, "attic is 5"],
      [5, "anybody in the attic?"],
    ]);
    const closings = seen.filter((message) => (message as unknown[]).length === 1);
    assertEquals(closings.map(String).sort(), ["0", "1", "3", "5"]);
  } finally {
    for (const socket of sockets) socket.terminate();
    await closeServer(server);
  }
});

Deno.test("W30 example echo: WSC_DEBUG=1 prints the events of both sides", async () => {
  const args = ["run", "--allow-all", "--preload", "examples/debug.ts", "examples/echo.ts"];
  const debugged = await deno(args, { WSC_DEBUG: "1" });
  assertEquals(debugged.code, 0, debugged.stderr);
  const kinds = [...debugged.stderr.matchAll(/^debug: (\w+) (client|server) /gm)];
  const of = (side: string) => kinds.filter((it) => it[2] === side).map((it) => it[1]);
  const message = ["message", "message", "message", "message"];
  assertEquals(of("server"), ["connect", "open", ...message, "close"]);
  assertEquals(of("client"), ["connect", "open", ...message, "close"]);
  const plain = await deno(args);
  assertEquals(plain.stderr, "");
});
