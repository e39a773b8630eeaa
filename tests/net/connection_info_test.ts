import { assert, assertEquals, assertMatch } from "@std/assert";
import { tmpdir } from "node:os";
import { type ConnectionInfo, NetWebSocketChannel } from "../../src/net/mod.ts";
import { socketInfo } from "../../src/net/socket_info.ts";
import { type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import { WebSocketChannel } from "../../mod.ts";
import { startProxy, startSocks, startTls, startUnixSocket } from "../support/net_peers.ts";
import { startRecipe, withRecipe } from "../support/recipes.ts";
import { testEntries } from "../server/entries.ts";
import { assertReaches, certificates, connectFailure, withAll } from "./support.ts";

const { authority, local, client } = certificates();
const tls = { ca: authority.cert };

/** Removes the local port, which differs each time. */
function assertInfo(info: ConnectionInfo | null, expected: Partial<ConnectionInfo>): void {
  const { localPort, tls: _, ...rest } = info as ConnectionInfo;
  assert(localPort !== null && localPort > 0);
  assertEquals(rest, {
    remoteAddress: "127.0.0.1",
    remotePort: rest.remotePort,
    localAddress: "127.0.0.1",
    proxy: null,
    ...expected,
  });
}

Deno.test("connectionInfo: has the addresses; it is null before the connection, and stays after the end", async () => {
  await withRecipe("echo", {}, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(url.replace("127.0.0.1", "localhost"));
    assertEquals(channel.connectionInfo, null);
    await channel.ready;
    const { connectionInfo } = channel;
    assertInfo(connectionInfo, { remotePort: Number(new URL(url).port) });
    assertEquals(connectionInfo?.tls, null);
    assertEquals(channel.transformStream((it) => it).connectionInfo, connectionInfo);
    await channel.sink.close();
    assertEquals(channel.connectionInfo, connectionInfo);
  });
});

Deno.test("connectionInfo: has the address of a server that refuses", async () => {
  await withRecipe("http", { status: 503 }, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(url);
    await channel.ready.catch(() => {});
    assertInfo(channel.connectionInfo, { remotePort: Number(new URL(url).port) });
  });
});

Deno.test("connectionInfo: has the negotiated TLS parameters and the server's certificate", async () => {
  const echo = await startRecipe("echo");
  await withAll([echo, await startTls(echo.url, { ...local, ALPNProtocols: ["http/1.1"] })], async (
    _,
    { port },
  ) => {
    const channel = NetWebSocketChannel.connect(`wss://localhost:${port}`, { tls });
    await channel.ready;
    const info = channel.connectionInfo;
    assertInfo(info, { remotePort: port });
    assertEquals([info?.tls?.protocol, info?.tls?.alpnProtocol], ["TLSv1.3", "http/1.1"]);
    assertMatch(info?.tls?.cipher ?? "", /^TLS_\w+_SHA\d+$/);
    const certificate = info?.tls?.peerCertificate;
    assertEquals(certificate?.subject.CN, "localhost");
    assertMatch(certificate?.fingerprint256 ?? "", /^([\dA-F]{2}:){31}[\dA-F]{2}$/);
    await channel.sink.close();
    assertEquals(info?.tls?.peerCertificate, certificate);
    assertEquals(channel.connectionInfo, info);
    // A certificate that wasn't read before the end is gone.
    const late = await assertReaches(`wss://localhost:${port}`, { tls });
    assertEquals(late.connectionInfo?.tls?.protocol, "TLSv1.3");
    assertEquals(late.connectionInfo?.tls?.peerCertificate, null);
  });
});

Deno.test("connectionInfo: has the proxy without its credentials, and the proxy's address", async () => {
  const echo = await startRecipe("echo");
  const authorization = `Basic ${btoa("user:secret")}`;
  await withAll(
    [
      echo,
      await startTls(echo.url, local),
      await startProxy({ authorization }),
      await startProxy({ tls: local }),
      await startSocks(),
    ],
    async (_, peer, http, https, socks) => {
      const wss = `wss://localhost:${peer.port}`;
      const cases: [url: string, proxy: string, port: number, shown: string][] = [
        [echo.url, `http://user:secret@127.0.0.1:${http.port}`, http.port, "http://127.0.0.1"],
        [wss, `http://user:secret@127.0.0.1:${http.port}`, http.port, "http://127.0.0.1"],
        [echo.url, `https://localhost:${https.port}`, https.port, "https://localhost"],
        [wss, `https://localhost:${https.port}`, https.port, "https://localhost"],
        [echo.url, `socks5h://127.0.0.1:${socks.port}`, socks.port, "socks5h://127.0.0.1"],
      ];
      for (const [url, proxy, port, shown] of cases) {
        const { connectionInfo } = await assertReaches(url, { tls, proxy });
        assertInfo(connectionInfo, { remotePort: port, proxy: `${shown}:${port}` });
        // TLS with the proxy alone doesn't count as TLS with the server.
        assertEquals(connectionInfo?.tls?.protocol, url === wss ? "TLSv1.3" : undefined);
      }
    },
  );
});

Deno.test("connectionInfo: a Unix socket has no addresses", async () => {
  const echo = await startRecipe("echo");
  const path = `${tmpdir()}/info-test-${crypto.randomUUID()}.sock`;
  await withAll([echo, await startUnixSocket(path, echo.url)], async (_echo, _socket) => {
    const { connectionInfo } = await assertReaches("ws://a.test", { socketPath: path });
    assertEquals([connectionInfo?.remoteAddress, connectionInfo?.remotePort], [null, null]);
  });
});

Deno.test("connectionInfo: has the URL that redirects have led to", async () => {
  await withAll([await startRecipe("echo")], async (echo) => {
    const options = { status: 302, headers: { Location: echo.url } };
    await withRecipe("http", options, async ({ url }) => {
      const { connectionInfo } = await assertReaches(url, { followRedirects: true });
      assertInfo(connectionInfo, { remotePort: Number(new URL(echo.url).port) });
    });
  });
});

Deno.test("connectionInfo: null for the platform's own WebSocket, and for a channel of bytes", async () => {
  if (globalThis.WebSocket !== undefined) {
    await withRecipe("echo", {}, async ({ url }) => {
      const channel = WebSocketChannel.connect(url, { transport: "native" });
      await channel.ready;
      assertEquals(channel.connectionInfo, null);
      await channel.sink.close();
    });
  }
  const error = await connectFailure("ws://127.0.0.1:1");
  assertEquals(error.phase, "tcp");
});

Deno.test("connectionInfo: a server's channel has the client's certificate", async () => {
  const server = await WebSocketServer.bind({
    port: 0,
    hostname: "127.0.0.1",
    // The server also admits a client without a certificate.
    tls: { ...local, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
  });
  try {
    const { port } = server.address;
    for (const identity of [client, null]) {
      const own = identity === null ? {} : { cert: identity.cert, key: identity.key };
      const channel = NetWebSocketChannel.connect(`wss://localhost:${port}`, {
        tls: { ...tls, ...own },
      });
      const accepted = (await server[Symbol.asyncIterator]().next()).value;
      await channel.ready;
      const seen = accepted?.connectionInfo ?? null;
      const mine = channel.connectionInfo;
      assertInfo(seen, { remotePort: mine?.localPort ?? 0 });
      assert(seen?.localPort === port && seen.tls !== null);
      assertEquals(seen.tls.protocol, "TLSv1.3");
      const subject = seen.tls.peerCertificate?.subject.CN;
      assertEquals(subject, identity === null ? undefined : "client");
      await channel.sink.close();
      await accepted?.closed;
      assertEquals(accepted?.connectionInfo, seen);
    }
  } finally {
    await server.close();
  }
});

testEntries(
  "connectionInfo: a server's channel has it, also after the end",
  ({ run }) =>
    run({}, async ({ url, channels }) => {
      const port = Number(new URL(url).port);
      for (const isRead of [true, false]) {
        const channel = NetWebSocketChannel.connect(url);
        await channel.ready;
        channel.sink.add("hello");
        await channel.stream.next();
        const accepted = channels.at(-1) as ServerWebSocketChannel;
        const left: ConnectionInfo = {
          remoteAddress: "127.0.0.1",
          remotePort: channel.connectionInfo?.localPort ?? null,
          localAddress: null,
          localPort: null,
          proxy: null,
          tls: null,
        };
        const isOurs = accepted.capabilities.inboundBackpressure;
        const whole = isOurs ? { ...left, localAddress: "127.0.0.1", localPort: port } : left;
        if (isRead) assertEquals(accepted.connectionInfo, whole);
        await channel.sink.close();
        await accepted.closed;
        assertEquals(accepted.connectionInfo, isRead ? whole : left);
      }
    }),
  { acceptStreams: "the proxy of the tests is the client" },
);

Deno.test("connectionInfo: null for a stream that is not a socket", () => {
  const nothing = {
    remoteAddress: null,
    remotePort: null,
    localAddress: null,
    localPort: null,
    proxy: null,
    tls: null,
  };
  assertEquals(socketInfo({}, {}), nothing);
  const bare = socketInfo({}, {
    encrypted: true,
    alpnProtocol: false,
    getPeerCertificate: () => ({}),
  });
  assertEquals(bare.tls, {
    protocol: null,
    cipher: null,
    alpnProtocol: null,
    peerCertificate: null,
  });
});
