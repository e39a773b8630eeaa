/**
 * A client that stays connected to the URL that it is given, with small deadlines, and echoes. `quiet` leaves it to
 * its wake-up alone to notice that a connection is dead.
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
