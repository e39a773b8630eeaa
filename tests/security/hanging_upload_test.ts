/** Ways to end an upload to a server that keeps the connection and reads nothing. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import type { ConnectOptions, WebSocketChannel } from "../../mod.ts";
import type { ServerWebSocketChannel } from "../../src/server/mod.ts";

const hasNet = "process" in globalThis;

/** An endless upload to a server that reads nothing. */
async function upload(
  options: ConnectOptions,
  use: (channel: WebSocketChannel, source: () => AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const { WebSocketServer } = await import("../../src/server/mod.ts");
  const server = await WebSocketServer.bind({ port: 0 });
  const guests: ServerWebSocketChannel[] = [];
  const serving = (async () => {
    for await (const guest of server) {
      guests.push(guest);
      guest.stream.listen(() => {}).pause();
    }
  })();
  const channel = NetWebSocketChannel.connect(server.url, { closeTimeout: 50, ...options });
  await channel.ready;
  try {
    await use(channel, endless);
  } finally {
    channel.terminate();
    for (const guest of guests) guest.terminate();
    await server.close({ drainTimeout: 0 });
    await serving;
  }
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield await Promise.resolve(new Uint8Array(100_000));
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `an upload to a server that reads nothing: ${name}`, ignore: !hasNet, fn });
}

test("pingInterval ends it", () =>
  upload({ pingInterval: 50, pingTimeout: 50 }, async (channel, source) => {
    const error = await assertRejects(() => channel.sink.addStream(source()), Error);
    const info = await channel.closed;
    assertStrictEquals(info.error, error);
    assertEquals([info.code, info.initiator], [1006, "timeout"]);
  }));

test("a signal ends it, and the channel can still close", () =>
  upload({}, async (channel, source) => {
    const signal = AbortSignal.timeout(50);
    const adding = channel.sink.addStream(source(), { signal });
    await assertRejects(() => adding, DOMException);
    assertEquals(channel.state, "open");
    assert(channel.sink.add("goes on"));
    await channel.sink.close();
    assertEquals((await channel.closed).initiator, "timeout");
  }));

test("terminate ends it", () =>
  upload({}, async (channel, source) => {
    const adding = channel.sink.addStream(source());
    await channel.sink.ready;
    channel.terminate();
    await assertRejects(() => adding, Error);
    assertEquals((await channel.closed).initiator, "local");
  }));
