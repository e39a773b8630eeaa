// Deno only: it reads the docs, and starts the command line

/** Generates the recordings of the docs. `RECORD=1` writes them into the page. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { bind } from "../../src/server/web_socket_server.ts";
import { COMMAND_LINES, type CommandLine, python, run, start } from "./support.ts";
import { complete } from "./support_in_process.ts";
import { screenOf } from "./screen.ts";

const PAGE = new URL("../../docs/how-to/debug.md", import.meta.url);
const REFERENCE = new URL("../../docs/reference/command_line.md", import.meta.url);
const DENO = COMMAND_LINES[0] as CommandLine;

/** The parts that differ between runs. */
function steady(text: string): string {
  return text.replace(/\d+(?:\.\d+)?(?= ms)/g, "N").replace(/^ *\d+\.\d{3}(?= #)/gm, "N");
}

/** Replaces a block of the page with a text, or compares both. */
async function record(page: URL, name: string, block: string): Promise<void> {
  const text = await Deno.readTextFile(page);
  const place = new RegExp(`(?<=<!-- ${name} -->\n)[^]*?(?=<!-- /${name} -->)`);
  const there = place.exec(text)?.[0] ?? "";
  const wanted = `\n${block}\n\n`;
  if (Deno.env.get("RECORD") === "1" && steady(there) !== steady(wanted)) {
    await Deno.writeTextFile(page, text.replace(place, () => wanted));
  } else assertEquals(steady(there), steady(wanted));
}

async function withServer(body: (url: string, port: number) => Promise<void>): Promise<void> {
  const server = await bind({
    handler: (channel) => {
      channel.stream.listen((message) => void channel.sink.add(message));
    },
  });
  try {
    await body(server.url, server.address.port);
  } finally {
    await server.close({ drainTimeout: 500 });
  }
}

function shell(command: string, text: string): string {
  return "```\n" + `$ npx web-socket-channel ${command}\n${text.trimEnd()}\n` + "```";
}

const ignore = python === null;

Deno.test({
  name: "W27 the recording of connect",
  ignore,
  async fn() {
    await withServer(async (url, port) => {
      const command = await start(DENO, ["connect", url], { inTerminal: true });
      await command.until("> ");
      command.type("hello\r");
      await command.until("< hello");
      command.type('{"subscribe":["ticks"]}\r');
      await command.until("    ]");
      command.type("\x04");
      const { out } = await command.ended;
      const text = screenOf(out).replaceAll(String(port), "8080");
      await record(PAGE, "connect", shell("connect ws://127.0.0.1:8080", text));
    });
  },
});

Deno.test("W28 the page shows the recording of ping", async () => {
  await withServer(async (url, port) => {
    const { out } = await run(DENO, ["ping", url, "--count", "3", "--interval", "0.01"]);
    const text = out.replaceAll(String(port), "8080");
    await record(PAGE, "ping", shell("ping ws://127.0.0.1:8080 --count 3", text));
  });
});

Deno.test("W29 the page shows the recording of tap", async () => {
  await withServer(async (url, port) => {
    const tap = await start(DENO, ["tap", "0", url, "--frames"]);
    const at = await tap.until(/listening at ([^\s,]+)/);
    const client = await start(DENO, ["connect", `${at}/feed?key=secret`]);
    client.type('{"subscribe":["ticks"],"token":"secret"}\n');
    // The end of the input closes the connection: the test waits for the answer first.
    await client.until("< {");
    client.end();
    await client.ended;
    await tap.until("ended");
    tap.signal("SIGINT");
    const { out, err } = await tap.ended;
    const [first, last] = err.trim().split("\n");
    const text = `${first}\n${out}${last}`.replaceAll(String(port), "8080")
      .replaceAll(new URL(at).port, "9000");
    await record(PAGE, "tap", shell("tap 9000 ws://127.0.0.1:8080 --frames", text));
  });
});

Deno.test("W30 the page shows the recording of check", async () => {
  await withServer(async (url, port) => {
    const { out } = await run(DENO, [
      "check",
      url,
      "--case",
      "ping/payload",
      "--all",
      "--concurrency",
      "1",
    ]);
    const text = out.replaceAll(String(port), "8080");
    await record(PAGE, "check", shell("check ws://127.0.0.1:8080 --case ping/payload --all", text));
  });
});

Deno.test("W20 the page shows the OpenTelemetry example unchanged", async () => {
  const source = await Deno.readTextFile(
    new URL("../../examples/open_telemetry.ts", import.meta.url),
  );
  const code = source.slice(source.indexOf("import "));
  await record(PAGE, "open_telemetry", "```ts ignore\n" + code + "```");
});

Deno.test("W28 the reference contains the help text of each command", async () => {
  const overview = await complete(["--help"]);
  await record(REFERENCE, "help", "```\n" + overview.out.trimEnd() + "\n```");
  for (const name of ["connect", "listen", "ping", "bench", "tap", "replay", "check"]) {
    const { out } = await complete([name, "--help"]);
    assertStringIncludes(overview.out, `  ${name} `);
    await record(REFERENCE, name, "```\n" + out.trimEnd() + "\n```");
  }
});
