import type { CompressionOptions } from "../handshake/deflate_parameters.ts";
import { checkField } from "../handshake/http_head.ts";
import { isReservedHeader } from "../handshake/client_handshake.ts";
import { isToken } from "../handshake/header_map.ts";
import type { Field, OriginPolicy } from "../handshake/server_handshake.ts";
import { type OptionKinds, shown } from "../stream_channel/options.ts";
import { readCompression } from "../web_socket/compression_options.ts";
import { negotiableCompression } from "../web_socket/deflate.ts";
import { PROTOCOL_KINDS, type ProtocolOptions } from "../web_socket/protocol_options.ts";
import type { ServerRequest } from "./server_request.ts";

export type { OriginPolicy } from "../handshake/server_handshake.ts";

/** What `new Headers` takes: a list of pairs, an object, or `Headers`. */
// `HeadersInit` by way of the class: Node's own types have no name for it.
export type HeaderFields = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/** How to refuse an upgrade. */
export interface RefusalInit {
  /** The HTTP status code, 300–599 but 304. */
  status: number;
  /** The reason phrase; left out: the usual one of the status. */
  statusText?: string | undefined;
  /** Header fields, such as `Location`, `WWW-Authenticate` or `Retry-After`. */
  headers?: HeaderFields | undefined;
  /** The body, plain text unless `headers` say otherwise; left out: the reason phrase. */
  body?: string | undefined;
}

/** What {@linkcode ServerOptions.verify} answers: `true` lets the client in, `false` is a 403. */
export type Verdict = boolean | RefusalInit;

/** Which clients to let in, and what to agree on with them. */
export interface AdmissionOptions {
  /**
   * The subprotocols that are spoken here, the favourite first; or a function that chooses one of
   * those the request offers, or `null` for none. Left out: none is chosen.
   */
  protocols?: readonly string[] | ((request: ServerRequest) => string | null) | undefined;
  /**
   * Which web pages may connect: those of the `"same-host"`, of a list of origins
   * (`"https://example.com"`), those that a function lets in, or `false` for all. A client that
   * isn't a browser sends no Origin, and is let in: this guards users against foreign pages, it
   * doesn't authenticate anybody. Default `"same-host"`. RFC 6455 §10.2.
   *
   * Behind a proxy that changes the Host header, list the origins.
   */
  origin?: OriginPolicy | undefined;
  /**
   * Looks at a request that is correct and of an allowed origin, and decides. Compare secrets in
   * constant time. If it throws, the answer is 500. The client may be gone when it answers:
   * `request.signal` tells.
   */
  verify?: ((request: ServerRequest) => Verdict | Promise<Verdict>) | undefined;
  /** Further header fields of the answer, such as `Set-Cookie`. The handshake's own can't be set. */
  headers?: HeaderFields | ((request: ServerRequest) => HeaderFields) | undefined;
  /**
   * How long the opening handshake may take, in milliseconds: `verify` included, and in
   * `WebSocketServer` the reading of the request as well. Default 10,000; 0: no limit.
   */
  handshakeTimeout?: number | undefined;
}

/** Options of every server-side channel. Times are in milliseconds, sizes in bytes. */
export interface ServerOptions extends ProtocolOptions, AdmissionOptions {
  /**
   * How often to ping the client, in milliseconds; 0: never. When no sign of life comes within
   * `pingTimeout` the channel ends at once. `latency` tells the round trip. Default 30,000.
   */
  pingInterval?: number | undefined;
}

/** The default of {@linkcode ServerOptions.pingInterval}, in milliseconds. */
export const DEFAULT_PING_INTERVAL = 30_000;
/** The default of {@linkcode AdmissionOptions.handshakeTimeout}, in milliseconds. */
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;

/** The kinds of {@linkcode ServerOptions}. */
export const SERVER_KINDS: OptionKinds<ServerOptions> = {
  ...PROTOCOL_KINDS,
  protocols: "list|function",
  origin: '"same-host"|list|function|boolean',
  verify: "function",
  headers: "object|function",
  handshakeTimeout: "time",
};

/** Options, checked and made ready once, however many connections come. */
export interface ServerSettings {
  /** What the channels are made with. */
  readonly channel: ProtocolOptions;
  readonly admission: AdmissionOptions;
  /** The header fields of every answer; `null` where a function gives them. */
  readonly fields: readonly Field[] | null;
  /** The compression to negotiate with, as far as the platform can do it. */
  readonly compression: CompressionOptions | null;
  readonly handshakeTimeout: number;
}

/**
 * Checks a server's options.
 *
 * @param options The options, read.
 * @returns The settings.
 * @throws {RangeError} When a number is out of its range.
 * @throws {TypeError} When a header field is malformed or the handshake's own, or an origin isn't one.
 * @throws {SyntaxError} When a subprotocol isn't a token.
 */
export function checkServerOptions(options: ServerOptions = {}): ServerSettings {
  const { pingInterval = DEFAULT_PING_INTERVAL } = options;
  const compression = readCompression(options.compression) ?? false;
  const channel: ProtocolOptions = {
    closeTimeout: options.closeTimeout,
    highWaterMark: options.highWaterMark,
    maxMessageSize: options.maxMessageSize,
    pingInterval,
    pingTimeout: options.pingTimeout,
    compression,
  };
  return {
    channel,
    ...checkAdmission(options),
    compression: compression === false
      ? null
      : negotiableCompression(compression === true ? {} : compression, "server"),
  };
}

/** Checks what decides about requests. */
export function checkAdmission(
  options: AdmissionOptions,
): Pick<ServerSettings, "admission" | "fields" | "handshakeTimeout"> {
  const { origin = "same-host", headers, handshakeTimeout } = options;
  const protocols = typeof options.protocols === "object"
    ? checkedProtocols(options.protocols)
    : options.protocols;
  return {
    admission: { protocols, origin: checkOrigin(origin), verify: options.verify, headers },
    fields: typeof headers === "function" ? null : fieldsOf(headers),
    handshakeTimeout: handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT,
  };
}

function checkedProtocols(protocols: readonly string[]): readonly string[] {
  const list = [...protocols];
  const bad = list.findIndex((it) => typeof it !== "string" || !isToken(it));
  if (bad < 0) return list;
  throw new SyntaxError(
    `Cannot use the option protocols: subprotocol ${bad + 1} of ${list.length} must be a token`,
  );
}

/** A list is compared with what browsers send, so that an address with a path would never match. */
function checkOrigin(policy: OriginPolicy): OriginPolicy {
  if (typeof policy !== "object") {
    if (policy === false || policy === "same-host" || typeof policy === "function") return policy;
    throw new TypeError(
      `Cannot use the option origin: it must be "same-host", a list, a function or false, got ${
        shown(policy, true)
      }`,
    );
  }
  const list = [...policy];
  for (const [i, origin] of list.entries()) {
    if (origin === "null" || /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/i.test(origin)) continue;
    throw new TypeError(
      `Cannot use the option origin: element ${i + 1} of ${list.length} is not an origin`,
    );
  }
  return list;
}

/** Header fields of a user's, checked. */
export function fieldsOf(init: HeaderFields | undefined): Field[] {
  if (init === undefined) return [];
  const entries: Iterable<readonly unknown[]> = isIterable(init) ? init : Object.entries(init);
  return [...entries].map(([name, value]): Field => {
    const field: Field = [String(name), String(value)];
    checkField(...field);
    if (isReservedHeader(field[0])) {
      throw new TypeError(`Cannot serve: the header field ${name} is the handshake's own`);
    }
    return field;
  });
}

/** `Headers`, of whatever realm, and lists of pairs. */
function isIterable(init: object): init is Iterable<readonly unknown[]> {
  return Symbol.iterator in init;
}
