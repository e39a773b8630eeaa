// The README's first page in the style of Dart: run it with the URL of a server.
// deno-lint-ignore-file no-unused-vars

import { WebSocketChannel } from "@web-socket/channel";
import * as status from "@web-socket/channel/status";

const url = globalThis.process.argv[2] ?? "ws://example.com";

const channel = WebSocketChannel.connect(url);
await channel.ready;

channel.stream.listen((message) => {
  channel.sink.add("received!");
  channel.sink.close(status.goingAway);
});
