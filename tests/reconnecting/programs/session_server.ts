/** An echo server with sessions on the given port. It prints a line when it listens. */

import process from "node:process";
import { Sessions } from "../../../src/reconnecting/mod.ts";
import { WebSocketServer } from "../../../src/server/mod.ts";

const server = await WebSocketServer.bind({
  port: Number(process.argv[2] ?? 0),
  handler: new Sessions().handler((channel) => {
    channel.stream.listen((message) => channel.sink.add(message));
  }),
});
console.log(server.address.port);
