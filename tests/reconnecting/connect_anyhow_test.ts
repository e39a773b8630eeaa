// Not in browsers: they have no pings

import { assertEquals } from "@std/assert";
import { connectAnyhow } from "../../src/reconnecting/connect_anyhow.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";

/** Whether a channel created with the options can ping. */
async function canPing(options: ConnectOptions): Promise<boolean> {
  const channel = connectAnyhow("ws://127.0.0.1:9", options, systemClock);
  channel.terminate();
  await channel.closed;
  return channel.capabilities.ping;
}

Deno.test("reconnecting: the channel pings if the platform can, unless an option disables pings", async () => {
  assertEquals(await canPing({}), true);
  assertEquals(await canPing({ pingInterval: 100 }), true);
  assertEquals(await canPing({ transport: "native" }), false);
});

Deno.test("reconnecting: the channel uses a mock of WebSocket, and doesn't bypass it", async () => {
  const { WebSocket } = globalThis;
  class Mock extends EventTarget {
    readonly readyState = 0;
    close(): void {}
  }
  globalThis.WebSocket = Mock as unknown as typeof WebSocket;
  try {
    assertEquals(await canPing({}), false);
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});
