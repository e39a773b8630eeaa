// The README's first page in the style of JavaScript: run it with the URL of a server that sends JSON.
// It uses `await using`, which needs Deno, Bun, Node 24, or a compiler.
// deno-lint-ignore-file no-unused-vars

import { WebSocketChannel } from "@web-socket/channel";

const url = globalThis.process.argv[2] ?? "wss://example.com/feed";

await using channel = WebSocketChannel.connect(url, { protocols: ["v2"] });
await channel.ready; // throws if the connection failed, and says why
channel.sink.add(JSON.stringify({ subscribe: "ticks" }));
for await (const message of channel.stream) {
  if (typeof message === "string") console.log(JSON.parse(message));
}
const { code, reason, initiator } = await channel.closed; // never rejects
