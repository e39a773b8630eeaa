// JSON-RPC: a client calls functions of the server, each call with a timeout. Run it without arguments.
import { WebSocketChannel } from "@web-socket/channel";
import { WebSocketServer } from "@web-socket/channel/server";
import { jsonDocument } from "@web-socket/channel/stream-channel";
import { z } from "zod";
// A message that doesn't fit its schema closes the channel with 1007.
const Request = z.object({ id: z.string(), method: z.string(), params: z.number().array() });
const Answer = z.object({ id: z.string(), result: z.any().optional(), error: z.any().optional() });

const server = await WebSocketServer.bind({
  port: 0,
  async handler(guest) {
    const rpc = guest.transform(jsonDocument({ incoming: Request }));
    for await (const { id, method, params } of rpc.stream) {
      if (method === "sleep") continue; // forever: it sends no answer
      const error = { code: -32601, message: `there is no method ${method}` };
      const answer = method === "max" ? { result: Math.max(...params) } : { error };
      rpc.sink.add({ jsonrpc: "2.0", id, ...answer });
    }
  },
});

const rpc = WebSocketChannel.connect(server.url).transform(jsonDocument({ incoming: Answer }));
const calls = new Map<string, (answer: Partial<z.infer<typeof Answer>>) => void>();
rpc.stream.listen((answer) => calls.get(answer.id)?.(answer), {
  onDone: () => calls.forEach((end) => end({ error: { message: `closed: ${rpc.closeCode}` } })),
});
function call(method: string, params: unknown[], timeout = 5000): Promise<unknown> {
  const id = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    AbortSignal.timeout(timeout).onabort = () => reject(Error("it took too long"));
    calls.set(id, ({ result, error }) => error ? reject(Error(error.message)) : resolve(result));
    rpc.sink.add({ jsonrpc: "2.0", id, method, params });
  }).finally(() => calls.delete(id));
}

for (const [method = "", ...params] of [["max", 3, 14, 15], ["sleep"], ["fly"], ["max", "text"]]) {
  console.log(method, await call(`${method}`, params, 1000).catch(({ message }) => message));
}
await server.close();
