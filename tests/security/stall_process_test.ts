// Deno only: it starts programs, on the other runtimes as well

/** Attack 57 with real time: a process is stopped or blocked for longer than its deadlines. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { deadline, delay } from "@std/async";
import { createServer, type Socket } from "node:net";
import { signKey } from "../../src/handshake/accept_key.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { bundled, PATIENCE, RUNTIMES, startProgram } from "../server/programs.ts";
import { upgraded } from "../server/support.ts";
import { closeServer, listen } from "../support/loopback.ts";

const PROGRAM = "tests/server/programs/stalling.ts";
/** Longer than the program's deadlines. */
const STALL = 3000;

/** A server that reads a request, and answers it when the test says so. */
class LateServer {
  readonly asked: Promise<string>;
  readonly #server = createServer((socket) => this.#onSocket(socket));
  #socket: Socket | undefined;
  #text = "";
  #onAsked = (_key: string): void => {};

  constructor() {
    this.asked = new Promise((resolve) => this.#onAsked = resolve);
  }

  #onSocket(socket: Socket): void {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      this.#text += new TextDecoder("latin1").decode(chunk);
      const key = /Sec-WebSocket-Key: (\S+)/i.exec(this.#text)?.[1];
      if (key !== undefined && this.#text.endsWith("\r\n\r\n")) this.#onAsked(key);
    });
  }

  async listen(): Promise<string> {
    const port = await listen(this.#server);
    return `ws://127.0.0.1:${port}/`;
  }

  answer(key: string): void {
    this.#socket?.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${signKey(key)}\r\n\r\n`,
    );
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    await closeServer(this.#server);
  }
}

async function stall(command: readonly string[], way: string): Promise<void> {
  const server = new LateServer();
  const program = await startProgram([...command, way, await server.listen()]);
  const clients: RawClient[] = [];
  try {
    const closing = await upgraded(program);
    const slow = await upgraded(program);
    slow.socket.pause();
    const silent = new RawClient(program.url);
    clients.push(closing, slow, silent);
    await program.printed("stall now");
    const key = await server.asked;
    // Its Close, with a code and "bye".
    await closing.hex(7);
    if (way === "stopped") program.signal("SIGSTOP");
    closing.send(8, Uint8Array.of(0x03, 0xe8));
    slow.socket.resume();
    silent.request();
    server.answer(key);
    if (way === "stopped") {
      await delay(STALL);
      program.signal("SIGCONT");
    }
    // The server ends TCP first.
    await closing.end();
    closing.socket.end();
    const result = JSON.parse((await program.printed("result ")).slice("result ".length));
    assertEquals(result, { ready: "open", wasClean: true, code: 1000 });
    assertStringIncludes(await silent.response(), " 101 ");
    assertEquals(await program.printed("slow "), "slow open");
    assertEquals((await program.ended).code, 0);
  } finally {
    for (const client of clients) await client.destroy();
    await program.stop("SIGKILL");
    await server.close();
  }
}

for (const way of ["stopped", "blocked"]) {
  Deno.test({
    name:
      `attack 57: a process that is ${way}, on Deno, Node and Bun: it disconnects no healthy peer`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const bundle = await bundled(PROGRAM);
      // All runtimes at once, because most of the time is the stall itself.
      const runs = RUNTIMES.map(async ([runtime, command]) => {
        if (command === null) return;
        const script = runtime === "Deno" ? PROGRAM : bundle;
        await stall([...command, script], way).catch((cause) => {
          throw new Error(`On ${runtime}: ${cause.message}`, { cause });
        });
      });
      await deadline(Promise.all(runs), PATIENCE);
    },
  });
}
