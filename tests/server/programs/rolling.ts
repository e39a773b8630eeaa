/**
 * A server that can be replaced while it is in use, in one of these ways: with an already listening socket as
 * descriptor 3 (`fd`), on a port that several processes share (`port`), or as two workers of `node:cluster`
 * (`cluster`). The primary replaces the workers when it reads "roll", and ends when it reads "stop". The server
 * echoes, or only counts with `upload`. A process prints the number of handled messages when it ends.
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
    // Throws if the channel was closed after the message was read: the client sends it again.
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
    // The server also counts messages that a client sends before it reads the Close.
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

/** A worker notifies its primary when it listens, and reports the number of handled messages at the end. */
async function work(): Promise<void> {
  const server = await serve();
  process.on("message", async (message) => {
    // By now, everything has arrived that the primary sent before it noticed the close, such as a connection.
    if (message === "bye") return void process.send?.("gone", () => process.exit(0));
    await drain(server);
    process.send?.({ handled });
  });
  process.send?.("listening");
}

type Worker = ReturnType<typeof cluster.fork>;

/** A port that was free a moment ago: on Bun, each worker that asks for port 0 gets a different one. */
function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Fulfils with a listening worker. */
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
