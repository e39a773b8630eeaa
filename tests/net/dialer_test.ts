/** Dialling loads on demand: a channel's behaviour until then, and if loading fails. */

import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { connect } from "../../src/connect.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";
import { ConnectError } from "../../src/web_socket/errors.ts";
import * as loaded from "../../src/net/dialer.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { connectNet, type Dialling } from "../../src/net/connect_net.ts";
import { Deferred } from "../../src/stream_channel/errors.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { withRecipe } from "../support/recipes.ts";

function begin(
  url: string,
  options: ConnectOptions = {},
): { channel: WebSocketChannel; clock: ManualClock; loading: Deferred<Dialling> } {
  const clock = new ManualClock();
  const loading = new Deferred<Dialling>();
  const request = parseConnect(url, options);
  return {
    channel: connectNet(request, options, clock, { dialling: loading.promise }),
    clock,
    loading,
  };
}

Deno.test("dialling: the channel is connecting and queues messages while the dialler loads", async () => {
  await withRecipe("echo", {}, async (echo) => {
    const { channel, clock, loading } = begin(echo.url);
    channel.unref();
    channel.ref();
    channel.sink.add("early");
    assertEquals([channel.state, channel.sink.bufferedAmount], ["connecting", 5]);
    assertEquals(Object.values(channel.capabilities).every((it) => it), true);
    assertEquals((await echo.stats()).connections, 0);
    loading.resolve(loaded);
    assertEquals((await channel.stream.next()).value, "early");
    await channel.sink.close();
    assertEquals(clock.pending, 0);
  });
});

Deno.test("dialling: a channel that ends while the dialler loads opens no connection", async () => {
  await withRecipe("echo", {}, async (echo) => {
    const abort = new AbortController();
    const closed = begin(echo.url);
    const aborted = begin(echo.url, { signal: abort.signal });
    const late = begin(echo.url, { connectTimeout: 1000 });
    const all = [closed, aborted, late];
    await closed.channel.sink.close();
    abort.abort(new Error("enough"));
    late.clock.advance(1000);
    for (const { loading } of all) loading.resolve(loaded);
    const errors = await Promise.all(all.map(({ channel }) => channel.ready.catch((it) => it)));
    assertEquals(errors.map((it: Error) => it.message), [
      "Cannot connect: the channel was closed meanwhile",
      "enough",
      `Cannot connect to ${late.channel.url}: it took longer than 1000 ms, in phase dns`,
    ]);
    await microtasks();
    assertEquals((await echo.stats()).connections, 0);
    assertEquals(all.map(({ clock }) => clock.pending), [0, 0, 0]);
  });
});

Deno.test("dialling: the channel fails when the dialler can't be loaded", async () => {
  const { channel, clock, loading } = begin("ws://a.test");
  const reason = new TypeError("Module not found");
  loading.reject(reason);
  const error = await channel.ready.catch((it: unknown) => it);
  assertInstanceOf(error, ConnectError);
  assertEquals(error.message, "Cannot connect to ws://a.test/: a module can't be loaded");
  assertStrictEquals(error.cause, reason);
  assertStrictEquals(await channel.stream.next().catch((it: unknown) => it), error);
  assertStrictEquals((await channel.closed).error, error);
  assertEquals(clock.pending, 0);
});

Deno.test("dialling: connect loads the dialler once and reuses it", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    for (let i = 0; i < 3; i++) {
      const channel = connect(url, { transport: "net" });
      channel.sink.add(`message ${i}`);
      assertEquals((await channel.stream.next()).value, `message ${i}`);
      await channel.sink.close();
    }
  });
});
