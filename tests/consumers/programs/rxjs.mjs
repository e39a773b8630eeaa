/** rxjs: a subject over a connection. */

import assert from "node:assert/strict";
import { firstValueFrom, take, toArray } from "rxjs";
import { webSocket } from "rxjs/webSocket";
import { createWebSocket } from "web-socket-channel/faces";
import { echoServer, run } from "./support.mjs";

await run(async () => {
  const { server, channels, url } = await echoServer({
    verify: (request) => request.url.pathname !== "/refused",
  });

  const subject = webSocket({
    url,
    protocol: "chat",
    WebSocketCtor: createWebSocket({ headers: { "X-From": "rxjs" } }),
  });
  const answers = firstValueFrom(subject.pipe(take(2), toArray()));
  subject.next({ n: 1 });
  subject.next({ n: 2 });
  assert.deepEqual(await answers, [{ n: 1 }, { n: 2 }]);
  assert.equal(channels[0].request.headers.get("x-from"), "rxjs");
  await channels[0].closed;

  // What the server closes with goes to the close observer.
  const closing = await new Promise((resolve) => {
    const closeObserver = { next: resolve };
    webSocket({ url, closeObserver, WebSocketCtor: createWebSocket() }).subscribe();
    void (async () => {
      while (channels.length < 2) await new Promise((resolve) => setTimeout(resolve));
      void channels[1].sink.close(4000, "no more");
    })();
  });
  assert.deepEqual([closing.code, closing.reason, closing.wasClean], [4000, "no more", true]);

  // A refusal comes as the error event, with its cause.
  const elsewhere = webSocket({ url: `${url}/refused`, WebSocketCtor: createWebSocket() });
  const { error } = await new Promise((resolve) => elsewhere.subscribe({ error: resolve }));
  assert.equal(error.status, 403);
  await server.close();
});
