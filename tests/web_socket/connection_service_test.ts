// Not in browsers: it starts a server

import { assertEquals } from "@std/assert";
import { WebSocketServer } from "../../src/server/mod.ts";
import { type ServiceHost, services } from "../../src/web_socket/connection_service.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { until } from "../support/turns.ts";

Deno.test("a service serves the connections that offer its subprotocol, and the handler serves all others", async () => {
  const served: string[] = [];
  const handler = (channel: { protocol: string | null }): void => {
    served.push(`handler ${channel.protocol}`);
  };
  services.set(handler, {
    protocol: "service.v1",
    serve: (connection, host: ServiceHost) => {
      served.push(`service ${connection.protocol} ${host.protocol} ${host.isClosing}`);
      return Promise.resolve();
    },
  });
  const server = await WebSocketServer.bind({ handler, protocols: ["v2"] });
  for (const protocols of [["v2", "service.v1"], ["service.v1"], ["v2"]]) {
    const channel = await WebSocketChannel.open(server.url, { protocols, transport: "net" });
    await channel.sink.close();
  }
  assertEquals(served, [
    "service service.v1 v2 false",
    "service service.v1 null false",
    "handler v2",
  ]);
  await until(() => server.channels.size === 0);
  await server.close();
});
