/** Discarding, on every kind of channel: the sender is never paused, and the end is reported. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { deadline } from "@std/async";
import {
  channelPair,
  jsonDocument,
  MessagePortChannel,
  MultiChannel,
  StreamChannel,
  type StreamChannel as Channel,
  StreamChannelCompleter,
  withCloseGuarantee,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";

const PATIENCE = 10_000;

/** The two ends of a channel of texts. */
interface Ends {
  readonly near: Channel<string>;
  readonly far: Channel<string>;
}

function pair(): Ends {
  const { local, foreign } = channelPair<string>();
  return { near: local, far: foreign };
}

const KINDS: Readonly<Record<string, () => Ends>> = {
  channelPair: pair,
  "a WebSocket": () => {
    const { client, server } = webSocketChannelPair();
    return { near: server.cast<string>(), far: client.cast<string>() };
  },
  "a transformed WebSocket": () => {
    const { client, server } = webSocketChannelPair();
    const near = server.transform(jsonDocument).cast<string>();
    return { near, far: client.cast<string>() };
  },
  withGuarantees: () => {
    const { near, far } = pair();
    return { near: withGuarantees(near), far };
  },
  withCloseGuarantee: () => {
    const { near, far } = pair();
    return { near: withCloseGuarantee(near), far };
  },
  "a completer's channel": () => {
    const { near, far } = pair();
    const completer = new StreamChannelCompleter<string>();
    completer.setChannel(near);
    return { near: completer.channel, far };
  },
  "Web Streams": () => {
    const [there, back] = [
      new TransformStream<string, string>(),
      new TransformStream<string, string>(),
    ];
    return {
      near: StreamChannel.from({ readable: there.readable, writable: back.writable }),
      far: StreamChannel.from({ readable: back.readable, writable: there.writable }),
    };
  },
  MultiChannel: () => {
    const { near, far } = pair();
    const a = new MultiChannel(near.cast<unknown>()).virtualChannel();
    const b = new MultiChannel(far.cast<unknown>()).virtualChannel(a.id);
    return { near: a.cast<string>(), far: b.cast<string>() };
  },
  MessagePortChannel: () => {
    const { port1, port2 } = new MessageChannel();
    return {
      near: new MessagePortChannel<string>(port1),
      far: new MessagePortChannel<string>(port2),
    };
  },
};

for (const [name, make] of Object.entries(KINDS)) {
  Deno.test(`discard: ${name}: it discards more than any queue holds, the sender continues, and the end is reported`, async () => {
    const { near, far } = make();
    near.stream.discard();
    const text = JSON.stringify("x".repeat(10_000));
    const source = Array.from({ length: 100 }, () => text);
    await deadline(far.sink.addStream(source), PATIENCE);
    near.sink.add("still sent");
    const said = await deadline(far.stream.next(), PATIENCE);
    assert(String(said.value).includes("still sent"));
    const over = near.sink.done;
    await deadline(far.sink.close(), PATIENCE);
    // Both halves of Web Streams end independently.
    if (name === "Web Streams") await near.sink.close();
    await deadline(over, PATIENCE);
    if (name !== "Web Streams") assertFalse(near.sink.add("late"));
  });
}

Deno.test("discard: a transformed channel stops decoding, so malformed messages cause no error", async () => {
  const { client, server } = webSocketChannelPair();
  const decoded: string[] = [];
  const near = server.transformStream<string>((message) => {
    decoded.push(String(message));
    throw new Error("malformed");
  });
  near.stream.discard();
  client.sink.add("no matter what");
  await client.sink.close(4001);
  const { code, error } = await near.closed;
  assertEquals([code, error, decoded], [4001, undefined, []]);
});
