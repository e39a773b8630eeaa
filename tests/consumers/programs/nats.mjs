/** @nats-io/nats-core, with Debian's nats-server: publish, subscribe, request, and large messages. */

import assert from "node:assert/strict";
import process from "node:process";
import { wsconnect } from "@nats-io/nats-core";
import { createWebSocket } from "web-socket-channel/faces";
import { freePort, run, startProgram } from "./support.mjs";

await run(async () => {
  const port = await freePort();
  const config = `port: -1
websocket { port: ${port}, host: "127.0.0.1", no_tls: true, compression: true }
max_payload: 4MB
`;
  const stop = await startProgram(process.argv[2] || "nats-server", ["-c", "FILE"], {
    config,
    port,
  });
  const url = `ws://127.0.0.1:${port}`;

  const WebSocket = createWebSocket({ compression: true });
  const nats = await wsconnect({
    servers: url,
    wsFactory: (url) => Promise.resolve({ socket: new WebSocket(url), encrypted: false }),
  });
  const subscription = nats.subscribe("greet.*");
  const answering = (async () => {
    for await (const message of subscription) message.respond(message.data);
  })();
  const large = new Uint8Array(2_000_000).fill(7);
  for (const payload of ["hello", "", large]) {
    const { data } = await nats.request("greet.one", payload);
    const sent = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    assert.deepEqual(new Uint8Array(data), sent);
  }
  await nats.flush();
  await nats.drain();
  await answering;
  await stop();
});
