/**
 * Two processes, as in docs/how-to/deploy.md: the first listens, and sends the socket of each upgrade to the second,
 * which accepts it. On SIGUSR2 the first kills the second while it is busy and connections are in flight.
 */

import { Buffer } from "node:buffer";
import { type ChildProcess, fork } from "node:child_process";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import process from "node:process";
import { acceptUpgrade } from "../../../src/server/mod.ts";

function handOver(child: ChildProcess): Server {
  const server = createServer();
  const sent = new Map<number, { socket: Socket; head: Buffer }>();
  let count = 0;
  server.on("upgrade", (message: IncomingMessage, stream, head) => {
    const socket = stream as Socket;
    socket.on("error", () => {});
    if (!child.connected) return void socket.destroy();
    const { method, url, httpVersion, rawHeaders } = message;
    const id = count++;
    sent.set(id, { socket, head });
    const request = { method, url, httpVersion, rawHeaders };
    child.send({ id, request }, socket, { keepOpen: true }, (error) => {
      if (error !== null) socket.destroy();
    });
    if (url === "/last") child.kill("SIGKILL");
  });
  child.on("message", ({ received: id }: { received?: number }) => {
    if (id === undefined) return;
    const { socket, head } = sent.get(id) as { socket: Socket; head: Buffer };
    sent.delete(id);
    const early = Buffer.concat([head, socket.read() ?? Buffer.alloc(0)]).toString("base64");
    socket.destroy();
    child.send({ id, early });
  });
  child.on("exit", () => {
    console.log(`exit ${sent.size}`);
    for (const { socket } of sent.values()) socket.destroy();
    sent.clear();
  });
  child.on("error", console.error);
  return server;
}

interface Handed {
  readonly id: number;
  readonly request?: Parameters<typeof acceptUpgrade>[0];
  readonly early?: string;
}

/** Keeps the process busy, so that sockets sent to it stay in flight. */
function stall(): void {
  process.send?.({ stalls: true });
  for (const start = performance.now(); performance.now() - start < 60_000;);
}

function takeOver(): void {
  const received = new Map<number, (head: Buffer) => void>();
  process.on("message", (message: Handed | "stall", socket: Socket | undefined) => {
    if (message === "stall") return stall();
    const { id, request, early } = message;
    if (request === undefined) {
      received.get(id)?.(Buffer.from(early ?? "", "base64"));
      received.delete(id);
      return;
    }
    if (socket === undefined) return console.log("no socket");
    socket.on("error", () => {});
    received.set(id, (head) => {
      const channel = acceptUpgrade(request, socket, head);
      channel.stream.listen((message) => channel.sink.add(message));
    });
    process.send?.({ received: id });
  });
  process.send?.({ ready: true });
}

function start(): void {
  const child = fork(process.argv[1] ?? "", ["child"]);
  const server = handOver(child);
  child.once("message", () => {
    server.listen(0, "127.0.0.1", () => {
      console.log(`listening at ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
  process.on("SIGUSR2", () => {
    child.on("message", ({ stalls }: { stalls?: true }) => stalls && console.log("stalls"));
    child.send("stall");
  });
  process.once("SIGTERM", () => {
    child.kill();
    process.exit(0);
  });
}

if (process.argv[2] === "child") takeOver();
else start();
