/**
 * The server's half of the opening handshake: it checks the request and creates the answer.
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

/** A request for an upgrade that {@linkcode checkRequest} has accepted as valid. */
export interface UpgradeRequest {
  /** The request's head. */
  readonly head: RequestHead;
  /** Its host and path. */
  readonly target: RequestTarget;
  /** The value of `Sec-WebSocket-Key`; empty over HTTP/2, which has none. */
  readonly key: string;
  /** The subprotocols that the client offers, in its order of preference. */
  readonly protocols: readonly string[];
  /** The extensions that the client offers, in its order of preference. */
  readonly extensions: readonly Extension[];
}

/** A refusal of an upgrade. End the connection after it. */
export interface Refusal {
  /** The status code. */
  readonly status: number;
  /** The reason phrase. */
  readonly statusText: string;
  /** All header fields, including `Connection: close` and those of the body. */
  readonly headers: readonly Field[];
  /** The body, a text. */
  readonly body: string;
}

/** The result of {@linkcode checkRequest}: one of the two properties is `null`. */
export type RequestCheck =
  | { readonly request: UpgradeRequest; readonly refusal: null }
  | { readonly request: null; readonly refusal: Refusal };

/** Options of an acceptance. */
export interface AcceptOptions {
  /** The subprotocols of the server, in order of preference. Default: none is chosen. */
  readonly protocols?: readonly string[];
  /** Further header fields, such as `Set-Cookie`, but not those of the handshake itself. */
  readonly headers?: readonly Field[];
  /** The compression to agree on. Default `null`: none. */
  readonly compression?: CompressionOptions | null;
}

/** An acceptance of an upgrade. Frames follow it. */
export interface Acceptance extends HandshakeAgreement {
  /** The value of `Sec-WebSocket-Accept`; empty over HTTP/2, which has none. */
  readonly accept: string;
  /** The further header fields of the answer. */
  readonly headers: readonly Field[];
}

/** Options of a refusal. */
export interface RefusalOptions {
  /** The reason phrase. Default: the standard one of the status. */
  readonly statusText?: string;
  /** Further header fields, such as `Location` or `WWW-Authenticate`. */
  readonly headers?: Iterable<Field>;
  /** The body, sent as plain text. Default: the reason phrase. */
  readonly body?: string;
}

/**
 * Which origins may connect:
 *
 * - `"same-host"`: origins with the host of the request.
 * - A list of origins such as `"https://example.com"`.
 * - A function that gets the origin and the request's host, and returns `true` to let it connect.
 * - `false`: all.
 *
 * It protects users of browsers only: other clients can send any origin, or none.
 */
export type OriginPolicy =
  | "same-host"
  | readonly string[]
  | ((origin: string, host: string) => boolean | Promise<boolean>)
  | false;

/**
 * Checks a request for an upgrade.
 *
 * Until a header is checked, it may be missing or be a list.
 *
 * @param head The request's head.
 * @returns The valid request, or the refusal to answer with.
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
  // RFC 6455 §11.3.1: the field appears once. Several joined values are not a valid key.
  const key = headers.get("sec-websocket-key") ?? "";
  if (!isHandshakeKey(key)) return bad("Sec-WebSocket-Key");
  return offered(head, target, key);
}

/** Reads the client's offers, after all other checks. */
function offered(head: RequestHead, target: RequestTarget, key: string): RequestCheck {
  const { headers } = head;
  const protocols = readProtocols(headers);
  if (protocols === null) return bad("Sec-WebSocket-Protocol");
  const request = { head, target, key, protocols, extensions: readExtensions(headers) };
  return { request, refusal: null };
}

/** RFC 8441 §5: an extended CONNECT has the handshake's fields that don't concern HTTP/1.1. */
function checkConnect(head: RequestHead, protocol: string): RequestCheck {
  const { headers } = head;
  if (head.method !== "CONNECT") {
    return { request: null, refusal: refuse(405, { headers: [["Allow", "CONNECT"]] }) };
  }
  // RFC 9220 §3, applied to HTTP/2 as well: an unknown protocol is answered with 501.
  if (protocol !== "websocket") {
    return {
      request: null,
      refusal: refuse(501, { body: "This server only speaks the protocol websocket" }),
    };
  }
  const target = readTarget(head);
  if (target === null) return misdirected(headers);
  // RFC 8441 §5: `https` stands for `wss`.
  const { scheme = "https" } = head;
  if (scheme !== "https" && scheme !== "http") return bad(":scheme");
  // RFC 9113 §8.2.2: such a field makes the request malformed.
  const wrong = OF_CONNECTIONS.find((name) => headers.has(name));
  if (wrong !== undefined) return bad(wrong);
  if (headers.get("sec-websocket-version") !== "13") {
    const body = "This server only speaks version 13 of WebSocket";
    // RFC 9113 §8.2.2: HTTP/2 has no Upgrade field, which a 426 needs.
    const own: Field[] = [["Sec-WebSocket-Version", "13"]];
    return { request: null, refusal: refuse(400, { body, headers: own }) };
  }
  return offered(head, target, "");
}

/** The fields that an HTTP/2 request never has, or not without a body. */
const OF_CONNECTIONS: readonly string[] = [
  "Connection",
  "Upgrade",
  "Keep-Alive",
  "Proxy-Connection",
  "Transfer-Encoding",
  "Content-Length",
];

/** Checks the method and the version. */
function checkLine({ method, version }: RequestHead): Refusal | null {
  // RFC 6455 §4.1: "The method of the request MUST be GET".
  if (method !== "GET") {
    return refuse(405, {
      headers: [["Allow", "GET"]],
      body: "A WebSocket handshake needs the method GET",
    });
  }
  // RFC 6455 §4.1: at least HTTP/1.1. HTTP/2 has another handshake (RFC 8441).
  if (version[0] === "1" && version !== "1.0") return null;
  return refuse(505, { body: "A WebSocket handshake needs HTTP/1.1" });
}

/** RFC 9112 §3.2: a malformed target, or a request without exactly one Host, is answered with 400. */
function misdirected(headers: HeaderMap): { request: null; refusal: Refusal } {
  if (!isHost(headers.get("host"))) return bad("Host");
  return { request: null, refusal: refuse(400, { body: "Malformed request target" }) };
}

/** A body would precede the first frame. */
function checkBody(headers: HeaderMap): Refusal | null {
  if (headers.has("transfer-encoding")) return bad("Transfer-Encoding").refusal;
  const length = headers.get("content-length") ?? "0";
  return length === "0" ? null : bad("Content-Length").refusal;
}

function checkUpgrade(headers: HeaderMap): Refusal | null {
  // RFC 6455 §4.2.1: both are case-insensitive lists.
  if (!headers.lists("upgrade", "websocket")) {
    return upgradeRequired("This address speaks WebSocket only");
  }
  return headers.lists("connection", "upgrade") ? null : bad("Connection").refusal;
}

/** RFC 6455 §4.4: the answer to any other version names the supported one. */
function checkVersion(headers: HeaderMap): Refusal | null {
  return headers.get("sec-websocket-version") === "13"
    ? null
    : upgradeRequired("This server only speaks version 13 of WebSocket");
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

/** RFC 6455 §4.1: distinct tokens. Some clients send an empty header for none. */
function readProtocols(headers: HeaderMap): readonly string[] | null {
  const value = headers.get("sec-websocket-protocol");
  if (value === null) return NONE;
  const protocols = splitList(value);
  const legal = protocols.every(isToken);
  return legal && new Set(protocols).size === protocols.length ? protocols : null;
}

/** An offer that breaks RFC 6455 §9.1 is ignored: the connection works without extensions. */
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
 * Chooses a subprotocol.
 *
 * @param request The valid request.
 * @param spoken The subprotocols of the server, in order of preference.
 * @returns The first one that the client offers, or `null`.
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
 * @param request The valid request.
 * @param options What the server supports.
 * @returns What both sides agreed on; {@linkcode serializeAcceptance} serializes it.
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
 * @param status The status code: 300–599, except 304.
 * @param options The rest of the answer.
 * @returns The refusal; {@linkcode serializeRefusal} serializes it. End the connection after it: bytes that a
 * proxy takes for frames would otherwise be read as a second request.
 * @throws {RangeError} If the status can't be a refusal.
 * @throws {TypeError} If a header or the reason phrase can't be sent, or a header is reserved.
 */
export function refuse(status: number, options: RefusalOptions = {}): Refusal {
  // RFC 9110 §15: 304 and all below 300 mean success to a client.
  if (!Number.isInteger(status) || status < 300 || status > 599 || status === 304) {
    throw new RangeError(
      `Cannot refuse the upgrade: the status must be from 300 to 599 and not 304, got ${status}`,
    );
  }
  return build(status, options, []);
}

function build(status: number, options: RefusalOptions, own: readonly Field[]): Refusal {
  const { statusText = STATUS_TEXTS.get(status) ?? "Refused" } = options;
  const { body = `${statusText}\n` } = options;
  if (!/^[\t\x20-\x7e]*$/.test(statusText)) {
    throw new TypeError("Cannot refuse the upgrade: statusText must be printable ASCII");
  }
  const extra = [...options.headers ?? []];
  const headers: Field[] = [
    // RFC 9110 §7.8: a sender of Upgrade must list it in Connection.
    ["Connection", own.length > 0 ? "close, Upgrade" : "close"],
    ...own,
    ["Content-Length", String(new TextEncoder().encode(body).length)],
  ];
  const typed = extra.some(([name]) => name.toLowerCase() === "content-type");
  if (!typed) headers.push(["Content-Type", "text/plain; charset=utf-8"]);
  return { status, statusText, headers: [...headers, ...extra], body };
}

/** RFC 9110 §15, RFC 6585, RFC 7725 and RFC 8470: the statuses that can refuse an upgrade. */
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

/** The beginning of every acceptance. */
const SWITCHING =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: ";

/**
 * Serializes an acceptance.
 *
 * @param acceptance The acceptance.
 * @returns The bytes of the head with status 101. Frames may follow.
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
 * Serializes a refusal.
 *
 * @param refusal The refusal.
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
 * Returns whether a request's origin may connect.
 *
 * A request without `Origin` doesn't come from a web page and is allowed. A request with several is not.
 *
 * @param headers The request's header fields.
 * @param policy Which origins may connect.
 * @param host The request's host, from {@linkcode readTarget}.
 * @returns Whether the request is allowed, or a promise of it. For any value but `true`, refuse the request
 * with 403.
 * @throws Any error that a policy function throws.
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

/** The default port is that of the origin's scheme, because TLS may end at a proxy. */
function isSameHost(origin: string, host: string): boolean {
  try {
    const { protocol, host: expected } = new URL(origin);
    return expected !== "" && new URL(`${protocol}//${host}`).host === expected;
  } catch {
    return false;
  }
}
