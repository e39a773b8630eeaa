/**
 * The chat example as two processes on one Redis. The test kills one of them repeatedly. Every client sees every entry
 * once, in the same order. KILLS and CLIENTS extend the test.
 */
// Deno only: it starts Deno processes and kills them

import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { createClient } from "redis";
import { ReconnectingChannel } from "../../src/reconnecting/mod.ts";
import { redisStreams, Topics } from "../../src/topics/mod.ts";
import { startProgram } from "../server/programs.ts";
import { findCommand } from "../support/processes.ts";
import { until } from "../support/turns.ts";
import { startRedis } from "./servers.ts";

const ignore = findCommand([["redis-server"]]) === null;
const leftOut = ignore ? " (left out: redis-server is not installed)" : "";

const KILLS = Number(Deno.env.get("KILLS") ?? 2);
const CLIENTS = Number(Deno.env.get("CLIENTS") ?? 4);
/** The number of messages that a client sends between two kills. */
const SAYS = 10;
/** The maximum duration of the test, in milliseconds. */
const PATIENCE = 60_000 + 30_000 * KILLS;

interface Said {
  readonly id: string;
  readonly from: string;
  readonly text: string;
}

/** A chat client. It connects to either process, and sends a message again that it has not received back. */
class Client {
  readonly seen: string[] = [];
  resyncs = 0;
  connections = 0;
  name = "";
  #offset = "";
  readonly #unconfirmed = new Map<string, string>();
  readonly channel: ReconnectingChannel;

  constructor(index: number, ports: readonly number[]) {
    this.channel = ReconnectingChannel.connect(
      ({ attempt }) => {
        const query = new URLSearchParams();
        if (this.name !== "") query.set("name", this.name);
        if (this.#offset !== "") query.set("after", this.#offset);
        const port = ports[(index + attempt + this.connections) % ports.length];
        return `ws://127.0.0.1:${port}/chat?${query}`;
      },
      {
        whileAway: "drop",
        firstDelay: 50,
        maxDelay: 500,
        onState: ({ name }) => {
          if (name !== "open") return;
          this.connections++;
          for (const message of this.#unconfirmed.values()) this.channel.sink.add(message);
        },
      },
    );
    this.channel.stream.listen((message) => this.#onMessage(JSON.parse(String(message))));
  }

  #onMessage(message: { kind: string; name: string; offset: string; said: Said }): void {
    if (message.kind === "welcome") this.name = message.name;
    if (message.kind === "resync") this.resyncs++;
    if (message.kind !== "said") return;
    const { id, from, text } = message.said;
    this.#offset = message.offset;
    this.seen.push(text);
    if (from === this.name) this.#unconfirmed.delete(id);
  }

  say(text: string): void {
    const message = JSON.stringify({ kind: "say", id: text, text });
    this.#unconfirmed.set(text, message);
    this.channel.sink.add(message);
  }

  get hasUnconfirmed(): boolean {
    return this.#unconfirmed.size > 0;
  }
}

function start(port: number, redis: string): ReturnType<typeof startProgram> {
  const command = [Deno.execPath(), "run", "--quiet", "--allow-all", "examples/chat/server.ts"];
  return startProgram([...command, `${port}`, redis]);
}

/** Kills both processes in turn while all clients keep sending. */
async function exchange(redis: string): Promise<{ clients: Client[]; lines: string[] }> {
  const programs = await Promise.all([start(0, redis), start(0, redis)]);
  const ports = programs.map(({ url }) => Number(new URL(url).port));
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(i, ports));
  const lines: string[] = [];
  let said = 0;
  const talk = (): void => {
    for (let i = 0; i < SAYS; i++) {
      for (const [index, client] of clients.entries()) client.say(`${index}-${said + i}`);
    }
    said += SAYS;
  };
  try {
    await until(() => clients.every(({ name }) => name !== ""));
    for (let kill = 0; kill < KILLS; kill++) {
      const before = clients[0]?.seen.length ?? 0;
      talk();
      // Kill the process while messages are in flight.
      await until(() => clients.some(({ seen }) => seen.length > before + SAYS));
      const victim = kill % 2;
      await programs[victim]?.stop("SIGKILL");
      talk();
      programs[victim] = await start(ports[victim] ?? 0, redis);
      await until(() => clients.every(({ seen }) => seen.length === said * CLIENTS));
      lines.push(`kill ${kill + 1} of process ${victim + 1}: ${said * CLIENTS} entries so far`);
    }
    await until(() => clients.every((client) => !client.hasUnconfirmed));
  } finally {
    await Promise.all(clients.map(({ channel }) => channel.close()));
    for (const program of programs) await program.stop();
  }
  return { clients, lines };
}

/** The folder of a run's output, outside the repository. */
async function keep(lines: readonly string[]): Promise<void> {
  const folder = Deno.env.get("ARTIFACTS") ??
    `${Deno.env.get("TMPDIR") ?? "/tmp"}/web_socket_channel`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/topics_killed_process.log`, `${lines.join("\n")}\n`);
}

Deno.test({
  name:
    `topics W31: two processes, one killed again and again, and every client sees all once${leftOut}`,
  ignore,
  async fn() {
    const server = await startRedis();
    try {
      const { clients, lines } = await deadline(
        exchange(`redis://127.0.0.1:${server.port}`),
        PATIENCE,
      );
      const [first, ...rest] = clients;
      const expected = clients.flatMap((_, index) =>
        Array.from({ length: 2 * SAYS * KILLS }, (_, i) => `${index}-${i}`)
      );
      for (const [index, { seen, connections, resyncs }] of clients.entries()) {
        const once = new Set(seen).size;
        lines.push(
          `client ${
            index + 1
          }: ${seen.length} entries, ${once} different, of ${expected.length}; ` +
            `${connections} connections, ${resyncs} resyncs`,
        );
      }
      lines.push(`${clients.length} clients × ${expected.length} entries, all delivered once`);
      console.log(lines.join("\n"));
      assertEquals([...first?.seen ?? []].sort(), expected.sort());
      for (const { seen, resyncs } of rest) {
        assertEquals(seen, first?.seen);
        assertEquals(resyncs, 0);
      }
      assertEquals(clients.some(({ connections }) => connections > 1), true);
      await keep(lines);
    } finally {
      await server.end();
    }
  },
});

Deno.test({
  name: `topics: members of a process that is killed go when the lease ends${leftOut}`,
  ignore,
  // The package has timers that outlive a closed client.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const server = await startRedis();
    const url = `redis://127.0.0.1:${server.port}`;
    const client = createClient({ url });
    client.on("error", () => {});
    await client.connect();
    const lease = 800;
    const topics = new Topics({ engine: redisStreams(client), lease });
    const program = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "tests/topics/member_program.ts", url, `${lease}`],
      stdout: "piped",
    }).spawn();
    try {
      const members = async (): Promise<unknown[]> =>
        (await topics.presence("a")).map(({ metadata }) => metadata);
      const reader = program.stdout.getReader();
      await reader.read();
      // It renews its lease: it is still a member when the first lease would have ended.
      const start = performance.now();
      while (performance.now() - start < 1.2 * lease) assertEquals(await members(), ["killed"]);
      program.kill("SIGKILL");
      await program.status;
      await reader.cancel();
      while ((await members()).length > 0);
    } finally {
      await topics.close();
      client.destroy();
      await server.end();
    }
  },
});
