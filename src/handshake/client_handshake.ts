/**
 * The client's half of the opening handshake: it creates the request and checks the answer.
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

/** The default value of `User-Agent`. A test compares the version with the one in deno.json. */
export const USER_AGENT = "web-socket-channel/0.2.0";

/** Options of a client's opening handshake. */
export interface ClientHandshakeOptions {
  /** The offered subprotocols in order of preference: distinct tokens. Default none. */
  readonly protocols?: readonly string[];
  /**
   * Further header fields, in order. `Host` and `Origin` replace those of the handshake. The caller excludes
   * fields of the handshake itself (`Connection`, `Upgrade`, `Sec-WebSocket-…`), and fields that announce a
   * body.
   */
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  /** The value of `Origin`. Default: the header is not sent. */
  readonly origin?: string;
  /**
   * The value of `User-Agent`, unless `headers` has one. With `null`, an empty text and by default, the
   * header is not sent.
   */
  readonly userAgent?: string | null;
  /** The offered compression. Default `null`: none. */
  readonly compression?: ClientCompressionOptions | null;
}

/** The offers of a client's opening handshake. */
export interface HandshakeOffer {
  /** The offered subprotocols. */
  readonly protocols: readonly string[];
  /** The offered compression, or `null`. */
  readonly compression: ClientCompressionOptions | null;
}

/** A client's opening handshake that waits for its answer. */
export interface ClientHandshake extends HandshakeOffer {
  /** The bytes of the request's head. Send nothing after it before the answer. */
  readonly head: Uint8Array;
  /** The value of `Sec-WebSocket-Accept` that the answer must have. */
  readonly accept: string;
}

/** The result of an opening handshake. */
export interface HandshakeAgreement {
  /** The agreed subprotocol, or `null`. */
  readonly protocol: string | null;
  /** The agreed extensions, as in `Sec-WebSocket-Extensions`; empty if there are none. */
  readonly extensions: string;
  /** The agreed parameters of `permessage-deflate`, or `null`. */
  readonly deflate: DeflateParameters | null;
  /** The options with which this side negotiated the compression: for their `threshold` and `level`. */
  readonly compression?: CompressionOptions | null;
}

/**
 * Creates the request of a client's opening handshake.
 *
 * @param url The URL: `ws:`, `wss:`, `http:` or `https:`. User info and a fragment are ignored.
 * @param nonce 16 random bytes, fresh for each connection (RFC 6455 §4.1).
 * @param options What the client offers and sends.
 * @returns The handshake with its request.
 * @throws {TypeError} If a subprotocol or a header can't be sent.
 * @throws {RangeError} If the nonce does not have 16 bytes.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.1 RFC 6455 §4.1}
 */
export function startClientHandshake(
  url: URL,
  nonce: Uint8Array,
  options: ClientHandshakeOptions = {},
): ClientHandshake {
  if (nonce.length !== NONCE_LENGTH) {
    throw new RangeError(
      `Cannot create a handshake: the nonce must have ${NONCE_LENGTH} bytes, got ${nonce.length}`,
    );
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

/** The part of the options that the check of the answer needs. */
function offerOf({ protocols = [], compression = null }: ClientHandshakeOptions): HandshakeOffer {
  return { protocols: [...protocols], compression };
}

/** Returns the value of `Host`. */
function hostOf(url: URL, userFields: readonly Pair[]): string {
  return userFields.find(([name]) => isHost(name))?.[1] ?? url.host;
}

/** Returns the header fields that HTTP/1.1 and HTTP/2 have in common. */
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
 * Creates the request of a client's opening handshake over HTTP/2: an extended CONNECT. It needs no key,
 * because a cache or a server without WebSocket can't accept it by mistake.
 *
 * @param url The URL: `ws:`, `wss:`, `http:` or `https:`. User info and a fragment are ignored.
 * @param options What the client offers and sends.
 * @returns The handshake with its request.
 * @throws {TypeError} If a header can't be sent. RFC 9113 §8.2.2 forbids those that concern a connection.
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

/** RFC 9113 §8.2.2: fields that concern a connection of HTTP/1.1. */
function isOfConnection(name: string): boolean {
  return name === "keep-alive" || name === "proxy-connection" || name === "http2-settings";
}

/**
 * Checks the answer to a client's opening handshake over HTTP/2.
 *
 * @param offer What the client offered.
 * @param response The head of the server's answer.
 * @returns What both sides agreed on.
 * @throws {HandshakeError} If the server refused (`"bad-status"`) or its answer is invalid.
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
 * Like the platforms' own clients, it rejects a server that chooses none of the offered subprotocols.
 *
 * @param handshake The handshake that was sent.
 * @param response The head of the server's answer.
 * @returns What both sides agreed on.
 * @throws {HandshakeError} If the server refused (`"bad-status"`) or its answer is invalid. End the
 * connection then.
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
  if (version !== "1.1") {
    throw new HandshakeError(
      "bad-version",
      `the server answered 101 in HTTP/${version}, not HTTP/1.1`,
    );
  }
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") throw wrong("Upgrade", headers);
  if (!headers.lists("connection", "upgrade")) throw wrong("Connection", headers);
  // RFC 6455 §11.3.3: the field appears once, and base64 is case-sensitive.
  if (headers.get("sec-websocket-accept") !== handshake.accept) {
    throw wrong("Sec-WebSocket-Accept", headers);
  }
  const protocol = checkProtocol(handshake, headers);
  return { protocol, ...checkExtensions(handshake, headers) };
}

/** Frequent causes of a status whose reason phrase doesn't explain it. */
const HINTS: Readonly<Record<number, string>> = {
  200: ": is the path proxied to a WebSocket server?",
  426: ": does a proxy drop the Upgrade header field?",
  502: ": a proxy got no valid answer from the server behind it",
  504: ": a proxy got no answer in time from the server behind it",
};

/**
 * Describes a refusal in words.
 *
 * @param response The head of the answer.
 * @returns A predicate without its subject, such as `"answered 404 Not Found, text/html"`.
 */
export function answered({ status, statusText, headers }: ResponseHead): string {
  const shown = shownPhrase(statusText);
  const phrase = shown === "" ? "" : ` ${shown}`;
  const isPage = /^text\/html\b/i.test(headers.get("content-type") ?? "");
  return `answered ${status}${phrase}${isPage ? ", text/html" : ""}${HINTS[status] ?? ""}`;
}

/** The maximum number of characters of a reason phrase in an error. */
const MAX_PHRASE = 80;

/**
 * Returns a reason phrase for an error's text. A phrase may quote the request, whose query may be a secret,
 * so it ends before a question mark.
 */
export function shownPhrase(statusText: string): string {
  return printable(statusText.replace(/\?.*/, "").slice(0, MAX_PHRASE));
}

/**
 * RFC 6455 §11.3.4: the field appears at most once, with an offered subprotocol. Some servers send an empty
 * field for none.
 */
function checkProtocol({ protocols }: HandshakeOffer, headers: HeaderMap): string | null {
  const [value = "", ...more] = headers.all("sec-websocket-protocol");
  if (more.length > 0) throw wrong("Sec-WebSocket-Protocol", headers);
  const protocol = value === "" ? null : value;
  const fault = protocolFault(protocol ?? "", protocols);
  if (fault !== null) throw new HandshakeError("bad-protocol", fault);
  return protocol;
}

/**
 * RFC 6455 §11.3.2: the field appears at most once in an answer. Some servers send an empty field for none.
 */
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
    const message = `the answer's Sec-WebSocket-Extensions is invalid: ${deflate}`;
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
  const what = length === 0
    ? "is missing"
    : `is invalid${length === 1 ? "" : ": it appears more than once"}`;
  return new HandshakeError(REASONS[name], `the answer's ${name} ${what}`);
}
