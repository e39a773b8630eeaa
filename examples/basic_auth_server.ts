// A server that asks for a user name and a password, as HTTP Basic has it: run it with a port. Where
// others can listen in, serve wss:, or they read the password.

import "./debug.ts";
import { createHash, timingSafeEqual } from "node:crypto";
import { WebSocketServer } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

/** Of one length, whatever the text's: `timingSafeEqual` takes nothing else. */
function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

const expected = digest(btoa("Aladdin:open sesame"));

const server = await WebSocketServer.bind({
  port,
  verify({ headers }) {
    const [, credentials = ""] = /^basic +(.*)$/i.exec(headers.get("authorization") ?? "") ?? [];
    // In constant time: how long the answer takes doesn't tell how much of a guess is right.
    if (timingSafeEqual(digest(credentials), expected)) return true;
    return { status: 401, headers: { "WWW-Authenticate": 'Basic realm="cave", charset="UTF-8"' } };
  },
  handler: async (channel) => {
    for await (const message of channel.stream) channel.sink.add(message);
  },
});
console.log(`listening at ${server.url}`);
