import { assertEquals, assertThrows } from "@std/assert";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Http2Server } from "node:http2";
import { acceptStreams, type ConnectError } from "../../src/http2/mod.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { rejection } from "../support/promises.ts";
import { open, withEcho, withPool } from "../http2/support.ts";

type Listening = Parameters<typeof listen>[0];

/** A server's response to a request. */
async function statusOf(port: number, fields: Record<string, string>): Promise<unknown> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  try {
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const stream = session.request(fields);
    return await new Promise((resolve, reject) => {
      stream.on("response", (head) => resolve(head[":status"]));
      stream.on("error", reject);
      stream.on("close", () => reject(new Error(`closed with ${stream.rstCode}`)));
    });
  } finally {
    session.destroy();
  }
}

Deno.test("acceptStreams: leaves plain requests to the request listener, also without the HTTP/2 setting", async () => {
  const server: Http2Server = createServer((request, response) => {
    response.writeHead(request.url === "/page" ? 200 : 404).end();
  });
  const stop = acceptStreams(server, {
    handler: (channel) => void channel.stream.listen((it) => channel.sink.add(it)),
  });
  const port = await listen(server as unknown as Listening);
  await withPool(async (pool) => {
    const channel = await open(`ws://127.0.0.1:${port}`, { pool });
    channel.sink.add("hello");
    assertEquals((await channel.stream.next()).value, "hello");
    assertEquals(await statusOf(port, { ":path": "/page" }), 200);
    assertEquals(await statusOf(port, { ":path": "/other" }), 404);
    // The server still refuses a CONNECT for a tunnel.
    assertEquals(await statusOf(port, { ":method": "CONNECT", ":authority": "a.test:80" }), 405);
    await channel.sink.close();
  });
  stop();
  assertEquals(["session", "stream", "connect"].map((it) => server.listenerCount(it)), [
    0,
    // The response of the `request` listener.
    server.listenerCount("stream"),
    0,
  ]);
  await closeServer(server);
});

Deno.test("acceptStreams: answers 501 to a protocol other than websocket", async () => {
  await withEcho({}, async ({ url }) => {
    const fields = {
      ":method": "CONNECT",
      ":protocol": "connect-udp",
      ":scheme": "http",
      ":path": "/",
      ":authority": "localhost",
    };
    assertEquals(await statusOf(Number(new URL(url).port), fields), 501);
  });
});

Deno.test("acceptStreams: reports a stream that another listener has taken, and leaves it to that listener", async () => {
  const server: Http2Server = createServer();
  server.on("stream", (stream) => {
    stream.on("data", () => {});
    stream.respond({ ":status": 404 }, { endStream: true });
  });
  const errors: unknown[] = [];
  acceptStreams(server, {
    onError: (error, { where, request }) =>
      errors.push((error as Error).name, where, request?.url.pathname),
  });
  const port = await listen(server as unknown as Listening);
  await withPool(async (pool) => {
    const error = await rejection(open(`ws://127.0.0.1:${port}/taken`, { pool }));
    assertEquals((error as ConnectError).status, 404);
  });
  assertEquals(errors, ["InvalidStateError", "attach", "/taken"]);
  await closeServer(server);
});

Deno.test("acceptStreams: throws a TypeError for a server of node:http", () => {
  const server = createHttpServer();
  assertThrows(() => acceptStreams(server as never), TypeError, "must be one of node:http2");
});
