/** Stops the servers of Deno and Bun as docs/how-to/serve.md says: the channels close first. */

import { assert, assertEquals } from "@std/assert";
import { WebSocketChannel } from "../../mod.ts";
import type { ServerWebSocketChannel } from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { upgradeOnBun, upgradeOnDeno } from "./platform_servers.ts";

/** A server with a client. */
interface Served {
  readonly client: WebSocketChannel;
  readonly channel: ServerWebSocketChannel;
  stop(force?: boolean): Promise<void>;
}

async function served(upgrade: typeof upgradeOnDeno | typeof upgradeOnBun): Promise<Served> {
  const channels: ServerWebSocketChannel[] = [];
  const server = upgrade({}, (channel) => void (channel !== null && channels.push(channel)));
  const url = `ws://127.0.0.1:${server.port}`;
  const client = await WebSocketChannel.open(url, { transport: "net" });
  const [channel] = channels;
  assert(channel !== undefined);
  await channel.ready;
  return { client, channel, stop: (force) => server.stop(force) };
}

async function onDeno(): Promise<Served> {
  return await served(upgradeOnDeno);
}

async function onBun(): Promise<Served> {
  return await served(upgradeOnBun);
}

/** The close codes of both ends, and which side closed. */
async function ends({ client, channel }: Served): Promise<unknown[]> {
  const [theirs, ours] = await Promise.all([client.closed, channel.closed]);
  return [theirs.code, theirs.reason, ours.code, ours.initiator];
}

for (const [where, serve] of [["deno", onDeno], ["bun", onBun]] as const) {
  Deno.test({
    name: `${where}: the server stops after its channels have closed with their code`,
    ignore: platform() !== where,
    async fn() {
      const served = await serve();
      await served.channel.sink.close(1000, "restarting");
      await served.stop();
      assertEquals(await ends(served), [1000, "restarting", 1000, "local"]);
    },
  });
}

Deno.test({
  name: "deno: shutdown closes an open channel, and the server's end reports 1005",
  ignore: platform() !== "deno",
  async fn() {
    const served = await onDeno();
    await served.stop();
    assertEquals(await ends(served), [1001, "Server shutting down", 1005, "remote"]);
  },
});

Deno.test({
  name:
    "bun: stop waits for the channels; stop(true) closes them, and the server's end reports a close by the client",
  ignore: platform() !== "bun",
  async fn() {
    const served = await onBun();
    let isStopped = false;
    const stopped = served.stop().then(() => void (isStopped = true));
    served.channel.sink.add("still open");
    assertEquals((await served.client.stream.next()).value, "still open");
    assertEquals(isStopped, false);
    await served.stop(true);
    await stopped;
    assertEquals(await ends(served), [1001, "Server closed", 1001, "remote"]);
  },
});
