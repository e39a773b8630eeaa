/** HTTP/2 with other implementations: Chromium with our server, and Debian's proxies and servers. */

import { assert, assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { NetWebSocketChannel, type WebSocketChannel } from "../../src/net/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { certificates } from "../net/support.ts";
import { withProgram } from "../support/between.ts";
import { findCommand, start } from "../support/processes.ts";
import { deferred } from "../support/promises.ts";
import { startRecipe } from "../support/recipes.ts";
import { open, withEcho, withPool } from "./support.ts";

function test(name: string, program: readonly string[] | null, fn: () => Promise<void>): void {
  const reason = program === null
    ? ` (left out: ${name.split(":")[0]} is not installed, or not for this runtime)`
    : "";
  Deno.test({ name: `http2 interop ${name}${reason}`, ignore: program === null, fn });
}

/** How to test a peer. */
interface Trial {
  /** Which end closes first. */
  readonly closer?: "client" | "server";
  /** The number of channels that share a session. */
  readonly count?: number;
}

/** Echoes text and 1 MiB on the channels of one session, then closes them. */
async function assertEchoes(
  channels: readonly WebSocketChannel[],
  closer: Trial["closer"],
): Promise<void> {
  const large = new Uint8Array(1 << 20).map((_, i) => i * 7 >> 2);
  for (const channel of channels) {
    channel.sink.add("hello");
    assertEquals((await channel.stream.next()).value, "hello");
    channel.sink.add(large);
    assertEquals((await channel.stream.next()).value, large);
  }
  for (const channel of channels) {
    if (closer === "client") await channel.sink.close(1000, "done");
    else channel.sink.add("close");
    const { code, wasClean } = await channel.closed;
    assertEquals([code, wasClean], [1000, true]);
  }
}

/** Runs a program between both ends. Waits until its port listens, then connects over HTTP/2. */
async function between(
  configure: (folder: string, port: number) => readonly string[],
  { closer = "client", count = 2 }: Trial = {},
): Promise<void> {
  await withProgram(configure, async (port) => {
    await withPool(async (pool) => {
      // Apache leaves a stream open after both Closes: the test waits for its end.
      const connect = (): Promise<WebSocketChannel> =>
        open(`ws://127.0.0.1:${port}/chat`, { pool, closeTimeout: 500 });
      const times = { maxAttempts: 50, minTimeout: 20, multiplier: 1, jitter: 0 };
      const channels = [await retry(connect, times)];
      while (channels.length < count) channels.push(await connect());
      assertEquals(pool.sessions, 1);
      await assertEchoes(channels, closer);
    });
  });
}

/** Runs a body with an echo server of HTTP/1.1. */
async function withOldEcho(body: (port: number) => Promise<void>): Promise<void> {
  const echo = await startRecipe("echo", { quiet: true });
  try {
    await body(Number(new URL(echo.url).port));
  } finally {
    await echo.close();
  }
}

const haproxy = findCommand([["haproxy"], ["/usr/sbin/haproxy"]], ["-v"]);

function haproxyConfig(front: string, back: string): string {
  return `
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind ${front}
  default_backend back
backend back
  server one ${back}
`;
}

test(
  "haproxy: our client over HTTP/2, a server of HTTP/1.1 behind it",
  haproxy,
  () =>
    withOldEcho((echo) =>
      between((folder, port) => {
        const config = haproxyConfig(`127.0.0.1:${port} proto h2`, `127.0.0.1:${echo}`);
        writeFileSync(`${folder}/haproxy.cfg`, config);
        return [...haproxy ?? [], "-db", "-f", `${folder}/haproxy.cfg`];
      })
    ),
);

test(
  "haproxy: a client of HTTP/1.1, our server over HTTP/2 behind it",
  haproxy,
  () =>
    withEcho({}, async ({ url, sessions }) => {
      const { host } = new URL(url);
      await withProgram((folder, port) => {
        const config = haproxyConfig(`127.0.0.1:${port}`, `${host} proto h2`);
        writeFileSync(`${folder}/haproxy.cfg`, config);
        return [...haproxy ?? [], "-db", "-f", `${folder}/haproxy.cfg`];
      }, async (port) => {
        const channel = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}/chat`);
        await channel.ready;
        channel.sink.add("hello");
        assertEquals((await channel.stream.next()).value, "hello");
        assert(sessions.size > 0);
        await channel.sink.close();
        assertEquals((await channel.closed).wasClean, true);
      });
    }),
);

const nghttpx = findCommand([["nghttpx"], ["/usr/sbin/nghttpx"]], ["--version"]);

for (const [name, proto] of [["HTTP/1.1", "http/1.1"], ["our server over HTTP/2", "h2"]] as const) {
  test(`nghttpx: our client over HTTP/2, ${name} behind it`, nghttpx, () => {
    const run = (back: string): Promise<void> =>
      between((_folder, port) => [
        ...nghttpx ?? [],
        `--frontend=127.0.0.1,${port};no-tls`,
        `--backend=${back};;proto=${proto}`,
        "--workers=1",
        "--conf=/dev/null",
      ]);
    return proto === "h2"
      ? withEcho({}, ({ url }) => run(`127.0.0.1,${new URL(url).port}`))
      : withOldEcho((port) => run(`127.0.0.1,${port}`));
  });
}

const apache = findCommand([["apache2"], ["/usr/sbin/apache2"]], ["-v"]);

test(
  "apache: our client over HTTP/2 (H2WebSockets), a server of HTTP/1.1 behind it",
  apache,
  () =>
    withOldEcho((echo) =>
      between((folder, port) => {
        const modules = ["mpm_event", "authz_core", "http2", "proxy", "proxy_http"]
          .map((it) => `LoadModule ${it}_module /usr/lib/apache2/modules/mod_${it}.so`);
        const config = [
          ...modules,
          `ServerRoot ${folder}`,
          `ServerName localhost`,
          `PidFile ${folder}/pid`,
          // Node gives a program a socket as stderr, and a program can't open that by its name.
          `ErrorLog ${folder}/errors`,
          `Listen 127.0.0.1:${port}`,
          `Protocols h2c http/1.1`,
          `H2WebSockets on`,
          `ProxyPass / http://127.0.0.1:${echo}/ upgrade=websocket retry=0`,
        ];
        writeFileSync(`${folder}/apache.conf`, config.join("\n") + "\n");
        return [...apache ?? [], "-X", "-d", folder, "-f", `${folder}/apache.conf`];
      })
    ),
);

const hypercorn = findCommand([["/usr/bin/python3"], ["python3"]], ["-c", "import hypercorn"]);

const ASGI = `
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        if event.get("text") == "close":
            await send({"type": "websocket.close", "code": 1000})
            return
        if event.get("text") is not None:
            await send({"type": "websocket.send", "text": event["text"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})
`;

// It ends the whole connection when the first of its WebSockets has closed.
test(
  "hypercorn: our client over HTTP/2 at Python's server",
  hypercorn,
  () =>
    between((folder, port) => {
      writeFileSync(`${folder}/app.py`, ASGI);
      const run = `exec ${hypercorn?.[0]} -m hypercorn --bind 127.0.0.1:${port} app:app`;
      return ["sh", "-c", `cd ${folder} && ${run}`];
    }, { closer: "server", count: 1 }),
);

const chromium = findCommand([["chromium"], ["chromium-browser"], ["google-chrome"]]);

/** A page with two sockets to its own server: each sends and closes, then the page reports. */
const PAGE = `<script>
  const once = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve));
  async function run() {
    const seen = [];
    for (let i = 0; i < 2; i++) {
      const socket = new WebSocket("wss://" + location.host + "/socket", ["chat"]);
      socket.binaryType = "arraybuffer";
      await once(socket, "open");
      socket.send("hello");
      const text = (await once(socket, "message")).data;
      socket.send(new Uint8Array(1 << 20));
      const size = (await once(socket, "message")).data.byteLength;
      socket.close(3000, "done");
      const { code, wasClean } = await once(socket, "close");
      seen.push([socket.protocol, socket.extensions !== "", text, size, code, wasClean]);
    }
    return seen;
  }
  run().then((it) => it, String).then((it) => fetch("/report?" + encodeURIComponent(JSON.stringify(it))));
</script>`;

test(
  "chromium: connects to our server on streams of the session that loaded its page",
  chromium,
  async () => {
    const folder = mkdtempSync(`${tmpdir()}/http2-`);
    const { promise: reported, resolve: report } = deferred<string>();
    const { cert, key } = certificates().local;
    const alpn: unknown[] = [];
    const origins = new Set<string>();
    const server = await WebSocketServer.bind({
      tls: { cert, key },
      http2: true,
      protocols: ["chat"],
      compression: true,
      onRequest: ({ url }) => {
        const { pathname, search } = new URL(url);
        if (pathname === "/report") report(decodeURIComponent(search.slice(1)));
        return new Response(pathname === "/" ? PAGE : "", {
          headers: { "Content-Type": "text/html" },
        });
      },
      handler: (channel) => {
        const { request, connectionInfo } = channel;
        alpn.push(connectionInfo?.tls?.alpnProtocol);
        origins.add(`${request.remotePort}`);
        channel.stream.listen((message) => channel.sink.add(message));
      },
    });
    const browser = start([
      ...chromium ?? [],
      ...["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${folder}`],
      "--ignore-certificate-errors",
      `${server.url.replace("wss:", "https:")}/`,
    ]);
    try {
      const ended = browser.next().then(() => "the browser has ended");
      const seen = await Promise.race([reported, ended]);
      const each = ["chat", true, "hello", 1 << 20, 3000, true];
      assertEquals(JSON.parse(seen), [each, each]);
      // HTTP/1.1 would use one connection for each.
      assertEquals([alpn, origins.size], [["h2", "h2"], 1]);
    } finally {
      await browser.close();
      await server.close({ drainTimeout: 1000 });
      await retry(() => rmSync(folder, { recursive: true, force: true }));
    }
  },
);
