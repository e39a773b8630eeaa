/**
 * Attack 57: this process stalls for longer than a deadline (a blocked event loop, SIGSTOP, a machine that
 * sleeps). The channel reads what the healthy peer sent meanwhile before it gives up the peer.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { NativeChannel } from "../../src/native/native_channel.ts";

import { checkPlatformOptions, PlatformUpgrade } from "../../src/server/platform_upgrade.ts";
import { Broadcaster } from "../../src/server/broadcast.ts";
import { connectOver } from "../../src/web_socket/over.ts";
import { signKey } from "../../src/handshake/accept_key.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { RawClient, SAMPLE_KEY } from "../support/recipe_clients.ts";
import { turn, until } from "../support/turns.ts";
import { nextChannel, upgraded, withServer } from "../server/support.ts";
import { ended, FakeBytes, rig } from "../web_socket/support.ts";
import { deferred } from "../support/promises.ts";

/** Stalls longer than each deadline, one of them by a millisecond. */
const STALLS = [5001, 60_000, 3_600_000];

/** A Close frame with code 1000, of a server. */
const CLOSE = Uint8Array.of(0x88, 2, 0x03, 0xe8);

Deno.test("attack 57: a stall while a channel closes: the peer's Close is read, the end is clean", async () => {
  for (const stall of STALLS) {
    for (const before of [0, 2500, 4990]) {
      const { channel, bytes, clock } = rig({ closeTimeout: 5000 });
      void channel.sink.close(1000);
      await microtasks();
      clock.advance(before);
      clock.stall(stall);
      assertEquals(channel.state, "closing", `${before} + ${stall}`);
      bytes.receive(CLOSE);
      bytes.incoming.end();
      assertEquals((await ended(channel)).wasClean, true, `${before} + ${stall}`);
      assertEquals(clock.pending, 0);
    }
  }
});

Deno.test("attack 57: a stall while only the transport's sink has failed: the peer's Close is read", async () => {
  const { channel, bytes, clock } = rig({ closeTimeout: 5000 });
  bytes.outgoing.fail(new Error("broken"));
  await microtasks();
  clock.stall(60_000);
  bytes.receive(CLOSE);
  bytes.incoming.end();
  const { code } = await ended(channel);
  assertEquals(code, 1000);
});

Deno.test("attack 57: a stall while a native channel closes: its close event is read", async () => {
  for (const stall of STALLS) {
    const clock = new ManualClock();
    const socket = new FakeWebSocket();
    const channel = NativeChannel.from(socket, { closeTimeout: 5000 }, clock);
    void channel.sink.close(1000);
    clock.stall(stall);
    socket.closed({ code: 1000, wasClean: true });
    assertEquals((await channel.closed).initiator, "local");
    assertEquals(clock.pending, 0);
  }
});

Deno.test("attack 57: a stall while connecting: the client reads the server's answer, the channel opens", async () => {
  for (const stall of STALLS) {
    const clock = new ManualClock();
    const bytes = new FakeBytes();
    const options = { connectTimeout: 5000 };
    const channel = connectOver(bytes, "ws://a.example/", options, clock);
    await microtasks();
    clock.stall(stall);
    await microtasks();
    assertEquals(channel.state, "connecting", `${stall}`);
    const request = new TextDecoder().decode(bytes.written[0]);
    const key = /Sec-WebSocket-Key: (\S+)/i.exec(request)?.[1] ?? "";
    const answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
      `Connection: Upgrade\r\nSec-WebSocket-Accept: ${signKey(key)}\r\n\r\n`;
    bytes.receive(new TextEncoder().encode(answer));
    await channel.ready;
    channel.terminate();
    assertEquals(clock.pending, 0);
  }
});

Deno.test("attack 57: a stall while a native socket connects: the channel opens", async () => {
  for (const stall of STALLS) {
    const clock = new ManualClock();
    const socket = new FakeWebSocket(0);
    const channel = NativeChannel.from(socket, { connectTimeout: 5000 }, clock);
    clock.stall(stall);
    socket.open();
    await channel.ready;
    channel.terminate();
    assertEquals(clock.pending, 0);
  }
});

Deno.test("attack 57: a stall during the decision about a platform's upgrade: the upgrade is accepted", async () => {
  const clock = new ManualClock();
  const asked = deferred();
  const settings = checkPlatformOptions({
    verify: () => asked.promise.then(() => true),
    handshakeTimeout: 5000,
  }, []);
  // Some platforms don't allow setting all of these fields.
  const request = {
    url: "http://a.example/",
    method: "GET",
    headers: new Map(Object.entries({
      host: "a.example",
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-key": SAMPLE_KEY,
      "sec-websocket-version": "13",
    })),
    signal: new AbortController().signal,
  } as unknown as Request;
  const decision = new PlatformUpgrade(request, { address: "192.0.2.1", port: 1 }).decide(
    settings,
    clock,
  );
  await microtasks();
  clock.stall(60_000);
  asked.resolve();
  assertEquals((await decision).refusal, null);
  assertEquals(clock.pending, 0);
});

/** Waits until a number of timers are pending. */
async function timers(clock: ManualClock, count: number): Promise<void> {
  await until(() => clock.pending >= count);
}

Deno.test({
  name:
    "attack 57: a stall of a server: connections without a request yet, and decisions, continue",
  fn: async () => {
    const clock = new ManualClock();
    const asked = deferred();
    const answered = deferred();
    const verify = async ({ url }: { url: URL }): Promise<boolean> => {
      if (url.pathname !== "/wait") return true;
      asked.resolve();
      await answered.promise;
      return true;
    };
    const times = { handshakeTimeout: 5000, pingInterval: 0 };
    await withServer({ clock, verify, ...times }, async (server) => {
      const silent = new RawClient(server.url);
      // Bun accepts a connection without data only after a while.
      await timers(clock, 1);
      const waiting = new RawClient(server.url);
      waiting.request("/wait");
      await asked.promise;
      clock.stall(60_000);
      silent.request();
      answered.resolve();
      for (const client of [silent, waiting]) {
        assertStringIncludes(await client.response(), " 101 ");
        await client.destroy();
      }
    });
  },
});

Deno.test("attack 57: a stall of a server that drains: its clients close in an orderly way", async () => {
  const clock = new ManualClock();
  await withServer({ clock, pingInterval: 0 }, async (server) => {
    const client = await upgraded(server);
    const channel = await nextChannel(server);
    const closed = server.close({ code: 1001, drainTimeout: 1000 });
    // The server has sent its Close.
    await client.hex(4);
    clock.stall(60_000);
    client.send(8, Uint8Array.of(0x03, 0xe9));
    await client.end();
    await client.destroy();
    await closed;
    const { wasClean, received } = await channel.closed;
    assertEquals([wasClean, received?.code], [true, 1001]);
  });
});

Deno.test("attack 57: a stall does not count a receiver as slow, under any policy for slow ones", async () => {
  for (const slow of ["close", "drop-oldest", "latest"] as const) {
    for (const before of [0, 950]) {
      const bytes = new FakeBytes();
      const { channel, clock } = rig({ side: "server", bytes, pingInterval: 0 });
      const broadcaster = new Broadcaster(clock);
      const options = { slow, maxQueueSize: 10, stallTimeout: 1000 };
      bytes.full = true;
      channel.sink.add(new Uint8Array(100_000));
      await microtasks();
      for (let i = 0; i < 3; i++) broadcaster.send([channel], `message ${i}`, options);
      clock.advance(before);
      clock.stall(60_000);
      await microtasks();
      assertEquals(channel.state, "open", `${slow}, ${before}`);
      // The next turn reports everything that was sent meanwhile.
      bytes.drain();
      await microtasks();
      await turn();
      clock.advance(10_000);
      await microtasks();
      assertEquals(channel.state, "open", `${slow}, ${before}`);
      const sent = bytes.sent();
      assert(sent.includes("6d65737361676520" + "32"), `the last message is missing: ${slow}`);
      channel.terminate();
      assertEquals(clock.pending, 0);
    }
  }
});
