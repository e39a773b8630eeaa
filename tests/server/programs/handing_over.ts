/**
 * Two processes: the first listens, and sends the socket of each upgrade, with the request and what came behind it, to
 * the second, which accepts it.
 */

import { Buffer } from "node:buffer";
import { fork } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import process from "node:process";
import { acceptUpgrade } from "../../../src/server/mod.ts";

function handOver(): void {
  const child = fork(process.argv[1] ?? "", ["child"]);
  const server = createServer();
  server.on("upgrade", ({ method, url, httpVersion, rawHeaders }, socket, head) => {
    const request = { method, url, httpVersion, rawHeaders };
    child.send({ request, head: head.toString("base64") }, socket as Socket);
  });
  child.once("message", () => {
    server.listen(0, "127.0.0.1", () => {
      console.log(`listening at ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
  process.once("SIGTERM", () => {
    child.kill();
    process.exit(0);
  });
}

interface Handed {
  readonly request: Parameters<typeof acceptUpgrade>[0];
  readonly head: string;
}

function takeOver(): void {
  process.on("message", ({ request, head }: Handed, socket: Socket | undefined) => {
    if (socket === undefined) return console.log("no socket");
    const channel = acceptUpgrade(request, socket, Buffer.from(head, "base64"));
    channel.stream.listen((message) => channel.sink.add(message));
  });
  process.send?.("ready");
}

if (process.argv[2] === "child") takeOver();
else handOver();
