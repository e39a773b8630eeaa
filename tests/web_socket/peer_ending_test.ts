import { assertEquals, assertStrictEquals } from "@std/assert";
import { delay } from "@std/async";
import { streamFeed } from "../../src/stream_channel/channel_stream.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { ChannelCore } from "../../src/web_socket/channel_core.ts";
import { endsEarly, failConnection, onPeerClose } from "../../src/web_socket/peer_ending.ts";
import { microtasks, record } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

function opened(): { core: ChannelCore; channel: Channel } {
  const capabilities = NO_CAPABILITIES;
  const core = new ChannelCore({}, new ManualClock(), {
    transport: "bytes",
    capabilities,
    url: () => "",
  });
  core.open({ protocol: null, extensions: "", response: null });
  return { core, channel: new Channel(core) };
}

Deno.test("peer ending: the code and the reason are known before the transport ends", async () => {
  const { core, channel } = opened();
  const content = { code: 4123, reason: "bye" };
  onPeerClose(core, content);
  assertEquals([channel.state, channel.closeCode, channel.closeReason], ["closing", 4123, "bye"]);
  assertEquals((await channel.stream.next()).done, true);
  core.end({ wasClean: true, initiator: "remote" });
  assertEquals((await channel.closed).received, content);
});

Deno.test("peer ending: the peer's end waits for a slow reader, or for the reader that replaces it", async () => {
  const { core } = opened();
  const order: string[] = [];
  endsEarly(core, () => order.push("later"));
  assertEquals(order, []);
  await delay(0);
  assertEquals(order, ["later"]);
  const held: (() => void)[] = [];
  core.onEarlyEnding = (conclude) => held.push(conclude);
  endsEarly(core, () => order.push("held"));
  held[0]?.();
  assertEquals(order, ["later", "held"]);
});

Deno.test("peer ending: after a protocol violation, earlier messages can be read and closed has the error", async () => {
  const { core, channel } = opened();
  streamFeed.add(core.incoming, "before");
  const error = new Error("reserved bits");
  failConnection(core, error, { code: 1002, reason: "" });
  assertEquals([channel.state, channel.sink.add("x"), channel.closeCode], ["closing", false, 1006]);
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals(events, ["before", "done"]);
  assertEquals(core.life.closing.sent?.code, 1002);
  core.end({ wasClean: false, initiator: "remote" });
  const info = await channel.closed;
  assertStrictEquals(info.error, error);
  assertEquals([info.initiator, info.code], ["protocol-error", 1006]);
});
