/** The list of connects that fail, each for one reason, for failing_connects_test.ts and for the page. */

import type { ConnectOptions } from "../../mod.ts";
import { createIdentity, type Identity } from "../support/certificates.ts";
import { type ProxyManners, startProxy, startTls } from "../support/net_peers.ts";
import { type RecipeOptions, type RecipeServer, startRecipe } from "../support/recipes.ts";

/** A case whose servers are running. */
export interface Started {
  readonly url: string;
  readonly options: ConnectOptions;
  close(): Promise<void>;
}

/** The certificate authorities: either the runtime or the client is configured to trust one of them. */
export interface Authorities {
  readonly trusted: Identity;
  readonly unknown: Identity;
}

/** Creates both authorities. */
export function createAuthorities(): Authorities {
  return {
    trusted: createIdentity({ commonName: "trusted" }),
    unknown: createIdentity({ commonName: "unknown" }),
  };
}

/** The phase in which the attempt fails, as in `ConnectError.phase`. */
export type Phase = "dns" | "tcp" | "proxy" | "tls" | "handshake";

/** The facts of a case that the error of our own transport must report. */
export interface Facts {
  readonly phase: Phase;
  /** The status of the answer: the server's, or the proxy's. */
  readonly status?: number;
  /** Whether a later attempt may succeed. Default: `false`. */
  readonly retryable?: boolean;
  /** Whether the case needs an option that only our own transport has. */
  readonly ownOnly?: boolean;
  /** Whether only a client that trusts the server's authority can reproduce the case. */
  readonly needsTrust?: boolean;
  /** Whether the attempt only times out, with a TimeoutError that names the phase. */
  readonly isTimeout?: boolean;
}

/** A connect that fails. */
export interface FailingConnect extends Facts {
  readonly name: string;
  start(authorities: Authorities): Promise<Started>;
}

/** The servers of a case. */
interface Server {
  close(): Promise<void>;
}

function started(url: string, options: ConnectOptions = {}, servers: Server[] = []): Started {
  const close = async (): Promise<void> => {
    for (const it of servers) await it.close();
  };
  return { url, options, close };
}

function secure(url: string): string {
  return url.replace("ws:", "wss:");
}

/** The URL of a port without a listener. */
async function refusing(): Promise<string> {
  const server = await startRecipe("silent");
  const { url } = server;
  await server.close();
  return url;
}

/** A case in which the client reaches no server. */
function unreached(
  name: string,
  facts: Facts,
  where: () => Promise<Started>,
): FailingConnect {
  return { name, ...facts, start: where };
}

const UNKNOWN = "no-such-host.invalid";

/** A case with the server of one recipe. */
function served(
  name: string,
  facts: Omit<Facts, "phase"> & { phase?: Phase },
  recipe: () => Promise<RecipeServer>,
  options: ConnectOptions = {},
): FailingConnect {
  const start = async (): Promise<Started> => {
    const server = await recipe();
    const { url } = server;
    return started(facts.phase === "tls" ? secure(url) : url, options, [server]);
  };
  return { name, phase: "handshake", ...facts, start };
}

const PAGE = {
  headers: { "Content-Type": "text/html" },
  body: "<!doctype html><title>Welcome</title>",
};
const AGAIN = { headers: { "Retry-After": "7" } };

/** A case whose server answers with a status. */
function answering(
  status: number,
  name = "",
  given: RecipeOptions = {},
  retryable = false,
): FailingConnect {
  return served(
    `status ${status}${name}`,
    { status, retryable },
    () => startRecipe("http", { status, ...given }),
  );
}

/** A case whose server sends these lines. */
function saying(
  name: string,
  facts: Omit<Facts, "phase">,
  lines: readonly string[],
  then: "open" | "end" | "reset" = "end",
): FailingConnect {
  const response = lines.map((it) => `${it}\r\n`).join("");
  return served(name, facts, () => startRecipe("http", { response, then }));
}

const UPGRADED = [
  "HTTP/1.1 101 Switching Protocols",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Accept: {accept}",
  "",
];

function without(name: string): string[] {
  return UPGRADED.filter((it) => !it.startsWith(name));
}

/** A case with a proxy that refuses the connection. */
function proxied(name: string, manners: ProxyManners, more: Partial<Facts> = {}): FailingConnect {
  const start = async (): Promise<Started> => {
    const proxy = await startProxy(manners);
    return started("ws://a.test", { proxy: `http://127.0.0.1:${proxy.port}` }, [proxy]);
  };
  return { name, phase: "proxy", ownOnly: true, ...more, start };
}

/** A case with a TLS server and the server behind it. */
function secured(
  name: string,
  identity: (authorities: Authorities) => Identity,
  facts: Partial<Facts> = {},
  { answer = { status: 404 }, ...tls }: {
    answer?: RecipeOptions;
    requestCert?: boolean;
    ALPNProtocols?: string[];
  } = {},
): FailingConnect {
  const start = async (authorities: Authorities): Promise<Started> => {
    const server = await startRecipe("http", answer);
    const { cert, key } = identity(authorities);
    const ca = authorities.trusted.cert;
    const front = await startTls(server.url, { cert, key, ca, ...tls });
    return started(`wss://localhost:${front.port}`, {}, [front, server]);
  };
  return { name, phase: "tls", ...facts, start };
}

/** A case with a TLS server whose answer fails; the server may insist on an application protocol (ALPN). */
function securely(
  status: number,
  name = "",
  given: RecipeOptions = {},
  retryable = false,
  ALPNProtocols?: string[],
): FailingConnect {
  const facts: Facts = { phase: "handshake", status, retryable, needsTrust: true };
  const answer = { status, ...given };
  return secured(`TLS, status ${status}${name}`, localhost, facts, {
    answer,
    ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
  });
}

const names = ["localhost"];
const localhost = ({ trusted }: Authorities): Identity =>
  createIdentity({ names, issuer: trusted });
const yesterday = (): Date => new Date(Date.now() - 24 * 60 * 60 * 1000);

/** The cases, ordered by phase. */
export const FAILING_CONNECTS: readonly FailingConnect[] = [
  unreached(
    "the host has no address",
    { phase: "dns", retryable: true },
    () => Promise.resolve(started(`ws://${UNKNOWN}`)),
  ),
  unreached(
    "TLS, the host has no address",
    { phase: "dns", retryable: true },
    () => Promise.resolve(started(`wss://${UNKNOWN}`)),
  ),
  unreached(
    "nothing listens",
    { phase: "tcp", retryable: true },
    async () => started(await refusing()),
  ),
  unreached(
    "TLS, nothing listens",
    { phase: "tcp", retryable: true },
    async () => started(secure(await refusing())),
  ),
  unreached(
    "there is no such Unix socket",
    { phase: "tcp", retryable: true, ownOnly: true },
    () => Promise.resolve(started("ws://localhost", { socketPath: "/no/such.sock" })),
  ),
  unreached(
    "a local address of another machine",
    { phase: "tcp", ownOnly: true },
    async () => started(await refusing(), { localAddress: "192.0.2.1" }),
  ),
  unreached(
    "the proxy's host has no address",
    { phase: "proxy", retryable: true, ownOnly: true },
    () => Promise.resolve(started("ws://a.test", { proxy: `http://${UNKNOWN}:3128` })),
  ),
  unreached(
    "nothing listens at the proxy",
    { phase: "proxy", retryable: true, ownOnly: true },
    async () => started("ws://a.test", { proxy: (await refusing()).replace("ws:", "http:") }),
  ),
  proxied("the proxy wants credentials", { authorization: "Basic YTpi" }, { status: 407 }),
  proxied("the proxy forbids it", { answer: "HTTP/1.1 403 Forbidden\r\n\r\n" }, { status: 403 }),
  proxied(
    "the proxy can't reach the server",
    { answer: "HTTP/1.1 502 Bad Gateway\r\n\r\n" },
    { status: 502, retryable: true },
  ),
  proxied("the proxy ends the connection", { end: true }, { retryable: true }),
  secured("a certificate that is signed by itself", () => createIdentity({ names })),
  secured(
    "a certificate of an authority that isn't known",
    ({ unknown }) => createIdentity({ names, issuer: unknown }),
  ),
  secured(
    "a certificate that has expired",
    ({ trusted }) => createIdentity({ names, issuer: trusted, notAfter: yesterday() }),
    { needsTrust: true },
  ),
  secured(
    "a certificate for another host",
    ({ trusted }) => createIdentity({ names: ["other.example"], issuer: trusted }),
    { needsTrust: true },
  ),
  secured("a client certificate is wanted", localhost, { needsTrust: true }, { requestCert: true }),
  served(
    "the connection ends during the TLS handshake",
    { phase: "tls", retryable: true },
    () => startRecipe("accept-then-end"),
  ),
  served(
    "the connection ends before the answer",
    { retryable: true },
    () => startRecipe("accept-then-end"),
  ),
  saying("the connection is reset instead of an answer", { retryable: true }, [], "reset"),
  saying("the connection ends within the answer", { retryable: true }, UPGRADED.slice(0, 2)),
  served(
    "the server never answers",
    { isTimeout: true },
    () => startRecipe("silent"),
    { connectTimeout: 100 },
  ),
  answering(200, ", a page", PAGE),
  answering(302, "", { headers: { Location: "ws://127.0.0.1:9/" } }),
  answering(400),
  answering(401, "", { headers: { "WWW-Authenticate": "Bearer" } }),
  answering(403),
  answering(404),
  answering(418),
  answering(426, "", { headers: { "Sec-WebSocket-Version": "7" } }),
  answering(429, ", Retry-After", AGAIN, true),
  answering(500, "", {}, true),
  answering(502, ", a page", PAGE, true),
  answering(503, ", Retry-After", AGAIN, true),
  answering(504, "", {}, true),
  securely(200, ", a page", PAGE),
  securely(401),
  securely(401, ", a server that has HTTP/2, too", {}, false, ["h2", "http/1.1"]),
  securely(418, ", a server that has only HTTP/1.1", {}, false, ["http/1.1"]),
  securely(503, ", Retry-After", AGAIN, true),
  served(
    "101, Sec-WebSocket-Accept is wrong",
    { status: 101 },
    () => startRecipe("bad-accept"),
  ),
  served("101, no Sec-WebSocket-Accept", { status: 101 }, () => startRecipe("no-accept")),
  saying("101, no Upgrade", { status: 101 }, without("Upgrade")),
  saying("101, no Connection", { status: 101 }, without("Connection")),
  saying(
    "101 of HTTP/1.0",
    { status: 101 },
    UPGRADED.map((it) => it.replace("HTTP/1.1", "HTTP/1.0")),
  ),
  saying(
    "101, an extension that was not offered",
    { status: 101 },
    [...UPGRADED.slice(0, 4), "Sec-WebSocket-Extensions: x-other", ""],
  ),
  served(
    "101, a subprotocol that was not offered",
    { status: 101 },
    () => startRecipe("unoffered-protocol"),
    { protocols: ["chat"] },
  ),
  served(
    "101, none of the subprotocols that were offered",
    { status: 101 },
    () => startRecipe("no-protocol"),
    { protocols: ["chat"] },
  ),
  saying("a server of SSH", {}, ["SSH-2.0-OpenSSH_9.2"], "open"),
  saying("a status line without a status", {}, ["HTTP/1.1 abc", ""], "open"),
  saying("a header field without a colon", {}, [...UPGRADED.slice(0, 1), "Upgrade", ""], "open"),
];
