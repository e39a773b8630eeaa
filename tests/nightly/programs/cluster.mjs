/**
 * `node:cluster` and `node:net` alone: workers are replaced one after the other while clients connect, and each says "ok".
 * Prints "hung" when one has no answer within 10 seconds.
 */

import cluster from "node:cluster";
import net from "node:net";
import process from "node:process";

function freePort() {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function start(port) {
  const worker = cluster.fork({ WORKERS_PORT: String(port) });
  return new Promise((resolve) => worker.once("message", () => resolve(worker)));
}

function stop(worker) {
  return new Promise((resolve) => {
    worker.once("exit", resolve);
    worker.once("message", () => worker.send("bye"));
    worker.send("stop");
  });
}

let answered = 0;

function visit(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const timer = setTimeout(() => {
      console.log(`hung after ${answered} connections`);
      socket.destroy();
    }, 10_000);
    socket.on("data", () => answered++);
    socket.on("error", () => {});
    socket.on("close", () => resolve(clearTimeout(timer)));
    socket.write("hello");
  });
}

async function primary() {
  const port = await freePort();
  let workers = [await start(port), await start(port)];
  for (let i = 0; i < 8; i++) {
    (async () => {
      for (;;) await visit(port);
    })();
  }
  for (;;) {
    const old = workers;
    workers = [];
    for (const worker of old) {
      workers.push(await start(port));
      await stop(worker);
    }
  }
}

function work() {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("ok"));
  });
  const port = Number(process.env.WORKERS_PORT);
  server.listen(port, "127.0.0.1", () => process.send("listening"));
  process.on("message", (message) => {
    if (message === "bye") process.send("gone", () => process.exit(0));
    else server.close(() => process.send("closed"));
  });
}

if (cluster.isPrimary) primary();
else work();
