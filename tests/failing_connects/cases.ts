/** Connects that fail, each for one reason: the list behind failing_connects_test.ts and the page of them. */

import type { ConnectOptions } from "../../mod.ts";
import { createIdentity, type Identity } from "../support/certificates.ts";
import { type ProxyManners, startProxy, startTls } from "../support/net_peers.ts";
import { type RecipeOptions, startRecipe } from "../support/recipes.ts";

/** Where a case connects to, while its servers run. */
export interface Started {
  readonly url: string;
  readonly options?: ConnectOptions;
  close(): Promise<void>;
}

/** What the certificates of the cases are made of. */
export interface Authority {
  /** The platform trusts it if it was told to. */
  readonly trusted: Identity;
  readonly unknown: Identity;
}

/** How far the attempt gets, as in `ConnectError`. */
export type Phase = "dns" | "tcp" | "proxy" | "tls" | "handshake";

/** A connect that fails. */
export interface FailingConnect {
  readonly name: string;
  readonly phase: Phase;
  /** The status of the server's answer, or the proxy's. */
  readonly status?: number;
  /** Whether a later attempt may succeed; left out: it may not. */
  readonly retryable?: true;
  /** Why only our own transport can be tried: what it needs. */
  readonly ownOnly?: true;
  /** The server's certificate has to be trusted for this to be seen. */
  readonly needsTrust?: true;
  start(authority: Authority): Promise<Started>;
}

const closes = (all: readonly { close(): Promise<void> }[]) => async (): Promise<void> => {
  for (const it of all) await it.close();
};

/** The URL of a port that nobody listens at. */
async function refusing(scheme: "ws" | "wss"): Promise<string> {
  const server = await startRecipe("silent");
  const { port } = new URL(server.url);
  await server.close();
  return `${scheme}://127.0.0.1:${port}`;
}

const nothing = (url: string, options?: ConnectOptions): Started => ({
  url,
  ...(options === undefined ? {} : { options }),
  close: () => Promise.resolve(),
});

async function served(
  recipe:
    | "http"
    | "silent"
    | "accept-then-end"
    | "bad-accept"
    | "no-accept"
    | "echo"
    | "unoffered-protocol"
    | "no-protocol",
  given: RecipeOptions = {},
  options?: ConnectOptions,
): Promise<Started> {
  const server = await startRecipe(recipe, given);
  return {
    url: server.url,
    ...(options === undefined ? {} : { options }),
    close: closes([server]),
  };
}

/** An answer of HTTP. */
function answering(
  name: string,
  status: number,
  more: RecipeOptions & { retryable?: true } = {},
): FailingConnect {
  const { retryable, ...rest } = more;
  return {
    name,
    phase: "handshake",
    status,
    ...(retryable === undefined ? {} : { retryable }),
    start: () => served("http", { status, ...rest }),
  };
}

/** An answer as it is, line for line. */
function saying(
  name: string,
  lines: readonly string[],
  more: Partial<FailingConnect> & { then?: "open" | "end" } = {},
): FailingConnect {
  const { then = "end", ...rest } = more;
  return {
    name,
    phase: "handshake",
    ...rest,
    start: () => served("http", { response: lines.map((it) => `${it}\r\n`).join(""), then }),
  };
}

const UPGRADED = [
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: {accept}",
];

/** A proxy that doesn't let it through. */
function proxied(
  name: string,
  manners: ProxyManners,
  more: Partial<FailingConnect> = {},
): FailingConnect {
  return {
    name,
    phase: "proxy",
    ownOnly: true,
    ...more,
    async start() {
      const proxy = await startProxy(manners);
      return {
        url: "ws://server.example/",
        options: { proxy: `http://127.0.0.1:${proxy.port}` },
        close: closes([proxy]),
      };
    },
  };
}

/** A server of TLS, and what is behind it. */
function secured(
  name: string,
  identity: (authority: Authority) => Identity,
  more: Partial<FailingConnect> & { behind?: RecipeOptions; tls?: { requestCert: true } } = {},
): FailingConnect {
  const { behind = { status: 404 }, tls = {}, ...rest } = more;
  return {
    name,
    phase: "tls",
    ...rest,
    async start(authority) {
      const server = await startRecipe("http", behind);
      const { cert, key } = identity(authority);
      const front = await startTls(server.url, { cert, key, ca: authority.trusted.cert, ...tls });
      return { url: `wss://localhost:${front.port}`, close: closes([front, server]) };
    },
  };
}

const localhost = ({ trusted }: Authority): Identity =>
  createIdentity({ names: ["localhost"], issuer: trusted });
const YESTERDAY = new Date(Date.now() - 24 * 60 * 60 * 1000);
const HTML = "<!doctype html><title>Welcome</title>";
const html = { headers: { "Content-Type": "text/html" }, body: HTML };

/** The cases, in the order of how far they get. */
export const FAILING_CONNECTS: readonly FailingConnect[] = [
  {
    name: "the host has no address",
    phase: "dns",
    retryable: true,
    start: () => Promise.resolve(nothing("ws://no-such-host.invalid")),
  },
  {
    name: "the host has no address, TLS",
    phase: "dns",
    retryable: true,
    start: () => Promise.resolve(nothing("wss://no-such-host.invalid")),
  },
  {
    name: "nothing listens",
    phase: "tcp",
    retryable: true,
    start: async () => nothing(await refusing("ws")),
  },
  {
    name: "nothing listens, TLS",
    phase: "tcp",
    retryable: true,
    start: async () => nothing(await refusing("wss")),
  },
  {
    name: "no such Unix socket",
    phase: "tcp",
    retryable: true,
    ownOnly: true,
    start: () => Promise.resolve(nothing("ws://localhost", { socketPath: "/no/such.sock" })),
  },
  {
    name: "a local address of another machine",
    phase: "tcp",
    ownOnly: true,
    start: async () => nothing(await refusing("ws"), { localAddress: "192.0.2.1" }),
  },
  {
    name: "nothing listens at the proxy",
    phase: "proxy",
    retryable: true,
    ownOnly: true,
    start: async () =>
      nothing("ws://server.example/", { proxy: (await refusing("ws")).replace("ws:", "http:") }),
  },
  {
    name: "the proxy's host has no address",
    phase: "proxy",
    retryable: true,
    ownOnly: true,
    start: () =>
      Promise.resolve(
        nothing("ws://server.example/", { proxy: "http://no-such-host.invalid:3128" }),
      ),
  },
  proxied("the proxy wants credentials", { authorization: "Basic x" }, { status: 407 }),
  proxied("the proxy forbids it", { answer: "HTTP/1.1 403 Forbidden\r\n\r\n" }, { status: 403 }),
  proxied("the proxy can't reach the server", { answer: "HTTP/1.1 502 Bad Gateway\r\n\r\n" }, {
    status: 502,
    retryable: true,
  }),
  proxied("the proxy ends the connection", { end: true }, { retryable: true }),
  proxied("the proxy doesn't speak HTTP", { answer: "SSH-2.0-OpenSSH_9.2\r\n\r\n" }),
  secured("a certificate that signs itself", () => createIdentity({ names: ["localhost"] })),
  secured(
    "a certificate of an unknown authority",
    ({ unknown }) => createIdentity({ names: ["localhost"], issuer: unknown }),
  ),
  secured(
    "a certificate that has expired",
    ({ trusted }) => createIdentity({ names: ["localhost"], issuer: trusted, notAfter: YESTERDAY }),
    { needsTrust: true },
  ),
  secured(
    "a certificate for another host",
    ({ trusted }) => createIdentity({ names: ["other.example"], issuer: trusted }),
    { needsTrust: true },
  ),
  secured("the server wants a client certificate", localhost, {
    needsTrust: true,
    tls: { requestCert: true },
  }),
  {
    name: "the server doesn't speak TLS",
    phase: "tls",
    retryable: true,
    start: async () => {
      const it = await served("http", { status: 400 });
      return { ...it, url: it.url.replace("ws:", "wss:") };
    },
  },
  {
    name: "the connection ends during the TLS handshake",
    phase: "tls",
    retryable: true,
    start: async () => {
      const it = await served("accept-then-end");
      return { ...it, url: it.url.replace("ws:", "wss:") };
    },
  },
  {
    name: "the connection ends before an answer",
    phase: "handshake",
    retryable: true,
    start: () => served("accept-then-end"),
  },
  {
    name: "the connection is reset before an answer",
    phase: "handshake",
    retryable: true,
    start: () => served("accept-then-end", { then: "reset" }),
  },
  saying("the connection ends inside the answer", [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
  ], { retryable: true }),
  answering("200 with a page", 200, html),
  answering("302", 302, { headers: { Location: "ws://127.0.0.1:9/" } }),
  answering("400", 400, { body: "bad request" }),
  answering("401", 401, { headers: { "WWW-Authenticate": "Bearer" } }),
  answering("403", 403, { body: "no" }),
  answering("404", 404),
  answering("418", 418),
  answering("426", 426, { headers: { "Sec-WebSocket-Version": "7" } }),
  answering("429 with Retry-After", 429, { headers: { "Retry-After": "7" }, retryable: true }),
  answering("500", 500, { body: "it broke", retryable: true }),
  answering("502 with a page", 502, { ...html, retryable: true }),
  answering("503 with Retry-After", 503, { headers: { "Retry-After": "7" }, retryable: true }),
  answering("504", 504, { retryable: true }),
  {
    name: "101 with a wrong Sec-WebSocket-Accept",
    phase: "handshake",
    status: 101,
    start: () => served("bad-accept"),
  },
  {
    name: "101 without Sec-WebSocket-Accept",
    phase: "handshake",
    status: 101,
    start: () => served("no-accept"),
  },
  saying("101 without Upgrade", [...UPGRADED.filter((it) => !it.startsWith("Upgrade")), ""], {
    status: 101,
  }),
  saying("101 without Connection", [...UPGRADED.filter((it) => !it.startsWith("Connection")), ""], {
    status: 101,
  }),
  saying("101 of HTTP/1.0", [...UPGRADED, ""].map((it) => it.replace("HTTP/1.1", "HTTP/1.0")), {
    status: 101,
  }),
  saying("101 with an extension that was not offered", [
    ...UPGRADED,
    "Sec-WebSocket-Extensions: x-other",
    "",
  ], { status: 101 }),
  {
    name: "101 with a subprotocol that was not offered",
    phase: "handshake",
    status: 101,
    start: () => served("unoffered-protocol", {}, { protocols: ["chat"] }),
  },
  {
    name: "101 without one of the subprotocols",
    phase: "handshake",
    status: 101,
    start: () => served("no-protocol", {}, { protocols: ["chat"] }),
  },
  saying("an SSH server", ["SSH-2.0-OpenSSH_9.2"], { then: "open" }),
  saying("a status line without a status", ["HTTP/1.1 abc", ""], { then: "open" }),
  saying(
    "a malformed header field",
    ["HTTP/1.1 101 Switching Protocols", "Upgrade websocket", ""],
    {},
  ),
  secured("401, TLS", localhost, {
    phase: "handshake",
    status: 401,
    needsTrust: true,
    behind: { status: 401 },
  }),
  secured("418, TLS", localhost, {
    phase: "handshake",
    status: 418,
    needsTrust: true,
    behind: { status: 418 },
  }),
  secured("503 with Retry-After, TLS", localhost, {
    phase: "handshake",
    status: 503,
    retryable: true,
    needsTrust: true,
    behind: { status: 503, headers: { "Retry-After": "7" } },
  }),
  secured("200 with a page, TLS", localhost, {
    phase: "handshake",
    status: 200,
    needsTrust: true,
    behind: { status: 200, ...html },
  }),
];
