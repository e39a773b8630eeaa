/** rxjs: a subject over a connection. */

import assert from "node:assert/strict";
import { firstValueFrom, take, toArray } from "rxjs";
import { webSocket } from "rxjs/webSocket";
import { createWebSocket } from "web-socket-channel/faces";
import { echoServer, run } from "./support.mjs";

await run(async () => {
  const { server, channels, url } = await echoServer();

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

  // What the server closes with, and a refusal, come as errors.
  const lost = webSocket({ url, WebSocketCtor: createWebSocket() });
  const failure = new Promise((resolve) => lost.subscribe({ error: resolve }));
  lost.next("hello");
  while (channels.length < 2) await new Promise((resolve) => setTimeout(resolve));
  void channels[1].sink.close(4000, "no more");
  const { code, reason } = await failure;
  assert.deepEqual([code, reason], [4000, "no more"]);
  await server.close();
});
