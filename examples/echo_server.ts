// A server that sends every message back: run it with a port, stop it with a signal.

import { WebSocketServer } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

const server = await WebSocketServer.bind({ port });
console.log(`listening at ${server.url}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  globalThis.process.once(signal, () => server.close());
}

for await (const channel of server) {
  channel.stream.listen((message) => channel.sink.add(message));
  channel.closed.then(({ code }) => console.log(`closed with ${code}`));
}
await server.closed;
console.log("no longer listening");
