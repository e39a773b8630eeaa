// A reverse proxy for WebSockets: it accepts clients that know the token. It passes on their path, query
// and first subprotocol, all messages and the close code, but no header fields.
// Run it with a port, the URL of the server behind it, and the token.

import { createHash, timingSafeEqual } from "node:crypto";
import { WebSocketChannel } from "@web-socket/channel";
import { relay, WebSocketServer } from "@web-socket/channel/server";

const [port = "8080", upstream = "", token = ""] = globalThis.process.argv.slice(2);

/** All digests have the same length, which `timingSafeEqual` requires. */
function digest(text: string | null): Uint8Array {
  return createHash("sha256").update(text ?? "").digest();
}

const expected = digest(`Bearer ${token}`);

const server = await WebSocketServer.bind({
  port: Number(port),
  // In constant time, so that the time of an answer doesn't reveal how much of a guess is right.
  verify: ({ headers }) =>
    timingSafeEqual(digest(headers.get("authorization")), expected) || { status: 401 },
  protocols: (request) => request.protocols[0] ?? null,
  handler: async (guest) => {
    const { pathname, search } = guest.request.url;
    const protocols = guest.protocol === null ? [] : [guest.protocol];
    const behind = WebSocketChannel.connect(new URL(pathname + search, upstream), {
      protocols,
      // Deno's own WebSocket can't send codes such as 1001, and can't slow a server down.
      require: ["allCloseCodes", "inboundBackpressure"],
    });
    const [{ code }] = await relay(guest, behind);
    console.log(`${pathname} ended with ${code}`);
  },
});
console.log(`listening at ${server.url}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  globalThis.process.once(signal, () => server.close({ code: 1012 }));
}
