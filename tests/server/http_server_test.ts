import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createPrivateKey } from "node:crypto";
import process from "node:process";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { type BunServer, bunWebSocket, WebSocketServer } from "../../src/server/mod.ts";
import { acceptAgain, createHttpServer, listen } from "../../src/server/http_server.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { createIdentity, type Identity } from "../support/certificates.ts";
import { assertInvalidState } from "../support/events.ts";

function closed(server: ReturnType<typeof createHttpServer>): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

Deno.test("listen reports the address, and rejects if it can't listen", async () => {
  const first = createHttpServer(undefined, 0);
  const address = await listen(first, { hostname: "127.0.0.1", port: 0 });
  assertEquals([address.hostname, address.port > 0], ["127.0.0.1", true]);
  const second = createHttpServer(createIdentity(), 1000);
  await assertRejects(() => listen(second, address), Error);
  await closed(first);
});

Deno.test("bind rejects on a platform without node:http", () => {
  const { process } = globalThis as unknown as { process: { getBuiltinModule?: unknown } };
  const { getBuiltinModule } = process;
  process.getBuiltinModule = undefined;
  try {
    const error = assertThrows(() => createHttpServer(undefined, 0), UnsupportedError);
    assertEquals(error.capability, "node:http");
  } finally {
    process.getBuiltinModule = getBuiltinModule;
  }
});

Deno.test({
  name: "Deno has the undocumented server._handle.listen, which acceptAgain needs",
  ignore: platform() !== "deno",
  async fn() {
    for (const tls of [undefined, createIdentity()]) {
      const server = createHttpServer(tls, 0);
      await listen(server, { hostname: "127.0.0.1", port: 0 });
      const { _handle: handle } = server as { _handle?: { listen?: unknown } };
      assertEquals(typeof handle?.listen, "function", tls === undefined ? "http" : "https");
      acceptAgain(server);
      await closed(server);
    }
  },
});

/** The common name of a server's certificate, read over a new connection without a resumed session. */
async function shownBy(url: string, ca: readonly string[]): Promise<[string, NetWebSocketChannel]> {
  const client = NetWebSocketChannel.connect(url, { tls: { ca } });
  await client.ready;
  const certificate = client.connectionInfo?.tls?.peerCertificate;
  return [String((certificate?.subject as { CN?: string } | undefined)?.CN), client];
}

Deno.test("setTls: new connections get the new certificate, open ones continue; a malformed one changes nothing", async () => {
  const names = ["127.0.0.1"];
  const [first, second] = ["first", "second"].map((commonName) =>
    createIdentity({ commonName, names })
  ) as [Identity, Identity];
  const ca = [first.cert, second.cert];
  const server = await WebSocketServer.bind({
    tls: first,
    handler: (channel) => void channel.stream.listen((message) => channel.sink.add(message)),
  });
  const echoes = async (client: NetWebSocketChannel): Promise<void> => {
    client.sink.add("hello");
    assertEquals((await client.stream.next()).value, "hello");
  };
  const [before, old] = await shownBy(server.url, ca);
  await echoes(old);
  assertThrows(() => server.setTls({}), TypeError, "tls");
  assertThrows(() => server.setTls({ cert: "no certificate", key: second.key }), TypeError);
  const mixed = { cert: second.cert, key: first.key };
  assertThrows(() => server.setTls(mixed), TypeError, "the key of tls.cert");
  await assertRejects(() => WebSocketServer.bind({ tls: mixed }), TypeError, "the key of tls.cert");
  // Also in a list; each platform has its own wording.
  const inList = { cert: [second.cert], key: [first.key] };
  assertThrows(() => server.setTls(inList), TypeError, "the key of tls.cert");
  const damaged = (pem: string): string => pem.replace(/\n[^-]{64}\n/, "\nAAAA\n");
  assertThrows(() => server.setTls({ ...second, cert: damaged(second.cert) }));
  assertThrows(() => server.setTls({ ...second, key: damaged(second.key) }));
  assertThrows(() => server.setTls({ ...second, requestCert: true } as Identity), TypeError);
  const [still, other] = await shownBy(server.url, ca);
  server.setTls(second);
  const [after, fresh] = await shownBy(server.url, ca);
  assertEquals([before, still, after], ["first", "first", "second"]);
  for (const client of [old, other, fresh]) await echoes(client);
  await server.close({ code: 1012 });
  for (const client of [old, other, fresh]) assertEquals((await client.closed).code, 1012);
});

const PEM = (label: string): string => `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;

/** TLS settings that are invalid or contradict each other. */
const UNREADABLE: readonly [settings: object, error: new () => Error, part: string][] = [
  [{ ciphers: "none-of-this-name" }, TypeError, "tls: the platform rejects it: "],
  [{ sigalgs: "none-of-this-name" }, TypeError, "tls: the platform rejects it: "],
  [{ ecdhCurve: "none-of-this-name" }, TypeError, "tls: the platform rejects it: "],
  [{ crl: PEM("X509 CRL") }, TypeError, "tls: the platform rejects it: "],
  [{ secureProtocol: "none" }, TypeError, "tls: the platform rejects it: "],
  [{ pfx: "x", cert: undefined, key: undefined }, TypeError, "tls: the platform rejects it: "],
  [{ cert: PEM("CERTIFICATE") }, TypeError, "tls"],
  [{ key: PEM("PRIVATE KEY") }, TypeError, "tls"],
  [{ ca: PEM("CERTIFICATE") }, TypeError, "tls.ca: it must be PEM, a CERTIFICATE"],
  [{ ca: [] }, TypeError, "tls.ca"],
  [{ cert: [null] }, TypeError, "tls.cert: it must be PEM"],
  [{ cert: [], key: [] }, TypeError, "tls.cert"],
  [{ key: [{ pem: 5 }] }, TypeError, "tls.key: it must be PEM"],
  [{ dhparam: "x" }, TypeError, "tls.dhparam: it must be PEM"],
  [{ dhparam: PEM("DH PARAMETERS") }, TypeError, "tls.dhparam: it must be PEM"],
  [{ dhparam: new Uint8Array(5) }, TypeError, "tls.dhparam: it must be PEM"],
  [{ ciphers: "" }, TypeError, "tls.ciphers"],
  [{ minVersion: "TLSv1.3", maxVersion: "TLSv1.2" }, TypeError, "tls.maxVersion"],
  [{ sessionIdContext: "\u00e4".repeat(17) }, TypeError, "tls.sessionIdContext"],
  [{ ticketKeys: new Uint8Array(47) }, TypeError, "tls.ticketKeys"],
  [{ sessionTimeout: 1.5 }, RangeError, "tls.sessionTimeout"],
  [{ sessionTimeout: NaN }, RangeError, "tls.sessionTimeout"],
  [{ secureOptions: -1 }, RangeError, "tls.secureOptions"],
];

interface Serving {
  serve(options: object): { port: number; reload(options: object): void; stop(): Promise<void> };
}

Deno.test({
  name: "Bun.serve keeps its first certificates, also after reload",
  ignore: platform() !== "bun",
  async fn() {
    const names = ["127.0.0.1"];
    const [first, second] = ["first", "second"].map((commonName) =>
      createIdentity({ commonName, names })
    ) as [Identity, Identity];
    const { upgrade, websocket } = bunWebSocket({ handler: ({ stream }) => stream.discard() });
    const fetch = async (request: Request, server: BunServer): Promise<Response | undefined> =>
      (await upgrade(request, server)).response;
    const options = { port: 0, hostname: "127.0.0.1", fetch, websocket };
    const { Bun } = globalThis as unknown as { Bun: Serving };
    const server = Bun.serve({ ...options, tls: first });
    for (const isReloaded of [false, true]) {
      if (isReloaded) server.reload({ ...options, tls: second });
      const url = `wss://127.0.0.1:${server.port}`;
      const [name, client] = await shownBy(url, [first.cert, second.cert]);
      assertEquals(name, "first");
      await client.sink.close();
    }
    await server.stop();
  },
});

Deno.test("tls: bind and setTls throw the same error for invalid settings on every runtime", async () => {
  const identity = createIdentity();
  const server = await WebSocketServer.bind({ tls: identity, handler: () => {} });
  try {
    for (const [settings, kind, part] of UNREADABLE) {
      const tls = { ...identity, ...settings } as Identity;
      const errors = [
        await assertRejects(() => WebSocketServer.bind({ tls }), Error, "tls"),
        assertThrows(() => server.setTls(tls), Error, "tls"),
      ];
      for (const error of errors) {
        const name = Object.keys(settings)[0];
        // The server refuses settings that a platform ignores, whatever their value.
        if (error instanceof UnsupportedError) assertEquals(error.capability, `tls.${name}`);
        else {
          assert(error instanceof kind, `${name}: ${error}`);
          assert(error.message.startsWith(`Cannot use the option ${part}`), error.message);
          if (part.includes("platform")) assert(error.cause instanceof Error, `${name}: no cause`);
        }
      }
    }
    // The server still uses the old certificates.
    const client = NetWebSocketChannel.connect(server.url, { tls: { rejectUnauthorized: false } });
    await client.ready;
    await client.sink.close(1000);
  } finally {
    await server.close();
  }
});

Deno.test("tls: a wrong passphrase is a TypeError that doesn't quote it", async () => {
  const { cert, key } = createIdentity();
  const locked = createPrivateKey(key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "right",
  }) as string;
  const wrong = { cert, key: locked, passphrase: "not-this-one" };
  const errors = [
    await assertRejects(() => WebSocketServer.bind({ tls: wrong }), TypeError, "tls"),
  ];
  const right = { ...wrong, passphrase: "right" };
  const server = await WebSocketServer.bind({ tls: right, handler: () => {} });
  errors.push(assertThrows(() => server.setTls(wrong), TypeError, "tls"));
  server.setTls(right);
  await server.close();
  for (const { message } of errors) assert(!message.includes("not-this-one"), message);
});

Deno.test("setTls: throws on a server without TLS", async () => {
  const server = await WebSocketServer.bind();
  assertInvalidState(() => server.setTls(createIdentity()));
  await server.close();
});

Deno.test("reusePort: two servers share a port; without it, and on an old Node, bind rejects", async () => {
  const options = { handler: () => {}, reusePort: true };
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (platform() === "node" && major < 22) {
    const error = await assertRejects(() => WebSocketServer.bind(options), UnsupportedError);
    assertEquals(error.capability, "reusePort");
    return;
  }
  const first = await WebSocketServer.bind(options);
  const { port } = first.address;
  const second = await WebSocketServer.bind({ ...options, port });
  assertEquals(second.address, first.address);
  const refused = await assertRejects(() => WebSocketServer.bind({ port }), Error);
  assertEquals((refused as { code?: string }).code, "EADDRINUSE");
  // The system chooses a server by the client's port.
  const servers = [first, second];
  for (let i = 0; servers.some(({ channels }) => channels.size === 0); i++) {
    assert(i < 500, "one of the two gets nothing");
    await NetWebSocketChannel.connect(first.url).ready;
  }
  await first.close();
  await NetWebSocketChannel.connect(second.url).ready;
  await second.close();
});

Deno.test("fd: replaces hostname and port", async () => {
  await assertRejects(() => WebSocketServer.bind({ fd: 3, port: 80 }), TypeError, "fd");
  for (const fd of [-1, 1.5, Infinity, NaN]) {
    await assertRejects(() => WebSocketServer.bind({ fd }), RangeError, "fd");
  }
});

Deno.test("hostname: bind refuses the empty string, which would mean every address", async () => {
  await assertRejects(() => WebSocketServer.bind({ hostname: "" }), TypeError, "hostname");
});
