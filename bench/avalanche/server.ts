/** The server of an avalanche: it prints how many clients it has, and closes with the code that it reads. */

import process from "node:process";
import { WebSocketServer } from "../../src/server/mod.ts";

const [port = "0", wanted = "0"] = process.argv.slice(2);
let count = 0;
const server = await WebSocketServer.bind({
  port: Number(port),
  hostname: "127.0.0.1",
  handler: async ({ stream }) => {
    if (++count === Number(wanted)) console.log(JSON.stringify({ fullAt: Date.now() }));
    for await (const _message of stream);
    count--;
  },
});
console.log(JSON.stringify({ port: Number(new URL(server.url).port) }));
process.stdin.once("data", async (code: Uint8Array) => {
  await server.close({ code: Number(new TextDecoder().decode(code)), drainTimeout: 10_000 });
  process.exit();
});
