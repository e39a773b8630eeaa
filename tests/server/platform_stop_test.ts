/** How the servers of Deno and Bun are stopped, as docs/how-to/serve.md says: close the channels first. */

import { assert, assertEquals } from "@std/assert";
import { WebSocketChannel } from "../../mod.ts";
import {
  type BunServer,
  bunWebSocket,
  type ServerWebSocketChannel,
  upgradeWebSocket,
} from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";

interface DenoGlobal {
  serve(
    options: { port: number; hostname: string; onListen(): void },
    handler: (request: Request, info: { remoteAddr: object }) => Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void> };
}

interface BunGlobal {
  serve(options: {
    port: number;
    hostname: string;
    fetch(request: Request, server: BunServer): Promise<Response | undefined>;
    websocket: object;
  }): { port: number; stop(force?: boolean): Promise<void> };
}

/** A server with a client. */
interface Served {
  readonly client: WebSocketChannel;
  readonly channel: ServerWebSocketChannel;
  stop(force?: boolean): Promise<void>;
}

async function connected(
  port: number,
  channels: ServerWebSocketChannel[],
  stop: Served["stop"],
): Promise<Served> {
  const client = await WebSocketChannel.open(`ws://127.0.0.1:${port}`, { transport: "net" });
  const [channel] = channels;
  assert(channel !== undefined);
  await channel.ready;
  return { client, channel, stop };
}

async function onDeno(): Promise<Served> {
  const channels: ServerWebSocketChannel[] = [];
  const { Deno } = globalThis as unknown as { Deno: DenoGlobal };
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const server = Deno.serve(options, async (request, info) => {
    const { response, channel } = await upgradeWebSocket(request, { info });
    if (channel !== null) channels.push(channel);
    return response;
  });
  return await connected(server.addr.port, channels, () => server.shutdown());
}

async function onBun(): Promise<Served> {
  const channels: ServerWebSocketChannel[] = [];
  const { Bun } = globalThis as unknown as { Bun: BunGlobal };
  const { upgrade, websocket } = bunWebSocket();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, server) {
      const { response, channel } = await upgrade(request, server);
      if (channel !== null) channels.push(channel);
      return response;
    },
    websocket,
  });
  return await connected(server.port, channels, (force) => server.stop(force));
}

/** Both ends' codes, and who closed. */
async function ends({ client, channel }: Served): Promise<unknown[]> {
  const [theirs, ours] = await Promise.all([client.closed, channel.closed]);
  return [theirs.code, theirs.reason, ours.code, ours.initiator];
}

for (const [where, serve] of [["deno", onDeno], ["bun", onBun]] as const) {
  Deno.test({
    name: `${where}: channels that are closed first end with their code, and the server stops`,
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
  name: "deno: shutdown closes a channel that is left open, and the server's end says 1005",
  ignore: platform() !== "deno",
  async fn() {
    const served = await onDeno();
    await served.stop();
    assertEquals(await ends(served), [1001, "Server shutting down", 1005, "remote"]);
  },
});

Deno.test({
  name:
    "bun: stop waits for the channels; stop(true) closes them, and the server's end says that the client did",
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
