/**
 * Our client with servers of other projects, each in a process of its own: Deno's, Bun's, Python's
 * websockets; and through the proxies nginx and tinyproxy. A test whose program isn't installed is left
 * out, and the test's name says so.
 */

import { assert, assertEquals } from "@std/assert";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { type ConnectOptions, NetWebSocketChannel } from "../../src/net/mod.ts";
import { connectFailure, withAll } from "../net/support.ts";
import { createIdentity } from "../support/certificates.ts";
import { nginx, nginxFolders, withProgram } from "../support/between.ts";
import { findCommand, fromNpm, start } from "../support/processes.ts";
import { seededRandom } from "../support/random.ts";
import { startRecipe } from "../support/recipes.ts";
import { leftOut } from "../support/needs.ts";

interface PeerServer {
  readonly name: string;
  readonly command: readonly string[] | null;
  /** The program that must be installed. */
  readonly needs: string;
  /** Whether the server agrees to compression. */
  readonly compresses: boolean;
}

const folder = `${process.cwd()}/tests/interop/peers`;

function script(
  runtime: readonly string[] | null,
  file: string,
  ...args: string[]
): readonly string[] | null {
  return runtime === null ? null : [...runtime, ...args, `${folder}/${file}`];
}

const python = findCommand([["/usr/bin/python3"], ["python3"]], ["-c", "import websockets"]);
const peers: readonly PeerServer[] = [
  {
    name: "Deno.upgradeWebSocket",
    command: script(findCommand(fromNpm("deno")), "deno_server.mjs", "run", "-A", "--no-config"),
    needs: "Deno",
    compresses: false,
  },
  {
    name: "Bun.serve",
    command: script(findCommand(fromNpm("bun")), "bun_server.mjs"),
    needs: "Bun",
    compresses: true,
  },
  {
    name: "Python's websockets",
    command: script(python, "python_server.py"),
    needs: "Python's websockets",
    compresses: true,
  },
];

function test(name: string, needs: string, isThere: boolean, body: () => Promise<void>): void {
  const reason = leftOut(needs, isThere);
  Deno.test({ name: `interop ${name}${reason}`, ignore: !isThere, fn: body });
}

/** Echoes messages with every kind of length; then pings. */
async function exchange(url: string, options: ConnectOptions = {}): Promise<NetWebSocketChannel> {
  const channel = NetWebSocketChannel.connect(url, options);
  await channel.ready;
  const random = seededRandom(6455);
  const echoed = async (message: string | Uint8Array): Promise<void> => {
    channel.sink.add(message);
    const { value } = await channel.stream.next();
    assertEquals(typeof value, typeof message);
    if (typeof message === "string") assertEquals(value, message);
    else assert(sameBytes(value as Uint8Array, message), `${message.length} bytes, seed 6455`);
  };
  for (const text of ["", "hello", "Grüße, 世界 🌍", "\u0000", "x".repeat(70_000)]) {
    await echoed(text);
  }
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) await echoed(random.bytes(size));
  assert(await channel.ping() >= 0);
  return channel;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

for (const peer of peers) {
  const { name, command, needs } = peer;
  test(
    `${name}: messages, close codes both ways, subprotocols`,
    needs,
    command !== null,
    () =>
      withAll([start(command ?? [])], async (server) => {
        const url = `ws://127.0.0.1:${(await server.next())["port"]}`;
        const first = await exchange(url, { protocols: ["chat"] });
        assertEquals(first.protocol, "chat");
        await first.sink.close(4321, "done here");
        assertEquals(await server.next(), { code: 4321, reason: "done here" });
        assert((await first.closed).wasClean);
        const second = await exchange(url, { pingInterval: 20, pingTimeout: 60_000 });
        second.sink.add("close");
        assertEquals(await second.stream.next(), { done: true, value: undefined });
        const { code, reason, initiator, wasClean } = await second.closed;
        assertEquals([code, reason, initiator, wasClean], [
          3001,
          "you asked me to",
          "remote",
          true,
        ]);
      }),
  );

  test(
    `${name}: compression, offered and not offered`,
    needs,
    command !== null,
    () =>
      withAll([start(command ?? [])], async (server) => {
        const url = `ws://127.0.0.1:${(await server.next())["port"]}`;
        for (
          const compression of [
            true,
            { clientNoContextTakeover: true, serverNoContextTakeover: true },
            { threshold: 0 },
            false,
          ]
        ) {
          const channel = await exchange(url, { compression });
          const agreed = channel.extensions.startsWith("permessage-deflate");
          assertEquals(agreed, peer.compresses && compression !== false);
          await channel.sink.close(1000);
        }
      }),
  );
}

// Proxies.

const tinyproxy = findCommand([["tinyproxy"], ["/usr/bin/tinyproxy"]], ["-v"]);

test("nginx as a TLS-terminating reverse proxy", "nginx", nginx !== null, async () => {
  const issuer = createIdentity({ commonName: "authority" });
  const identity = createIdentity({ names: ["localhost", "127.0.0.1"], issuer });
  const echo = await startRecipe("echo", { quiet: true });
  try {
    await withProgram((folder, port) => {
      writeFileSync(`${folder}/cert.pem`, identity.cert);
      writeFileSync(`${folder}/key.pem`, identity.key);
      writeFileSync(`${folder}/nginx.conf`, nginxConfig(folder, port, new URL(echo.url).host));
      return [...nginx ?? [], "-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"];
    }, async (port) => {
      const tls = { ca: issuer.cert };
      const channel = await exchange(`wss://localhost:${port}/socket`, { tls });
      await channel.sink.close(1000);
      assert((await channel.closed).wasClean);
      const refused = await connectFailure(`wss://localhost:${port}/private`, { tls });
      assertEquals([refused.phase, refused.status, refused.retryable], ["handshake", 403, false]);
      const redirected = await exchange(`wss://localhost:${port}/moved`, {
        tls,
        followRedirects: true,
      });
      assertEquals(redirected.url, `wss://localhost:${port}/socket`);
      await redirected.sink.close();
      const untrusted = await connectFailure(`wss://localhost:${port}/socket`);
      assertEquals([untrusted.phase, untrusted.retryable], ["tls", false]);
    });
  } finally {
    await echo.close();
  }
});

function nginxConfig(folder: string, port: number, upstream: string): string {
  return `
    ${nginxFolders(folder).main}
    http {
      ${nginxFolders(folder).http}
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
        location /private { return 403; }
        location /moved { return 307 https://$http_host/socket; }
        location / {
          proxy_pass http://${upstream}; proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
        }
      }
    }`;
}

test(
  "tinyproxy as a CONNECT proxy, with credentials",
  "tinyproxy",
  tinyproxy !== null,
  async () => {
    const echo = await startRecipe("echo", { quiet: true });
    const target = Number(new URL(echo.url).port);
    try {
      await withProgram((folder, port) => {
        writeFileSync(
          `${folder}/tinyproxy.conf`,
          `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\nBasicAuth user secret\n` +
            `ConnectPort ${target}\nLogLevel Error\n`,
        );
        return [...tinyproxy ?? [], "-d", "-c", `${folder}/tinyproxy.conf`];
      }, async (port) => {
        const channel = await exchange(echo.url, { proxy: `http://user:secret@127.0.0.1:${port}` });
        await channel.sink.close(1000);
        assert((await channel.closed).wasClean);
        const { headers } = await echo.next("request");
        assertEquals(headers["proxy-authorization"], undefined);
        const unknown = await connectFailure(echo.url, { proxy: `http://127.0.0.1:${port}` });
        assertEquals([unknown.phase, unknown.retryable], ["proxy", false]);
        assert(unknown.status === 407 || unknown.status === 401, `${unknown.status}`);
        const forbidden = await connectFailure("ws://127.0.0.1:1", {
          proxy: `http://user:secret@127.0.0.1:${port}`,
        });
        assertEquals([forbidden.phase, forbidden.status], ["proxy", 403]);
      });
    } finally {
      await echo.close();
    }
  },
);
