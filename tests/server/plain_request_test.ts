import { assert, assertEquals } from "@std/assert";
import type { BindOptions, RequestHandler } from "../../src/server/mod.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { withServer } from "./support.ts";
import { turn } from "../support/turns.ts";
import { deferred } from "../support/promises.ts";

/** Ignores the errors of handlers in this file: the tests expect them. */
const expectError = (): void => {};

/** A server's response to a plain HTTP request. */
async function answer(
  onRequest: BindOptions["onRequest"],
  path = "/",
  init: RequestInit = {},
): Promise<Response & { text: () => Promise<string> }> {
  let response = new Response();
  await withServer({ onRequest, onError: expectError }, async (server) => {
    const got = await fetch(server.url.replace("ws:", "http:") + path, {
      ...init,
      headers: { ...init.headers as Record<string, string>, Connection: "close" },
    });
    const { status, statusText, headers } = got;
    const body = await got.text();
    response = new Response(body, { status, statusText, headers });
  });
  return response;
}

Deno.test("the server answers a plain request with 426, unless the user answers it", async () => {
  const refused = await answer(undefined);
  assertEquals(refused.status, 426);
  assertEquals(refused.headers.get("sec-websocket-version"), "13");
  assertEquals(await refused.text(), "This address speaks WebSocket only\n");
});

Deno.test("the reason phrase is the handler's, or the standard one", async () => {
  const cases: [Response, line: string][] = [
    [new Response("page"), "HTTP/1.1 200 OK"],
    [new Response(null, { status: 204 }), "HTTP/1.1 204 No Content"],
    [new Response("none", { status: 404 }), "HTTP/1.1 404 Not Found"],
    [new Response("none", { status: 404, statusText: "Nowhere" }), "HTTP/1.1 404 Nowhere"],
    [Response.redirect("http://localhost/other", 308), "HTTP/1.1 308 Permanent Redirect"],
  ];
  for (const [response, line] of cases) {
    await withServer({ onRequest: () => response }, async (server) => {
      const client = new RawClient(server.url);
      client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      assertEquals((await client.response()).split("\r\n")[0], line);
      await client.destroy();
    });
  }
});

Deno.test("the handler gets the complete request, and the server sends the complete answer", async () => {
  const large = "x".repeat(300_000);
  const response = await answer(
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const text = await request.text();
      return new Response(`${request.method} ${pathname}${search} ${text}`, {
        status: 201,
        headers: { "X-Got": request.headers.get("x-sent") ?? "" },
      });
    },
    "/a//b?c",
    { method: "POST", body: large, headers: { "X-Sent": "1" } },
  );
  assertEquals([response.status, response.headers.get("x-got")], [201, "1"]);
  assertEquals(await response.text(), `POST /a//b?c ${large}`);
});

Deno.test("a handler may answer with a stream or with nothing, or throw", async () => {
  const parts = ["a", "b", "c"];
  const stream = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull(controller) {
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(part.repeat(50_000)));
      },
    });
  assertEquals((await (await answer(() => new Response(stream()))).text()).length, 150_000);
  assertEquals((await answer(() => new Response(null, { status: 404 }))).status, 404);
  assertEquals((await answer(() => Promise.reject(new Error("secret")))).status, 500);
  const faulty = await answer(() => {
    throw new Error("secret");
  });
  assertEquals(await faulty.text(), "Internal Server Error\n");
});

/** A request for a page, and a server that answers with a stream. */
async function withStream(
  pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void>,
  body: (client: RawClient, cancelled: Promise<void>) => Promise<void>,
): Promise<void> {
  const { promise: cancelled, resolve: open } = deferred();
  const stream = new ReadableStream<Uint8Array>({ pull, cancel: open });
  const options = { onRequest: () => new Response(stream), onError: expectError };
  await withServer(options, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await body(client, cancelled);
    await client.destroy();
  });
}

Deno.test("an endless answer pauses while the client doesn't read, and ends when the client disconnects", async () => {
  const chunk = new Uint8Array(64 * 1024);
  let pulled = 0;
  await withStream((controller) => {
    if (++pulled > 10_000) controller.error(new Error("Nothing holds it back"));
    else controller.enqueue(chunk);
  }, async (client, cancelled) => {
    await client.response();
    client.socket.pause();
    for (let before = -1; before !== pulled;) {
      before = pulled;
      for (let i = 0; i < 100; i++) await turn();
    }
    assert(pulled < 1000, String(pulled));
    await client.destroy();
    await cancelled;
  });
});

Deno.test("the server cuts off an answer that fails half-way, and doesn't end it normally", async () => {
  let pulled = 0;
  await withStream((controller) => {
    if (pulled++ === 0) controller.enqueue(new TextEncoder().encode("half of it"));
    else controller.error(new Error("secret"));
  }, async (client) => {
    await client.end();
    assert(!client.bytes.includes("\r\n0\r\n"), client.bytes.toString());
    assert(!client.bytes.includes("secret"));
  });
});

Deno.test("the server sends no body for a HEAD request, and a 400 for an invalid host", async () => {
  const head = await answer(() => new Response("body"), "/", { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  await withServer({ onRequest: () => new Response("body") }, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write("GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n");
    assertEquals((await client.response()).split(" ")[1], "400");
    await client.destroy();
  });
});

Deno.test("onError gets a handler's error together with its request", async () => {
  const cause = new Error("a fault of the user's");
  const reports: unknown[] = [];
  const stream = (): ReadableStream<Uint8Array> =>
    new ReadableStream({ pull: () => Promise.reject(cause) });
  const handlers: RequestHandler[] = [
    () => {
      throw cause;
    },
    () => Promise.reject(cause),
    () => new Response(stream()),
  ];
  for (const onRequest of handlers) {
    await withServer({
      onRequest,
      onError: (error, { where, request }) => reports.push([error, where, request?.url.href]),
    }, async (server) => {
      const client = new RawClient(server.url);
      client.socket.write("GET /a?b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      await client.end();
      await client.destroy();
    });
    assertEquals(reports.splice(0), [[cause, "onRequest", "http://localhost/a?b"]]);
  }
});

/** Disconnects a client while it sends the body that the handler reads. Returns the errors that `onError` got. */
async function reportsOfLeaving(
  handler: (request: Request) => Promise<Response>,
): Promise<unknown[]> {
  const { promise: ended, resolve: open } = deferred();
  const reports: unknown[] = [];
  const onRequest = async (request: Request): Promise<Response> => {
    // Bun serves the other connection's request.
    if (request.method === "TRACE") return new Response();
    try {
      return await handler(request);
    } finally {
      open();
    }
  };
  const onError = (error: unknown): void => void reports.push(error);
  await withServer({ onRequest, onError }, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
    await new Promise((resolve) => client.socket.once("connect", resolve));
    // The server has read the half request when it answers another connection.
    const other = new RawClient(server.url);
    other.socket.write("TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await other.response();
    await other.destroy();
    await client.destroy();
    await ended;
  });
  return reports;
}

Deno.test("onError gets no error when a client disconnects while it sends its body", async () => {
  assertEquals(await reportsOfLeaving(async (request) => new Response(await request.text())), []);
});

Deno.test("onError gets a handler's own error after a failed body", async () => {
  const cause = new Error("a fault of the user's");
  const reports = await reportsOfLeaving(async (request) => {
    await request.text().catch(() => {});
    throw cause;
  });
  assertEquals(reports, [cause]);
});

/** The status of a plain request when a function decides about its host. */
async function decidedLate(
  hosts: BindOptions["hosts"],
  handshakeTimeout: number,
): Promise<[status: number, reports: unknown[]]> {
  const reports: unknown[] = [];
  let status = 0;
  const onRequest = (): Response => new Response("page");
  const onError = (error: unknown): void => void reports.push(error);
  await withServer({ hosts, handshakeTimeout, onRequest, onError }, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    status = Number((await client.response()).split(" ")[1]);
    await client.destroy();
  });
  return [status, reports];
}

Deno.test("handshakeTimeout bounds how long hosts may decide about a plain request", async () => {
  const [status, reports] = await decidedLate(() => new Promise(() => {}), 20);
  assertEquals([status, (reports[0] as Error).name, reports.length], [503, "TimeoutError", 1]);
  assertEquals(await decidedLate(() => Promise.resolve(true), 20), [200, []]);
});

Deno.test("onError gets a rejection of hosts after the timeout, and nothing else fails", async () => {
  const { promise: opened, resolve: open } = deferred();
  const cause = new Error("a fault of the user's");
  const { promise: reported, resolve: onError } = deferred<unknown>();
  await assertNoUncaught(() =>
    withServer({
      hosts: () => opened.then(() => Promise.reject(cause)),
      handshakeTimeout: 20,
      onError,
    }, async (server) => {
      const client = new RawClient(server.url);
      client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      assertEquals((await client.response()).split(" ")[1], "503");
      open();
      await reported;
      await client.destroy();
    })
  );
});
