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

/** Header fields as `new Headers` takes them: a list of pairs, an object, or `Headers`. */
// Derived from the class, because Node's own types don't have the name `HeadersInit`.
export type HeaderFields = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/** The response that refuses an upgrade. */
export interface RefusalInit {
  /** The HTTP status code: 300–599, except 304. */
  status: number;
  /** The reason phrase. Default: the usual one of the status. */
  statusText?: string | undefined;
  /** Header fields, such as `Location`, `WWW-Authenticate` or `Retry-After`. */
  headers?: HeaderFields | undefined;
  /** The body, plain text unless `headers` say otherwise. Default: the reason phrase. */
  body?: string | undefined;
}

/**
 * The answer of {@linkcode ServerOptions.verify}. `true` and `{ context }` admit the client; the context becomes the
 * channel's `context`. `false` refuses it with 403, a {@linkcode RefusalInit} in its own way.
 */
export type VerifyResult<Context = unknown> = boolean | { readonly context: Context } | RefusalInit;

/**
 * Options that decide which clients to admit, and what to agree on with them.
 *
 * Each function may return a promise. When a function throws, rejects, or returns something that is not valid for the
 * option (such as `undefined`, because it forgets to return), the client gets 500 and `onError` gets the error. They
 * are called in the order `hosts`, `origin`, `verify`, `protocols`, `headers`, `compression`, each only if the previous
 * ones admit the client. If the client leaves in the meantime, `request.signal` aborts.
 */
export interface AdmissionOptions<Context = unknown> {
  /**
   * The supported subprotocols, the preferred one first; or a function that chooses one of those that the request
   * offers, or `null` for none. Default: none is chosen.
   */
  protocols?:
    | readonly string[]
    | ((request: ServerRequest) => string | null | Promise<string | null>)
    | undefined;
  /**
   * Which web pages may connect: `"same-host"`, a list of origins, a function that returns `true` for allowed ones, or
   * `false` for all. A list has origins such as `"https://example.com"`, also `"file://"`, `"app://bundle"` or
   * `"null"`. A client that isn't a browser sends no Origin, and is admitted: this option protects users against
   * foreign pages, it authenticates no client. Default `"same-host"`. RFC 6455 §10.2.
   *
   * Behind a proxy that changes the Host header, list the origins.
   */
  origin?: OriginPolicy | undefined;
  /**
   * Which hosts a request may name, in its Host header or in a complete URL: a list, a function that returns `true` for
   * allowed ones, or `false` for all. A list has hosts such as `"example.com"`, or `"localhost:8080"` with a port. The
   * server refuses other hosts with 403.
   *
   * Default: every host. Only pages (requests with an Origin) that connect to a loopback address must name localhost, a
   * name below it, or a loopback address. This protects local servers against DNS rebinding: a foreign page's own name
   * points to `127.0.0.1`, so that its host equals that of the request. An address that isn't known, such as of a Unix
   * socket, counts as a loopback address.
   *
   * **Behind a proxy on the same machine that keeps the Host header, list your public names here.**
   */
  hosts?: HostPolicy | undefined;
  /**
   * Decides about a well-formed request of an allowed host and origin. With `{ context }` it also identifies the
   * client: see `ServerWebSocketChannel.context`. Compare secrets in constant time.
   */
  verify?:
    | ((request: ServerRequest) => VerifyResult<Context> | Promise<VerifyResult<Context>>)
    | undefined;
  /**
   * Additional header fields of the answer, such as `Set-Cookie`, or a function that returns them. It can't set the
   * handshake's own fields.
   */
  headers?:
    | HeaderFields
    | ((request: ServerRequest) => HeaderFields | Promise<HeaderFields>)
    | undefined;
  /**
   * Called with each error that a function of these options throws or rejects with, and where it came from. Also called
   * for a channel that nothing reads although it has received more than `highWaterMark`. Default: errors are printed
   * with `console.error`.
   */
  onError?: ErrorHook | undefined;
  /** Called with each refused upgrade: its request, the status that the client gets, and the reason. */
  onRefused?: RefusedHook | undefined;
  /** Connection limits; all servers with the same {@linkcode ConnectionLimits} share them. Default: no limits. */
  limits?: ConnectionLimits | undefined;
  /**
   * How long the opening handshake may take, in milliseconds. It includes `verify`, and in `WebSocketServer` also the
   * reading of the request. If the functions of the options take longer, the client gets 503 and `onError` gets a
   * `TimeoutError`. It also limits the time of `hosts` for a plain request, and the time that an upgrade waits for the
   * answers to earlier requests of its connection. Default 10,000; 0: no limit.
   */
  handshakeTimeout?: number | undefined;
}

/** The compression to agree on: the same for every client, or a function that decides for each request. */
export type CompressionPolicy =
  | boolean
  | CompressionOptions
  | ((
    request: ServerRequest,
  ) => boolean | CompressionOptions | Promise<boolean | CompressionOptions>);

/** Options of every server-side channel. Times are in milliseconds, sizes in bytes. */
export interface ServerOptions<Context = unknown>
  extends Omit<ProtocolOptions, "compression" | "onPing" | "onPong">, AdmissionOptions<Context> {
  /** Called with each open channel: see {@linkcode ConnectionHandler}. */
  handler?: ConnectionHandler<Context> | undefined;
  /** Called with the payload of each Ping, 0–125 bytes, and the channel. See {@linkcode ControlFrameOptions}. */
  onPing?: ((payload: Uint8Array, channel: ServerWebSocketChannel) => void) | undefined;
  /** Called with the payload of each Pong, 0–125 bytes, and the channel. See {@linkcode ControlFrameOptions}. */
  onPong?: ((payload: Uint8Array, channel: ServerWebSocketChannel) => void) | undefined;
  /**
   * Whether and how to compress messages (RFC 7692), or a function that decides for each request. It applies only to
   * clients that offer compression. The function is called last, after all other options have admitted the client. It
   * must return `true`, `false` or the compression's options. Default `false`.
   */
  compression?: CompressionPolicy | undefined;
  /**
   * How often to ping the client, in milliseconds; 0: never. If nothing arrives from the client within `pingTimeout`,
   * the channel ends at once. `latency` reports the round-trip time. Default 30,000.
   */
  pingInterval?: number | undefined;
  /** How much each client may send within a period. Default: no limit. See {@linkcode RateLimitOptions}. */
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

/** A checked {@linkcode CompressionPolicy}; `null` agrees on no compression. */
export type CompressionRule =
  | CompressionOptions
  | Extract<CompressionPolicy, (request: ServerRequest) => unknown>
  | null;

/** A server's options, checked and prepared once for all connections. */
export interface ServerSettings {
  /** The options of each channel. */
  readonly channel: ProtocolOptions;
  readonly admission: AdmissionOptions;
  readonly hosts: HostRule;
  readonly onError: ErrorHook | undefined;
  readonly onRefused: RefusedHook | undefined;
  readonly limits: ConnectionCounter | undefined;
  /** Called for each channel whose received messages nothing reads. */
  readonly onUnread: (core: ChannelCore) => void;
  readonly handler: ConnectionHandler<never> | undefined;
  /** The header fields of every answer, unless a function returns them. */
  readonly fields: readonly Field[];
  /** The compression to negotiate, limited to what the platform supports, or the user's function. */
  readonly compression: CompressionRule;
  readonly handshakeTimeout: number;
  readonly rate: RateRule | undefined;
  /** The counters of received and sent messages. */
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
    // The channel that these get is the connection's `ServerChannel`.
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
 * Returns the compression to negotiate, limited to what the platform supports.
 *
 * @param given The option `compression`, or the answer of its function.
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

/** Checks the options that decide about requests. */
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

/**
 * Checks the option `origin`, and normalizes a list to what browsers send. An address with a path would never match.
 */
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

/** Whether a text is an origin: of a web page, of an app's own scheme, of files, or an opaque one. */
function isOrigin(text: string): boolean {
  if (text === "null" || /^file:\/\/$/i.test(text)) return true;
  return /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\]+$/i.test(text) && URL.canParse(text);
}

/** Writes an origin as a browser sends it: without the default port, and with an ASCII name. */
function spelled(origin: string): string {
  if (!/^https?:/i.test(origin)) return origin;
  return new URL(origin).origin;
}

/**
 * Reads and checks the option `headers`, or the answer of its function.
 *
 * @throws {TypeError} When they are no header fields, or one can't be sent or belongs to the handshake.
 */
export function fieldsOf(headers: HeaderFields | undefined): Field[] {
  return headers === undefined ? [] : readHeaders(headers);
}
