/** A signal that outlives many channels, such as a program's own, keeps nothing of them. */

import { assertEquals, assertRejects } from "@std/assert";
import { WebSocketChannel } from "../../mod.ts";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { countingSignal, microtasks } from "../support/events.ts";
import { OpenSource } from "../stream_channel/raw_channel.ts";

Deno.test("listen: however it ends, the signal has no listener left", async () => {
  const { signal, count } = countingSignal();
  const endings: ((ends: ReturnType<typeof channelPair<number>>) => void)[] = [
    ({ local }) => void local.sink.close(),
    ({ foreign }) => void foreign.sink.close(),
    ({ foreign }) => foreign.sink.addError(new Error("mine")),
  ];
  for (const end of endings) {
    for (const paused of [false, true]) {
      const pair = channelPair<number>();
      const subscription = pair.local.stream.listen(() => {}, { signal });
      if (paused) subscription.pause();
      pair.foreign.sink.add(1);
      assertEquals(count(), 1);
      end(pair);
      await microtasks();
      subscription.resume();
      await microtasks();
      assertEquals(count(), 0);
    }
  }
  const { local } = channelPair<number>();
  local.stream.listen(() => {}, { signal }).cancel();
  assertEquals(count(), 0);
});

Deno.test("addStream: however it ends, the signal has no listener left", async () => {
  const { signal, count } = countingSignal();
  const { local, foreign } = channelPair<number>();
  await local.sink.addStream([1, 2], { signal });
  assertEquals(count(), 0);
  const source = new OpenSource<number>();
  const failed = local.sink.addStream(source, { signal, preventAbort: true });
  await microtasks();
  assertEquals(count(), 1);
  source.fail(new Error("mine"));
  await assertRejects(() => failed);
  assertEquals(count(), 0);
  // The other end goes while the source gives nothing.
  const endless = local.sink.addStream(new OpenSource<number>(), { signal });
  await foreign.sink.close();
  await endless.catch(() => {});
  assertEquals(count(), 0);
});

Deno.test("connect: however the attempt ends, the signal has no listener left", async () => {
  const { signal, count } = countingSignal();
  // Nothing listens on port 1 of loopback, on any platform that may connect to it at all.
  const failed = WebSocketChannel.connect("ws://127.0.0.1:1", { signal });
  await assertRejects(() => failed.ready);
  await failed.closed;
  assertEquals(count(), 0);
  const given = WebSocketChannel.connect("ws://127.0.0.1:1", { signal });
  await given.sink.close();
  await given.closed;
  assertEquals(count(), 0);
});

Deno.test("a WebSocket channel that is read and written with a signal keeps nothing of it", async () => {
  const { signal, count } = countingSignal();
  for (let i = 0; i < 200; i++) {
    const { client, server } = webSocketChannelPair();
    server.stream.listen(() => {}, { signal });
    await client.sink.addStream(["a", "b"], { signal });
    await client.sink.close();
    await server.closed;
  }
  assertEquals(count(), 0);
});
