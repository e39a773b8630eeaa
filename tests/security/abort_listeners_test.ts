/** A signal that outlives many channels, such as a program's own, keeps no listener of them. */

import { assertEquals, assertRejects } from "@std/assert";
import { WebSocketChannel } from "../../mod.ts";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { countingSignal, microtasks } from "../support/events.ts";
import { OpenSource } from "../stream_channel/raw_channel.ts";

Deno.test("listen: the signal has no listener left, however listening ends", async () => {
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

Deno.test("addStream: the signal has no listener left, however sending ends", async () => {
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
  // The other end closes while the source emits nothing.
  const endless = local.sink.addStream(new OpenSource<number>(), { signal });
  await foreign.sink.close();
  await endless.catch(() => {});
  assertEquals(count(), 0);
});

Deno.test("connect: the signal has no listener left, however the attempt ends", async () => {
  const { signal, count } = countingSignal();
  // Port 1 of loopback has no listener; some platforms refuse to connect to it.
  const failed = WebSocketChannel.connect("ws://127.0.0.1:1", { signal });
  await assertRejects(() => failed.ready);
  await failed.closed;
  assertEquals(count(), 0);
  const given = WebSocketChannel.connect("ws://127.0.0.1:1", { signal });
  await given.sink.close();
  await given.closed;
  assertEquals(count(), 0);
});

Deno.test("a WebSocket channel leaves no listener on the signals it was read and written with", async () => {
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
