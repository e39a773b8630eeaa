/** Many clients that stay connected, in one process. It prints the times of their attempts. */

import process from "node:process";
import { ReconnectingChannel, type ReconnectingOptions } from "../../src/reconnecting/mod.ts";

const [url = "", count = "0", way = ""] = process.argv.slice(2);

/** A fixed delay, the same for all clients, as in many programs. */
const FIXED: ReconnectingOptions = { retry: () => 1000 };

const attempts: number[] = [];
let isCounting = false;
const channels: ReconnectingChannel[] = [];
for (let i = 0; i < Number(count); i++) {
  channels.push(ReconnectingChannel.connect(url, {
    ...(way === "fixed" ? FIXED : {}),
    onState: ({ name }) => {
      if (isCounting && name === "connecting") attempts.push(Date.now());
    },
  }));
  // The first connections must not be an avalanche themselves.
  if (i % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 20));
}
process.stdin.on("data", async (command: Uint8Array) => {
  isCounting = new TextDecoder().decode(command).trim() === "count";
  if (isCounting) return console.log(JSON.stringify({ counting: channels.length }));
  console.log(JSON.stringify({ attempts }));
  await Promise.all(channels.map((it) => it.close()));
  process.exit();
});
