// Typed, validated JSON over a WebSocket: run it with the URL of a server that sends messages back.

import { WebSocketChannel } from "@web-socket/channel";
import { jsonDocument, type StandardSchema } from "@web-socket/channel/stream-channel";

interface Order {
  item: string;
  count: number;
}

// A hand-written schema. Schemas of zod, valibot, arktype and other libraries also work.
const order: StandardSchema<unknown, Order> = {
  "~standard": {
    version: 1,
    vendor: "example",
    validate(value) {
      const { item, count } = (value ?? {}) as Partial<Order>;
      if (typeof item === "string" && typeof count === "number") return { value: { item, count } };
      return { issues: [{ message: "Not an order" }] };
    },
  },
};

const url = globalThis.process.argv[2] ?? "wss://example.com/orders";

const socket = WebSocketChannel.connect(url);
const orders = socket.transform(jsonDocument<Order, Order>({ incoming: order }));

orders.sink.add({ item: "tea", count: 2 });
orders.sink.add({ item: "milk", count: 1 });

let missing = 2;
try {
  for await (const { item, count } of orders.stream) {
    console.log(`${count} × ${item}`);
    if (--missing === 0) break;
  }
} catch (error) {
  // The connection failed, or a message was not JSON, or not an order. Such a message closes the channel:
  // with 1007 from our own transport, without a code from most platforms' own WebSocket.
  console.error(`Cannot go on: ${(error as Error).message}`);
  globalThis.process.exitCode = 1;
}
await orders.sink.close().catch(() => {});
console.log(`closed by: ${(await socket.closed).initiator}`);
