/**
 * The server's half of the opening handshake: the check of the request, and what to answer.
 *
 * @module
 */

import { isHandshakeKey, signKey } from "./accept_key.ts";
import type { HandshakeAgreement } from "./client_handshake.ts";
import { chooseDeflate } from "../permessage_deflate/deflate_parameters.ts";
import type { CompressionOptions } from "../permessage_deflate/compression_options.ts";
import { type Extension, parseExtensions, serializeExtensions } from "./extensions.ts";
import { type HeaderMap, splitList } from "./header_map.ts";
import { isToken } from "./subprotocol.ts";
import { latin1Bytes, pushField, type RequestHead, serializeHead } from "./http_head.ts";
import { isHost, readTarget, type RequestTarget } from "./request_target.ts";

/** A header field to send. */
export type Field = readonly [name: string, value: string];

/** A request for an upgrade that {@linkcode checkRequest} found to be correct. */
export interface UpgradeRequest {
  /** The request's head. */
  readonly head: RequestHead;
  /** Where it goes. */
  readonly target: RequestTarget;
  /** The value of `Sec-WebSocket-Key`; empty over HTTP/2, which has none. */
  readonly key: string;
  /** The subprotocols that the client offers, in its order of preference. */
  readonly protocols: readonly string[];
  /** The extensions that the client offers, in its order of preference. */
  readonly extensions: readonly Extension[];
}

/** A refusal of an upgrade. The connection must be ended behind it. */
export interface Refusal {
  /** The status code. */
  readonly status: number;
  /** The reason phrase. */
  readonly statusText: string;
  /** The header fields, `Connection: close` and the body's among them. */
  readonly headers: readonly Field[];
  /** The body, a text. */
  readonly body: string;
}

/** What {@linkcode checkRequest} found: one of the two is `null`. */
export type RequestCheck =
  | { readonly request: UpgradeRequest; readonly refusal: null }
  | { readonly request: null; readonly refusal: Refusal };

/** What a server agrees to. */
export interface AcceptOptions {
  /** The subprotocols that the server speaks, its favourite first. Left out: none is chosen. */
  readonly protocols?: readonly string[];
  /** Further header fields, such as `Set-Cookie`; not those of the handshake itself. */
  readonly headers?: readonly Field[];
  /** The compression wished for; left out or `null`: none is agreed to. */
  readonly compression?: CompressionOptions | null;
}

/** An acceptance of an upgrade. Frames follow behind it. */
export interface Acceptance extends HandshakeAgreement {
  /** The value of `Sec-WebSocket-Accept`; empty over HTTP/2, which has none. */
  readonly accept: string;
  /** The further header fields of the answer. */
  readonly headers: readonly Field[];
}

/** What a refusal may be given. */
export interface RefusalOptions {
  /** The reason phrase; left out: the usual one of the status. */
  readonly statusText?: string;
  /** Further header fields, such as `Location` or `WWW-Authenticate`. */
  readonly headers?: Iterable<Field>;
  /** The body, sent as plain text; left out: the reason phrase. */
  readonly body?: string;
}

/**
 * Which origins may connect: `"same-host"` for those whose host is the request's own, a list of
 * origins such as `"https://example.com"`, a function that gets the origin and the request's host and answers
 * `true` for those that may, or `false` for all.
 *
 * It guards users of browsers only: other clients can claim any origin, or none.
 */
export type OriginPolicy =
  | "same-host"
  | readonly string[]
  | ((origin: string, host: string) => boolean | Promise<boolean>)
  | false;

/**
 * Checks a request for an upgrade.
 *
 * Every header is treated as optional and as a possible list until it has been checked.
 *
 * @param head The request's head.
 * @returns The request, or the refusal to answer with.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1 RFC 6455 §4.2.1}
 */
export function checkRequest(head: RequestHead): RequestCheck {
  const { headers } = head;
  if (head.protocol !== undefined) return checkConnect(head, head.protocol);
  const wrongLine = checkLine(head);
  if (wrongLine !== null) return { request: null, refusal: wrongLine };
  const target = readTarget(head);
  if (target === null) return misdirected(headers);
  const refusal = checkBody(headers) ?? checkUpgrade(headers) ?? checkVersion(headers);
  if (refusal !== null) return { request: null, refusal };
  // RFC 6455 §11.3.1: once. Several, joined, are no key.
  const key = headers.get("sec-websocket-key") ?? "";
  if (!isHandshakeKey(key)) return bad("Sec-WebSocket-Key");
  return offered(head, target, key);
}

/** What the client offers, of a request that is correct otherwise. */
function offered(head: RequestHead, target: RequestTarget, key: string): RequestCheck {
  const { headers } = head;
  const protocols = readProtocols(headers);
  if (protocols === null) return bad("Sec-WebSocket-Protocol");
  const request = { head, target, key, protocols, extensions: readExtensions(headers) };
  return { request, refusal: null };
}

/** RFC 8441 §5: an extended CONNECT has the fields of the opening handshake that aren't about HTTP/1.1. */
function checkConnect(head: RequestHead, protocol: string): RequestCheck {
  const { headers } = head;
  if (head.method !== "CONNECT") {
    return { request: null, refusal: refuse(405, { headers: [["Allow", "CONNECT"]] }) };
  }
  // RFC 9220 §3, for HTTP/2 as well: a protocol that isn't known is a 501.
  if (protocol !== "websocket") {
    return { request: null, refusal: refuse(501, { body: "WebSocket is spoken here only" }) };
  }
  const target = readTarget(head);
  if (target === null) return misdirected(headers);
  // RFC 8441 §5: that of the URL, where `https` stands for `wss`.
  const { scheme = "https" } = head;
  if (scheme !== "https" && scheme !== "http") return bad(":scheme");
  // RFC 9113 §8.2.2: such a field makes the request malformed.
  const wrong = OF_CONNECTIONS.find((name) => headers.has(name));
  if (wrong !== undefined) return bad(wrong);
  if (headers.get("sec-websocket-version") !== "13") {
    const body = "Version 13 of WebSocket is spoken here";
    // RFC 9113 §8.2.2: there is no Upgrade that a 426 could have.
    const own: Field[] = [["Sec-WebSocket-Version", "13"]];
    return { request: null, refusal: refuse(400, { body, headers: own }) };
  }
  return offered(head, target, "");
}

/** What no request of HTTP/2 has, or none without a body. */
const OF_CONNECTIONS: readonly string[] = [
  "Connection",
  "Upgrade",
  "Keep-Alive",
  "Proxy-Connection",
  "Transfer-Encoding",
  "Content-Length",
];

/** The request line, but for the target. */
function checkLine({ method, version }: RequestHead): Refusal | null {
  // RFC 6455 §4.1: "The method of the request MUST be GET".
  if (method !== "GET") {
    return refuse(405, { headers: [["Allow", "GET"]], body: "A WebSocket is asked for with GET" });
  }
  // RFC 6455 §4.1: at least HTTP/1.1, and 2.0 has another handshake (RFC 8441).
  if (version[0] === "1" && version !== "1.0") return null;
  return refuse(505, { body: "A WebSocket is asked for in HTTP/1.1" });
}

/** RFC 9112 §3.2: a malformed target, or anything but exactly one Host, is a 400. */
function misdirected(headers: HeaderMap): { request: null; refusal: Refusal } {
  if (!isHost(headers.get("host"))) return bad("Host");
  return { request: null, refusal: refuse(400, { body: "Malformed request target" }) };
}

/** A body would stand where the first frame is expected. */
function checkBody(headers: HeaderMap): Refusal | null {
  if (headers.has("transfer-encoding")) return bad("Transfer-Encoding").refusal;
  const length = headers.get("content-length") ?? "0";
  return length === "0" ? null : bad("Content-Length").refusal;
}

function checkUpgrade(headers: HeaderMap): Refusal | null {
  // RFC 6455 §4.2.1: both are lists, whose letter case doesn't matter.
  if (!headers.lists("upgrade", "websocket")) {
    return upgradeRequired("This address speaks WebSocket only");
  }
  return headers.lists("connection", "upgrade") ? null : bad("Connection").refusal;
}

/** RFC 6455 §4.4: another version, or none, gets the one that is spoken here. */
function checkVersion(headers: HeaderMap): Refusal | null {
  return headers.get("sec-websocket-version") === "13"
    ? null
    : upgradeRequired("Version 13 of WebSocket is spoken here");
}

/** RFC 9110 §15.5.22: a 426 must have an Upgrade header. */
function upgradeRequired(body: string): Refusal {
  const headers: Field[] = [["Upgrade", "websocket"], ["Sec-WebSocket-Version", "13"]];
  return build(426, { body }, headers);
}

function bad(name: string): { readonly request: null; readonly refusal: Refusal } {
  const body = `Missing, malformed or unexpected header: ${name}`;
  return { request: null, refusal: refuse(400, { body }) };
}

/** RFC 6455 §4.1: tokens, all different. Some clients send an empty header for none. */
function readProtocols(headers: HeaderMap): readonly string[] | null {
  const value = headers.get("sec-websocket-protocol");
  if (value === null) return NONE;
  const protocols = splitList(value);
  const legal = protocols.every(isToken);
  return legal && new Set(protocols).size === protocols.length ? protocols : null;
}

/** An offer of another form than RFC 6455 §9.1 has is declined: the connection works without extensions. */
function readExtensions(headers: HeaderMap): readonly Extension[] {
  const value = headers.get("sec-websocket-extensions");
  if (value === null) return NONE;
  try {
    return parseExtensions(value);
  } catch {
    return NONE;
  }
}

const NONE: readonly never[] = [];

/**
 * Chooses the subprotocol.
 *
 * @param request The request, checked.
 * @param spoken Those that the server speaks, its favourite first.
 * @returns The first of those that the client offers; `null`: there is none.
 */
export function chooseProtocol(
  { protocols }: UpgradeRequest,
  spoken: readonly string[],
): string | null {
  if (protocols.length === 0) return null;
  return spoken.find((it) => protocols.includes(it)) ?? null;
}

/**
 * Accepts an upgrade: chooses the subprotocol and the extensions.
 *
 * @param request The request, checked.
 * @param options What to agree to.
 * @returns What was agreed and what to answer; {@linkcode serializeAcceptance} writes it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2 RFC 6455 §4.2.2}
 */
export function acceptRequest(request: UpgradeRequest, options: AcceptOptions = {}): Acceptance {
  const { headers = NONE, compression = null } = options;
  const protocol = chooseProtocol(request, options.protocols ?? NONE);
  const choice = compression === null ? null : chooseDeflate(request.extensions, compression);
  return {
    accept: request.key === "" ? "" : signKey(request.key),
    protocol,
    extensions: choice === null ? "" : serializeExtensions([choice.answer]),
    deflate: choice?.parameters ?? null,
    compression,
    headers,
  };
}

/**
 * Refuses an upgrade.
 *
 * @param status The status code: 300–599, but 304.
 * @param options The rest of the answer.
 * @returns What to answer; {@linkcode serializeRefusal} writes it. The connection must then be
 * ended, or bytes that a proxy takes for frames would be read as a second request.
 * @throws {RangeError} When the status can't refuse.
 * @throws {TypeError} When a header or the reason phrase can't be sent, or a header is reserved.
 */
export function refuse(status: number, options: RefusalOptions = {}): Refusal {
  // RFC 9110 §15: 304 and what is below 300 would tell a client that all went well.
  if (!Number.isInteger(status) || status < 300 || status > 599 || status === 304) {
    throw new RangeError(`Cannot refuse an upgrade with the status: ${status}`);
  }
  return build(status, options, []);
}

function build(status: number, options: RefusalOptions, own: readonly Field[]): Refusal {
  const { statusText = STATUS_TEXTS.get(status) ?? "Refused" } = options;
  const { body = `${statusText}\n` } = options;
  if (!/^[\t\x20-\x7e]*$/.test(statusText)) throw new TypeError("Cannot send the reason phrase");
  const extra = [...options.headers ?? []];
  const headers: Field[] = [
    // RFC 9110 §7.8: who sends Upgrade lists it here, too.
    ["Connection", own.length > 0 ? "close, Upgrade" : "close"],
    ...own,
    ["Content-Length", String(new TextEncoder().encode(body).length)],
  ];
  const typed = extra.some(([name]) => name.toLowerCase() === "content-type");
  if (!typed) headers.push(["Content-Type", "text/plain; charset=utf-8"]);
  return { status, statusText, headers: [...headers, ...extra], body };
}

/** RFC 9110 §15, RFC 6585, RFC 7725 and RFC 8470: those that an upgrade may be refused with. */
const STATUS_TEXTS: ReadonlyMap<number, string> = new Map([
  [301, "Moved Permanently"],
  [302, "Found"],
  [303, "See Other"],
  [307, "Temporary Redirect"],
  [308, "Permanent Redirect"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [402, "Payment Required"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [406, "Not Acceptable"],
  [408, "Request Timeout"],
  [409, "Conflict"],
  [410, "Gone"],
  [413, "Content Too Large"],
  [421, "Misdirected Request"],
  [422, "Unprocessable Content"],
  [425, "Too Early"],
  [426, "Upgrade Required"],
  [428, "Precondition Required"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [451, "Unavailable For Legal Reasons"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
  [505, "HTTP Version Not Supported"],
  [511, "Network Authentication Required"],
]);

/** What every acceptance begins with. */
const SWITCHING =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: ";

/**
 * Writes an acceptance.
 *
 * @param acceptance What to answer.
 * @returns The bytes of the head with status 101; frames may follow.
 */
export function serializeAcceptance(acceptance: Acceptance): Uint8Array {
  const { accept, protocol, extensions, headers } = acceptance;
  const parts = [SWITCHING, accept];
  if (protocol !== null) pushField(parts, "Sec-WebSocket-Protocol", protocol);
  if (extensions !== "") pushField(parts, "Sec-WebSocket-Extensions", extensions);
  for (const [name, value] of headers) pushField(parts, name, value);
  parts.push("\r\n\r\n");
  return latin1Bytes(parts);
}

/**
 * Writes a refusal.
 *
 * @param refusal What to answer.
 * @returns The bytes of the head and the body.
 */
export function serializeRefusal(refusal: Refusal): Uint8Array {
  const { status, statusText, headers } = refusal;
  const head = serializeHead(`HTTP/1.1 ${status} ${statusText}`, headers);
  const body = new TextEncoder().encode(refusal.body);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/**
 * Whether a request's origin may connect.
 *
 * A request without `Origin` doesn't come from a web page, and is let in; one with several is not.
 *
 * @param headers The request's header fields.
 * @param policy Which origins may connect.
 * @param host The request's host, as {@linkcode readTarget} gives it.
 * @returns Whether the request is let in, perhaps as a promise; if it is anything but `true`, refuse it with 403.
 * @throws What the policy throws, if it is a function.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-10.2 RFC 6455 §10.2}
 */
export function isOriginAllowed(
  headers: HeaderMap,
  policy: OriginPolicy,
  host: string,
): boolean | Promise<boolean> {
  if (policy === false || !headers.has("origin")) return true;
  const [origin = "", ...more] = headers.all("origin");
  if (more.length > 0) return false;
  if (policy === "same-host") return isSameHost(origin, host);
  if (typeof policy === "function") return policy(origin, host);
  return policy.some((allowed) => allowed.toLowerCase() === origin.toLowerCase());
}

/** The port that goes without saying is the origin's scheme's: TLS may end at a proxy before us. */
function isSameHost(origin: string, host: string): boolean {
  try {
    const { protocol, host: expected } = new URL(origin);
    return expected !== "" && new URL(`${protocol}//${host}`).host === expected;
  } catch {
    return false;
  }
}
