/** How to provoke each error of docs/reference/errors.md, by its text on the page. */

import { acceptStream, acceptStreams, Http2, Http2Pool } from "../../src/http2/mod.ts";
import { delay } from "@std/async";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createSecureContext } from "node:tls";
import { type IncomingMessage, WebSocketChannel } from "../../mod.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { NativeWebSocketChannel } from "../../src/native/mod.ts";
import { dialError } from "../../src/net/dial_error.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { chooseProxy } from "../../src/net/proxy.ts";
import { claim } from "../../src/server/claim.ts";
import { type Message, type MessageInput, relay } from "../../src/server/mod.ts";
import { clientLeft } from "../../src/server/server_request.ts";
import { connectOverLater, overLater } from "../../src/web_socket/over_later.ts";
import { refuse } from "../../src/handshake/server_handshake.ts";
import {
  acceptUpgrade,
  type BindOptions,
  broadcast,
  type RateLimitOptions,
  WebSocketServer,
} from "../../src/server/mod.ts";
import {
  channelPair,
  jsonDocument,
  MessagePortChannel,
  MultiChannel,
  StreamChannel,
  StreamChannelCompleter,
} from "../../src/stream_channel/mod.ts";
import {
  type ReconnectingChannel,
  type ReconnectingOptions,
  Sessions,
} from "../../src/reconnecting/mod.ts";
import { faultyPair, ManualClock, webSocketChannelPair } from "../../src/testing/mod.ts";

import { checkServer, listCases } from "../../src/check/mod.ts";
import { withProcess } from "../support/process.ts";
import { natsJetStream, redisStreams, Topics, type TopicsOptions } from "../../src/topics/mod.ts";
import { toWebSocket, WebSocket } from "../../src/faces/mod.ts";
import { connectOver, over } from "../../src/web_socket/over.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";
import { fromHex } from "../support/bytes.ts";
import { deferred } from "../support/promises.ts";
import { startSocks } from "../support/net_peers.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { startRecipe } from "../support/recipes.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { createIdentity } from "../support/certificates.ts";
import { Rig } from "../reconnecting/support.ts";
import { FakeBytes, rig, wireRig } from "../web_socket/support.ts";

const HTTP2 = "http2/http2_test.ts";
const RESUMPTION = "tests/reconnecting/resumption_test.ts";
const ATTEMPT = "tests/reconnecting/attempt_test.ts";
const SESSIONS = "tests/reconnecting/sessions_test.ts";

/** Returns an error, throws it, or returns a promise that rejects or fulfils with it. */
export type Provoke = () => unknown;

/** The test that provokes it, and a part of the error's text that the test expects. */
export interface Elsewhere {
  readonly file: string;
  readonly part: string;
}

/** The connection behind a channel. */
function connectionOf(channel: WebSocketChannel) {
  const core = Channel.coreOf(channel);
  if (core === null) throw new Error("it is no channel of this package");
  return core;
}

/** The error for a client that exceeds the rate limit: the server channel's error, or the error that `onError` gets. */
async function flooded(rateLimit: RateLimitOptions, whose: "closed" | "onError"): Promise<unknown> {
  const { promise, resolve } = deferred<unknown>();
  const server = await WebSocketServer.bind({
    rateLimit,
    onError: resolve,
    handler: async ({ closed }) => {
      const { error } = await closed;
      if (whose === "closed") resolve(error);
    },
  });
  const client = NetWebSocketChannel.connect(server.url);
  client.stream.listen(() => {});
  for (const message of ["a", "b"]) client.sink.add(message);
  try {
    return await promise;
  } finally {
    await server.close();
  }
}

const URL_TEXT = "ws://127.0.0.1:9";

// deno-lint-ignore no-explicit-any -- the value is wrong on purpose
const wrong = (value: unknown): any => value;

async function inTopics(
  body: (topics: Topics) => Promise<unknown>,
  options: TopicsOptions = {},
): Promise<unknown> {
  const topics = new Topics(options);
  try {
    return await body(topics);
  } finally {
    await topics.close();
  }
}

function connect(options: unknown, url = URL_TEXT): unknown {
  return WebSocketChannel.connect(url, options as ConnectOptions);
}

function bind(options: unknown): Promise<unknown> {
  return WebSocketServer.bind(options as BindOptions);
}

/** An attempt over a byte channel that answers with a text. */
function answered(text: string, options: ConnectOptions = {}): Promise<unknown> {
  const bytes = new FakeBytes();
  const channel = connectOver(bytes, "ws://a.test", wrong(options));
  const { ready } = channel;
  bytes.receive(Uint8Array.from(text, (it) => it.charCodeAt(0)));
  bytes.incoming.end();
  return ready;
}

const UPGRADED = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

/** As {@linkcode answered}, with a 101 and a correct accept value. */
function agreed(fields: string, options: ConnectOptions = {}): Promise<unknown> {
  const bytes = new FakeBytes();
  const channel = connectOver(bytes, "ws://a.test", wrong(options));
  const { ready } = channel;
  const key = /Sec-WebSocket-Key: (\S+)/.exec(new TextDecoder().decode(bytes.written[0]))?.[1];
  const accept = `Sec-WebSocket-Accept: ${WebSocketChannel.signKey(key ?? "")}\r\n`;
  bytes.receive(new TextEncoder().encode(`${UPGRADED}${accept}${fields}\r\n`));
  return ready;
}

function dialled(code: string): unknown {
  const cause = Object.assign(new Error(code), { code });
  return dialError(new URL("ws://a.test"), { phase: "tls", cause });
}

/** The error with which a channel ends that receives these bytes. */
async function broken(hex: string, side: "client" | "server" = "client"): Promise<unknown> {
  const { channel, bytes } = rig({ side });
  bytes.receive(fromHex(hex));
  return (await channel.closed).error;
}

async function corrupt(): Promise<unknown> {
  const bytes = new FakeBytes();
  const channel = over(bytes, { side: "client", extensions: "permessage-deflate" });
  bytes.receive(fromHex("c102ffff"));
  return (await channel.closed).error;
}

/** The error with which the stream of a transformed channel fails. */
function json(options: unknown, message: unknown): Promise<unknown> {
  const { local, foreign } = channelPair<string | Uint8Array>();
  const { stream } = local.transform(wrong(jsonDocument(wrong(options))));
  foreign.sink.add(wrong(message));
  return stream.next();
}

function sendJson(options: unknown, value: unknown): unknown {
  const { local } = channelPair<string>();
  return local.transform(wrong(jsonDocument(wrong(options)))).sink.add(wrong(value));
}

/** A Standard Schema with this answer. */
function schema(answer: unknown): unknown {
  return { "~standard": { version: 1, vendor: "test", validate: () => answer } };
}

const ISSUES = schema({ issues: [{ message: "too long" }] });

const unloadable = (): Promise<never> => Promise.reject(new Error("offline"));

async function withPings(count: number): Promise<unknown> {
  const { channel } = rig();
  for (let i = 1; i < count; i++) channel.ping().catch(() => {});
  return await channel.ping();
}

const elsewhere = (file: string, part: string): Elsewhere => ({ file: `tests/${file}`, part });

const SOCKS = "net/socks_test.ts";
const REDIRECT = "net/redirect_test.ts";
const C = "Cannot connect to …: ";
const P = `${C}the proxy …: `;

/** By the text of the page's line. */
export const PROVOKED: Readonly<Record<string, Provoke | Elsewhere>> = {
  // Arguments and options.
  "Cannot connect: the URL is malformed, got …": () => connect({}, "ws://["),
  "Cannot connect: the URL's scheme must be ws: or wss:…": () => connect({}, "ftp://a.test"),
  "Cannot connect: the URL must have no fragment, got …#…": () => connect({}, "ws://a.test/#b"),
  "Cannot connect: subprotocol … of … must be a string, got …": () => connect({ protocols: [1] }),
  "Cannot connect: subprotocol … of … must be a token, without blanks and commas": () =>
    connect({ protocols: "a b" }),
  "Cannot connect: subprotocol … of … is offered twice": () => connect({ protocols: ["a", "a"] }),
  "Cannot connect: headers must not repeat the field …": () =>
    connect({ headers: [["Host", "a"], ["Host", "b"]] }),
  "Cannot connect: headers must not have Proxy-Authorization. Write the credentials in the proxy's URL":
    () => connect({ headers: { "Proxy-Authorization": "Basic x" } }),
  "Cannot connect: the environment's proxy is not a URL": () => {
    const before = process.env["http_proxy"];
    process.env["http_proxy"] = "http://[";
    try {
      return chooseProxy(new URL("ws://a.test"), "environment");
    } finally {
      if (before === undefined) delete process.env["http_proxy"];
      else process.env["http_proxy"] = before;
    }
  },
  "Cannot send the header …: its name must be a token": () => connect({ headers: { "a b": "c" } }),
  "Cannot send the header …: HTTP/2 has no such field": () =>
    Http2.connect(URL_TEXT, { headers: { "Keep-Alive": "1" } }),
  "Cannot accept the stream: it must be one of a server of node:http2, got …": () =>
    acceptStream(wrong({}), {}),
  "Cannot accept the stream: the header fields must be an object or a list, got …": () =>
    acceptStream(wrong({ respond() {} }), wrong(null)),
  "Cannot accept streams: the server must be one of node:http2, got …": () =>
    acceptStreams(wrong({})),
  "Cannot send the header …: its value must be printable Latin-1 text": () =>
    connect({ headers: [["a", "b\r\nc"]] }),
  "Cannot use the options: they must be an object, got …": () => connect(1),
  "Cannot use the option …: it must be an object, got …": () => connect({ tls: 1 }),
  "Cannot use the option …: there is no such option, got …": () => connect({ timeout: 1 }),
  "Cannot use the option …: it must be …, got …": () => connect({ protocols: 1 }),
  "Cannot use the option …: it must be from … to …, got …": () => connect({ connectTimeout: -1 }),
  "Cannot use the option …: it must be an integer from … to …, got …": () =>
    connect({ compression: { level: 10 } }),
  "Cannot use the option …: it must be left out …": () =>
    connect({ origin: "http://a.test", headers: { Origin: "http://b.test" } }),
  "Cannot use the option …: it must be a string that isn't empty": () =>
    connect({ socketPath: "" }),
  "Cannot use the option …: it must be names of capabilities (…), got …": () =>
    connect({ require: ["speed"] }),
  "Cannot use the option …: it must be a ws: or wss: URL": elsewhere(REDIRECT, "a ws: or wss: URL"),
  "Cannot use the options: pingTimeout needs pingInterval": () => connect({ pingTimeout: 1 }),
  "Cannot use the option maxSessionsPerIdentity: it needs the option identify": () =>
    new Sessions({ maxSessionsPerIdentity: 1 }),
  "Cannot use the option …: field … of … must be a name and a value, both strings, got …": () =>
    connect({ headers: [["a"]] }),
  "Cannot use the option …: the header field … is reserved for the handshake": () =>
    connect({ headers: { Upgrade: "h2c" } }),
  "Cannot use the option proxy.headers: the header field Host is reserved for the CONNECT request":
    () => connect({ proxy: { url: "http://a.test", headers: { Host: "b" } } }),
  "Cannot use the option …: it is not a URL with a scheme and a host, such as http://localhost:3128":
    () => connect({ proxy: "a.test:80" }),
  "Cannot use the option extensions: it must be the agreed permessage-deflate, got …": () =>
    over(new FakeBytes(), { side: "client", extensions: "x" }),
  "Cannot wrap the WebSocket: it must have the interface of one, or be a promise of one": () =>
    WebSocketChannel.from(wrong({})),
  [
    "Cannot connect: the target must be or return a URL, an object with a url, or a WebSocketChannel, " +
    "got …"
  ]: () => new Rig({ target: wrong(1) }),
  "Cannot connect: the target function returned a channel with a reader": {
    file: ATTEMPT,
    part: "the target function returned a channel with a reader",
  },
  "Unsupported on …: …": () =>
    NativeWebSocketChannel.connect(URL_TEXT, wrong({ pingInterval: 1 })).ready,

  // Connecting.
  "Cannot connect: the Http2Pool is closed": () => {
    const pool = new Http2Pool();
    void pool.close();
    return Http2.connect(URL_TEXT, { pool }).ready;
  },
  [`${C}the server did not choose h2 (ALPN), but …`]: elsewhere(HTTP2, "did not choose h2 (ALPN)"),
  [`${C}the server has HTTP/2, but not WebSocket over it (SETTINGS_ENABLE_CONNECT_PROTOCOL)`]:
    elsewhere(HTTP2, "but not WebSocket over it (SETTINGS_ENABLE_CONNECT_PROTOCOL)"),
  [`${C}the server allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS)`]: elsewhere(
    "http2/pool_test.ts",
    "allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS)",
  ),
  [`${C}the answer is not HTTP/2, or the connection was lost`]: elsewhere(
    HTTP2,
    "the answer is not HTTP/2, or the connection was lost",
  ),
  [`${C}the HTTP/2 session has just ended`]: elsewhere(
    "http2/pool_test.ts",
    "the HTTP/2 session has just ended",
  ),
  "The HTTP/2 session was lost": elsewhere(HTTP2, "The HTTP/2 session was lost"),
  "The HTTP/2 stream was reset: …": elsewhere(HTTP2, "The HTTP/2 stream was reset: "),
  "GOAWAY …": elsewhere("http2/pool_test.ts", "GOAWAY ENHANCE_YOUR_CALM (11)"),
  "Cannot connect to …: it took longer than … ms…": () =>
    connectOver(new FakeBytes(), "ws://a.test", { connectTimeout: 1 }).ready,
  "Cannot connect: the channel was closed meanwhile": () => {
    const channel = connectOver(new FakeBytes(), "ws://a.test");
    const { ready } = channel;
    void channel.sink.close();
    return ready;
  },
  [`${C}the connection was refused`]: () => NetWebSocketChannel.connect(URL_TEXT).ready,
  [`${C}the host can't be found`]: () => dialled("ENOTFOUND"),
  [`${C}the host's address can't be found at the moment`]: () => dialled("EAI_AGAIN"),
  [`${C}the host didn't answer`]: () => dialled("ETIMEDOUT"),
  [`${C}the host can't be reached`]: () => dialled("EHOSTUNREACH"),
  [`${C}the network can't be reached`]: () => dialled("ENETUNREACH"),
  [`${C}the local address can't be used`]: () => dialled("EADDRNOTAVAIL"),
  [`${C}the option lookup returned no IP address`]: () => dialled("ERR_LOOKUP"),
  [`${C}Deno can't use an IPv6 address with a zone`]: () => dialled("ERR_ZONE"),
  [`${C}there is no such socket`]: () =>
    NetWebSocketChannel.connect(URL_TEXT, { socketPath: "/nowhere/a.sock" }).ready,
  [`${C}it is not permitted`]: () => dialled("EACCES"),
  [`${C}the connection was lost`]: () => dialled("ECONNRESET"),
  [`${C}the certificate is not for …`]: () => dialled("ERR_TLS_CERT_ALTNAME_INVALID"),
  [
    `${C}the certificate can't be trusted: it has expired, or its authority is not known. ` +
    "Set your own authority as tls.ca"
  ]: () => dialled("UNABLE_TO_GET_ISSUER_CERT"),
  [`${C}the certificate has expired`]: () => dialled("CERT_HAS_EXPIRED"),
  [`${C}the certificate isn't valid yet`]: () => dialled("CERT_NOT_YET_VALID"),
  [`${C}the certificate has been revoked`]: () => dialled("CERT_REVOKED"),
  [`${C}the certificate is self-signed. If it is yours, set it as tls.ca`]: () =>
    dialled("DEPTH_ZERO_SELF_SIGNED_CERT"),
  [`${C}the server requires a client certificate`]: () =>
    dialled("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"),
  [`${C}the server refused the client's certificate`]: () =>
    dialled("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"),
  [`${C}the server refused the TLS handshake`]: () =>
    dialled("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"),
  [`${C}the answer is not TLS. Check the URL's scheme`]: () =>
    dialled("ERR_SSL_WRONG_VERSION_NUMBER"),
  [`${C}the TLS handshake failed`]: () => dialled("ERR_SSL_BAD_LENGTH"),
  [`${C}tls.checkServerIdentity refused the certificate: …`]: elsewhere(
    "security/tls_test.ts",
    "tls.checkServerIdentity refused the certificate",
  ),
  [`${C}the platform can't use the option tls`]: elsewhere(
    "security/tls_test.ts",
    "the platform can't use the option tls",
  ),
  [`${C}the connection ended before the server had answered`]: () => answered(""),
  [`${C}the connection was lost before the server had answered…`]: elsewhere(
    "web_socket/open_handshake_test.ts",
    "was lost before the server had answered",
  ),
  [`${C}the server answered …`]: () => answered("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
  [`${C}the answer is not HTTP/1.1: it begins with "…"`]: () => answered("SSH-2.0\r\n"),
  [`${C}the answer is TLS, not HTTP: is the scheme right?`]: () => answered("\x15\x03\x01"),
  [`${C}the head has a malformed line: …`]: () => answered("HTTP/1.1 200 OK\r\nDate\r\n"),
  [`${C}the head has …`]: () => answered("HTTP/1.1 200 OK\n"),
  [`${C}the head has more than … lines`]: () =>
    answered(`HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(129)}`),
  [`${C}the head is larger than … bytes`]: () =>
    answered(`HTTP/1.1 200 OK\r\na: ${"b".repeat(65536)}`),
  [`${C}the start line is longer than … bytes`]: () => answered(`HTTP/1.1 200 ${"b".repeat(8192)}`),
  [`${C}the server sent more than … interim (1xx) answers`]: () =>
    answered("HTTP/1.1 100 X\r\n\r\n".repeat(9)),
  [`${C}the server answered 101 in HTTP/…, not HTTP/1.1`]: () =>
    answered(`${UPGRADED.replace("1.1", "1.0")}\r\n`),
  [`${C}the answer's … is missing`]: () => answered("HTTP/1.1 101 X\r\n\r\n"),
  [`${C}the answer's … is invalid…`]: () => answered(`${UPGRADED}Sec-WebSocket-Accept: x\r\n\r\n`),
  [`${C}the server chose none of the offered subprotocols`]: () => agreed("", { protocols: "a" }),
  [`${C}the server chose a subprotocol that was not offered`]: () =>
    agreed("Sec-WebSocket-Protocol: b\r\n", { protocols: "a" }),
  [`${C}the answer's Sec-WebSocket-Extensions is invalid: …`]: () =>
    agreed("Sec-WebSocket-Extensions: x\r\n"),
  [`${C}Sec-WebSocket-Extensions is malformed at character …`]: () =>
    agreed("Sec-WebSocket-Extensions: ;\r\n"),
  [`${C}too many redirects`]: elsewhere(REDIRECT, "too many redirects"),
  [`${C}the redirect has no Location`]: elsewhere(
    REDIRECT,
    "the redirect has no Location",
  ),
  [`${C}the redirect leads to no ws: or wss: URL`]: elsewhere(
    REDIRECT,
    "the redirect leads to no ws: or wss: URL",
  ),
  [`${C}the redirect leads from wss: to ws:`]: elsewhere(
    REDIRECT,
    "the redirect leads from wss: to ws:",
  ),
  [
    `${C}the redirect leads to another origin, ` +
    "and tls.secureContext may hold a client certificate"
  ]: redirectedWithContext,
  [`${C}the redirect leads away from the Unix socket`]: elsewhere(
    REDIRECT,
    "away from the Unix socket",
  ),
  [`${C}onRedirect failed…`]: elsewhere(REDIRECT, "onRedirect failed: "),
  [`${C}onRedirect refused the redirect to …`]: elsewhere(
    REDIRECT,
    "onRedirect refused the redirect to ",
  ),
  [`${P}it answered …`]: elsewhere("net/proxy_test.ts", "it answered 502 Bad Gateway: "),
  [`${P}it ended the connection without an answer`]: elsewhere(
    SOCKS,
    "it ended the connection without an answer",
  ),
  [`${P}it sent data into the tunnel before the server did`]: elsewhere(
    "net/proxy_test.ts",
    "it sent data into the tunnel before the server did",
  ),
  [`${P}it doesn't speak SOCKS5`]: elsewhere(SOCKS, "it doesn't speak SOCKS5"),
  [`${P}it requires credentials, or refuses this client. Set credentials in the proxy's URL`]:
    elsewhere(
      SOCKS,
      "it requires credentials, or refuses this client",
    ),
  [`${P}it supports neither a login with user name and password nor clients without login`]:
    elsewhere(
      SOCKS,
      "it supports neither a login with user name and password nor clients without login",
    ),
  [`${P}it chose a method that was not offered`]: elsewhere(
    SOCKS,
    "it chose a method that was not offered",
  ),
  [`${P}it doesn't accept the credentials of its URL`]: elsewhere(
    SOCKS,
    "it doesn't accept the credentials of its URL",
  ),
  [`${P}… has … bytes, SOCKS5 takes at most …`]: elsewhere(SOCKS, ", SOCKS5 takes at most "),
  [`${P}it failed`]: () => socksReply(1),
  [`${P}its rules don't allow the connection`]: () => socksReply(2),
  [`${P}it can't reach the network of the server`]: () => socksReply(3),
  [`${P}it can't reach the server`]: () => socksReply(4),
  [`${P}the server refused its connection`]: () => socksReply(5),
  [`${P}its connection to the server took too long`]: () => socksReply(6),
  [`${P}it doesn't support the command`]: () => socksReply(7),
  [`${P}it doesn't support this type of address`]: () => socksReply(8),
  [`${P}it refused with the code …`]: () => socksReply(99),
  [`${C}a module can't be loaded`]: elsewhere("net/dialer_test.ts", "a module can't be loaded"),
  [`${C}the module of the protocol can't be loaded`]: () =>
    connectOverLater(new FakeBytes(), "ws://a.test", {}, { load: unloadable }).ready,
  "Cannot use the bytes: the module of the protocol can't be loaded": async () => {
    const channel = overLater(new FakeBytes(), { side: "client" }, { load: unloadable });
    return (await channel.closed).error;
  },
  [`${C}the connection could not be opened, and the platform does not report why…`]: elsewhere(
    "native/native_channel_test.ts",
    "the connection could not be opened, and the platform does not report why",
  ),
  [`${C}Deno reports only a second attempt, over HTTP/2: …`]: elsewhere(
    "native/connect_failure_test.ts",
    "Deno reports only a second attempt, over HTTP/2: ",
  ),
  "Cannot wrap the WebSocket: its promise failed": () =>
    WebSocketChannel.from(Promise.reject(new Error("no"))).ready,
  "Cannot wrap the WebSocket: it is already …": () =>
    WebSocketChannel.from(new FakeWebSocket(3)).ready,
  "Cannot read the body: it is truncated or malformed": elsewhere(
    "web_socket/body_stream_test.ts",
    "it is truncated or malformed",
  ),
  "Cannot read the body any more: …": elsewhere(
    "web_socket/body_stream_test.ts",
    "onRefusal has returned",
  ),
  "Cannot read the refusal: onRefusal failed": elsewhere(
    "net/connect_net_test.ts",
    "Cannot read the refusal: onRefusal failed",
  ),

  // An open connection.
  "The connection was lost: it ended without a Close frame": async () => {
    const { channel, bytes } = rig();
    bytes.incoming.end();
    return (await channel.closed).error;
  },
  "The connection was lost: it ended without a Close frame, while … bytes of messages were unread":
    elsewhere("server/unread_test.ts", "bytes of messages were unread"),
  "Cannot close within … ms: …": async () => {
    const { channel, clock } = rig({ closeTimeout: 100 });
    void channel.sink.close();
    clock.advance(1000);
    return (await channel.closed).error;
  },
  "The connection… was lost: no data arrived within pingTimeout after a Ping": async () => {
    const { channel, clock } = rig({ pingInterval: 100, pingTimeout: 100 });
    clock.advance(10_000);
    return (await channel.closed).error;
  },
  "Message of … bytes exceeds maxMessageSize (… bytes)": async () => {
    const { channel, bytes } = rig({ maxMessageSize: 1 });
    bytes.receive(fromHex("81026161"));
    return (await channel.closed).error;
  },
  "What waits to be read, … bytes, exceeds maxQueueSize (… bytes)": elsewhere(
    "native/native_channel_test.ts",
    "What waits to be read, 150 bytes, exceeds maxQueueSize (100 bytes)",
  ),
  "The peer's input within … ms exceeds rateLimit.… (… …)": () =>
    flooded({ messages: 1, per: 1000, action: "close" }, "closed"),
  "The peer broke the protocol: Reserved bit set": () => broken("c100"),
  "The peer broke the protocol: Reserved opcode": () => broken("8300"),
  "The peer broke the protocol: Frame not masked": () => broken("8100", "server"),
  "The peer broke the protocol: Frame masked": () => broken("818000000000"),
  "The peer broke the protocol: Control frame fragmented": () => broken("0900"),
  "The peer broke the protocol: Control frame too long": () => broken("897e0080"),
  "The peer broke the protocol: Nothing to continue": () => broken("8000"),
  "The peer broke the protocol: Previous message unfinished": () => broken("01008100"),
  "The peer broke the protocol: Invalid payload length": () => broken("827f8000000000000000"),
  "The peer broke the protocol: Close frame too short": () => broken("880103"),
  "The peer broke the protocol: Invalid close code": () => broken("880203ed"),
  "The peer broke the protocol: Invalid UTF-8": () => broken("8101ff"),
  "The peer broke the protocol: Invalid compressed data": corrupt,
  "Cannot read a message: it could not be decompressed": elsewhere(
    "web_socket/protocol_transport_test.ts",
    "Cannot read a message: it could not be decompressed",
  ),
  "Cannot read a message: it must be text or an ArrayBuffer, got …": elsewhere(
    "native/native_channel_test.ts",
    "Cannot read a message: it must be text or an ArrayBuffer, got ",
  ),
  [
    "Cannot continue to read: the buffer of a received message was transferred, and with it the messages " +
    "after it. Transfer a copy: message.slice().buffer"
  ]: async () => {
    const { channel, wire } = wireRig();
    channel.stream.listen((message) => {
      const { buffer } = message as Uint8Array<ArrayBuffer>;
      structuredClone(buffer, { transfer: [buffer] });
    });
    wire.receive(fromHex("820161820162"));
    wire.finish();
    return (await channel.closed).error;
  },
  "Cannot read bytes: a chunk must be bytes, got …": async () => {
    const { channel, bytes } = rig();
    bytes.receive(wrong("text"));
    return ((await channel.closed).error as Error).cause;
  },
  "Cannot read from the socket: a chunk must be bytes. Set no encoding": elsewhere(
    "net/socket_wire_test.ts",
    "Cannot read from the socket: a chunk must be bytes. Set no encoding",
  ),
  "Cannot read from the socket: it was destroyed": elsewhere(
    "net/socket_wire_test.ts",
    "Cannot read from the socket: it was destroyed",
  ),
  "Cannot send everything: … before the transport took … bytes": elsewhere(
    "web_socket/channel_core_test.ts",
    "Cannot send everything: ",
  ),
  "Cannot send: … before everything was passed to the transport": async () => {
    const { client, server } = webSocketChannelPair();
    await client.ready;
    void server.sink.close();
    await client.closed;
    return await client.sink.addStream(["late"]);
  },
  "Cannot ping: the channel is …": async () => {
    const { channel } = rig();
    channel.terminate();
    return await channel.ping();
  },
  "Cannot ping: the channel has ended": () => {
    const load = (): Promise<never> => new Promise(() => {});
    const channel = overLater(new FakeBytes(), { side: "client" }, { load });
    const ping = channel.ping();
    channel.terminate();
    return ping;
  },
  "Cannot ping: … pings are unanswered": () => withPings(10_000),
  "Cannot ping: the channel ended before the Pong arrived": () => {
    const { channel } = rig();
    const ping = channel.ping();
    channel.terminate();
    return ping;
  },

  // Sending and closing.
  "Cannot add a message: the bytes of its text are not UTF-8": () =>
    webSocketChannelPair().client.sink.addMessage([Uint8Array.of(0xff)], { kind: "text" }),
  "Cannot send a message: … before the whole message was added": async () => {
    const { client } = webSocketChannelPair();
    void client.sink.close();
    await client.closed;
    return connectionOf(client).addMessage([], { kind: "text" });
  },
  "Cannot send everything: … in the middle of a message": async () => {
    const { client, server } = webSocketChannelPair();
    server.stream.discard();
    const source = new ReadableStream<string>({ start: (it) => it.enqueue("begun") });
    client.sink.addMessage(source, { kind: "text" }).catch(() => {});
    await delay(0);
    void client.sink.close();
    return (await client.closed).error;
  },
  "Cannot read the rest of a message: the connection was closed (…) in the middle of it":
    async () => {
      const { client, server } = webSocketChannelPair({ streamLargerThan: 0 });
      const source = new ReadableStream<string>({ start: (it) => it.enqueue("begun") });
      client.sink.addMessage(source, { kind: "text" }).catch(() => {});
      const message = (await server.stream.next()).value as unknown as IncomingMessage;
      void client.sink.close(1000);
      return message.done;
    },
  "Cannot use the channel: it must be created without streamLargerThan, because its messages must be whole":
    () => toWebSocket(webSocketChannelPair({ streamLargerThan: 0 }).client),
  "Cannot pass on messages in parts: the sink must be that of a WebSocket channel, and not transformed. Leave out streamLargerThan":
    () => webSocketChannelPair({ streamLargerThan: 0 }).client.pipe(channelPair().local as never),
  'Cannot use the options: streamLargerThan needs invalidText "fail" or "replace", because "bytes" needs whole messages':
    () => connect({ streamLargerThan: 1, invalidText: "bytes" }),
  "Cannot add: a message must be a string, an ArrayBuffer or a view of one, got …": () =>
    rig().channel.sink.add(wrong(1)),
  "Cannot read the bytes: their buffer is detached or has become too small for them": () => {
    const bytes = new Uint8Array(8);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    rig().channel.sink.add(bytes);
  },
  "Cannot …: the sink is closed": () => {
    const { sink } = rig().channel;
    void sink.close();
    sink.add("late");
  },
  "Cannot …: an addStream is running": () => {
    const { sink } = rig().channel;
    void sink.addStream(new ReadableStream());
    sink.add("between");
  },
  [
    "Cannot add a …: the source must be an iterable, an async iterable or a ReadableStream, " +
    "got …"
  ]: () => rig().channel.sink.addStream(wrong("text")),
  "Cannot close: the code must be one of …, got …": () => rig().channel.sink.close(1005),
  "Cannot close: a reason needs a code, got only …": () =>
    rig().channel.sink.close(undefined, "done"),
  "Cannot close: the reason must be a string, got …": () =>
    rig().channel.sink.close(1000, wrong(1)),
  "Cannot close: the reason must be at most … bytes of UTF-8, got …": () =>
    rig().channel.sink.close(1000, "x".repeat(124)),
  "Cannot send a control frame: its payload must be bytes, got …": () =>
    rig().channel.pong(wrong("text")),
  "Cannot send a control frame: its payload must be at most … bytes, got …": () =>
    rig().channel.pong(new Uint8Array(126)),

  // A connection that stays.
  "Cannot reconnect: the connection ended with …, which is not retried. The option retry decides":
    () =>
      reconnecting({}, async (it) => {
        await it.open();
        await it.lose(1008);
      }),
  "Cannot connect within … ms: …": () => {
    const target = (): Promise<string> => new Promise(() => {});
    return reconnecting({ target, retry: () => false }, async (it) => {
      await it.advance(0);
      await it.advance(30_000);
    });
  },
  "The connection was lost: the peer did not answer": () => {
    const heartbeat = { interval: 10, timeout: 10, message: () => "" };
    return reconnecting({ heartbeat, retry: () => false }, async (it) => {
      await it.open();
      await it.advance(20);
    });
  },
  "Cannot add: the queue has reached … (… bytes). Wait for sink.ready": () =>
    away({ maxBuffer: 0 }),
  "Cannot add: there is no connection": () => away({ whileAway: "reject" }),
  "Cannot continue the session: …": { file: RESUMPTION, part: "it sent no hello" },
  "Cannot resume the session: the client did not reconnect within … ms": {
    file: SESSIONS,
    part: "the client did not reconnect within 60000 ms",
  },
  "Cannot ping: the session has no connection": { file: SESSIONS, part: "no connection" },
  "Cannot serve sessions: the handler must be a function, got …": () =>
    new Sessions().handler(wrong(1)),
  "Cannot serve the session: identify must return a string or a number, got …": {
    file: SESSIONS,
    part: "identify must return a string or a number, got an object",
  },

  // Streams and channels.
  "Cannot use the topic: it must be a string, got …": () =>
    inTopics((it) => it.publish(wrong(1), "")),
  "Cannot use the topic: it must be well-formed text of 1–… bytes in UTF-8, got … characters": () =>
    inTopics((it) => it.publish("", "")),
  "Cannot use the channel: it must be a channel, got …": () =>
    inTopics((it) => it.subscribe(wrong(1), "a")),
  "Cannot use the option engine: it must be a topics' engine, got …": () =>
    new Topics({ engine: wrong({}) }),
  "Cannot use the option id: it must be well-formed text of 1–… characters, got …": () =>
    inTopics((it) => it.publish("a", "", { id: "" })),
  "Cannot use the option presence: it must be a value that JSON can hold, got …": () =>
    inTopics((it) => it.subscribe(webSocketChannelPair().server, "a", { presence: wrong })),
  "Cannot use the option presence: it must have at most … characters as JSON, got …": () =>
    inTopics((it) =>
      it.subscribe(webSocketChannelPair().server, "a", { presence: "x".repeat(5000) })
    ),
  "Cannot use the option prefix: it must be letters, digits, - and _": () =>
    natsJetStream({ js: { consumers: {} }, jsm: { consumers: {}, streams: {} } }, {
      prefix: "a.b",
    }),
  "Cannot use the client: it must be a client of npm redis or ioredis for one server, got …": () =>
    redisStreams(wrong({})),
  "Cannot use the clients: they must be { js, jsm } of @nats-io/jetstream, got …": () =>
    natsJetStream(wrong({})),
  "Cannot subscribe: the channel is subscribed to the topic already": () =>
    inTopics(async (it) => {
      const { server } = webSocketChannelPair();
      await it.subscribe(server, "a");
      await it.subscribe(server, "a");
    }),
  "Cannot subscribe: the channel is closed": () =>
    inTopics(async (it) => {
      const { client, server } = webSocketChannelPair();
      await client.sink.close();
      await it.subscribe(server, "a");
    }),
  "Cannot …: it is not authorized": () =>
    inTopics((it) => it.subscribe(webSocketChannelPair().server, "a"), { authorize: () => false }),
  "authorize took longer than … ms": elsewhere("topics/topics_test.ts", "TimeoutError"),
  "Cannot …: the connection to the engine is lost": elsewhere(
    "topics/topics_test.ts",
    `["lost", true]`,
  ),
  "Cannot …: the engine's server refuses it": elsewhere(
    "topics/server_limits_test.ts",
    `"refused"`,
  ),
  "Cannot publish: the messages that wait have reached maxPending (… bytes)": elsewhere(
    "topics/topics_test.ts",
    `"full"`,
  ),
  "Cannot …: the topics are closed": () =>
    inTopics(async (it) => {
      await it.close();
      await it.publish("a", "");
    }),
  "Cannot …: the engine has ended": elsewhere("topics/engine_loss_test.ts", "the engine has ended"),
  "The topics were closed": elsewhere("topics/topics_test.ts", "The topics were closed"),
  "Cannot connect to Redis": elsewhere("topics/engine_loss_test.ts", "Cannot connect to Redis"),
  "The connection to Redis is lost": elsewhere(
    "topics/engine_loss_test.ts",
    "The connection to Redis is lost",
  ),
  "The connection to Redis has ended": elsewhere(
    "topics/engine_loss_test.ts",
    "The connection to Redis has ended",
  ),
  "Redis doesn't answer": elsewhere("topics/engine_loss_test.ts", "Redis doesn't answer"),
  "The client of Redis was closed": elsewhere(
    "topics/engine_loss_test.ts",
    "The client of Redis was closed",
  ),
  "The client of Redis is not connected: await its connect() before": elsewhere(
    "topics/engine_loss_test.ts",
    "await its connect() before",
  ),
  "The engine is faulty: it answers with an epoch that it has not reported, or with pages without an end":
    elsewhere("topics/attack_test.ts", "The engine is faulty"),
  "The connection to NATS is lost": elsewhere(
    "topics/engine_loss_test.ts",
    "The connection to NATS is lost",
  ),
  "NATS doesn't answer": elsewhere("topics/engine_loss_test.ts", "NATS doesn't answer"),
  "The connection to NATS was closed": elsewhere(
    "topics/engine_loss_test.ts",
    "The connection to NATS was closed",
  ),
  "The engine fails: …": elsewhere("topics_testing/engine_suite_test.ts", "The engine fails: "),
  "Cannot read: the stream already has a reader (…)": () => {
    const { stream } = rig().channel;
    stream.listen(() => {});
    return stream.next();
  },
  "Cannot listen: onData must be a function, got …": () => rig().channel.stream.listen(wrong(1)),
  [
    "Cannot use the channel: it must have a stream and a sink, " +
    "or a readable and a writable, got …"
  ]: () => StreamChannel.from(wrong({})),
  "Cannot use the channel: it must be a WebSocketChannel": () =>
    toWebSocket(wrong({ stream: { listen() {} }, sink: { add() {} } })),
  "Cannot use the stream: it must be a ChannelStream or a ReadableStream, got …": () =>
    channelPair().local.changeStream(() => wrong(1)),
  "Cannot use the sink: it must be a ChannelSink or a WritableStream, got …": () =>
    channelPair().local.changeSink(() => wrong(1)),
  "Cannot transform: the transform must be a function, or an object with a method create, got …":
    () => channelPair().local.transformStream(wrong(1)),
  [
    "Cannot transform: a transformer must have a method transformChannel, got …. " +
    "Pass functions to transformStream or transformSink"
  ]: () => channelPair().local.transform(wrong(1)),
  "Cannot transform: transformChannel must return a channel, got …": () =>
    channelPair().local.transform(wrong({ transformChannel: () => 1 })),
  "Cannot change the channel: expected a function, got …": () =>
    channelPair().local.changeStream(wrong(1)),
  "Cannot set the channel: the completer already has a channel or an error": () => {
    const completer = new StreamChannelCompleter<string>();
    completer.setChannel(channelPair<string>().local);
    completer.setChannel(channelPair<string>().local);
  },
  "Cannot flush: there will be no channel": () => {
    const completer = new StreamChannelCompleter<string>();
    completer.channel.sink.add("text");
    const flushed = completer.channel.sink.flush();
    completer.setError(new Error("no"));
    return flushed;
  },
  "Cannot continue to read: more than … bytes of input were unread while the sink closed":
    async () => {
      const chunk = new Uint8Array(0x8_0000);
      const readable = new ReadableStream({ pull: (it) => it.enqueue(chunk) });
      const writable = new WritableStream({ close: () => new Promise(() => {}) });
      const { sink, stream } = StreamChannel.from<Uint8Array, string>({ readable, writable });
      void sink.close();
      for (;;) {
        await delay(0);
        if ((await stream.next()).done) return null;
      }
    },
  "Cannot use the options: they must be an object, got a schema. Pass { incoming: schema }": () =>
    jsonDocument(wrong(ISSUES)),
  "Cannot receive: the message is not JSON at line …, column …, expected …": () => json({}, "{"),
  "Cannot receive: a JSON document must be one text, got …": async () => {
    const { client, server } = webSocketChannelPair({ streamLargerThan: 0 });
    client.stream.discard();
    client.sink.add("1");
    server.transform(jsonDocument).stream.listen(() => {});
    await client.closed;
    return (await server.closed).error;
  },
  "Cannot receive: a JSON document must be text, got a binary message": () =>
    json({}, new Uint8Array(1)),
  "Cannot receive: the message could not be parsed": () =>
    json({
      parse: () => {
        throw new Error("no");
      },
    }, "{}"),
  "Cannot receive: … (… issue…)": () => json({ incoming: ISSUES }, "{}"),
  "Cannot send: the value can't be encoded as JSON": elsewhere(
    "stream_channel/json_value_test.ts",
    "can't be encoded as JSON",
  ),
  "Cannot send: …, at …": () => sendJson({}, { a: new Map() }),
  "Cannot send: the schema is asynchronous, but add is synchronous": () =>
    sendJson({ outgoing: schema(Promise.resolve({ value: 1 })) }, 1),
  "Cannot send: `stringify` must return a string, got …": () => sendJson({ stringify: () => 1 }, 1),
  "Cannot send: … (… issue…)": () => sendJson({ outgoing: ISSUES }, 1),
  "Cannot validate: the schema returned neither a value nor issues": () =>
    sendJson({ outgoing: schema({}) }, 1),
  "Cannot attach: the id must be a whole number from 0, got …": () =>
    new MultiChannel(channelPair<unknown>().local).virtualChannel(-1),
  "Cannot attach: the id … is already used, or was before": () => {
    const multi = new MultiChannel(channelPair<unknown>().local);
    multi.virtualChannel(3);
    multi.virtualChannel(3);
  },
  "Cannot receive: the message must be [id, value] or [id]": () => {
    const { local, foreign } = channelPair<unknown>();
    const multi = new MultiChannel(local);
    foreign.sink.add("text");
    return multi.stream.next();
  },
  "Cannot open a channel: this is not a worker, it has no postMessage to another end": elsewhere(
    "stream_channel/ports_test.ts",
    "self outside a worker",
  ),
  "Cannot open a channel: the value is not a port, it has no …": () =>
    new MessagePortChannel(wrong({ postMessage: () => {} })),
  "Cannot open a channel: a BroadcastChannel has more than one other end, use it with `raw: true`":
    () => {
      const broadcastChannel = new BroadcastChannel("error texts");
      try {
        new MessagePortChannel(wrong(broadcastChannel));
      } finally {
        broadcastChannel.close();
      }
    },
  "Cannot receive: the message can't be deserialized": () => {
    const port = new EventTarget();
    const channel = new MessagePortChannel(wrong(Object.assign(port, { postMessage: () => {} })));
    const next = channel.stream.next();
    port.dispatchEvent(new Event("messageerror"));
    return next;
  },
  "Cannot receive: the other end has left without closing the channel": elsewhere(
    "stream_channel/port_link_test.ts",
    "the other end has left without closing the channel",
  ),
  "Cannot receive: the worker exited with … without closing the channel": elsewhere(
    "security/node_workers_test.ts",
    "the worker exited with ",
  ),
  "Cannot receive: the worker failed…": elsewhere(
    "stream_channel/workers_test.ts",
    "the worker failed",
  ),
  "Cannot add: the value can't be cloned…": () => posted(() => {}),
  "Cannot add: posting the value threw …": () =>
    posted({
      get a(): never {
        throw new RangeError("no");
      },
    }),

  // Servers.
  "Cannot use the option tls: it must have a cert and a key, or a pfx": () => bind({ tls: {} }),
  "Cannot use the option …: it must be PEM, a …": () =>
    bind({
      tls: { cert: createIdentity().cert.replace(/\n.{8}/, "\n"), key: createIdentity().key },
    }),
  "Cannot use the option …: it must be the key of tls.cert": () =>
    bind({ tls: { cert: createIdentity().cert, key: createIdentity().key } }),
  "Cannot use the option tls: the platform rejects it: …": () => bind({ tls: { pfx: "x" } }),
  "Cannot use the option …: it must be left out, or a list that isn't empty": () =>
    bind({ path: [] }),
  "Cannot use the option …: it must be at most … bytes long": () =>
    bind({ tls: { ...createIdentity(), pskIdentityHint: "x".repeat(129) } }),
  "Cannot use the option …: it must be at most 32 bytes long": () =>
    bind({ tls: { ...createIdentity(), sessionIdContext: "x".repeat(33) } }),
  "Cannot use the option …: it must be 48 bytes long": () =>
    bind({ tls: { ...createIdentity(), ticketKeys: new Uint8Array(3) } }),
  "Cannot use the option …: it must be as new as minVersion, or newer": () =>
    bind({ tls: { ...createIdentity(), minVersion: "TLSv1.3", maxVersion: "TLSv1.2" } }),
  "Cannot use the option path: it must begin with a slash, got …": () => bind({ path: "chat" }),
  "Cannot use the option path: it must be a whole path, without a pattern or a query, got …. verify can decide about others":
    () => bind({ path: "/chat/*" }),
  "Cannot use the option …: element … of … is not …, such as …": () => bind({ hosts: ["a/b"] }),
  "Cannot use the option protocols: subprotocol … of … must be a token": () =>
    bind({ protocols: ["a b"] }),
  "Cannot use the answer of …: it must be true or false, got …": () => decided({ origin: () => 1 }),
  [
    "Cannot use the answer of verify: it must be true, false, { context } or a refusal such as " +
    "{ status: 403 }, got …"
  ]: () => decided({ verify: () => 1 }),
  "Cannot use the answer of verify: { context } must have no other members": () =>
    decided({ verify: () => ({ context: 1, status: 403 }) }),
  "Cannot use the option rateLimit: it must have per, action, and at least one of messages and bytes":
    () => bind({ rateLimit: {} }),
  "Cannot use the option connectionRate: it must have per, and at least one of total and perAddress":
    () => bind({ connectionRate: {} }),
  "Cannot use the option limits: it must be a ConnectionLimits, got …": () => bind({ limits: {} }),
  "Cannot use the answer of clientAddress: it must be a string or null, got …": () =>
    decided({ clientAddress: () => wrong(1) }),
  'Cannot use the answer of rateLimit.action: it must be "pause", "close" or "allow"': () =>
    flooded({ messages: 1, per: 1000, action: () => wrong(1) }, "onError"),
  "Cannot use the answer of onRequest: …": elsewhere(
    "security/bad_responses_test.ts",
    "Cannot use the answer of onRequest: ",
  ),
  "Cannot use the answer of protocols: the client did not offer this subprotocol": () =>
    decided({ protocols: () => "x" }),
  "Cannot refuse the upgrade: the status must be from 300 to 599 and not 304, got …": () =>
    refuse(200),
  "Cannot refuse the upgrade: statusText must be printable ASCII": () =>
    refuse(403, { statusText: "\n" }),
  [
    "Cannot answer the request: the functions of the options took longer than handshakeTimeout, " +
    "… ms"
  ]: () => decided({ verify: () => new Promise(() => {}), handshakeTimeout: 1 }),
  "Cannot relay: both channels belong to the same connection": () => {
    const { channel } = rig();
    return relay(channel, channel.cast<Message, MessageInput>());
  },
  "Cannot upgrade: this request is already being upgraded by another call": () => {
    const request = {};
    claim(request);
    claim(request);
  },
  "Cannot upgrade: another listener of the server's upgrade event has taken the connection": () =>
    claim({ listenerCount: (event: string) => event === "data" ? 1 : 0 }),
  "Cannot attach: another attached server already answers every path": () => {
    const http = createServer();
    WebSocketServer.attach(http);
    WebSocketServer.attach(http);
  },
  "Cannot attach: another attached server already answers the path …": () => {
    const http = createServer();
    WebSocketServer.attach(http, { path: "/chat" });
    WebSocketServer.attach(http, { path: ["/talk", "/chat"] });
  },
  "Cannot attach: the server must be one of node:http, got …": () =>
    WebSocketServer.attach(wrong({})),
  "Cannot accept the upgrade: the client has left": goneBeforeAccepted,
  "Refused the upgrade with … …": elsewhere(
    "server/accept_upgrade_test.ts",
    "Refused the upgrade with ",
  ),
  "The client has left": () => clientLeft(),
  "Cannot set the certificates: the server was bound without tls": async () => {
    const server = await WebSocketServer.bind();
    try {
      server.setTls(createIdentity());
    } finally {
      await server.close();
    }
  },
  "Cannot iterate over the server: its handler gets the channels": async () => {
    const server = await WebSocketServer.bind({ handler: () => {} });
    try {
      return server[Symbol.asyncIterator]();
    } finally {
      await server.close({ drainTimeout: 0 });
    }
  },
  "Cannot broadcast: each receiver must be a channel, got …": () => broadcast(wrong([{}]), "x"),
  "Cannot broadcast: the channels must be iterable, got …": () => broadcast(wrong(1), "text"),
  "Cannot receive more: … bytes of messages are queued, and nothing reads channel.stream. Read it, or call channel.stream.discard()":
    elsewhere("server/unread_test.ts", "Cannot receive more: "),

  // Testing.
  "The connection was reset": elsewhere(
    "testing/memory_connection_test.ts",
    "The connection was reset",
  ),
  "Cannot create a pair: seed must be an integer, got …": () => faultyPair({ seed: 0.5 }),
  "Cannot create a pair: … must be at least …, got …": () =>
    faultyPair({ seed: 1, split: wrong([0, 1]) }),
  "Cannot set a timer: ms must be at least 0, got …": () =>
    new ManualClock().setTimeout(() => {}, -1),
  "Cannot move the clock: ms must be at least 0, got …": () => new ManualClock().advance(-1),

  // Faces.
  "Cannot connect to …: port … is not allowed for a WebSocket. Use WebSocketChannel.connect": () =>
    new Promise((resolve) => {
      new WebSocket("ws://127.0.0.1:25/").onerror = ({ error }) => resolve(error);
    }),
  "Cannot …: … argument is required, got …": () => new (wrong(WebSocket))(),
  "Cannot send: the connection is not open yet": () => {
    const socket = new WebSocket(URL_TEXT);
    try {
      socket.send("early");
    } finally {
      socket.close();
    }
  },
  "Cannot …: the buffer of the bytes is shared or resizable. Use a copy": () => {
    const socket = new WebSocket(URL_TEXT);
    socket.close();
    return socket.send(wrong(new Uint8Array(new SharedArrayBuffer(1))));
  },
  "Cannot write: the WebSocketStream is closed": elsewhere(
    "faces/web_socket_stream_test.ts",
    "the WebSocketStream is closed",
  ),
  "The peer closed with … before everything was sent": elsewhere(
    "faces/web_socket_stream_test.ts",
    "before everything was sent",
  ),
  "Cannot check: the URL must be a ws: or wss: URL": () => checkServer("localhost"),
  "Cannot check: no case is called …": () =>
    checkServer("ws://127.0.0.1:1", { cases: ["nonsense"] }),
  "Cannot check …: nothing there answers a request, …": () => checkServer("ws://127.0.0.1:1"),
  "Cannot check: the option `headers` can't have the field … with this value": () =>
    checkServer("ws://127.0.0.1:1", { headers: { Host: "x" } }),
  'Cannot use the option …: it must be "server" or "client"': () => listCases("both" as never),
  "Cannot check: this platform has no node:net": () =>
    new Promise((resolve) =>
      withProcess(undefined, () => resolve(checkServer("ws://127.0.0.1:1", { cases: ["ping"] })))
    ),
};

/** The error with which a reconnecting channel ends after some steps. */
async function reconnecting(
  options: ReconnectingOptions & { target?: () => Promise<string> },
  steps: (rig: Rig) => Promise<void>,
): Promise<unknown> {
  const rig = new Rig(options);
  await steps(rig);
  return (await rig.channel.closed).error;
}

/** The error that `add` throws without a connection. */
async function away(options: ReconnectingOptions): Promise<unknown> {
  const { channel }: { channel: ReconnectingChannel } = new Rig(options);
  try {
    return channel.sink.add("text");
  } finally {
    await channel.close();
  }
}

/** The error that `onError` gets when a server's options can't decide. */
async function decided(options: object): Promise<unknown> {
  let tell = (_error: unknown): void => {};
  const told = new Promise((resolve) => tell = resolve);
  const server = await WebSocketServer.bind({
    ...options,
    onError: (error) => tell(error),
  });
  const channel = NetWebSocketChannel.connect(server.url, {
    protocols: "a",
    ...("origin" in options ? { origin: "http://a.test" } : {}),
  });
  await channel.ready.catch(() => {});
  const error = await told;
  await server.close({ drainTimeout: 0 });
  return error;
}

async function socksReply(code: number): Promise<unknown> {
  const reply = (): string => `05${code.toString(16).padStart(2, "0")}0001000000000000`;
  const proxy = await startSocks({ reply });
  try {
    const options = { proxy: `socks5://127.0.0.1:${proxy.port}` };
    return await NetWebSocketChannel.connect("ws://127.0.0.1:9", options).ready
      .catch((error: unknown) => error);
  } finally {
    await proxy.close();
  }
}

function posted(value: unknown): unknown {
  const { port1, port2 } = new MessageChannel();
  const channel = new MessagePortChannel<unknown>(wrong(port1));
  try {
    return channel.sink.add(value);
  } finally {
    void channel.sink.close();
    port2.close();
  }
}

async function redirectedWithContext(): Promise<unknown> {
  const there = { status: 302, headers: { Location: "ws://a.test/" } };
  const server = await startRecipe("http", there);
  try {
    return await NetWebSocketChannel.connect(server.url, {
      followRedirects: true,
      tls: { secureContext: createSecureContext() },
    }).ready.catch((error: unknown) => error);
  } finally {
    await server.close();
  }
}

async function goneBeforeAccepted(): Promise<unknown> {
  let tell = (_ready: Promise<unknown>): void => {};
  const ready = new Promise<unknown>((resolve) => tell = resolve);
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    const verify = (): Promise<boolean> => new Promise(() => {});
    tell(acceptUpgrade(request, socket, head, { verify }).ready);
    client.socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  const client = new RawClient(`ws://127.0.0.1:${port}`);
  client.request();
  const error = await ready.catch((it: unknown) => it);
  await client.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return error;
}
