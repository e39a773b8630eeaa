import { assert, assertEquals, assertFalse, assertGreater } from "@std/assert";
// @ts-types="../support/ws.d.ts"
import { WebSocket } from "ws";
import type { WebSocketChannel } from "../../mod.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";
import { zlibAbilities } from "../../src/permessage_deflate/deflate.ts";
import type { Channel } from "../../src/web_socket/channel.ts";
import { dial } from "../support/byte_channels.ts";
import { nextMessage, settled } from "../support/events.ts";
import { connectOver } from "../support/own_channels.ts";
import { echo, type OwnServer, withServer } from "../support/own_server.ts";
import { LoggingClient, RawClient } from "../support/recipe_clients.ts";

/** Our own client over TCP. */
function connect(url: string, given?: ConnectOptions): WebSocketChannel {
  return connectOver(dial, url, given, systemClock);
}

/** Sizes at which the frame header or the buffers change. */
const SIZES = [0, 1, 47, 125, 126, 4095, 16_383, 16_384, 65_535, 65_536, 300_000];

/** Text of `size` UTF-16 code units, without half of a surrogate pair at its end. */
function text(size: number): string {
  return ("x".repeat(size % 5) + "añ€🎨".repeat(size / 5)).slice(0, size);
}

function binary(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 % 256);
}

/** The only channel of a server. */
function only({ channels }: OwnServer): Channel {
  const [channel] = channels;
  if (channel === undefined || channels.length > 1) throw new Error(`${channels.length} channels`);
  return channel;
}

/** An open connection of npm `ws`, and all messages it receives. */
async function open(url: string, options: object = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, [], { perMessageDeflate: false, ...options });
  await new Promise<void>((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
  });
  return socket;
}

function closed(socket: WebSocket): Promise<[code: number, reason: string]> {
  return new Promise((resolve) =>
    socket.on("close", (code, reason) => resolve([code, `${reason}`]))
  );
}

const compressions: [name: string, own: ConnectOptions["compression"], ws: boolean | object][] = [
  ["uncompressed", false, false],
];
if (zlibAbilities().available) {
  compressions.push(
    ["compressed", { threshold: 0 }, { threshold: 0 }],
    ["compressed without context", {
      threshold: 0,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 10,
    }, { threshold: 0 }],
  );
}

for (const [name, compression, perMessageDeflate] of compressions) {
  Deno.test(`our server and our client: messages of all sizes are echoed, ${name}`, async () => {
    await withServer(echo, { compression }, async (server) => {
      const channel = connect(server.url, { compression });
      await channel.ready;
      assertEquals(channel.extensions !== "", compression !== false);
      assertEquals(only(server).extensions, channel.extensions);
      for (const size of SIZES) {
        channel.sink.add(text(size));
        channel.sink.add(binary(size));
      }
      for (const size of SIZES) {
        assert(await nextMessage(channel) === text(size), `${size}`);
        assertEquals(new Uint8Array(await nextMessage(channel) as Uint8Array), binary(size));
      }
      await channel.sink.close();
      assert((await only(server).closed).wasClean);
      await server.idle();
    });
  });

  Deno.test(`our server and ws's client: messages of all sizes are echoed, ${name}`, async () => {
    await withServer(echo, { compression }, async (server) => {
      const socket = await open(server.url, { perMessageDeflate });
      assertEquals(socket.extensions !== "", compression !== false);
      const expected = SIZES.flatMap((size) => [text(size), binary(size)]);
      const echoes: (string | Uint8Array)[] = [];
      const all = new Promise<void>((resolve) => {
        socket.on("message", (data, isBinary) => {
          echoes.push(isBinary ? new Uint8Array(data) : String(data));
          if (echoes.length === expected.length) resolve();
        });
      });
      for (const message of expected) socket.send(message);
      await all;
      for (const [i, message] of expected.entries()) {
        if (typeof message === "string") assert(echoes[i] === message, `${i}`);
        else assertEquals(echoes[i], message);
      }
      socket.close();
      assertEquals(await closed(socket), [1005, ""]);
      assert((await only(server).closed).wasClean);
      await server.idle();
    });
  });
}

const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999];

Deno.test("our server receives every close code, from ws and from our client", async () => {
  await withServer((channel) => channel.stream.listen(() => {}), {}, async (server) => {
    for (const code of [undefined, ...CODES]) {
      const reason = code === undefined ? "" : "because";
      const own = connect(server.url);
      await own.ready;
      await own.sink.close(code, reason);
      const socket = await open(server.url);
      socket.close(code, reason);
      assertEquals(await closed(socket), [code ?? 1005, reason]);
      for (const channel of server.channels.slice(-2)) {
        const { error: _none, ...info } = await channel.closed;
        const content = { code: code ?? 1005, reason };
        assertEquals<unknown>(info, {
          ...content,
          wasClean: true,
          initiator: "remote",
          sent: content,
          received: content,
        });
      }
    }
    await server.idle();
  });
});

Deno.test("our server sends every close code, and ends TCP first", async () => {
  let content: [code?: number, reason?: string] = [];
  await withServer((channel) => void channel.sink.close(...content), {}, async (server) => {
    for (const code of [undefined, ...CODES]) {
      content = code === undefined ? [] : [code, "because"];
      const own = connect(server.url);
      const info = await own.closed;
      assertEquals([info.code, info.wasClean, info.initiator], [code ?? 1005, true, "remote"]);
      const client = new LoggingClient(server.url);
      const entry = code === undefined ? "close:1005:" : `close:${code}:because`;
      assertEquals((await client.closed()).at(-1), entry);
      for (const channel of server.channels.slice(-2)) {
        const { wasClean, initiator, sent } = await channel.closed;
        assertEquals([wasClean, initiator, sent?.code], [true, "local", code ?? 1005]);
      }
    }
    await server.idle();
  });
});

Deno.test("our server agrees to one subprotocol, or to none", async () => {
  await withServer(echo, { protocols: ["b", "a"] }, async (server) => {
    const own = connect(server.url, { protocols: ["a", "b"] });
    await own.ready;
    assertEquals([own.protocol, only(server).protocol], ["b", "b"]);
    await own.sink.close();
    const socket = new WebSocket(server.url, ["c", "a"]);
    await new Promise<void>((resolve) => socket.on("open", resolve));
    assertEquals(socket.protocol, "a");
    socket.terminate();
    const none = new LoggingClient(server.url, { protocols: ["c"] });
    // RFC 6455 §4.1: `ws` insists on an answer to its offer.
    assertEquals((await none.closed()).at(-1), "close:1006:");
    await server.idle();
  });
});

Deno.test("our server reads frames sent with the request after its 101", async () => {
  await withServer(echo, {}, async (server) => {
    const client = new RawClient(server.url);
    client.socket.cork();
    client.request();
    client.send(1, "early");
    client.send(8);
    client.socket.uncork();
    assertEquals(await client.hex(9), "81056561726c79" + "8800");
    await client.end();
    client.socket.end();
    await client.closed();
    assertEquals((await only(server).closed).code, 1005);
  });
});

Deno.test("our server refuses an invalid request, and ends the connection", async () => {
  await withServer(echo, {}, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert((await client.response()).startsWith("HTTP/1.1 426 "));
    await client.end();
    client.socket.end();
    await client.closed();
    assertEquals(server.channels.length, 0);
  });
});

Deno.test("G18 our server's keepalive: a ws that answers stays connected, one that doesn't is disconnected", async () => {
  await withServer(echo, { pingInterval: 20, pingTimeout: 20 }, async (server) => {
    const lively = await open(server.url);
    let pings = 0;
    const five = new Promise<void>((resolve) =>
      lively.on("ping", () => ++pings === 5 && resolve())
    );
    await five;
    const [first] = server.channels;
    assertEquals(first?.state, "open");
    assertGreater(first?.latency ?? -1, 0);
    const dead = await open(server.url, { autoPong: false });
    const gone = closed(dead);
    const info = await server.channels[1]?.closed;
    assertEquals([info?.code, info?.initiator], [1006, "timeout"]);
    assertEquals((await gone)[0], 1006);
    lively.close();
    assert((await first?.closed)?.wasClean);
    await server.idle();
  });
});

Deno.test("ping: our server and ws's client, both ways", async () => {
  await withServer(echo, {}, async (server) => {
    const socket = await open(server.url);
    const channel = only(server);
    assertGreater(await channel.ping(), 0);
    const pong = new Promise<string>((resolve) => socket.on("pong", (data) => resolve(`${data}`)));
    socket.ping("payload");
    assertEquals(await pong, "payload");
    socket.terminate();
    const info = await channel.closed;
    assertEquals([info.code, info.initiator], [1006, "transport"]);
  });
});

Deno.test("G15 our server waits for a client that doesn't read, and continues when it does", async () => {
  await withServer((channel) => channel.stream.listen(() => {}), {}, async (server) => {
    const socket = await open(server.url);
    const channel = only(server);
    socket.pause();
    const chunk = new Uint8Array(1 << 20);
    let sent = 0;
    while (channel.sink.bufferedAmount < 8 << 20 && sent < 64) {
      channel.sink.add(chunk);
      sent++;
    }
    const { ready } = channel.sink;
    assertFalse(await settled(ready));
    let received = 0;
    const all = new Promise<void>((resolve) => {
      socket.on("message", () => ++received === sent && resolve());
    });
    socket.resume();
    await ready;
    await channel.sink.flush();
    assertEquals(channel.sink.bufferedAmount, 0);
    await all;
    socket.close();
    assert((await channel.closed).wasClean);
  });
});

Deno.test("G14 our server stops a client that sends faster than it reads, and loses nothing", async () => {
  const got: number[] = [];
  let resume = (): void => {};
  await withServer(
    (channel) => {
      const subscription = channel.stream.listen((message) => got.push(message.length));
      subscription.pause();
      resume = () => subscription.resume();
    },
    {},
    async (server) => {
      const channel = connect(server.url);
      await channel.ready;
      const chunk = new Uint8Array(1 << 20);
      let sent = 0;
      while (channel.sink.bufferedAmount < 8 << 20 && sent < 64) {
        channel.sink.add(chunk);
        sent++;
      }
      assertFalse(await settled(channel.sink.ready));
      assertEquals(got, []);
      resume();
      await channel.sink.flush();
      await channel.sink.close();
      assertEquals(got, new Array(sent).fill(1 << 20));
    },
  );
});

Deno.test("maxMessageSize of our server: ws receives 1009", async () => {
  await withServer(echo, { maxMessageSize: 1000 }, async (server) => {
    const client = new LoggingClient(server.url);
    await client.seen("open");
    client.socket.send("x".repeat(1000));
    await client.seen("text:");
    client.socket.send("x".repeat(1001));
    assertEquals((await client.closed()).at(-1), "close:1009:Message too big");
    assertEquals((await only(server).closed).initiator, "local");
    await server.idle();
  });
});
