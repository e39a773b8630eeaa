/** An echo server for a process with a low limit of open files. */

import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { type ServerWebSocketChannel, WebSocketServer } from "../../../src/server/mod.ts";

// Deno 2.9 panics if a process has no file left when it first listens to signals.
process.on("SIGUSR2", () => {});

const held: number[] = [];

/** Opens files until the limit. */
function hold(): string {
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch (error) {
    return `${(error as { code?: string }).code} behind ${held.length}`;
  }
}

/** Closes the files. */
function release(): string {
  for (const file of held.splice(0)) closeSync(file);
  return "released";
}

/** The CPU time of this process, in milliseconds. */
function cpu(): string {
  const { user, system } = process.cpuUsage();
  return String((user + system) / 1000);
}

const COMMANDS: Readonly<Record<string, () => string>> = { hold, release, cpu };

function serve(channel: ServerWebSocketChannel): void {
  channel.stream.listen((message) => {
    if (message === "end") void server.close();
    else channel.sink.add(COMMANDS[String(message)]?.() ?? message);
  });
}

const server: WebSocketServer = await WebSocketServer.bind({
  handshakeTimeout: 0,
  onError: (error) => console.log(`error: ${error}`),
  handler: serve,
});
console.log(`listening at ${server.url}`);
await server.closed;
console.log("closed");
