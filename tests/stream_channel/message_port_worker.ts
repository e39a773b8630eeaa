/** The other side of the tests with a real Worker: an echo in capitals, until it receives "end". */

import { MessagePortChannel, type StreamChannel } from "../../src/stream_channel/mod.ts";

const channel: StreamChannel<string> = import.meta.url.endsWith("?connect")
  ? MessagePortChannel.connectReceive<string>(self)
  : new MessagePortChannel<string>(self);

channel.stream.listen((text) => {
  if (text === "end") channel.sink.close();
  else channel.sink.add(text.toUpperCase());
});
