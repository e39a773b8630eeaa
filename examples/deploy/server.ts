// A server to deploy: environment variables set its address, and it restarts without losing a client.

import { WebSocketServer } from "@web-socket/channel/server";

const { env } = globalThis.process;
// systemd's socket activation passes a listening socket as descriptor 3.
const place = env["LISTEN_FDS"] === undefined
  ? { hostname: env["HOSTNAME_TO_LISTEN"] ?? "127.0.0.1", port: Number(env["PORT"] ?? 8080) }
  : { fd: 3 };

const server = await WebSocketServer.bind({
  ...place,
  // The names that clients use. A proxy on this machine passes them on.
  hosts: (env["HOSTS"] ?? "localhost").split(","),
  onRequest: () => new Response("ok\n"),
  async handler(channel) {
    for await (const message of channel.stream) channel.sink.add(message);
  },
});
console.log(`listening at ${server.url}`);

globalThis.process.once("SIGTERM", async () => {
  await server.close({ code: 1012, reason: "restarting", drainTimeout: 20_000 });
  console.log("closed");
});
