// A server that sends every message back: run it with a port, stop it with a signal.

import "./debug.ts";
import { WebSocketServer } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

const server = await WebSocketServer.bind({
  port,
  handler: async (channel) => {
    for await (const message of channel.stream) channel.sink.add(message);
    console.log(`closed with ${(await channel.closed).code}`);
  },
});
console.log(`listening at ${server.url}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  globalThis.process.once(signal, () => server.close());
}

await server.closed;
console.log("no longer listening");
