// A server that asks for a user name and a password (HTTP Basic): run it with a port. In a real
// program serve wss:, because ws: sends the password in clear text.

import "./debug.ts";
import { createHash, timingSafeEqual } from "node:crypto";
import { WebSocketServer } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

/** All digests have the same length, which `timingSafeEqual` requires. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

const expected = digest(btoa("Aladdin:open sesame"));

const server = await WebSocketServer.bind({
  port,
  verify({ headers }) {
    const [, credentials = ""] = /^basic +(.*)$/i.exec(headers.get("authorization") ?? "") ?? [];
    // In constant time, so that the time of an answer doesn't reveal how much of a guess is right.
    if (timingSafeEqual(digest(credentials), expected)) return true;
    return { status: 401, headers: { "WWW-Authenticate": 'Basic realm="cave", charset="UTF-8"' } };
  },
  handler: async (channel) => {
    for await (const message of channel.stream) channel.sink.add(message);
  },
});
console.log(`listening at ${server.url}`);
