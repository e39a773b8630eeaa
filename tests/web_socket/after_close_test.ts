/** Messages between a channel's own Close and the peer's, and how its sink reports room or the end. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { UnsupportedError, WebSocketChannel } from "../../mod.ts";
import { webSocketChannelPair } from "../../src/testing/web_socket_channel_pair.ts";
import { over } from "../../src/web_socket/over.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { withRecipe } from "../support/recipes.ts";
import { nextChannel, withServer } from "../server/support.ts";
import { FakeBytes } from "./support.ts";
import { microtasks } from "../support/events.ts";

/** A client whose peer is the test. */
function client(clock: ManualClock, highWaterMark?: number) {
  const bytes = new FakeBytes();
  const channel = over(bytes, { side: "client", afterClose: "deliver", highWaterMark }, clock);
  return { bytes, channel };
}

Deno.test("after close: a listener receives the peer's messages until the peer's Close", async () => {
  const { bytes, channel } = client(new ManualClock());
  const log: unknown[] = [];
  channel.stream.listen((message) => log.push(message), { onDone: () => log.push("done") });
  const closed = channel.sink.close(1000, "bye");
  bytes.receive(frame({ opcode: 1, payload: "last words" }));
  await microtasks();
  assertEquals(log, ["last words"]);
  assertThrows(() => channel.sink.add("no"), DOMException, "the sink is closed");
  bytes.receive(closeFrame(1000, "bye"));
  bytes.incoming.end();
  await closed;
  assertEquals(log, ["last words", "done"]);
  assertEquals((await channel.closed).wasClean, true);
});

Deno.test("after close: a reader still gets the messages that arrived before the own Close", async () => {
  const { client, server } = webSocketChannelPair({ client: { afterClose: "deliver" } });
  server.sink.add("early");
  await client.ping();
  const closed = client.sink.close(1000);
  const found: unknown[] = [];
  for await (const message of client.stream) found.push(message);
  assertEquals(found, ["early"]);
  await closed;
  assertEquals((await server.closed).code, 1000);
});

Deno.test("after close: by default, close drops the received messages and ends the stream at once", async () => {
  const { client, server } = webSocketChannelPair();
  server.sink.add("early");
  await client.ping();
  void client.sink.close(1000);
  assertEquals(await client.stream.next(), { done: true, value: undefined });
  await client.closed;
});

Deno.test("after close: the close timer ends the stream after the received messages", async () => {
  const clock = new ManualClock();
  const { bytes, channel } = client(clock);
  void channel.sink.close(1000);
  bytes.receive(frame({ opcode: 1, payload: "one" }));
  clock.advance(5_000);
  assertEquals((await channel.closed).initiator, "timeout");
  assertEquals((await channel.stream.next()).value, "one");
  assert((await channel.stream.next()).done);
});

Deno.test("after close: a reader without room pauses the peer, and reading resumes it", async () => {
  const { bytes, channel } = client(new ManualClock(), 8);
  void channel.sink.close(1000);
  bytes.receive(frame({ opcode: 1, payload: "0123456789" }));
  bytes.receive(frame({ opcode: 1, payload: "next" }), closeFrame(1000));
  bytes.incoming.end();
  await microtasks();
  assertEquals([channel.closeCode, channel.state], [null, "closing"]);
  assertEquals((await channel.stream.next()).value, "0123456789");
  assertEquals((await channel.stream.next()).value, "next");
  assert((await channel.stream.next()).done);
  assert((await channel.closed).wasClean);
});

Deno.test("after close: terminate drops the remaining messages", async () => {
  const { bytes, channel } = client(new ManualClock());
  void channel.sink.close(1000);
  bytes.receive(frame({ opcode: 1, payload: "one" }));
  channel.terminate();
  assert((await channel.stream.next()).done);
});

Deno.test("whenReady: it distinguishes between room and the end", async () => {
  const { bytes, channel } = client(new ManualClock(), 8);
  assertEquals(await channel.sink.whenReady(), true);
  bytes.full = true;
  channel.sink.add("0123456789");
  await microtasks();
  assertFalse(channel.sink.hasRoom);
  const [room, derived] = [channel.sink.whenReady(), channel.cast<string>().sink.whenReady()];
  bytes.drain();
  assertEquals([await room, await derived], [true, true]);
  bytes.full = true;
  channel.sink.add("0123456789");
  await microtasks();
  const { signal } = { signal: AbortSignal.abort("enough") };
  assertEquals(await channel.sink.whenReady({ signal }).catch((error) => error), "enough");
  const end = channel.sink.whenReady();
  channel.terminate();
  assertEquals([await end, await channel.sink.whenReady()], [false, false]);
});

Deno.test("whenReady: it reports the end of a transformed channel, and rejects a wrong option", async () => {
  const { client, server } = webSocketChannelPair();
  const upper = client.transformSink<string>((text) => text.toUpperCase());
  assertEquals(await upper.sink.whenReady(), true);
  void server.sink.close(1000);
  await client.closed;
  assertEquals(await upper.sink.whenReady(), false);
  await assertRejects(
    async () => await client.sink.whenReady({ timeout: 1 } as never),
    TypeError,
    "timeout",
  );
});

Deno.test("after close: over a network, a client receives the server's messages until the server's Close", async () => {
  await withRecipe("messages-after-close", { messages: ["late", "later"] }, async ({ url }) => {
    for (const afterClose of ["deliver", "drop"] as const) {
      const channel = await WebSocketChannel.open(url, { afterClose, transport: "net" });
      void channel.sink.close(1000);
      const found: unknown[] = [];
      for await (const message of channel.stream) found.push(message);
      assertEquals(found, afterClose === "deliver" ? ["late", "later"] : []);
      assert((await channel.closed).wasClean);
    }
  });
});

Deno.test("after close: the option changes the chosen transport, because platforms' own sockets drop messages", async () => {
  await withRecipe("messages-after-close", { messages: ["late"] }, async ({ url }) => {
    const channel = await WebSocketChannel.open(url, { afterClose: "deliver" });
    assert(channel.capabilities.ping);
    void channel.sink.close();
    assertEquals((await channel.stream.next()).value, "late");
    await channel.closed;
    const native = WebSocketChannel.connect(url, { afterClose: "deliver", transport: "native" });
    const error = await native.ready.catch((it: unknown) => it);
    assertInstanceOf(error, UnsupportedError);
  });
});

Deno.test("after close: a server receives its clients' messages until their Close", async () => {
  await withServer({ afterClose: "deliver", ownBuffers: true }, async (server) => {
    const client = await WebSocketChannel.open(server.url, { transport: "net" });
    const channel = await nextChannel(server);
    void channel.sink.close(1000);
    // The client sends these before the server's Close arrives.
    client.sink.add(Uint8Array.of(1, 2));
    client.sink.add("last");
    const { value } = await channel.stream.next();
    assertEquals([...value as Uint8Array], [1, 2]);
    assertEquals((value as Uint8Array).buffer.byteLength, 2);
    assertEquals((await channel.stream.next()).value, "last");
    assert((await channel.stream.next()).done);
    await client.closed;
  });
});
