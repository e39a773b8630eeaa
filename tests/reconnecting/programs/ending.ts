/**
 * A closed channel that has resumed, and a session whose client stays away: neither keeps the process alive.
 * The server's sockets are closed; its sessions are not.
 */

import { createServer } from "node:http";
import { ReconnectingChannel, resumption, Sessions } from "../../../src/reconnecting/mod.ts";
import { acceptUpgrade } from "../../../src/server/mod.ts";
import { WebSocketChannel } from "../../../src/web_socket_channel.ts";

const sessions = new Sessions();
const handler = sessions.handler((channel) => {
  channel.stream.listen((message) => channel.sink.add(message));
});
const server = createServer();
server.on(
  "upgrade",
  (request, socket, head) => void acceptUpgrade(request, socket, head, { handler }),
);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const url = `ws://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
console.log("listening at", url);

const channel = ReconnectingChannel.connect({ url, transport: "net" }, {
  resume: resumption(),
  firstDelay: 1,
  heartbeat: { interval: 60_000, timeout: 60_000, message: () => "" },
});
channel.sink.add("one");
await channel.stream.next();
channel.connection?.terminate();
channel.sink.add("two");
await channel.sink.flush();
await channel.close();

const away = await WebSocketChannel.open(url, { protocols: ["resume.v1"] });
away.sink.add('!{"attempt":1,"received":0,"window":1000}');
away.sink.add("#0");
for await (const _ of away.stream) break;
server.close();
away.terminate();
await away.closed;
console.log("sessions", sessions.size);
