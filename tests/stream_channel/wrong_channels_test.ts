/** A value that is not a channel is a TypeError that describes a channel, and nothing is locked. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  channelPair,
  DelegatingStreamChannel,
  Disconnector,
  jsonDocument,
  MultiChannel,
  StreamChannel,
  StreamChannelCompleter,
  StreamChannelTransformer,
  withCloseGuarantee,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";

const WRONG: readonly (readonly [value: unknown, got: string])[] = [
  [undefined, "got undefined"],
  [null, "got null"],
  [5, "got 5"],
  ["ws://localhost", "got a string"],
  [() => {}, "got a function"],
  [[], "got an array"],
  [{}, "got an object"],
  [new Date(), "got a Date"],
  [{ stream: null, sink: null }, "got an object"],
  [{ stream: channelPair().local.stream }, "got an object"],
  [{ stream: {}, sink: {} }, "got an object"],
  [{ readable: new ReadableStream() }, "got an object"],
  [{ readable: {}, writable: new WritableStream() }, "got an object"],
];

const id = <T>(value: T): T => value;

/** Each function that accepts a channel. */
const DOORS: Readonly<Record<string, (channel: never) => unknown>> = {
  "StreamChannel.from": (channel) => StreamChannel.from(channel),
  pipe: (channel) => channelPair().local.pipe(channel),
  MultiChannel: (channel) => new MultiChannel(channel),
  DelegatingStreamChannel: (channel) => new DelegatingStreamChannel(channel),
  setChannel: (channel) => new StreamChannelCompleter().setChannel(channel),
  Disconnector: (channel) => new Disconnector().transformChannel(channel),
  StreamChannelTransformer: (channel) =>
    new StreamChannelTransformer(id, id).transformChannel(channel),
  jsonDocument: (channel) => jsonDocument.transformChannel(channel),
  withGuarantees: (channel) => withGuarantees(channel),
  withCloseGuarantee: (channel) => withCloseGuarantee(channel),
};

for (const [name, call] of Object.entries(DOORS)) {
  Deno.test(`${name}: a value that is not a channel is a TypeError that describes a channel`, () => {
    for (const [value, got] of WRONG) {
      const { message } = assertThrows(() => call(value as never), TypeError);
      assertStringIncludes(message, "Cannot use the channel: it must have ");
      assertStringIncludes(message, got);
    }
  });
}

Deno.test("a readable without a writable is not a channel, and is not locked", () => {
  const readable = new ReadableStream<string>();
  assertThrows(
    () => StreamChannel.from({ readable } as never),
    TypeError,
    "Cannot use the channel",
  );
  assertEquals(readable.locked, false);
});

Deno.test("changeStream and changeSink: a value that is not a stream or a sink is a TypeError", () => {
  for (const value of [undefined, null, 5, {}, []]) {
    const { local } = channelPair<string>();
    assertThrows(
      () => local.changeStream(() => value as never),
      TypeError,
      "Cannot use the stream: ",
    );
    assertThrows(() => local.changeSink(() => value as never), TypeError, "Cannot use the sink: ");
  }
});
