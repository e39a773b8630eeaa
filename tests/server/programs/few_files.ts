/** A server that echoes, for a process that may open few files. */

import { WebSocketServer } from "../../../src/server/mod.ts";

const server = await WebSocketServer.bind({
  handshakeTimeout: 0,
  onError: (error) => console.log(`error: ${error}`),
});
console.log(`listening at ${server.url}`);
for await (const channel of server) {
  channel.stream.listen((message) => {
    if (message === "end") void server.close();
    else channel.sink.add(message);
  });
}
await server.closed;
console.log("closed");
