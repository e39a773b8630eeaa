/** Clients leave with a FIN or an RST in each phase of an upgrade: the server throws nothing, and keeps nothing of them. */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import {
  acceptUpgrade,
  type AcceptUpgradeOptions,
  bunWebSocket,
  ConnectionLimits,
  type ServerRequest,
  type ServerWebSocketChannel,
  upgradeWebSocket,
} from "../../src/server/mod.ts";
import { bind } from "../../src/server/web_socket_server.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { opcodes } from "../support/frames.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { requestText } from "../server/support.ts";
import { deferred } from "../support/promises.ts";
import { listen } from "../support/loopback.ts";

/** TCP connections of a server that the client has ended and the server has not; `null` if unknown. */
function closeWaits(url: string): number | null {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  try {
    const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
    return lines.filter((line) => line.includes(`0100007F:${port} 0100007F:`))
      .filter((line) => line.trim().split(/\s+/)[3] === "08").length;
  } catch {
    return null;
  }
}

/** A running server. */
interface Serving {
  readonly url: string;
  /** The number of channels that aren't closed. */
  readonly open: number;
  close(): Promise<void>;
}

type Options = Pick<
  AcceptUpgradeOptions,
  | "closeTimeout"
  | "compression"
  | "handler"
  | "handshakeTimeout"
  | "headers"
  | "hosts"
  | "limits"
  | "onError"
  | "protocols"
  | "verify"
>;

const channelsOf = (channels: readonly ServerWebSocketChannel[]): number =>
  channels.filter(({ state }) => state !== "closed").length;

/** Starts an echo server; a handler may replace the echo. */
function echo(channel: ServerWebSocketChannel, { handler }: Options): void {
  if (handler !== undefined) return;
  channel.stream.listen((message) => channel.sink.add(message));
}

const ENTRIES: Record<string, (options: Options) => Promise<Serving>> = {
  async bind(options) {
    const server = await bind(options);
    void (async () => {
      if (options.handler !== undefined) return;
      for await (const channel of server) echo(channel, options);
    })();
    return {
      url: server.url,
      get open(): number {
        return server.channels.size;
      },
      close: () => server.close({ drainTimeout: 0 }),
    };
  },
  async acceptUpgrade(options) {
    const channels: ServerWebSocketChannel[] = [];
    const server = createServer((_request, response) => void response.end("page"));
    server.on("upgrade", (request, socket, head) => {
      const channel = acceptUpgrade(request, socket, head, options);
      channels.push(channel);
      echo(channel, options);
    });
    const port = await listen(server);
    return {
      url: `ws://127.0.0.1:${port}`,
      get open(): number {
        return channelsOf(channels);
      },
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  },
};

if (platform() === "deno") {
  ENTRIES["upgradeWebSocket"] = ({ closeTimeout: _, ...options }) => {
    const channels: ServerWebSocketChannel[] = [];
    const stop = new AbortController();
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {}, signal: stop.signal },
      async (request, info) => {
        const { response, channel } = await upgradeWebSocket(request, { ...options, info });
        if (channel !== null) {
          channels.push(channel);
          echo(channel, options);
        }
        return response;
      },
    );
    return Promise.resolve({
      url: `ws://127.0.0.1:${server.addr.port}`,
      get open(): number {
        return channelsOf(channels);
      },
      // Its `shutdown()` waits forever if a client has reset the connection before Deno's upgrade.
      close() {
        stop.abort();
        return server.finished;
      },
    });
  };
}

interface BunLike {
  serve(options: object): { port: number; stop(force: boolean): Promise<void> };
}

if (platform() === "bun") {
  ENTRIES["bunWebSocket"] = (options) => {
    const channels: ServerWebSocketChannel[] = [];
    const { Bun } = globalThis as unknown as { Bun: BunLike };
    const { upgrade, websocket } = bunWebSocket(options);
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      // deno-lint-ignore no-explicit-any -- Bun's own server
      async fetch(request: Request, server: any) {
        const { response, channel } = await upgrade(request, server);
        if (channel !== null) {
          channels.push(channel);
          echo(channel, options);
        }
        return response;
      },
      websocket,
    });
    return Promise.resolve({
      url: `ws://127.0.0.1:${server.port}`,
      get open(): number {
        return channelsOf(channels);
      },
      close: () => server.stop(true),
    });
  };
}

/** What a client does before it leaves. */
const PHASES: Readonly<Record<string, (client: RawClient) => Promise<void> | void>> = {
  "before a byte": () => {},
  "in the middle of the request": (client) => void client.socket.write("GET / HTTP/1.1\r\nHo"),
  "right behind the request": (client) => client.request(),
  "behind a request that is refused": (client) =>
    void client.socket.write(requestText({ "Sec-WebSocket-Key": "x" })),
  "right behind the 101": async (client) => {
    client.request();
    await client.response();
  },
  "in the middle of a frame": async (client) => {
    client.request();
    await client.response();
    client.socket.write(Uint8Array.of(0x81, 0xff, 0, 0));
  },
  "behind a message": async (client) => {
    client.request();
    await client.response();
    client.send(opcodes.text, "hello");
  },
  "behind its Close": async (client) => {
    client.request();
    await client.response();
    client.send(opcodes.close, Uint8Array.of(3, 232));
  },
};

const LEAVING = ["end", "resetAndDestroy", "destroy"] as const;

/** Waits until the server has no channel and no half-closed connection. */
async function cleared(server: Serving): Promise<void> {
  const until = Date.now() + 20_000;
  while (server.open > 0 || closeWaits(server.url)) {
    if (Date.now() > until) assertEquals([server.open, closeWaits(server.url)], [0, 0]);
    await delay(5);
  }
}

async function connected(url: string): Promise<RawClient> {
  const client = new RawClient(url);
  await new Promise<void>((resolve) => client.socket.once("connect", () => resolve()));
  return client;
}

/** Clients leave in each phase; then the server still answers. */
async function inEachPhase(
  serve: (options: Options) => Promise<Serving>,
  leave: typeof LEAVING[number],
): Promise<void> {
  await assertNoUncaught(async () => {
    const server = await serve({ closeTimeout: 200, handshakeTimeout: 2000 });
    for (const [phase, act] of Object.entries(PHASES)) {
      for (let i = 0; i < 3; i++) {
        const client = await connected(server.url);
        await act(client);
        client.socket[leave]();
        // The server answers a FIN with its own, so no connection stays half open.
        if (leave === "end") await client.end();
        await client.destroy();
      }
      await cleared(server).catch((cause) => {
        throw new Error(`Something is left of a client that left ${phase}`, { cause });
      });
    }
    // The server still works.
    const client = new RawClient(server.url);
    client.request();
    await client.response();
    client.send(opcodes.text, "hello");
    assertEquals(await client.hex(7), "810568656c6c6f");
    await client.destroy();
    await cleared(server);
    await server.close();
  });
}

/** Returns an answer after a delay. */
type Decide = <Answer>(request: ServerRequest, answer: Answer) => Promise<Answer>;

/** For each option: a slow decision function. */
const DECIDING: Readonly<Record<string, (decide: Decide) => Options>> = {
  clientAddress: (decide) => ({
    limits: new ConnectionLimits({
      maxConnections: 1,
      clientAddress: (request) => decide(request, "192.0.2.1"),
    }),
  }),
  hosts: (decide) => ({ hosts: (_, request) => decide(request, true) }),
  verify: (decide) => ({ verify: (request) => decide(request, true) }),
  protocols: (decide) => ({ protocols: (request) => decide(request, "chat") }),
  headers: (decide) => ({ headers: (request) => decide(request, { "X-Late": "yes" }) }),
  compression: (decide) => ({ compression: (request) => decide(request, true) }),
};

for (const [entry, serve] of Object.entries(ENTRIES)) {
  for (const leave of LEAVING) {
    const name = `attack 67: ${entry}: clients that leave in each phase: ${leave}`;
    // Deno leaves its own operation behind when an upgrade has failed.
    const sanitizeOps = entry !== "upgradeWebSocket";
    Deno.test({ name, sanitizeOps, fn: () => inEachPhase(serve, leave) });

    for (const [option, deciding] of Object.entries(DECIDING)) {
      if (option === "compression" && !["bind", "acceptUpgrade"].includes(entry)) continue;
      const title = `attack 67: ${entry}: a client that leaves while ${option} decides: ${leave}`;
      Deno.test(title, async () => {
        await assertNoUncaught(async () => {
          let asked = deferred();
          let decided = deferred();
          let aborted = 0;
          const decide: Decide = async ({ signal }, answer) => {
            signal.addEventListener("abort", () => aborted++);
            asked.resolve();
            await decided.promise;
            return answer;
          };
          const server = await serve({ ...deciding(decide), handshakeTimeout: 0 });
          for (let i = 1; i <= 3; i++) {
            asked = deferred();
            decided = deferred();
            const client = await connected(server.url);
            client.request("/", ["Sec-WebSocket-Protocol: chat"]);
            await asked.promise;
            client.socket[leave]();
            while (aborted < i) await delay(5);
            if (leave === "end") await client.end();
            decided.resolve();
            await client.destroy();
          }
          await cleared(server);
          await server.close();
        });
      });
    }

    Deno.test(`attack 67: ${entry}: a client that leaves while its handler starts: ${leave}`, async () => {
      await assertNoUncaught(async () => {
        let started = deferred();
        let ready = deferred();
        const codes: number[] = [];
        const errors: unknown[] = [];
        const server = await serve({
          closeTimeout: 200,
          onError: (error) => errors.push(error),
          handler: async (channel) => {
            started.resolve();
            await ready.promise;
            channel.sink.add("welcome");
            for await (const message of channel.stream) channel.sink.add(message);
            codes.push((await channel.closed).code);
          },
        });
        for (let i = 1; i <= 3; i++) {
          started = deferred();
          ready = deferred();
          const client = await connected(server.url);
          client.request();
          await started.promise;
          client.socket[leave]();
          if (leave !== "end") await client.destroy();
          ready.resolve();
          while (codes.length < i) await delay(5);
          await client.destroy();
        }
        await cleared(server);
        assertEquals([codes, errors], [[1006, 1006, 1006], []]);
        await server.close();
      });
    });
  }
}
