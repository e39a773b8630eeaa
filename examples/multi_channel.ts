// Several channels over one WebSocket: run it with the URL of a server that uses MultiChannel, in this
// package or in Dart's, and answers on each channel.

import { WebSocketChannel } from "@web-socket/channel";
import { jsonDocument, MultiChannel } from "@web-socket/channel/stream-channel";

const url = globalThis.process.argv[2] ?? "wss://example.com/rooms";

const socket = WebSocketChannel.connect(url);
const rooms = new MultiChannel<string>(socket.transform(jsonDocument));

// The default channel always exists. It carries the announcements of the others.
const names = ["kitchen", "garden", "attic"];
const talks = names.map(async (name) => {
  const room = rooms.virtualChannel();
  rooms.sink.add(`${name} is ${room.id}`);
  room.sink.add(`anybody in the ${name}?`);
  const { value } = await room.stream.next();
  await room.sink.close();
  return value;
});
for (const answer of await Promise.all(talks)) console.log(answer);

// Closing the last channel closes the socket.
await rooms.sink.close();
console.log(`closed by: ${(await socket.closed).initiator}`);
