// Deno only: starts programs on all runtimes

/** Real sleep: the test stops a client for longer than all its deadlines. `deno task wake_up` prints the times. */

import { assert, assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";
import type { ServerWebSocketChannel } from "../../src/server/mod.ts";
import { bundled, newestNode, PATIENCE, RUNTIMES, startProgram } from "../server/programs.ts";
import { until } from "../support/turns.ts";
import { Network } from "./network.ts";
import { printTime } from "./times.ts";

const PROGRAM = "tests/reconnecting/programs/staying.ts";

const CLIENTS = [...RUNTIMES, ["newest Node", await newestNode()] as const];

/** How long the client is stopped, in milliseconds: longer than each of its deadlines. */
const STOPPED = 3000;

/** A regular ping would notice a dead connection a minute later, at the earliest. */
const SOON = 20_000;

/** The channel echoes a message. */
async function answers(guest: ServerWebSocketChannel, message: string): Promise<void> {
  guest.sink.add(message);
  assertEquals((await guest.stream.next()).value, message);
}

const WAYS: Readonly<
  Record<string, (network: Network, wakeUp: () => Promise<void>) => Promise<number>>
> = {
  "the server has closed during the stop": async (network, wakeUp) => {
    network.guests[0]?.terminate();
    await wakeUp();
    await until(() => network.guests.length === 2);
    return 2;
  },
  "the connection is silently dead": async (network, wakeUp) => {
    network.swallow();
    await wakeUp();
    await until(() => network.guests.length === 2);
    return 2;
  },
  "the connection is healthy": async (network, wakeUp) => {
    const [guest] = network.guests as [ServerWebSocketChannel];
    await wakeUp();
    for (let i = 0; i < 20; i++) {
      await answers(guest, `${i}`);
      await delay(50);
    }
    return 1;
  },
};

async function run(command: readonly string[], way: string): Promise<number> {
  const { network, url } = await Network.start();
  const deadlines = way.includes("dead") ? "quiet" : "small";
  const program = await startProgram([...command, url, deadlines]);
  try {
    await until(() => network.guests.length === 1);
    await answers(network.guests[0] as ServerWebSocketChannel, "before");
    program.signal("SIGSTOP");
    let woken = 0;
    const attempts = await WAYS[way]?.(network, async () => {
      await delay(STOPPED);
      program.signal("SIGCONT");
      woken = performance.now();
    });
    const took = performance.now() - woken;
    assert(took < SOON, `It took ${took} ms`);
    const last = network.guests.at(-1) as ServerWebSocketChannel;
    await answers(last, "after");
    void last.sink.close(1000);
    const line = await program.printed("closed ");
    assertEquals(JSON.parse(line.slice("closed ".length)), { attempts, code: 1000 });
    return took;
  } finally {
    await program.stop("SIGKILL");
    await network.close();
  }
}

Deno.test({
  name: `a stopped client of ${CLIENTS.map(([it]) => it).join(", ")}: ${
    Object.keys(WAYS).join("; ")
  }`,
  ignore: Deno.build.os === "windows",
  async fn() {
    const script = await bundled(PROGRAM);
    // The clients run at the same time, because they are stopped most of the time.
    const runs = CLIENTS.flatMap(([runtime, command]) =>
      Object.keys(WAYS).map(async (way) => {
        if (command === null) return;
        const program = runtime === "Deno" ? PROGRAM : script;
        const took = await run([...command, program], way).catch((cause) => {
          throw new Error(`${runtime}, ${way}: ${cause.message}`, { cause });
        });
        if (!way.includes("healthy")) printTime(`${runtime}: ${way}`, took);
      })
    );
    await deadline(Promise.all(runs), PATIENCE);
  },
});
