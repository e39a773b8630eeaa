/**
 * A client that stays connected to the given URL, with short deadlines, and echoes. With `quiet`, only
 * its wake-up can detect a dead connection.
 */

import process from "node:process";
import { ReconnectingChannel } from "../../../src/reconnecting/mod.ts";

const [url = "", way = ""] = process.argv.slice(2);
const pings = way === "quiet" ? { pingInterval: 60_000 } : { pingInterval: 300, pingTimeout: 300 };
const channel = ReconnectingChannel.connect({ url, ...pings }, {
  connectTimeout: 1000,
  closeTimeout: 1000,
  firstDelay: 100,
  maxDelay: 1000,
  minUptime: 100,
});
channel.stream.listen((message) => void channel.sink.add(message));
console.log("listening at nothing");
const { attempts, code } = await channel.closed;
console.log(`closed ${JSON.stringify({ attempts, code })}`);
