import { assertEquals, assertThrows } from "@std/assert";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Http2Server } from "node:http2";
import { acceptStreams, type ConnectError } from "../../src/http2/mod.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { rejection } from "../support/promises.ts";
import { open, withEcho, withPool } from "../http2/support.ts";

type Listening = Parameters<typeof listen>[0];

/** What a server answers to a request. */
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

Deno.test("acceptStreams: beside a listener of request, whose pages go on, and without the setting", async () => {
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
    // A CONNECT for a tunnel is refused as before.
    assertEquals(await statusOf(port, { ":method": "CONNECT", ":authority": "a.test:80" }), 405);
    await channel.sink.close();
  });
  stop();
  assertEquals(["session", "stream", "connect"].map((it) => server.listenerCount(it)), [
    0,
    // That of the listener of `request`.
    server.listenerCount("stream"),
    0,
  ]);
  await closeServer(server);
});

Deno.test("acceptStreams: another protocol than websocket is a 501", async () => {
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

Deno.test("acceptStreams: a stream that another listener has taken is reported, and stays its own", async () => {
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

Deno.test("acceptStreams: a server of node:http is a TypeError", () => {
  const server = createHttpServer();
  assertThrows(() => acceptStreams(server as never), TypeError, "must be one of node:http2");
});
