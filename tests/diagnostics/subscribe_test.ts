import { assertEquals, assertThrows } from "@std/assert";
import { subscribe } from "../../src/diagnostics/subscribe.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { WebSocketChannel } from "../../src/net/mod.ts";
import { withProcess } from "../support/process.ts";

/** A connection from its beginning to its end. */
async function connection(): Promise<void> {
  const { local, foreign } = channelPair<Uint8Array>();
  const client = WebSocketChannel.over(local, { side: "client" });
  const server = WebSocketChannel.over(foreign, { side: "server" });
  await client.sink.close();
  await server.closed;
}

Deno.test("W19 subscribe: subscriptions are independent, and each lasts until it ends", async () => {
  const seen: string[] = [];
  const open = (): void => void seen.push("open");
  const first = subscribe({ open, close: () => seen.push("close") });
  const second = subscribe({ open });
  await connection();
  assertEquals(seen.sort(), ["close", "close", "open", "open", "open", "open"]);
  first();
  first();
  seen.length = 0;
  await connection();
  assertEquals(seen, ["open", "open"]);
  second();
  await connection();
  assertEquals(seen.length, 2);
});

Deno.test("W19 subscribe: wrong arguments and a missing node:diagnostics_channel are errors", () => {
  assertThrows(() => subscribe({ opened() {} } as never), TypeError, "opened");
  assertThrows(() => subscribe({ open: 5 } as never), TypeError, "open");
  withProcess(undefined, () => {
    assertThrows(() => subscribe({ open() {} }), UnsupportedError, "diagnostics_channel");
  });
});
