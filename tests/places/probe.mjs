/** What connect chooses in a place, printed as one line of JSON. */

import { writeSync } from "node:fs";
import process from "node:process";

/** Which transport a channel has, and what it receives; or the error's text. */
async function outcome({ WebSocketChannel }, url, options) {
  const channel = WebSocketChannel.connect(url, options);
  const error = await channel.ready.then(() => null, (it) => it);
  if (error !== null) return `${error.name}: ${error.message}`;
  channel.sink.add("hello");
  const { value } = await channel.stream.next();
  await channel.sink.close(1000);
  const { code, initiator } = await channel.closed;
  const transport = channel.capabilities.ping ? "net" : "native";
  return `${transport}: ${value}, ${code} ${initiator}`;
}

/** Probes a place, with the package that the environment names. */
export async function probe() {
  const { PLACE_PACKAGE, PLACE_URL, PLACE_OPTIONS } = process.env;
  const found = await import(PLACE_PACKAGE);
  const outcomes = [];
  for (const options of JSON.parse(PLACE_OPTIONS)) {
    outcomes.push(await outcome(found, PLACE_URL, options));
  }
  // A test runner would put its own words around it.
  writeSync(1, `\n${JSON.stringify({ outcomes })}\n`);
}
