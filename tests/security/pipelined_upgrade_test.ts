/**
 * Several handlers answer one upgrade, or an upgrade is behind a request without an answer yet: at most one 101,
 * answers in the order of their requests, no byte of HTTP between frames.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { acceptUpgrade, bunWebSocket, upgradeWebSocket } from "../../src/server/mod.ts";
import type { ServerWebSocketChannel } from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { RawClient, SAMPLE_KEY } from "../support/recipe_clients.ts";
import { opcodes } from "../support/frames.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { requestText, withServer } from "../server/support.ts";
import { until } from "../support/turns.ts";
import { deferred } from "../support/promises.ts";
import { closeServer, listen } from "../support/loopback.ts";

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

interface Http {
  readonly url: string;
  readonly channels: ServerWebSocketChannel[];
  readonly thrown: unknown[];
}

/** A server of `node:http` that answers its pages when the test says so. */
async function withHttp(
  how: {
    page: (request: IncomingMessage, response: ServerResponse) => void;
    listeners?: number;
    options?: Parameters<typeof acceptUpgrade>[3];
  },
  body: (http: Http) => Promise<void>,
): Promise<void> {
  const server = createServer(how.page);
  const channels: ServerWebSocketChannel[] = [];
  const thrown: unknown[] = [];
  for (let i = 0; i < (how.listeners ?? 1); i++) {
    server.on("upgrade", (request, socket, head) => {
      try {
        const channel = acceptUpgrade(request, socket, head, how.options);
        channels.push(channel);
        channel.stream.listen((message) => channel.sink.add(message));
      } catch (error) {
        thrown.push(error);
      }
    });
  }
  const port = await listen(server);
  try {
    await body({
      url: `ws://127.0.0.1:${port}`,
      channels,
      thrown,
    });
  } finally {
    for (const channel of channels) channel.terminate();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

/** Waits until a client has received a text. */
async function seen(client: RawClient, text: string): Promise<string> {
  for (;;) {
    const got = client.bytes.toString("latin1");
    if (got.includes(text)) return got;
    await new Promise<void>((resolve) => client.socket.once("data", () => resolve()));
  }
}

/** The status lines and the given texts, in the order of their positions. */
function ordered(got: string, texts: readonly string[]): void {
  let at = -1;
  for (const text of texts) {
    const found = got.indexOf(text, at + 1);
    assert(found > at, `${text} isn't in its place: ${JSON.stringify(got)}`);
    at = found;
  }
  assertEquals(got.split("HTTP/1.1 101").length, 2, got);
}

/**
 * Bun treats an upgrade behind an unanswered request as a plain request: it gets an answer, never a 101. With
 * `Bun.serve`, Bun ends the connection.
 */
const onBun = platform() === "bun";

const HELLO = Buffer.of(0x81, 0x85, 0, 0, 0, 0, ...Buffer.from("hello"));

Deno.test("attack 53: a second acceptUpgrade on one socket throws, and the first one continues", async () => {
  await withHttp({ page: () => {}, listeners: 3 }, async ({ url, channels, thrown }) => {
    const client = new RawClient(url);
    client.request();
    await client.response();
    client.socket.write(Buffer.concat([HELLO, HELLO]));
    assertEquals(await client.hex(14), "810568656c6c6f".repeat(2));
    assertEquals(client.bytes.toString("latin1").split("HTTP/1.1 101").length, 2);
    assertEquals(channels.length, 1);
    for (const error of thrown) assertEquals((error as Error).name, "InvalidStateError");
    assertEquals(thrown.length, 2);
    client.send(opcodes.close, Buffer.of(3, 232));
    await client.end();
    await client.destroy();
    assertEquals((await channels[0]?.closed)?.code, 1000);
  });
});

Deno.test("attack 53: a second acceptUpgrade throws while verify decides, and after a refusal", async () => {
  for (const admitted of [true, false]) {
    const { promise: opened, resolve: open } = deferred();
    const options = { verify: () => opened.then(() => admitted) };
    await withHttp({ page: () => {}, listeners: 2, options }, async ({ url, channels, thrown }) => {
      const client = new RawClient(url);
      client.request();
      await until(() => thrown.length !== 0);
      open();
      const head = await client.response();
      assertEquals(head.split(" ")[1], admitted ? "101" : "403");
      assertEquals(client.bytes.toString("latin1").split("HTTP/1.1").length, 2);
      assertEquals([channels.length, thrown.length], [1, 1]);
      if (!admitted) await assertRejects(() => channels[0]!.ready);
      await client.destroy();
    });
  }
});

Deno.test("attack 53: acceptUpgrade with malformed options takes no socket", async () => {
  let answered = 0;
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    assertThrows(() => acceptUpgrade(request, socket, head, { pingInterval: -1 }), RangeError);
    acceptUpgrade(request, socket, head).stream.listen(() => answered++);
  });
  const port = await listen(server);
  const client = new RawClient(`ws://127.0.0.1:${port}`);
  client.request();
  assertEquals((await client.response()).split(" ")[1], "101");
  await client.destroy();
  await closeServer(server);
});

Deno.test("attack 53: an upgrade behind a request that isn't answered yet: answers keep their order", async () => {
  await assertNoUncaught(async () => {
    const waiting: (() => void)[] = [];
    const page = (request: IncomingMessage, response: ServerResponse): void =>
      void waiting.push(() => response.end(`page ${request.url}\n`));
    await withHttp({ page }, async ({ url, channels }) => {
      for (const paths of [["/a"], ["/a", "/b"], ["/a", "/b", "/c"]]) {
        const client = new RawClient(url);
        const frames = onBun ? "" : HELLO.toString("latin1");
        client.socket.write(paths.map(get).join("") + requestText() + frames, "latin1");
        await until(() => waiting.length >= paths.length);
        for (let i = 0; i < 3; i++) await delay(0);
        assertEquals(client.bytes.length, 0);
        for (const answer of waiting.splice(0)) answer();
        if (onBun) {
          const got = await seen(client, "page /\n");
          assert(!got.includes("101 Switching"), got);
          await client.destroy();
          continue;
        }
        const got = await seen(client, "\x81\x05hello");
        ordered(got, [...paths.map((it) => `page ${it}`), "HTTP/1.1 101", "\x81\x05hello"]);
        assert(got.endsWith("\x81\x05hello"), got);
        assertEquals(channels.at(-1)?.state, "open");
        await client.destroy();
      }
    });
  });
});

Deno.test("attack 53: an upgrade behind a request that was answered at once", async () => {
  const page = (_request: IncomingMessage, response: ServerResponse): void =>
    void response.end("page");
  await withHttp({ page }, async ({ url }) => {
    const client = new RawClient(url);
    client.socket.write(get("/a") + requestText() + HELLO.toString("latin1"), "latin1");
    const got = await seen(client, "\x81\x05hello");
    ordered(got, ["page", "HTTP/1.1 101", "\x81\x05hello"]);
    await client.destroy();
  });
});

Deno.test("attack 53: an upgrade behind an answer larger than every buffer, and behind one that ends the connection", async () => {
  const large = "x".repeat(200_000);
  const page = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === "/end") {
      response.setHeader("Connection", "close");
      setTimeout(() => response.end("page"), 1);
      return;
    }
    for (let i = 0; i < 20; i++) {
      if (!response.write(large)) await new Promise<void>((done) => response.once("drain", done));
    }
    response.end("the end");
  };
  await withHttp({ page: (...args) => void page(...args) }, async ({ url }) => {
    const client = new RawClient(url);
    client.socket.write(get("/large") + requestText() + HELLO.toString("latin1"), "latin1");
    if (!onBun) {
      const got = await seen(client, "\x81\x05hello");
      ordered(got, ["the end", "HTTP/1.1 101", "\x81\x05hello"]);
    }
    await client.destroy();
    const last = new RawClient(url);
    last.socket.write(get("/end") + requestText());
    await last.end();
    const got = last.bytes.toString("latin1");
    assert(got.endsWith("page"), got);
    assert(!got.includes("101 Switching"), got);
    await last.destroy();
  });
});

Deno.test("attack 53: an upgrade that is refused, or too slow, waits for the earlier answer too", async () => {
  for (const options of [{ verify: () => false }, { handshakeTimeout: 20 }]) {
    let answer = (): void => {};
    const page = (_request: IncomingMessage, response: ServerResponse): void => {
      response.write("first half,");
      answer = () => void response.end("second half");
    };
    await withHttp({ page, options }, async ({ url, channels }) => {
      const client = new RawClient(url);
      client.socket.write(get("/a") + requestText());
      await seen(client, "first half");
      if (onBun) return await client.destroy();
      await until(() => channels.length !== 0);
      await assertRejects(() => channels[0]!.ready);
      answer();
      await client.end();
      const got = client.bytes.toString("latin1");
      // Too slow: the connection may end before the answer; but nothing is written into the answer.
      const isWhole = got.includes("second half");
      const first = got.split("HTTP/1.1 ")[1] ?? "";
      assert(!isWhole || first.includes("second half"), got);
      assert(!got.includes("101 Switching"), got);
      await client.destroy();
    });
  }
});

Deno.test("attack 53: an upgrade after an endless answer leaves no socket after its timeout", async () => {
  for (const verify of [undefined, () => false, () => new Promise<boolean>(() => {})]) {
    const page = (_request: IncomingMessage, response: ServerResponse): void =>
      void response.write("the beginning");
    const options = { handshakeTimeout: 100, ...(verify === undefined ? {} : { verify }) };
    await withHttp({ page, options }, async ({ url, channels }) => {
      const client = new RawClient(url);
      client.socket.write(get("/a") + requestText());
      await seen(client, "the beginning");
      if (onBun) return await client.destroy();
      await until(() => channels.length !== 0);
      await assertRejects(() => channels[0]!.ready);
      // Without a timeout this waits forever.
      await client.end();
      const got = client.bytes.toString("latin1");
      assertEquals(got.split("HTTP/1.1").length, 2, got);
      await client.destroy();
    });
  }
});

Deno.test("attack 53: bind: a page and an upgrade in one packet", async () => {
  const { promise: opened, resolve: open } = deferred();
  const onRequest = async ({ url }: Request): Promise<Response> => {
    await opened;
    return new Response(`page ${new URL(url).pathname}`);
  };
  await withServer({ onRequest }, async (server) => {
    void (async () => {
      for await (const channel of server) {
        channel.stream.listen((message) => channel.sink.add(message));
      }
    })();
    const client = new RawClient(server.url);
    const frames = onBun ? "" : HELLO.toString("latin1");
    client.socket.write(get("/a") + get("/b") + requestText() + frames, "latin1");
    for (let i = 0; i < 5; i++) await delay(0);
    assertEquals(client.bytes.length, 0);
    open();
    if (onBun) {
      const got = await seen(client, "page /b");
      assert(got.indexOf("page /a") < got.indexOf("page /b"), got);
    } else {
      const got = await seen(client, "\x81\x05hello");
      ordered(got, ["page /a", "page /b", "HTTP/1.1 101", "\x81\x05hello"]);
    }
    await client.destroy();
  });
});

Deno.test("attack 53: a client leaves while its upgrade waits for an earlier answer", async () => {
  await assertNoUncaught(async () => {
    const page = (): void => {};
    await withHttp({ page }, async ({ url, channels }) => {
      if (onBun) return;
      for (const leave of ["end", "resetAndDestroy"] as const) {
        const client = new RawClient(url);
        client.socket.write(get("/a") + requestText());
        const before = channels.length;
        await until(() => channels.length !== before);
        client.socket[leave]();
        await assertRejects(() => channels.at(-1)!.ready);
        await client.destroy();
      }
    });
  });
});

const upgradeRequest = (url: string): string =>
  `GET / HTTP/1.1\r\nHost: ${new URL(url).host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Key: ${SAMPLE_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`;

Deno.test({
  name: "attack 53: upgradeWebSocket: twice on one request, and behind an unanswered request",
  ignore: platform() !== "deno",
  async fn() {
    const { promise: opened, resolve: open } = deferred();
    const errors: unknown[] = [];
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      async (request) => {
        if (!request.headers.has("upgrade")) {
          await opened;
          return new Response("page");
        }
        const { response, channel } = await upgradeWebSocket(request);
        await upgradeWebSocket(request).catch((error) => errors.push(error));
        channel?.stream.listen((message) => channel.sink.add(message));
        return response;
      },
    );
    const url = `ws://127.0.0.1:${server.addr.port}`;
    const client = new RawClient(url);
    client.socket.write(get("/a") + upgradeRequest(url));
    for (let i = 0; i < 5; i++) await delay(0);
    assertEquals(client.bytes.length, 0);
    open();
    await seen(client, "101 Switching");
    client.socket.write(HELLO);
    ordered(await seen(client, "\x81\x05hello"), ["page", "HTTP/1.1 101", "\x81\x05hello"]);
    assertEquals(errors.map((it) => (it as Error).name), ["InvalidStateError"]);
    await client.destroy();
    await server.shutdown();
  },
});

interface BunLike {
  serve(options: object): { port: number; stop(force: boolean): Promise<void> };
}

Deno.test({
  name: "attack 53: bunWebSocket: twice on one request, and behind an unanswered request",
  ignore: !onBun,
  async fn() {
    const { Bun } = globalThis as unknown as { Bun: BunLike };
    const { promise: opened, resolve: open } = deferred();
    const errors: unknown[] = [];
    const { upgrade, websocket } = bunWebSocket();
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      // deno-lint-ignore no-explicit-any -- Bun's own server
      async fetch(request: Request, server: any) {
        if (!request.headers.has("upgrade")) {
          await opened;
          return new Response("page");
        }
        const { response, channel } = await upgrade(request, server);
        await upgrade(request, server).catch((error) => errors.push(error));
        channel?.stream.listen((message) => channel.sink.add(message));
        return response;
      },
      websocket,
    });
    const url = `ws://127.0.0.1:${server.port}`;
    const client = new RawClient(url);
    client.socket.write(upgradeRequest(url));
    await seen(client, "101 Switching");
    client.socket.write(HELLO);
    ordered(await seen(client, "\x81\x05hello"), ["HTTP/1.1 101", "\x81\x05hello"]);
    assertEquals(errors.map((it) => (it as Error).name), ["InvalidStateError"]);
    await client.destroy();
    const behind = new RawClient(url);
    behind.socket.write(get("/a") + upgradeRequest(url));
    await behind.end();
    open();
    assertEquals(behind.bytes.length, 0);
    await behind.destroy();
    await server.stop(true);
  },
});
