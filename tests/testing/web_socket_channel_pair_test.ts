import { assertEquals, assertThrows } from "@std/assert";
import { webSocketChannelPair } from "../../src/testing/web_socket_channel_pair.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

Deno.test("a pair is open, and exchanges messages in both directions", async () => {
  const { client, server } = webSocketChannelPair({ protocol: "chat" });
  assertEquals([client.state, server.state], ["open", "open"]);
  assertEquals([client.protocol, server.protocol], ["chat", "chat"]);
  await client.ready;
  client.sink.add("hello");
  assertEquals((await server.stream.next()).value, "hello");
  server.sink.add(Uint8Array.of(1));
  assertEquals((await client.stream.next()).value, Uint8Array.of(1));
  await client.sink.close(3000, "enough");
  const { code, reason, wasClean, initiator } = await server.closed;
  assertEquals([code, reason, wasClean, initiator], [3000, "enough", true, "remote"]);
  assertEquals((await client.closed).initiator, "local");
});

Deno.test("no message is delivered inside the call that sends it", async () => {
  const { client, server } = webSocketChannelPair();
  const got: unknown[] = [];
  server.stream.listen((message) => got.push(message));
  client.sink.add("later");
  assertEquals(got, []);
  await microtasks();
  assertEquals(got, ["later"]);
  client.terminate();
  await server.closed;
});

Deno.test("terminate is a lost connection for the other side", async () => {
  const { client, server } = webSocketChannelPair();
  assertEquals(client.capabilities.terminate, true);
  server.terminate();
  const { code, initiator, wasClean } = await client.closed;
  assertEquals([code, initiator, wasClean], [1006, "transport", false]);
});

Deno.test("options for both sides, and for one side", async () => {
  const { client, server } = webSocketChannelPair({
    maxMessageSize: 10,
    client: { maxMessageSize: 3 },
  });
  client.sink.add("1234");
  assertEquals((await server.stream.next()).value, "1234");
  server.sink.add("1234");
  const { sent, initiator } = await client.closed;
  assertEquals([sent?.code, initiator], [1009, "local"]);
  assertThrows(() => webSocketChannelPair({ closeTimeout: -1 }), RangeError);
});

Deno.test("the pair uses the given clock: pings are sent on time, and no timer is left", async () => {
  const clock = new ManualClock();
  const { client, server } = webSocketChannelPair({ clock, client: { pingInterval: 1000 } });
  clock.advance(1000);
  await microtasks(60);
  assertEquals(client.latency, 0);
  await client.sink.close();
  await server.closed;
  assertEquals(clock.pending, 0);
});
