/** An echo server that prints its figures on SIGUSR2. The argument is its options as JSON. */

import { readdirSync } from "node:fs";
import process from "node:process";
import { WebSocketServer } from "../../../src/server/mod.ts";

const given = JSON.parse(process.argv.at(-1) ?? "{}");
let ended = 0;

const server: WebSocketServer = await WebSocketServer.bind({
  ...given,
  verify: ({ url }) =>
    url.pathname === "/slow" ? new Promise<never>(() => {}) : url.pathname !== "/refused",
  async handler(channel) {
    if (channel.request.url.pathname === "/large") channel.sink.add("x".repeat(4_000_000));
    channel.stream.listen((message) => channel.sink.add(message));
    await channel.closed;
    ended++;
  },
});

process.on("SIGUSR2", () => {
  const { connections } = server.stats();
  const files = readdirSync("/proc/self/fd").length;
  const rss = Math.round(process.memoryUsage().rss / 1024);
  console.log(`figures ${JSON.stringify({ ...connections, ended, files, rss })}`);
});
console.log(`listening at ${server.url}`);
