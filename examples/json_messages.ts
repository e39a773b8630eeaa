// Typed JSON over a WebSocket: run it with the URL of a server that sends messages back.

import { WebSocketChannel } from "@web-socket/channel";
import { jsonDocument } from "@web-socket/channel/stream-channel";

interface Order {
  item: string;
  count: number;
}

const url = globalThis.process.argv[2] ?? "wss://example.com/orders";

const socket = WebSocketChannel.connect(url);
const orders = socket.transform(jsonDocument).cast<Order>();

orders.sink.add({ item: "tea", count: 2 });
orders.sink.add({ item: "milk", count: 1 });

let missing = 2;
for await (const order of orders.stream) {
  console.log(`${order.count} × ${order.item}`);
  if (--missing === 0) break;
}
await orders.sink.close();
console.log(`closed by: ${(await socket.closed).initiator}`);
