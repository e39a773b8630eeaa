/**
 * A sender that obeys backpressure over TCP: the echo of another connection of the same process gets
 * through. The bound is there to end a test that fails.
 */

import { assert } from "@std/assert";
import { WebSocketServer } from "../../src/server/mod.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";

const BOUND = 20_000;

function serve(): Promise<WebSocketServer> {
  return WebSocketServer.bind({ hostname: "127.0.0.1", port: 0 });
}

function urlOf(server: WebSocketServer, path: string): string {
  return `ws://127.0.0.1:${server.address?.port}${path}`;
}

/** Echoes where the path says so; elsewhere it only reads. */
async function answer(server: WebSocketServer): Promise<void> {
  for await (const channel of server) {
    const echoes = channel.request.url.pathname === "/echo";
    channel.stream.listen((message) => {
      if (echoes) channel.sink.add(message);
    });
  }
}

for (const how of ["ready", "flush"] as const) {
  Deno.test(`attack 56: a sender that awaits ${how} to a peer that keeps up holds up no echo`, async () => {
    const server = await serve();
    const serving = answer(server);
    const sender = await WebSocketChannel.open(urlOf(server, "/read"), { transport: "net" });
    const other = await WebSocketChannel.open(urlOf(server, "/echo"), { transport: "net" });
    const start = performance.now();
    let echoed = false;
    other.stream.next().then(() => echoed = true);
    other.sink.add("hello");
    while (!echoed && performance.now() - start < BOUND) {
      sender.sink.add("x");
      if (how === "ready") await sender.sink.ready;
      else await sender.sink.flush();
    }
    assert(echoed, "The echo hasn't come while the sender went on");
    sender.terminate();
    await other.sink.close();
    await server.close();
    await serving;
  });
}
