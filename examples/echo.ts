// An echo: a server that sends each message back, and a client. Run it without arguments.

import { WebSocketChannel } from "@web-socket/channel";
import { WebSocketServer } from "@web-socket/channel/server";

const server = await WebSocketServer.bind({
  port: 0, // any free port
  // Called once for each client. Text arrives as a string, bytes as a Uint8Array.
  async handler(guest) {
    for await (const message of guest.stream) guest.sink.add(message);
    const { code, reason } = await guest.closed;
    console.log(`server: a client left with ${code} ${reason}`);
  },
});

const channel = await WebSocketChannel.open(server.url);
channel.sink.add("hello");
channel.sink.add(Uint8Array.of(1, 2, 3));

let count = 0;
for await (const message of channel.stream) {
  console.log("client:", typeof message === "string" ? message : message.join(" "));
  count += 1;
  if (count === 2) break; // leaves the loop; the channel stays open
}

await channel.sink.close(1000, "done");
await server.close();
