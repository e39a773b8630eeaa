/** The tests put secrets in every place where a user or a peer can, and search for them in every text. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { createServer, type Server, type Socket } from "node:net";
import { inspect } from "node:util";
import { type ConnectOptions, WebSocketChannel } from "../../mod.ts";
import { jsonDocument } from "../../src/stream_channel/mod.ts";
import { NativeWebSocketChannel } from "../../src/native/mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** One secret for each place, so that a failure shows its origin. */
const SECRETS = {
  user: "s3cr3tUser",
  password: "s3cr3tPassword",
  query: "s3cr3tQuery",
  bareQuery: "s3cr3tBareQuery",
  fragment: "s3cr3tFragment",
  header: "s3cr3tHeader",
  protocol: "s3cr3tProtocol",
  otherProtocol: "s3cr3tOtherProtocol",
  proxyUser: "s3cr3tProxyUser",
  proxyPassword: "s3cr3tProxyPassword",
  answered: "s3cr3tAnswered",
  passphrase: "s3cr3tPassphrase",
  json: "s3cr3tJson",
} as const;

const BASIC = btoa(`${SECRETS.user}:${SECRETS.password}`);
const PROXY_BASIC = btoa(`${SECRETS.proxyUser}:${SECRETS.proxyPassword}`);

type Inspect = (value: unknown, options?: object) => string;

const { Deno: deno, Bun: bun } = globalThis as unknown as {
  Deno?: { inspect?: Inspect };
  Bun?: { inspect: Inspect };
};

/** All printed forms of a value. */
function textsOf(value: unknown): string[] {
  const texts = [
    inspect(value),
    inspect(value, { depth: 12, showHidden: true }),
    deno?.inspect?.(value, { depth: 12 }) ?? "",
    bun?.inspect(value, { depth: 12 }) ?? "",
    JSON.stringify(value) ?? "",
  ];
  // Some values, such as a channel, have no text of their own.
  if (typeof value !== "object" || value === null) return [...texts, String(value)];
  const { message, stack, cause, error } = value as Record<string, unknown>;
  texts.push(String(value), String(message), String(stack));
  for (const inner of [cause, error]) if (inner !== undefined) texts.push(...textsOf(inner));
  return texts;
}

/** Fails when a secret is in any text of the value. */
function assertNoSecret(value: unknown, where: string): void {
  for (const text of textsOf(value)) {
    for (
      const [name, secret] of [...Object.entries(SECRETS), ["Basic", BASIC], ["Basic", PROXY_BASIC]]
    ) {
      const at = text.toLowerCase().indexOf((secret as string).toLowerCase());
      assert(at < 0, `${where}: ${name} in: ${text.slice(Math.max(at - 150, 0), at + 80)}`);
    }
  }
}

/** Waits for the end of a channel that can't connect, and checks all its texts. */
async function assertFailsSilently(
  channel: WebSocketChannel,
  where: string,
  canOpen = false,
): Promise<unknown> {
  assertNoSecret(channel, where);
  assertNoSecret(channel.url, where);
  const error = await channel.ready.then(() => null, (it: unknown) => it);
  // Some platforms' own sockets accept a wrong answer.
  if (error === null && canOpen) await channel.sink.close();
  else assertInstanceOf(error, Error, where);
  assertNoSecret(error, where);
  assertNoSecret(await channel.closed, where);
  assertNoSecret(channel, where);
  assertNoSecret([channel.stream, channel.sink, channel.response, channel.capabilities], where);
  return error;
}

async function listening(server: Server): Promise<number> {
  return await listen(server);
}

/** Starts a server that answers each request's head with a text, and ends the connection. */
async function withAnswers(
  answer: (head: string) => string,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let head = "";
    socket.on("data", (chunk) => {
      head += chunk.toString();
      if (head.includes("\r\n\r\n")) socket.end(answer(head));
    });
  });
  const port = await listening(server);
  try {
    await body(port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  }
}

const UPGRADED =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";

const { answered } = SECRETS;
const ANSWERS: Readonly<Record<string, (head: string) => string>> = {
  "the unchanged request": (head) => head,
  // The error shows the first line's first 40 bytes, up to a possible query.
  "bytes that aren't HTTP": () => `SSH-2.0 ${"x".repeat(32)}${answered}\r\n${answered}\r\n\r\n`,
  "a query that isn't HTTP": () => `GET /?${answered}`,
  "an empty line, and the unchanged request": (head) => `\r\n${head}`,
  "only a query": () => `?${answered}`,
  "a refusal that quotes the request": (head) =>
    `HTTP/1.1 404 Cannot ${head.split("\r\n")[0]}\r\nContent-Length: 0\r\n\r\n`,
  "a malformed header line": () => `HTTP/1.1 200 OK\r\nSet-Cookie ${answered}\r\n\r\n`,
  "a malformed value": () => `HTTP/1.1 200 OK\r\nSet-Cookie: ${answered}\0\r\n\r\n`,
  "a refusal": () =>
    `HTTP/1.1 401 Unauthorized\r\nSet-Cookie: ${answered}\r\nWWW-Authenticate: ${answered}\r\nContent-Length: 0\r\n\r\n`,
  "a refusal with a body": () =>
    `HTTP/1.1 403 Forbidden\r\nContent-Length: ${answered.length}\r\n\r\n${answered}`,
  "a redirect": () =>
    `HTTP/1.1 302 Found\r\nLocation: ftp://${answered}@example.com/?${answered}\r\nContent-Length: 0\r\n\r\n`,
  "a wrong accept": () => `${UPGRADED}${answered}\r\n\r\n`,
  "a wrong upgrade": () =>
    `HTTP/1.1 101 X\r\nUpgrade: ${answered}\r\nConnection: ${answered}\r\n\r\n`,
  "another subprotocol": (head) =>
    `${UPGRADED}${acceptOf(head)}\r\nSec-WebSocket-Protocol: ${answered}\r\n\r\n`,
  "an extension": (head) =>
    `${UPGRADED}${acceptOf(head)}\r\nSec-WebSocket-Protocol: ${SECRETS.protocol}\r\n` +
    `Sec-WebSocket-Extensions: permessage-deflate; x=${answered}\r\n\r\n`,
};

function acceptOf(head: string): string {
  return WebSocketChannel.signKey(/^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? "");
}

const OPTIONS: ConnectOptions = {
  protocols: [SECRETS.protocol, SECRETS.otherProtocol],
  closeTimeout: 1000,
};

function urlOf(port: number): string {
  const { user, password, query, bareQuery } = SECRETS;
  return `ws://${user}:${password}@127.0.0.1:${port}/path?token=${query}&${bareQuery}`;
}

for (const [name, answer] of Object.entries(ANSWERS)) {
  Deno.test(`attack 60: no secret in any text of a client that gets ${name}`, async () => {
    await withAnswers(answer, async (port) => {
      const headers = { "X-Token": SECRETS.header };
      const options = { ...OPTIONS, headers };
      for (const followRedirects of [false, true]) {
        const net = NetWebSocketChannel.connect(urlOf(port), { ...options, followRedirects });
        await assertFailsSilently(net, "net");
        assertEquals(net.url, `ws://127.0.0.1:${port}/path?token=…&…`);
      }
      await assertFailsSilently(WebSocketChannel.connect(urlOf(port), options), "connect", true);
      // Node's own socket and a browser's have no header fields.
      const plain = urlOf(port).replace(/\/\/.*@/, "//");
      await assertFailsSilently(NativeWebSocketChannel.connect(plain, OPTIONS), "native", true);
      // Node 20 has no WebSocket of its own.
      if (typeof globalThis.WebSocket !== "function") return;
      const socket = new WebSocket(plain, [SECRETS.protocol]);
      await assertFailsSilently(WebSocketChannel.from(socket), "from", true);
    });
  });
}

Deno.test("attack 60: no secret in any text of a client that reaches no server", async () => {
  const server = createServer();
  const port = await listening(server);
  await closeServer(server);
  const plain = urlOf(port).replace(/\/\/.*@/, "//");
  await assertFailsSilently(NetWebSocketChannel.connect(urlOf(port), OPTIONS), "net");
  await assertFailsSilently(NativeWebSocketChannel.connect(plain, OPTIONS), "native");
  const secure = plain.replace("ws:", "wss:");
  await assertFailsSilently(NetWebSocketChannel.connect(secure, OPTIONS), "net TLS");
  await assertFailsSilently(NativeWebSocketChannel.connect(secure, OPTIONS), "native TLS");
  const nowhere = plain.replace("127.0.0.1", "nowhere.invalid");
  await assertFailsSilently(NetWebSocketChannel.connect(nowhere, OPTIONS), "net name");
  const given = { ...OPTIONS, socketPath: "/nowhere/a.sock" };
  await assertFailsSilently(NetWebSocketChannel.connect(plain, given), "net socket");
  const unsupported = NativeWebSocketChannel.connect(plain, { pingInterval: 1 });
  await assertFailsSilently(unsupported, "unsupported");
  const closed = NetWebSocketChannel.connect(plain, OPTIONS);
  void closed.sink.close();
  await assertFailsSilently(closed, "given up");
});

Deno.test("attack 60: no proxy credentials in any text", async () => {
  const { proxyUser, proxyPassword } = SECRETS;
  const refusals = [
    () => `HTTP/1.1 407 No\r\nProxy-Authenticate: ${answered}\r\nContent-Length: 0\r\n\r\n`,
    (head: string) => head,
    () => `SSH-2.0\r\n${answered}\r\n\r\n`,
    () => `HTTP/1.1 200 OK\r\n\r\n${answered}`,
  ];
  for (const answer of refusals) {
    await withAnswers(answer, async (port) => {
      const proxy = `http://${proxyUser}:${proxyPassword}@127.0.0.1:${port}`;
      const channel = NetWebSocketChannel.connect(urlOf(port), { ...OPTIONS, proxy });
      await assertFailsSilently(channel, "proxy");
    });
  }
  for (
    const proxy of [`http://${proxyUser}:${proxyPassword}@`, `socks9://${proxyPassword}@a.test`]
  ) {
    try {
      const channel = NetWebSocketChannel.connect("ws://127.0.0.1:9", { proxy });
      await assertFailsSilently(channel, proxy.slice(0, 5));
    } catch (error) {
      assertNoSecret(error, "malformed proxy");
    }
  }
});

Deno.test("attack 60: no secret in the errors of malformed arguments", () => {
  const { user, password, query, fragment, header, protocol, passphrase } = SECRETS;
  const url = `wss://${user}:${password}@127.0.0.1/?token=${query}`;
  const calls: [string | URL, unknown][] = [
    [`${url}#${fragment}`, {}],
    [`${url}#`, {}],
    [`wss://${user}:${password}@127.0.0.1:99999/?token=${query}`, {}],
    [`wss://${user}:${password}@ /?token=${query}`, {}],
    [`${user}:${password}@example.com/?token=${query}`, {}],
    [`wss://exa mple/?token=${query}#${fragment}`, {}],
    [`http2://example.com/?token=${query}`, {}],
    [url, { protocols: [`${protocol} `] }],
    [url, { protocols: [protocol, protocol] }],
    [url, { protocols: `${protocol},${protocol}` }],
    [url, { headers: `Authorization: ${header}` }],
    [url, { headers: { Authorization: `${header}\r\n` } }],
    [url, { headers: { [`Authorization: ${header}`]: "" } }],
    [url, { headers: { "Sec-WebSocket-Protocol": header } }],
    [url, { headers: { "Proxy-Authorization": header } }],
    [url, { headers: [[header]] }],
    [url, { headers: [["Host", header], ["Host", header]] }],
    [url, { header: { Authorization: header } }],
    [url, { Authorization: header }],
    [url, { [`Bearer ${header}`]: true }],
    [url, { origin: `${header}\n` }],
    [url, { origin: "https://a.test", headers: { Origin: header } }],
    [url, protocol],
    [url, [protocol]],
    [url, { proxy: `${user}:${password}` }],
    [url, { tls: { key: passphrase, cert: passphrase } }],
    [url, { tls: { passphrse: passphrase } }],
    [url, { tls: { passphrase: [passphrase] } }],
    [url, { tls: passphrase }],
  ];
  for (const [target, options] of calls) {
    try {
      NetWebSocketChannel.connect(target, options as ConnectOptions).terminate();
    } catch (error) {
      assertNoSecret(error, JSON.stringify(options));
      continue;
    }
    throw new Error(`Nothing was thrown for ${JSON.stringify(options)}`);
  }
});

Deno.test("attack 60: no secret in the texts of a server, its channels and their requests", async () => {
  const { header, protocol, otherProtocol } = SECRETS;
  const server = await WebSocketServer.bind({
    protocols: [protocol],
    headers: { "X-Token": header },
  });
  const channels: ServerWebSocketChannel[] = [];
  const serving = (async () => {
    for await (const channel of server) channels.push(channel);
  })();
  try {
    const { port } = server.address;
    const headers = { Authorization: header, Cookie: header };
    const options = { ...OPTIONS, headers, protocols: [protocol, otherProtocol] };
    const client = NetWebSocketChannel.connect(urlOf(port), options);
    await client.ready;
    client.sink.add("to be read");
    const [channel] = channels;
    assert(channel !== undefined);
    assertNoSecret([server, server.channels, server.closed], "server");
    for (const each of [client, channel, channel.request, client.response, client.stream]) {
      assertNoSecret(each, "open");
    }
    assertEquals(channel.url, `ws://127.0.0.1:${port}/path?token=…&…`);
    channel.terminate();
    assertNoSecret(await client.closed, "lost");
    assertNoSecret([client, channel], "closed");
  } finally {
    await server.close();
    await serving;
  }
});

Deno.test("attack 60: no secret in a server's errors of malformed options and choices", async () => {
  const { header, protocol, passphrase } = SECRETS;
  const wrong: unknown[] = [
    { protocols: [`${protocol} `] },
    { protocols: protocol },
    { origin: [`https://${header}@example.com`] },
    { headers: { Upgrade: header } },
    { headers: { "X-Token": `${header}\n` } },
    { headers: { [`X-Token: ${header}`]: "" } },
    { tls: { cert: passphrase, key: passphrase } },
    { token: header },
  ];
  for (const options of wrong) {
    const error = await WebSocketServer.bind(options as object).then(
      async (server) => {
        await server.close();
        return "it listens";
      },
      (it: unknown) => it,
    );
    assertInstanceOf(error, Error);
    assertNoSecret(error, JSON.stringify(options));
  }
});

Deno.test("attack 60: no content of JSON in the errors of jsonDocument", async () => {
  const secret = SECRETS.json;
  // The platform's own texts quote different parts of the input around the fault.
  for (const document of [`{"token":"${secret}",}`, `{"token":${secret}}`, secret, `"${secret}`]) {
    const { client, server } = webSocketChannelPair();
    const channel = server.transform(jsonDocument);
    client.sink.add(document);
    const error = await channel.stream.next().catch((it: unknown) => it);
    assertNoSecret(error, "jsonDocument");
    assertNoSecret([await client.closed, await server.closed, client, server], "closed");
  }
});

Deno.test("attack 60: a printed channel shows its class and state", async () => {
  const { client, server } = webSocketChannelPair({ protocol: "chat" });
  for (const print of [inspect, deno?.inspect ?? inspect, bun?.inspect ?? inspect] as Inspect[]) {
    const text = print(client);
    for (
      const part of [
        "WebSocketChannel {",
        "url: ",
        "open",
        "bytes",
        "4 characters",
        "bufferedAmount: 0",
      ]
    ) assert(text.includes(part), text);
  }
  await client.sink.close(1000);
  assert(inspect(server).includes("closeCode: 1000"), inspect(server));
});

Deno.test("attack 60: channel.url on every entry point", async () => {
  const url = "wss://user:secret@Example.com:443/a/../b?token=secret&v=2";
  const shown = "wss://example.com/b?token=…&v=…";
  const unsupported = NativeWebSocketChannel.connect(url, { pingInterval: 1 });
  assertEquals(unsupported.url, shown);
  const never = new Promise<never>(() => {});
  const pending = WebSocketChannel.from(never);
  assertEquals(pending.url, "");
  pending.terminate();
  const socket = Object.assign(new FakeWebSocket(0), { url });
  const wrapped = WebSocketChannel.from(socket);
  assertEquals(wrapped.url, shown);
  wrapped.terminate();
  assertEquals(WebSocketChannel.from(new FakeWebSocket(3)).url, "");
  const { client, server } = webSocketChannelPair();
  assertEquals([client.url, server.url], ["", ""]);
  client.terminate();
  const transform = new TransformStream<Uint8Array, Uint8Array>();
  const over = WebSocketChannel.connectOver(transform, url);
  assertEquals(over.url, shown);
  over.terminate();
  const net = NetWebSocketChannel.connect("ws://a:b@127.0.0.1:9/?c=d");
  assertEquals(net.url, "ws://127.0.0.1:9/?c=…");
  net.terminate();
  await Promise.all([over.closed, net.closed, server.closed]);
});
