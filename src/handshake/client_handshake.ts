/**
 * The client's half of the opening handshake: the request to send, and the check of the answer.
 *
 * @module
 */

import { encodeBase64, NONCE_LENGTH, signKey } from "./accept_key.ts";
import {
  checkDeflateAnswer,
  type DeflateParameters,
  offerDeflate,
} from "../permessage_deflate/deflate_parameters.ts";
import type {
  ClientCompressionOptions,
  CompressionOptions,
} from "../permessage_deflate/compression_options.ts";
import { parseExtensions, serializeExtensions } from "./extensions.ts";
import { HandshakeError } from "./handshake_error.ts";
import type { HeaderMap } from "./header_map.ts";
import { type ResponseHead, serializeHead } from "./http_head.ts";
import { checkField, printable } from "./request_fields.ts";
import { protocolFault } from "./subprotocol.ts";

/** What a client says of itself. Its version is the one of deno.json, with which a test compares it. */
export const USER_AGENT = "web-socket-channel/0.2.0";

/** What a client asks for in its opening handshake. */
export interface ClientHandshakeOptions {
  /** The subprotocols offered, in order of preference: tokens, none twice. Default none. */
  readonly protocols?: readonly string[];
  /**
   * Further header fields, in order. `Host` and `Origin` replace the handshake's own; what the
   * handshake itself is made of (`Connection`, `Upgrade`, `Sec-WebSocket-…`) and what announces a
   * body can't be given.
   */
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  /** The value of `Origin`; left out: none is sent. */
  readonly origin?: string;
  /** The value of `User-Agent`, unless `headers` has one; left out, `null` or empty: none is sent. */
  readonly userAgent?: string | null;
  /** The compression offered; left out or `null`: none. */
  readonly compression?: ClientCompressionOptions | null;
}

/** What a client's opening handshake offers. */
export interface HandshakeOffer {
  /** The subprotocols offered. */
  readonly protocols: readonly string[];
  /** The compression offered. */
  readonly compression: ClientCompressionOptions | null;
}

/** A client's opening handshake in flight. */
export interface ClientHandshake extends HandshakeOffer {
  /** The bytes of the request's head: to be sent first, and nothing behind them yet. */
  readonly head: Uint8Array;
  /** The value of `Sec-WebSocket-Accept` that the answer must have. */
  readonly accept: string;
}

/** What both ends agreed to in an opening handshake. */
export interface HandshakeAgreement {
  /** The subprotocol, or `null` when none was agreed. */
  readonly protocol: string | null;
  /** The extensions as in `Sec-WebSocket-Extensions`; empty when none was agreed. */
  readonly extensions: string;
  /** The parameters of `permessage-deflate`, or `null` when it wasn't agreed. */
  readonly deflate: DeflateParameters | null;
  /** What this end wished for, where it wished in the opening handshake: its `threshold` and `level`. */
  readonly compression?: CompressionOptions | null;
}

/**
 * Begins a client's opening handshake.
 *
 * @param url Where to connect to; `ws:`, `wss:`, `http:` or `https:`. User info and a fragment are ignored.
 * @param nonce 16 random bytes, fresh for each connection (RFC 6455 §4.1).
 * @param options What to ask for.
 * @returns The handshake, with the request to send.
 * @throws {TypeError} When a subprotocol or a header can't be sent.
 * @throws {RangeError} When the nonce is not of 16 bytes.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 */
export function startClientHandshake(
  url: URL,
  nonce: Uint8Array,
  options: ClientHandshakeOptions = {},
): ClientHandshake {
  if (nonce.length !== NONCE_LENGTH) {
    throw new RangeError(`The nonce must be ${NONCE_LENGTH} random bytes`);
  }
  const userFields = [...options.headers ?? []];
  const key = encodeBase64(nonce);
  const fields: Pair[] = [
    ["Host", hostOf(url, userFields)],
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Version", "13"],
    ["Sec-WebSocket-Key", key],
  ];
  fields.push(...offeredFields(options, userFields));
  const head = serializeHead(`GET ${url.pathname}${url.search} HTTP/1.1`, fields);
  return { head, accept: signKey(key), ...offerOf(options) };
}

type Pair = readonly [name: string, value: string];

/** What is offered, as the check of the answer needs it. */
function offerOf({ protocols = [], compression = null }: ClientHandshakeOptions): HandshakeOffer {
  return { protocols: [...protocols], compression };
}

/** The host to ask for, and its port. */
function hostOf(url: URL, userFields: readonly Pair[]): string {
  return userFields.find(([name]) => isHost(name))?.[1] ?? url.host;
}

/** The header fields that are the same in every version of HTTP. */
function offeredFields(options: ClientHandshakeOptions, userFields: readonly Pair[]): Pair[] {
  const { protocols = [], compression = null, userAgent } = options;
  const fields: Pair[] = [];
  if (protocols.length > 0) fields.push(["Sec-WebSocket-Protocol", protocols.join(", ")]);
  if (compression !== null) {
    const offer = serializeExtensions([offerDeflate(compression)]);
    fields.push(["Sec-WebSocket-Extensions", offer]);
  }
  fields.push(...userFields.filter(([name]) => !isHost(name)));
  if (userAgent && !userFields.some(([name]) => name.toLowerCase() === "user-agent")) {
    fields.push(["User-Agent", userAgent]);
  }
  if (options.origin !== undefined) fields.push(["Origin", options.origin]);
  return fields;
}

/** A client's opening handshake over HTTP/2. */
export interface ConnectHandshake extends HandshakeOffer {
  /** The fields of the request, names in lower case, pseudo-header fields first. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/**
 * Begins a client's opening handshake over HTTP/2: an extended CONNECT. It has no key, as no cache or server
 * without WebSocket can answer it by mistake.
 *
 * @param url Where to connect to; `ws:`, `wss:`, `http:` or `https:`. User info and a fragment are ignored.
 * @param options What to ask for.
 * @returns The handshake, with the request to send.
 * @throws {TypeError} When a header can't be sent: RFC 9113 §8.2.2 forbids those that are about a connection.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8441#section-5 RFC 8441 §5}
 */
export function startConnectHandshake(
  url: URL,
  options: ClientHandshakeOptions = {},
): ConnectHandshake {
  const userFields = [...options.headers ?? []];
  const isSecure = url.protocol === "wss:" || url.protocol === "https:";
  const fields: Pair[] = [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", isSecure ? "https" : "http"],
    [":path", `${url.pathname}${url.search}`],
    [":authority", hostOf(url, userFields)],
    ["sec-websocket-version", "13"],
  ];
  for (const [name, value] of offeredFields(options, userFields)) {
    checkField(name, value);
    const lower = name.toLowerCase();
    if (isOfConnection(lower)) {
      throw new TypeError(`Cannot send the header ${lower}: HTTP/2 has no such field`);
    }
    fields.push([lower, value]);
  }
  return { fields, ...offerOf(options) };
}

/** RFC 9113 §8.2.2. */
function isOfConnection(name: string): boolean {
  return name === "keep-alive" || name === "proxy-connection" || name === "http2-settings";
}

/**
 * Checks the answer to a client's opening handshake over HTTP/2.
 *
 * @param offer What was offered.
 * @param response The head of the server's answer.
 * @returns What was agreed.
 * @throws {HandshakeError} When the server refused (`"bad-status"`) or its answer is wrong.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8441#section-5 RFC 8441 §5}
 */
export function checkConnectResponse(
  offer: HandshakeOffer,
  response: ResponseHead,
): HandshakeAgreement {
  const { status, headers } = response;
  if (status < 200 || status > 299) {
    throw new HandshakeError("bad-status", `the server ${answered(response)}`);
  }
  return { protocol: checkProtocol(offer, headers), ...checkExtensions(offer, headers) };
}

function isHost(name: string): boolean {
  return name.toLowerCase() === "host";
}

/**
 * Checks the answer to a client's opening handshake.
 *
 * A server that picks none of the subprotocols offered is refused, as platforms' own clients do.
 *
 * @param handshake The handshake that was begun.
 * @param response The head of the server's answer.
 * @returns What was agreed.
 * @throws {HandshakeError} When the server refused (`"bad-status"`) or its answer is wrong; the
 * connection must then be ended.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 */
export function checkResponse(
  handshake: ClientHandshake,
  response: ResponseHead,
): HandshakeAgreement {
  const { status, version, headers } = response;
  if (status !== 101) throw new HandshakeError("bad-status", `the server ${answered(response)}`);
  // RFC 9110 §7.8: only HTTP/1.1 can be upgraded this way.
  if (version !== "1.1") throw new HandshakeError("bad-version", `status 101 of HTTP/${version}`);
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") throw wrong("Upgrade", headers);
  if (!headers.lists("connection", "upgrade")) throw wrong("Connection", headers);
  // RFC 6455 §11.3.3: once, and case-sensitive, as it is base64.
  if (headers.get("sec-websocket-accept") !== handshake.accept) {
    throw wrong("Sec-WebSocket-Accept", headers);
  }
  const protocol = checkProtocol(handshake, headers);
  return { protocol, ...checkExtensions(handshake, headers) };
}

/** What such a status often means, where its phrase doesn't say it. */
const HINTS: Readonly<Record<number, string>> = {
  200: ": is the path proxied to a WebSocket server?",
  426: ": does a proxy drop the Upgrade header field?",
  502: ": a proxy got no valid answer from the server behind it",
  504: ": a proxy got no answer in time from the server behind it",
};

/**
 * A refusal in words.
 *
 * @param response The head of the answer.
 * @returns A predicate, such as `"answered 404 Not Found, text/html"`.
 */
export function answered({ status, statusText, headers }: ResponseHead): string {
  const shown = shownPhrase(statusText);
  const phrase = shown === "" ? "" : ` ${shown}`;
  const isPage = /^text\/html\b/i.test(headers.get("content-type") ?? "");
  return `answered ${status}${phrase}${isPage ? ", text/html" : ""}${HINTS[status] ?? ""}`;
}

/** How much of a reason phrase an error shows. */
const MAX_PHRASE = 80;

/** A reason phrase as texts show it: one that quotes the request may hold its query, which may be a secret. */
export function shownPhrase(statusText: string): string {
  return printable(statusText.replace(/\?.*/, "").slice(0, MAX_PHRASE));
}

/** RFC 6455 §11.3.4: at most once, and one of those offered. Some servers send an empty one for none. */
function checkProtocol({ protocols }: HandshakeOffer, headers: HeaderMap): string | null {
  const [value = "", ...more] = headers.all("sec-websocket-protocol");
  if (more.length > 0) throw wrong("Sec-WebSocket-Protocol", headers);
  const protocol = value === "" ? null : value;
  const fault = protocolFault(protocol ?? "", protocols);
  if (fault !== null) throw new HandshakeError("bad-protocol", fault);
  return protocol;
}

/** RFC 6455 §11.3.2: at most once in an answer. Some servers send an empty one for none. */
function checkExtensions(
  { compression }: HandshakeOffer,
  headers: HeaderMap,
): Pick<HandshakeAgreement, "extensions" | "deflate"> {
  const [value = "", ...more] = headers.all("sec-websocket-extensions");
  if (more.length > 0) throw wrong("Sec-WebSocket-Extensions", headers);
  if (value === "") return { extensions: "", deflate: null };
  const answer = parseExtensions(value);
  const deflate = checkDeflateAnswer(answer, compression);
  if (typeof deflate === "string") {
    const message = `the answer's Sec-WebSocket-Extensions: ${deflate}`;
    throw new HandshakeError(REASONS["Sec-WebSocket-Extensions"], message);
  }
  return { extensions: serializeExtensions(answer), deflate };
}

const REASONS = {
  "Upgrade": "bad-upgrade",
  "Connection": "bad-connection",
  "Sec-WebSocket-Accept": "bad-accept",
  "Sec-WebSocket-Protocol": "bad-protocol",
  "Sec-WebSocket-Extensions": "bad-extensions",
} as const;

function wrong(name: keyof typeof REASONS, headers: HeaderMap): HandshakeError {
  const { length } = headers.all(name);
  const what = length === 0 ? "is missing" : `is wrong${length === 1 ? "" : ": there are several"}`;
  return new HandshakeError(REASONS[name], `the answer's ${name} ${what}`);
}
