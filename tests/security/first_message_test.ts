/**
 * A client sends frames with its request, or right behind the 101, and closes: each of its messages
 * gets its answer, whatever way the server reads.
 */

import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { Buffer } from "node:buffer";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { acceptUpgrade, type ServerWebSocketChannel } from "../../src/server/mod.ts";
import { bind } from "../../src/server/web_socket_server.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { signKey } from "../../src/handshake/accept_key.ts";
import { loopGuard } from "../../src/stream_channel/loop_guard.ts";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { LoggingClient, RawClient } from "../support/recipe_clients.ts";
import { joined } from "../support/bytes.ts";
import {
  clientFrame,
  closeCodeIn,
  closeFrame,
  closePayload,
  frame,
  FrameReader,
  framesIn,
  opcodes,
} from "../support/frames.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { until } from "../support/turns.ts";
import { deferred } from "../support/promises.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { upgradeOnBun, upgradeOnDeno } from "../server/platform_servers.ts";

/** The way a server or a client reads its channel. */
type Reader = (channel: WebSocketChannel) => void;

const READERS: Readonly<Record<string, Reader>> = {
  "listen": (channel) => void channel.stream.listen((message) => channel.sink.add(message)),
  "for await": async (channel) => {
    for await (const message of channel.stream) channel.sink.add(message);
  },
  "await ready, then listen": async (channel) => {
    await channel.ready;
    channel.stream.listen((message) => channel.sink.add(message));
  },
  "await ready, then for await": async (channel) => {
    await channel.ready;
    for await (const message of channel.stream) channel.sink.add(message);
  },
};

interface Serving {
  readonly url: string;
  close(): Promise<void>;
}

type Entry = (read: Reader) => Promise<Serving>;

async function serveBound(
  read: Reader,
  options: Parameters<typeof bind>[0] = {},
): Promise<Serving> {
  const server = await bind(options);
  const serving = (async () => {
    for await (const channel of server) read(channel);
  })();
  return {
    url: server.url,
    async close() {
      await server.close({ drainTimeout: 1000 });
      await serving;
    },
  };
}

async function serveHttp(
  read: Reader,
  options: Parameters<typeof acceptUpgrade>[3] = {},
): Promise<Serving> {
  const channels: ServerWebSocketChannel[] = [];
  const server = createHttpServer((_request, response) => void response.end("page"));
  server.on("upgrade", (request, socket, head) => {
    const channel = acceptUpgrade(request, socket, head, options);
    channels.push(channel);
    read(channel);
  });
  const port = await listen(server);
  return {
    url: `ws://127.0.0.1:${port}`,
    async close() {
      await Promise.all(channels.map((it) => it.closed));
      await closeServer(server);
    },
  };
}

const ENTRIES: Record<string, Entry> = {
  "bind": (read) => serveBound(read),
  "bind, asynchronous verify": (read) =>
    serveBound(read, { verify: () => Promise.resolve().then(() => true) }),
  "acceptUpgrade": (read) => serveHttp(read),
  "acceptUpgrade, asynchronous verify": (read) =>
    serveHttp(read, { verify: () => delay(1).then(() => true) }),
};

/** Servers on the platform's own upgrade; only on platforms with a server other than `node:http`. */
function serveDeno(read: Reader): Promise<Serving> {
  const channels: ServerWebSocketChannel[] = [];
  const server = upgradeOnDeno({}, (channel) => {
    if (channel === null) return;
    channels.push(channel);
    read(channel);
  });
  return Promise.resolve({
    url: `ws://127.0.0.1:${server.port}`,
    async close() {
      await Promise.all(channels.map((it) => it.closed));
      await server.stop();
    },
  });
}

function serveBun(read: Reader): Promise<Serving> {
  const server = upgradeOnBun({}, (channel) => void (channel !== null && read(channel)));
  return Promise.resolve({
    url: `ws://127.0.0.1:${server.port}`,
    close: () => server.stop(true),
  });
}

if (platform() === "deno") ENTRIES["upgradeWebSocket"] = serveDeno;
if (platform() === "bun") ENTRIES["bunWebSocket"] = serveBun;

/** The texts that a client received, and the code of the Close behind them. */
async function answers(client: RawClient): Promise<string[]> {
  await client.response();
  await client.end();
  const answers = framesIn(client.body).map(({ opcode, payload }) => {
    if (opcode === opcodes.close) return `close ${closeCodeIn(payload)}`;
    const text = new TextDecoder().decode(payload);
    return opcode === opcodes.pong ? `pong ${text}` : text;
  });
  await client.destroy();
  return answers;
}

/** A client's frames. */
function masked(opcode: number, payload: Uint8Array | string): Uint8Array {
  return clientFrame({ opcode, payload });
}

const CLOSE = masked(opcodes.close, closePayload(1000));
const MESSAGES = ["first", "second", "third"];
async function exchange(url: string, together: boolean, frames: Uint8Array): Promise<string[]> {
  const client = new RawClient(url);
  client.socket.cork();
  client.request();
  if (!together) client.socket.uncork();
  if (!together) await client.response();
  client.socket.write(frames);
  if (together) client.socket.uncork();
  return await answers(client);
}

const CONNECTIONS = 10;

/**
 * Deno answers a Close frame by itself as soon as it has read it, before a loop gets its turn. No wrapper
 * of its socket can delay that.
 */
const isTooLate = (entry: string, how: string): boolean =>
  entry === "upgradeWebSocket" && how.endsWith("for await");

for (const [entry, serve] of Object.entries(ENTRIES)) {
  for (const [how, read] of Object.entries(READERS)) {
    if (isTooLate(entry, how)) continue;
    for (const together of [true, false]) {
      const when = together ? "in the request's own segment" : "right behind the 101";
      Deno.test(`attack 61: frames ${when}, ${entry}, ${how}: each message has its answer`, async () => {
        const server = await serve(read);
        try {
          for (const messages of [MESSAGES.slice(0, 1), MESSAGES]) {
            const texts = messages.map((it) => masked(opcodes.text, it));
            const frames = joined([...texts, CLOSE]);
            const all = Array.from(
              { length: CONNECTIONS },
              () => exchange(server.url, together, frames),
            );
            for (const got of await Promise.all(all)) {
              assertEquals(got, [...messages, "close 1000"]);
            }
          }
        } finally {
          await server.close();
        }
      });
    }
  }
}

Deno.test("attack 61: a channel waits for a busy loop: it is answered when the loop takes it", async () => {
  const server = await bind();
  const guest = exchange(server.url, true, joined([masked(opcodes.text, "hello"), CLOSE]));
  const early = new RawClient(server.url);
  early.request();
  await early.response();
  // The server answers Pings meanwhile.
  early.socket.write(masked(opcodes.ping, "?"));
  assertEquals(await early.hex(3), "8a013f");
  for (let i = 0; i < 3; i++) await delay(0);
  const serving = (async () => {
    for await (const channel of server) READERS["for await"]?.(channel);
  })();
  assertEquals(await guest, ["hello", "close 1000"]);
  await early.destroy();
  await server.close();
  await serving;
});

Deno.test("attack 61: the server answers a channel that no loop takes after a timeout", async () => {
  const clock = new ManualClock();
  const server = await bind({ handshakeTimeout: 0, pingInterval: 0 }, clock);
  const silent = exchange(server.url, true, CLOSE);
  assertEquals(await silent, ["close 1000"]);
  await until(() => clock.pending <= 0);
  const guest = exchange(server.url, true, joined([masked(opcodes.text, "hello"), CLOSE]));
  await until(() => clock.pending !== 0);
  clock.advance(10_000);
  assertEquals(await guest, ["close 1000"]);
  await server.close();
});

Deno.test("attack 61: a server that stalls doesn't count its stall as the client's waiting time", async () => {
  const clock = new ManualClock();
  const server = await bind({ handshakeTimeout: 0, pingInterval: 0 }, clock);
  const guest = exchange(server.url, true, joined([masked(opcodes.text, "hello"), CLOSE]));
  await until(() => clock.pending !== 0);
  clock.stall(20_000);
  for (let i = 0; i < 3; i++) await delay(0);
  const serving = (async () => {
    for await (const channel of server) READERS["for await"]?.(channel);
  })();
  assertEquals(await guest, ["hello", "close 1000"]);
  await server.close();
  await serving;
  assertEquals(clock.pending, 0);
});

Deno.test("attack 61: a protocol error after a message: the server answers the message first, then the error", async () => {
  for (const [entry, serve] of Object.entries(ENTRIES)) {
    if (entry === "upgradeWebSocket" || entry === "bunWebSocket") continue;
    const server = await serve(READERS["for await"] as Reader);
    const fault = masked(3, "a reserved opcode");
    const frames = joined([masked(opcodes.text, "first"), fault]);
    assertEquals(await exchange(server.url, true, frames), ["first", "close 1002"], entry);
    await server.close();
  }
});

Deno.test("attack 61: a client leaves before a reader listens: its messages are still delivered", async () => {
  const server = await bind();
  const client = new RawClient(server.url);
  client.socket.cork();
  client.request();
  client.socket.write(joined(MESSAGES.map((it) => masked(opcodes.text, it))));
  client.socket.uncork();
  await client.response();
  client.socket.resetAndDestroy();
  await client.closed();
  await until(() => server.channels.size <= 0);
  const { value: channel } = await server[Symbol.asyncIterator]().next();
  assertEquals(channel?.state, "closed");
  const got: unknown[] = [];
  for await (const message of channel?.stream ?? []) got.push(message);
  assertEquals(got, MESSAGES);
  await server.close();
});

Deno.test("attack 61: npm ws and the platform's WebSocket send and close as soon as they are open", async () => {
  const answered: boolean[] = [];
  for (const [entry, serve] of Object.entries(ENTRIES)) {
    for (const [how, read] of Object.entries(READERS)) {
      if (isTooLate(entry, how)) continue;
      const server = await serve((channel) => {
        const { sink } = channel;
        const add = sink.add.bind(sink);
        sink.add = (message) => {
          const isSent = add(message);
          answered.push(isSent);
          return isSent;
        };
        read(channel);
      });
      const client = new LoggingClient(server.url);
      client.socket.on("open", () => {
        client.socket.send("hello");
        client.socket.close(1000);
      });
      assertEquals(
        await client.closed(),
        ["open", "text:hello", "close:1000:"],
        `${entry}, ${how}`,
      );
      if (typeof WebSocket !== "undefined") {
        const socket = new WebSocket(server.url);
        socket.onopen = () => {
          socket.send("hello");
          socket.close(1000);
        };
        const { code } = await new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
        assertEquals(code, 1000);
      }
      await server.close();
    }
  }
  assertEquals(answered.filter((it) => !it), []);
});

// The client's side: a server sends frames in the segment of its 101.

const SERVER_FRAMES = joined([
  ...MESSAGES.map((it) => frame({ opcode: opcodes.text, payload: it })),
  closeFrame(1000),
]);

/** Serves a client with frames in the 101's own segment; returns the client's answers. */
async function serveRaw(): Promise<Serving & { readonly answers: Promise<string[]> }> {
  const { promise: answers, resolve } = deferred<string[]>();
  const server = createServer((socket) => {
    let request = "";
    const frames = new FrameReader();
    const got: string[] = [];
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      if (request.endsWith("\r\n\r\n")) {
        for (const { opcode, payload } of frames.push(chunk)) {
          if (opcode !== opcodes.close) got.push(new TextDecoder().decode(payload));
          else {
            resolve([...got, `close ${closeCodeIn(payload)}`]);
            socket.end();
          }
        }
        return;
      }
      request += chunk.toString("latin1");
      if (!request.endsWith("\r\n\r\n")) return;
      const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1] ?? "";
      const head = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Accept: ${signKey(key)}`,
      ];
      socket.write(
        joined([Buffer.from(head.join("\r\n") + "\r\n\r\n"), SERVER_FRAMES]),
      );
    });
  });
  const port = await listen(server);
  return {
    url: `ws://127.0.0.1:${port}`,
    answers,
    close: () => closeServer(server),
  };
}

for (const [how, read] of Object.entries(READERS)) {
  Deno.test(`attack 61: frames in the 101's own segment, connect, ${how}: each has its answer`, async () => {
    const server = await serveRaw();
    const channel = NetWebSocketChannel.connect(server.url);
    read(channel);
    assertEquals(await server.answers, [...MESSAGES, "close 1000"]);
    assertEquals((await channel.closed).wasClean, true);
    await server.close();
  });

  Deno.test(`attack 61: frames in the 101's own segment, open, ${how}: each has its answer`, async () => {
    const server = await serveRaw();
    const channel = await WebSocketChannel.open(server.url, { transport: "net" });
    read(channel);
    assertEquals(await server.answers, [...MESSAGES, "close 1000"]);
    assertEquals((await channel.closed).wasClean, true);
    await server.close();
  });

  Deno.test(`attack 61: frames that have already arrived, while other loops are paused, ${how}`, async () => {
    holdLoopsUp();
    await exchangeOver(read);
  });

  Deno.test(`attack 61: frames that have already arrived, over, ${how}: each has its answer`, async () => {
    await exchangeOver(read);
  });
}

/** Makes all loops of this process wait until a later turn, as if one loop had run for too long. */
function holdLoopsUp(): void {
  while (loopGuard.step() === null);
}

async function exchangeOver(read: Reader): Promise<void> {
  const { local, foreign } = channelPair<Uint8Array>();
  const got: string[] = [];
  const closed = new Promise<void>((resolve) => {
    const frames = new FrameReader();
    foreign.stream.listen((chunk) => {
      for (const { opcode, payload } of frames.push(chunk)) {
        if (opcode === opcodes.close) resolve();
        else got.push(new TextDecoder().decode(payload));
      }
    });
  });
  foreign.sink.add(SERVER_FRAMES);
  const channel = WebSocketChannel.over(local, { side: "client" });
  read(channel);
  await closed;
  void foreign.sink.close();
  assertEquals(got, MESSAGES);
  assertEquals((await channel.closed).wasClean, true);
}

Deno.test({
  name: "attack 61: frames in the 101's own segment, the platform's WebSocket: no frame is lost",
  ignore: typeof WebSocket === "undefined",
  async fn() {
    const server = await serveRaw();
    const channel = WebSocketChannel.connect(server.url, { transport: "native" });
    await channel.ready;
    const got: unknown[] = [];
    for await (const message of channel.stream) got.push(message);
    assertEquals(got, MESSAGES);
    await server.close();
  },
});
