// Deno only: it starts programs, on the other runtimes as well

/** A server whose process may not open another file: it keeps running, and accepts again later. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline, delay } from "@std/async";
import { NEWEST_NODE, runtime } from "../../tasks/tools.ts";
import { bundled, PATIENCE, RUNTIMES as INSTALLED, startProgram } from "../server/programs.ts";
import { upgraded } from "../server/support.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { leftOut } from "../support/needs.ts";

const PROGRAM = "tests/server/programs/few_files.ts";

/** How many files the process may have open. */
const LIMIT = 100;

const newest = await runtime(`Node ${NEWEST_NODE}`).catch(() => null);
const RUNTIMES: typeof INSTALLED = [...INSTALLED, [
  `Node ${NEWEST_NODE}`,
  newest?.command ?? null,
]];

/** The commands that start the program with this limit of open files. */
async function limited(name: string, command: readonly string[] | null): Promise<string[]> {
  const script = name === "Deno" ? PROGRAM : await bundled(PROGRAM);
  return ["sh", "-c", `ulimit -n ${LIMIT}; exec "$@"`, "sh", ...command ?? [], script];
}

/** Sends a short text and returns the echo. */
async function asked(client: RawClient, text: string): Promise<string> {
  const before = client.body.length;
  client.send(1, text);
  const head = await deadline(client.hex(before + 2), PATIENCE);
  const length = Number.parseInt(head.slice(-2), 16);
  await deadline(client.hex(before + 2 + length), PATIENCE);
  return client.body.subarray(before + 2, before + 2 + length).toString();
}

/** Whether a message is echoed in time. */
async function echoes(url: string): Promise<RawClient> {
  const client = await upgraded({ url });
  client.send(1, "hello");
  assertEquals(await client.hex(7), "810568656c6c6f");
  return client;
}

for (const [runtime, command] of RUNTIMES) {
  const reason = leftOut(runtime, command !== null);
  Deno.test({
    name:
      `attack 68: no file left to accept with, on ${runtime}: the server accepts again later${reason}`,
    ignore: command === null || Deno.build.os === "windows",
    async fn() {
      const program = await startProgram(await limited(runtime, command));
      const clients: RawClient[] = [];
      try {
        const first = await deadline(echoes(program.url), PATIENCE);
        clients.push(first);
        // More connections than the process can accept: the system queues them, or the runtime ends them.
        for (let i = 0; i < 2 * LIMIT; i++) {
          const client = new RawClient(program.url);
          client.request();
          clients.push(client);
        }
        // The server has accepted all it can, and still serves those connections.
        const accepted = (): number => clients.filter(({ head }) => head !== "").length;
        for (let before = -1; before < accepted();) {
          before = accepted();
          for (let i = 0; i < 5; i++) {
            first.send(1, "ping!");
            await deadline(first.hex(7 * (i + 1)), PATIENCE);
          }
        }
        first.send(1, "alive");
        while (!first.bytes.includes("alive")) {
          await deadline(
            new Promise<void>((resolve) => first.socket.once("data", () => resolve())),
            PATIENCE,
          );
        }
        await Promise.all(clients.splice(0).map((client) => client.destroy()));
        const again = await deadline(echoes(program.url), PATIENCE);
        clients.push(again);
        again.send(1, "end");
        assertEquals(await deadline(again.hex(11), PATIENCE), "810568656c6c6f880203e9");
        again.send(8, Uint8Array.of(3, 233));
        await again.end();
        await again.destroy();
        const { code, text } = await deadline(program.ended, PATIENCE);
        assertEquals(code, 0);
        assertStringIncludes(text, "closed\n");
      } finally {
        await program.stop("SIGKILL");
        for (const client of clients) await client.destroy();
      }
    },
  });
}

/**
 * How long the test watches the server's process, in milliseconds, and how much CPU time it may use: a busy loop uses all.
 * The test doesn't watch Bun: its own loop calls `accept` again and again, for any server, and uses up to half of the time.
 */
const WATCHED = 1_000;
const MAX_WORK = 0.8;

for (const [name, command] of RUNTIMES) {
  const reason = leftOut(name, command !== null);
  const isWatched = name !== "Bun";
  Deno.test({
    name: `attack 68: no file left, on ${name}: connected clients are served, ${
      isWatched ? "no busy loop, " : ""
    }and closed files free room${reason}`,
    ignore: command === null || Deno.build.os === "windows",
    async fn() {
      const program = await startProgram(await limited(name, command));
      const clients: RawClient[] = [];
      try {
        const first = await deadline(upgraded(program), PATIENCE);
        clients.push(first);
        assertStringIncludes(await asked(first, "hold"), "EMFILE");
        const others = Array.from({ length: 20 }, () => new RawClient(program.url));
        clients.push(...others);
        for (const client of others) client.request();
        for (let i = 0; i < 100; i++) assertEquals(await asked(first, `ping ${i}`), `ping ${i}`);
        if (isWatched) {
          const before = Number(await asked(first, "cpu"));
          const start = performance.now();
          await delay(WATCHED);
          const work = (Number(await asked(first, "cpu")) - before) / (performance.now() - start);
          assert(work < MAX_WORK, `It works ${Math.round(100 * work)} % of the time`);
        }
        assertEquals(await asked(first, "release"), "released");
        // Node has ended them without a report; on the other runtimes they are still queued.
        const answered = async (client: RawClient): Promise<string> => {
          const head = await client.response().catch(() => "ended");
          return head.split("\r\n")[0] ?? "";
        };
        const fates = new Set(await deadline(Promise.all(others.map(answered)), PATIENCE));
        const isNode = name.startsWith("Node");
        assertEquals([...fates], [isNode ? "ended" : "HTTP/1.1 101 Switching Protocols"]);
        const again = await deadline(upgraded(program), PATIENCE);
        clients.push(again);
        assertEquals(await asked(again, "hello"), "hello");
        assertEquals(await asked(first, "still"), "still");
        again.send(1, "end");
        await Promise.all(clients.map((client) => client.destroy()));
        const { code, text } = await deadline(program.ended, PATIENCE);
        assertEquals([code, text], [0, `listening at ${program.url}\nclosed\n`]);
      } finally {
        await program.stop("SIGKILL");
        for (const client of clients) await client.destroy();
      }
    },
  });
}
