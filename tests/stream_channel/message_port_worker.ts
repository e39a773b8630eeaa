/** The other side of the tests with a real Worker: an echo in capitals, until "end" comes. */

import { MessagePortChannel, type StreamChannel } from "../../src/stream_channel/mod.ts";

// A worker's scope is a port; this file is type-checked as if it were a window.
const scope = globalThis as unknown as ConstructorParameters<typeof MessagePortChannel>[0];

const channel: StreamChannel<string> = import.meta.url.endsWith("?connect")
  ? MessagePortChannel.connectReceive<string>(scope)
  : new MessagePortChannel<string>(scope);

channel.stream.listen((text) => {
  if (text === "end") channel.sink.close();
  else channel.sink.add(text.toUpperCase());
});
