import { assertEquals, assertThrows } from "@std/assert";
import { connect, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { acceptStream, type ServerHttp2Stream as AnyStream } from "../../src/http2/mod.ts";
import type { RefusedUpgrade, ServerWebSocketChannel } from "../../src/server/mod.ts";
import { withServer } from "../http2/support.ts";
import { rejection } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { acceptOn } from "../../src/server/accept_stream.ts";
import { checkServerOptions } from "../../src/server/server_options.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

const REQUEST: OutgoingHttpHeaders = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "http",
  ":path": "/chat",
  ":authority": "localhost",
  "sec-websocket-version": "13",
};

type Answer = Readonly<Record<string, unknown>>;

/**
 * A server's response to a request: its header fields and its body.
 *
 * @param before Runs before the client disconnects.
 */
async function answerTo(
  url: string,
  fields: OutgoingHttpHeaders,
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<[Answer, string]> {
  const session = connect(url.replace("ws:", "http:"));
  session.on("error", () => {});
  try {
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const answer = await new Promise<[Answer, string]>((resolve, reject) => {
      const stream = session.request({ ...REQUEST, ...fields }, { endStream: false });
      let head: Answer = {};
      let body = "";
      stream.on("response", (it) => {
        head = it;
        // An open channel has no end.
        if (it[":status"] === 200) resolve([head, ""]);
      });
      stream.on("data", (chunk) => body += chunk);
      stream.on("end", () => resolve([head, body]));
      stream.on("error", reject);
    });
    await before();
    return answer;
  } finally {
    session.destroy();
  }
}

Deno.test("acceptStream: refuses malformed requests with a status, and reports them", async () => {
  const refused: RefusedUpgrade[] = [];
  await withServer((server) => {
    server.on("stream", (stream, headers, _flags, raw?: string[]) => {
      const channel = acceptStream(stream as unknown as AnyStream, raw ?? headers as never, {
        onRefused: (it) => refused.push(it),
        protocols: ["chat"],
        headers: { "X-More": "1" },
      });
      channel.ready.catch(() => {});
    });
  }, async ({ url }) => {
    const statusOf = async (fields: OutgoingHttpHeaders): Promise<unknown> =>
      (await answerTo(url, fields))[0][":status"];
    assertEquals(await statusOf({ ":protocol": "other" }), 501);
    assertEquals(await statusOf({ "sec-websocket-version": "8" }), 400);
    assertEquals(await statusOf({ ":authority": "a,b" }), 400);
    assertEquals(await statusOf({ "host": "other.test" }), 400);
    assertEquals(await statusOf({ "sec-websocket-protocol": "a b" }), 400);
    assertEquals(await statusOf({ "origin": "http://other.test" }), 403);
    assertEquals(refused.map(({ reason }) => reason), [
      ...Array.from({ length: 5 }, () => "malformed"),
      "origin",
    ]);
    const [head] = await answerTo(url, {
      "sec-websocket-protocol": "chat",
      "origin": "http://localhost",
      "host": "localhost",
    });
    assertEquals(
      [head[":status"], head["sec-websocket-protocol"], head["x-more"], head["connection"]],
      [200, "chat", "1", undefined],
    );
  });
});

Deno.test("acceptStream: joins several cookie fields, and takes the URL's host from :authority", async () => {
  let channel: ServerWebSocketChannel | null = null;
  await withServer((server) => {
    server.on("stream", (stream, headers, _flags, raw?: string[]) => {
      channel = acceptStream(stream as unknown as AnyStream, raw ?? headers as never);
    });
  }, async ({ url }) => {
    await answerTo(url, { "cookie": ["a=1", "b=2"], ":path": "/x?y" });
    const { request } = channel as unknown as ServerWebSocketChannel;
    assertEquals([...request.cookies], [["a", "1"], ["b", "2"]]);
    assertEquals(request.headers.get("cookie"), "a=1; b=2");
    assertEquals([request.url.href, request.remoteAddress], ["ws://localhost/x?y", "127.0.0.1"]);
    assertEquals([...request.headers.keys()].filter((name) => name.startsWith(":")), []);
  });
});

Deno.test("acceptStream: throws for a stream that was accepted before; malformed options leave the stream untouched", async () => {
  const errors: unknown[] = [];
  await withServer((server) => {
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      const it = stream as unknown as AnyStream;
      assertThrows(() => acceptStream(it, headers as never, { nothing: 1 } as never), TypeError);
      const channel = acceptStream(it, headers as never);
      try {
        acceptStream(it, headers as never);
      } catch (error) {
        errors.push((error as Error).name);
      }
      errors.push(channel.state);
    });
  }, async ({ url }) => {
    const [head] = await answerTo(url, {});
    assertEquals([head[":status"], errors], [200, ["InvalidStateError", "open"]]);
  });
});

Deno.test("acceptStream: throws for arguments of the wrong type or order, and starts nothing", async () => {
  const call = acceptStream as (...values: unknown[]) => ServerWebSocketChannel;
  for (const it of [undefined, null, 5, "stream", {}, []]) {
    const message = "Cannot accept the stream: it must be one of a server of node:http2";
    assertThrows(() => call(it, {}), TypeError, message);
  }
  await withServer((server) => {
    server.on("stream", (stream, headers) => {
      assertThrows(() => call(headers, stream), TypeError, "Cannot accept the stream");
      for (const fields of [undefined, null, 5, "/", () => {}]) {
        const message = "the header fields must be an object or a list";
        assertThrows(() => call(stream, fields), TypeError, message);
      }
      // The caller forgot the header fields.
      call(stream, { handler: () => {}, protocols: ["chat"], timeout: 5 }).ready.catch(() => {});
    });
  }, async ({ url }) => {
    const [head] = await answerTo(url, {});
    assertEquals(head[":status"], 405);
  });
});

Deno.test("acceptStream: rejects when the client disconnects while verify is pending, or the signal aborts", async () => {
  const channels: ServerWebSocketChannel[] = [];
  const given = new AbortController();
  await withServer((server) => {
    server.on("stream", (stream, headers) => {
      channels.push(acceptStream(stream as unknown as AnyStream, headers as never, {
        signal: given.signal,
        verify: ({ signal }) =>
          new Promise((resolve) => signal.addEventListener("abort", () => resolve(false))),
      }));
      if (headers[":path"] === "/abort") given.abort(new Error("enough"));
    });
  }, async ({ url }) => {
    const session = connect(url.replace("ws:", "http:"));
    session.on("error", () => {});
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    const stream = session.request(REQUEST, { endStream: false });
    stream.on("error", () => {});
    await until(() => channels.length === 1);
    stream.close(8);
    const gone = await rejection(channels[0]!.ready);
    assertEquals((gone as Error).message, "Cannot accept the upgrade: the client has left");
    session.destroy();
    const [head] = await answerTo(url, { ":path": "/abort" });
    assertEquals(head[":status"], 503);
    assertEquals((await rejection(channels[1]!.ready) as Error).message, "enough");
  });
});

Deno.test("acceptStream: resets a refused client that doesn't end its half within a second", async () => {
  const clock = new ManualClock();
  const streams: ServerHttp2Stream[] = [];
  await withServer((server) => {
    server.on("stream", (stream, headers) => {
      streams.push(stream);
      const event = { stream: stream as unknown as AnyStream, fields: headers as never };
      acceptOn(event, checkServerOptions({ verify: () => false }), clock).ready.catch(() => {});
    });
  }, async ({ url }) => {
    const [head] = await answerTo(url, {}, async () => {
      const [stream] = streams;
      for (let i = 0; i < 5; i++) await turn();
      assertEquals(stream?.destroyed, false);
      await until(() => stream?.destroyed === true, () => clock.advance(100));
      assertEquals(stream?.rstCode, 8);
    });
    assertEquals(head[":status"], 403);
  });
});
