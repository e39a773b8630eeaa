/**
 * A server that can be replaced while it is used, in one of these ways: with a socket that listens already as its
 * descriptor 3 (`fd`), at a port that several processes listen at (`port`), or as two workers of `node:cluster`
 * (`cluster`), whose primary replaces them when it reads a line "roll", and ends when it reads "stop". It
 * echoes, or, with `upload`, counts only. A process prints how many messages it has handled when it ends.
 */

import cluster from "node:cluster";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { type ServerWebSocketChannel, WebSocketServer } from "../../../src/server/mod.ts";

const [, , way = "", what = "", port = process.env["WORKERS_PORT"] ?? "0"] = process.argv;
let handled = 0;

async function handler({ stream, sink }: ServerWebSocketChannel): Promise<void> {
  for await (const message of stream) {
    // Throws when the channel was closed since the message was read: the client sends it again.
    if (what === "upload" || sink.add(message)) handled++;
  }
}

async function serve(): Promise<WebSocketServer> {
  const place = way === "fd"
    ? { fd: 3 }
    : { port: Number(port), ...(way === "port" ? { reusePort: true } : {}) };
  const server = await WebSocketServer.bind({
    ...place,
    handler,
    // What a client sends before it has read the Close is counted, too.
    ...(what === "upload" ? { afterClose: "deliver" } : {}),
    onError: (error) => console.log(`error ${error}`),
  });
  return server;
}

async function drain(server: WebSocketServer): Promise<void> {
  await server.close({ code: 1012, reason: "restarting", drainTimeout: 30_000 });
}

async function single(): Promise<void> {
  const server = await serve();
  console.log(`listening at ${server.url}`);
  process.once("SIGTERM", async () => {
    await drain(server);
    console.log(`handled ${handled}`);
    process.exit(0);
  });
}

/** A worker tells its primary that it listens, and in the end how many messages it has handled. */
async function work(): Promise<void> {
  const server = await serve();
  process.on("message", async (message) => {
    // What the primary had sent before it knew that this one has closed, a connection perhaps, is in by now.
    if (message === "bye") return void process.send?.("gone", () => process.exit(0));
    await drain(server);
    process.send?.({ handled });
  });
  process.send?.("listening");
}

type Worker = ReturnType<typeof cluster.fork>;

/** A port that was free a moment ago: on Bun each worker that asks for 0 gets another one. */
function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Fulfils with a worker that listens. */
function start(port: number): Promise<Worker> {
  const worker = cluster.fork({ WORKERS_PORT: String(port) });
  return new Promise((resolve, reject) => {
    worker.once("message", () => resolve(worker));
    worker.once("exit", (code) => reject(new Error(`A worker ended with ${code}`)));
  });
}

async function stop(worker: Worker): Promise<void> {
  worker.removeAllListeners("exit");
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  worker.once("message", ({ handled }: { handled: number }) => {
    console.log(`handled ${handled}`);
    worker.send("bye");
  });
  worker.send("stop");
  await ended;
}

async function primary(): Promise<void> {
  const port = await freePort();
  let workers = [await start(port), await start(port)];
  console.log(`listening at ws://127.0.0.1:${port}`);
  for await (const line of createInterface({ input: process.stdin })) {
    const old = workers;
    workers = [];
    for (const worker of old) {
      if (line.startsWith("roll")) workers.push(await start(port));
      await stop(worker);
    }
    console.log(`done ${line}`);
    if (line === "stop") break;
  }
  process.exit(0);
}

if (way !== "cluster") void single();
else if (cluster.isPrimary) void primary();
else void work();
