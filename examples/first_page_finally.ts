// The README's first page without `await using`: run it with the URL of a server that sends JSON.
// deno-lint-ignore-file no-unused-vars

import { WebSocketChannel } from "@web-socket/channel";

const url = globalThis.process.argv[2] ?? "wss://example.com/feed";

const channel = WebSocketChannel.connect(url, { protocols: ["v2"] });
try {
  await channel.ready; // throws if the connection failed, and says why
  channel.sink.add(JSON.stringify({ subscribe: "ticks" }));
  for await (const message of channel.stream) {
    if (typeof message === "string") console.log(JSON.parse(message));
  }
  const { code, reason, initiator } = await channel.closed; // never rejects
} finally {
  await channel[Symbol.asyncDispose](); // closes; never rejects
}
