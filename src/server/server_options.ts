import type { CompressionOptions } from "../permessage_deflate/compression_options.ts";
import { isToken } from "../handshake/subprotocol.ts";
import type { Field, OriginPolicy } from "../handshake/server_handshake.ts";
import { checkOption, type OptionKinds, shown } from "../stream_channel/options.ts";
import {
  checkLarge,
  checkPings,
  checkWhole,
  PROTOCOL_KINDS,
  type ProtocolOptions,
} from "../web_socket/options.ts";
import { services } from "../web_socket/connection_service.ts";
import { readCompression, readHeaders } from "../web_socket/read_options.ts";
import { negotiableCompression } from "../permessage_deflate/deflate.ts";
import type { ChannelCore } from "../web_socket/channel_core.ts";
import type { RateRule } from "../web_socket/message_rate.ts";
import type { Traffic } from "../web_socket/traffic.ts";
import { type ConnectionCounter, type ConnectionLimits, counterOf } from "./connection_limits.ts";
import type { ErrorHook, RefusedHook } from "./error_hook.ts";
import type { ConnectionHandler } from "./handler.ts";
import { checkHosts, type HostPolicy, type HostRule } from "./hosts.ts";
import { checkRateLimit, type RateLimitOptions } from "./rate_limit.ts";
import type { ServerRequest, ServerWebSocketChannel } from "./server_request.ts";
import { unreadReport } from "./unread.ts";

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

/**
 * What {@linkcode ServerOptions.verify} answers: `true` lets the client in, and so does `{ context }`, which becomes
 * the channel's `context`; `false` is a 403.
 */
export type VerifyResult<Context = unknown> = boolean | { readonly context: Context } | RefusalInit;

/**
 * Which clients to let in, and what to agree on with them.
 *
 * Each function may answer with a promise, which is awaited. When one throws, rejects, or answers with something that the
 * option can't be (such as `undefined`, because it forgets to return), the client gets 500, and `onError` the error. They are called in the order `hosts`, `origin`, `verify`, `protocols`, `headers`,
 * `compression`, each only if the one before let the client in; the client may have left meanwhile, which
 * `request.signal` reports.
 */
export interface AdmissionOptions<Context = unknown> {
  /**
   * The subprotocols that are spoken here, the favourite first; or a function that chooses one of
   * those the request offers, or `null` for none. Left out: none is chosen.
   */
  protocols?:
    | readonly string[]
    | ((request: ServerRequest) => string | null | Promise<string | null>)
    | undefined;
  /**
   * Which web pages may connect: those of the `"same-host"`, of a list of origins
   * (`"https://example.com"`, also `"file://"`, `"app://bundle"` or `"null"`), those for which a function answers `true`,
   * or `false` for all. A client that isn't a browser sends no Origin, and is let in: this guards users against foreign
   * pages, it doesn't authenticate anybody. Default `"same-host"`. RFC 6455 §10.2.
   *
   * Behind a proxy that changes the Host header, list the origins.
   */
  origin?: OriginPolicy | undefined;
  /**
   * Which hosts a request may name, in its Host header or as a whole URL: a list (`"example.com"`, or with a port
   * `"localhost:8080"`), those for which a function answers `true`, or `false` for all. Others are refused with 403.
   *
   * Left out: all, but for pages (requests with an Origin) that came in by a loopback address: these may name localhost,
   * a name below it, or a loopback address only. It guards local servers against DNS rebinding: a foreign page whose own
   * name was made to lead to `127.0.0.1` has the same host as the request. An address that isn't known, such as of a Unix
   * socket, counts as a loopback one.
   *
   * **Behind a proxy on the same machine that keeps the Host header, list your public names here.**
   */
  hosts?: HostPolicy | undefined;
  /**
   * Looks at a request that is correct and of an allowed host and origin, and decides. With `{ context }` it also tells
   * who the client is: see `ServerWebSocketChannel.context`. Compare secrets in constant time.
   */
  verify?:
    | ((request: ServerRequest) => VerifyResult<Context> | Promise<VerifyResult<Context>>)
    | undefined;
  /** Further header fields of the answer, such as `Set-Cookie`. The handshake's own can't be set. */
  headers?:
    | HeaderFields
    | ((request: ServerRequest) => HeaderFields | Promise<HeaderFields>)
    | undefined;
  /**
   * Gets each error that a function of these options throws or rejects with, and where; also one for a channel that nothing
   * reads although it has received more than `highWaterMark`. Left out: it is printed with `console.error`.
   */
  onError?: ErrorHook | undefined;
  /** Gets each upgrade that is refused: its request, the status that the client gets, and why. */
  onRefused?: RefusedHook | undefined;
  /** How many clients may be connected, and how fast; shared by all that get the same {@linkcode ConnectionLimits}. */
  limits?: ConnectionLimits | undefined;
  /**
   * How long the opening handshake may take, in milliseconds: `verify` included, and in
   * `WebSocketServer` the reading of the request as well. When these functions take longer, the client gets 503, and
   * `onError` a `TimeoutError`. It also limits how long `hosts` may decide about a plain
   * request, and how long an upgrade waits for the answers to earlier requests of its connection. Default 10,000; 0: no
   * limit.
   */
  handshakeTimeout?: number | undefined;
}

/** The compression to agree to: the same for every client, or what a function answers for a request. */
export type CompressionPolicy =
  | boolean
  | CompressionOptions
  | ((
    request: ServerRequest,
  ) => boolean | CompressionOptions | Promise<boolean | CompressionOptions>);

/** Options of every server-side channel. Times are in milliseconds, sizes in bytes. */
export interface ServerOptions<Context = unknown>
  extends Omit<ProtocolOptions, "compression" | "onPing" | "onPong">, AdmissionOptions<Context> {
  /** Serves each connection: see {@linkcode ConnectionHandler}. */
  handler?: ConnectionHandler<Context> | undefined;
  /** Called with the payload of each Ping, 0–125 bytes, and the channel. See {@linkcode ControlFrameOptions}. */
  onPing?: ((payload: Uint8Array, channel: ServerWebSocketChannel) => void) | undefined;
  /** Called with the payload of each Pong, 0–125 bytes, and the channel. See {@linkcode ControlFrameOptions}. */
  onPong?: ((payload: Uint8Array, channel: ServerWebSocketChannel) => void) | undefined;
  /**
   * Whether, and how, to compress messages (RFC 7692), or a function that decides it for each request. It is
   * used only with clients that offer compression. The function is called last, when everything else has let the
   * client in; it must answer `true`, `false` or the options. Default `false`.
   */
  compression?: CompressionPolicy | undefined;
  /**
   * How often to ping the client, in milliseconds; 0: never. When no sign of life comes within
   * `pingTimeout` the channel ends at once. `latency` tells the round trip. Default 30,000.
   */
  pingInterval?: number | undefined;
  /** How much each client may send within a time. Left out: any amount. See {@linkcode RateLimitOptions}. */
  rateLimit?: RateLimitOptions | undefined;
}

/** The default of {@linkcode ServerOptions.pingInterval}, in milliseconds. */
export const DEFAULT_PING_INTERVAL = 30_000;
/** The default of {@linkcode AdmissionOptions.handshakeTimeout}, in milliseconds. */
export const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;

/** The kinds of {@linkcode ServerOptions}. */
export const SERVER_KINDS: OptionKinds<ServerOptions> = {
  ...PROTOCOL_KINDS,
  compression: "boolean|object|function",
  protocols: "list|function",
  origin: '"same-host"|list|function|false',
  hosts: "list|function|false",
  verify: "function",
  headers: "object|function",
  onError: "function",
  onRefused: "function",
  handler: "function",
  rateLimit: "object",
  limits: "object",
  handshakeTimeout: "time",
};

/** A {@linkcode CompressionPolicy}, checked: `null` agrees to none. */
export type CompressionRule =
  | CompressionOptions
  | Extract<CompressionPolicy, (request: ServerRequest) => unknown>
  | null;

/** Options, checked and made ready once, however many connections come. */
export interface ServerSettings {
  /** What the channels are made with. */
  readonly channel: ProtocolOptions;
  readonly admission: AdmissionOptions;
  readonly hosts: HostRule;
  readonly onError: ErrorHook | undefined;
  readonly onRefused: RefusedHook | undefined;
  readonly limits: ConnectionCounter | undefined;
  /** Reports a channel that nothing reads. */
  readonly onUnread: (core: ChannelCore) => void;
  readonly handler: ConnectionHandler<never> | undefined;
  /** The header fields of every answer, unless a function gives them. */
  readonly fields: readonly Field[];
  /** The compression to negotiate with, limited to what the platform can do, or the user's function. */
  readonly compression: CompressionRule;
  readonly handshakeTimeout: number;
  readonly rate: RateRule | undefined;
  /** Where what passes is counted. */
  readonly traffic?: Traffic;
}

/**
 * Checks a server's options.
 *
 * @param options The options, read.
 * @returns The settings.
 * @throws {RangeError} When a number is out of its range.
 * @throws {TypeError} When a header field is malformed or the handshake's own, an origin isn't one, or
 * `pingTimeout` has no `pingInterval`.
 * @throws {SyntaxError} When a subprotocol isn't a token.
 */
export function checkServerOptions<Context>(options: ServerOptions<Context> = {}): ServerSettings {
  const { pingInterval = DEFAULT_PING_INTERVAL } = options;
  const { compression = false } = options;
  checkPings({ pingInterval, pingTimeout: options.pingTimeout });
  checkLarge(options);
  if (services.has(Object(options.handler))) checkWhole(options, "sessions deliver");
  const channel: ProtocolOptions = {
    closeTimeout: options.closeTimeout,
    highWaterMark: options.highWaterMark,
    maxMessageSize: options.maxMessageSize,
    streamLargerThan: options.streamLargerThan,
    invalidText: options.invalidText,
    afterClose: options.afterClose,
    ownBuffers: options.ownBuffers,
    pingInterval,
    pingTimeout: options.pingTimeout,
    // Their channel is the `ServerChannel` of the connection.
    onPing: options.onPing as ProtocolOptions["onPing"],
    onPong: options.onPong as ProtocolOptions["onPong"],
    autoPong: options.autoPong,
  };
  return {
    channel,
    ...checkAdmission(options),
    handler: options.handler,
    rate: checkRateLimit(options.rateLimit, options.onError),
    compression: typeof compression === "function" ? compression : negotiable(compression),
  };
}

/**
 * The compression to negotiate with, limited to what the platform can do.
 *
 * @param given The option `compression`, or what its function answered.
 * @returns The settings; `null`: none.
 * @throws {TypeError} When it is no such option, or a setting is unknown or of the wrong type.
 * @throws {RangeError} When a number is out of its range.
 */
export function negotiable(given: unknown): CompressionOptions | null {
  checkOption("compression", given, "boolean|object");
  const compression = readCompression(given as boolean | CompressionOptions);
  if (compression === false) return null;
  return negotiableCompression(compression === true ? {} : compression, "server");
}

/** Checks what decides about requests. */
export function checkAdmission<Context>(
  options: AdmissionOptions<Context>,
): Omit<ServerSettings, "channel" | "compression" | "handler" | "rate"> {
  const { origin = "same-host", headers, handshakeTimeout, onError } = options;
  const protocols = typeof options.protocols === "object"
    ? checkedProtocols(options.protocols)
    : options.protocols;
  return {
    admission: { protocols, origin: checkOrigin(origin), verify: options.verify, headers },
    hosts: checkHosts(options.hosts),
    onError,
    onRefused: options.onRefused,
    limits: counterOf(options.limits),
    onUnread: unreadReport(onError),
    fields: typeof headers === "function" ? [] : fieldsOf(headers),
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
  if (policy === false || policy === "same-host" || typeof policy === "function") return policy;
  if (typeof policy !== "object") {
    throw new TypeError(
      `Cannot use the option origin: it must be "same-host", a list, a function or false, got ${
        shown(policy, true)
      }`,
    );
  }
  const list: unknown[] = [...policy];
  return list.map((origin, i): string => {
    if (typeof origin === "string" && isOrigin(origin)) return spelled(origin);
    throw new TypeError(
      `Cannot use the option origin: element ${
        i + 1
      } of ${list.length} is not an origin (scheme and ` +
        'host, no path), such as "https://example.com" or "http://localhost:8080"',
    );
  });
}

/** A web page's, an app's with a scheme of its own, that of files, or that of who has none. */
function isOrigin(text: string): boolean {
  if (text === "null" || /^file:\/\/$/i.test(text)) return true;
  return /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\]+$/i.test(text) && URL.canParse(text);
}

/** As a browser sends it: without the port that goes without saying, and with a name in ASCII. */
function spelled(origin: string): string {
  if (!/^https?:/i.test(origin)) return origin;
  return new URL(origin).origin;
}

/**
 * Reads and checks the option `headers`, or what it has returned.
 *
 * @throws {TypeError} When they are no header fields, one can't be sent, or it is the handshake's own.
 */
export function fieldsOf(headers: HeaderFields | undefined): Field[] {
  return headers === undefined ? [] : readHeaders(headers);
}
