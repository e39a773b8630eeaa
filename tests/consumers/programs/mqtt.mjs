/** mqtt.js, with Debian's mosquitto: publish and subscribe, up to 10 kB (mosquitto 2.0 stalls above). */

import assert from "node:assert/strict";
import process from "node:process";
import mqtt from "mqtt";
import { createWebSocket } from "web-socket-channel/faces";
import { freePort, run, startProgram } from "./support.mjs";

await run(async () => {
  const port = await freePort();
  // With no listener but this one, mosquitto 2.0.11 says that it has none.
  const config = `listener ${await freePort()} 127.0.0.1
listener ${port} 127.0.0.1
protocol websockets
allow_anonymous true
persistence false
log_dest none
`;
  const stop = await startProgram(process.argv[2] || "mosquitto", ["-c", "FILE"], {
    config,
    port,
  });
  const url = `ws://127.0.0.1:${port}`;

  const WebSocket = createWebSocket({ pingInterval: 30_000 });
  const client = await mqtt.connectAsync(url, {
    forceNativeWebSocket: true,
    createWebsocket: (url, protocols) => new WebSocket(url, protocols),
  });
  await client.subscribeAsync("greet/#", { qos: 1 });
  for (const size of [1, 125, 126, 1000, 10_000]) {
    const message = new Promise((resolve) =>
      client.once("message", (topic, payload) => resolve([topic, payload]))
    );
    await client.publishAsync("greet/one", "x".repeat(size), { qos: 1 });
    const [topic, payload] = await message;
    assert.deepEqual([topic, payload.length], ["greet/one", size]);
  }
  await client.endAsync();
  await stop();
});
