// A chat with rooms: guests see who joins, who leaves, who is there, and all messages. Run it without arguments.
import { WebSocketChannel } from "@web-socket/channel";
import type { ServerWebSocketChannel } from "@web-socket/channel/server";
import { broadcast, WebSocketServer } from "@web-socket/channel/server";

type Room = Map<ServerWebSocketChannel, string>; // its guests, each with a name
const rooms = new Map<string, Room>();

const server = await WebSocketServer.bind({
  port: 0,
  async handler(guest) {
    const { pathname, searchParams } = guest.request.url;
    const name = searchParams.get("name") ?? "anonymous";
    const room: Room = rooms.get(pathname) ?? new Map();
    const tell = (event: object) => broadcast(room.keys(), JSON.stringify(event));
    rooms.set(pathname, room.set(guest, name));
    tell({ joined: name, here: [...room.values()] });
    for await (const text of guest.stream) tell({ from: name, text });
    // The guest has left, or the connection was lost.
    room.delete(guest);
    if (room.size === 0) rooms.delete(pathname);
    tell({ left: name, here: [...room.values()] });
  },
});

/** Prints a guest's messages up to the first with that word. Then the guest leaves. */
async function hear(guest: WebSocketChannel, last: string): Promise<void> {
  for await (const event of guest.stream) {
    console.log(event);
    if (String(event).includes(last)) break;
  }
  await guest.sink.close(1000);
}
const red = await WebSocketChannel.open(`${server.url}/garden?name=red`);
const blue = await WebSocketChannel.open(`${server.url}/garden?name=blue`);
blue.sink.add("hello");
await hear(blue, "hello");
await hear(red, "left");
await server.close();
