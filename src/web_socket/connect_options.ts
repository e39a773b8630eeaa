import { checkField } from "../handshake/http_head.ts";
import { basicCredentials, isReservedHeader } from "../handshake/client_handshake.ts";
import { isToken } from "../handshake/header_map.ts";
import type { CompressionOptions } from "../handshake/deflate_parameters.ts";
import { checkConnectOptions, checkNumber } from "./connect_checks.ts";
import type { Capability } from "./capabilities.ts";
import { MAX_TIMEOUT } from "./clock.ts";

export { checkNumber };

/** Options that every WebSocket channel has. Times are in milliseconds, sizes in bytes. */
export interface ChannelOptions {
  /**
   * How long `close` waits for the peer before the channel ends anyway, in milliseconds. Default
   * 5,000; 0: not at all.
   */
  closeTimeout?: number | undefined;
  /** How many bytes may wait, each way, before backpressure sets in. Default 64 KiB. */
  highWaterMark?: number | undefined;
}

/** Options of an attempt to connect. */
export interface AttemptOptions {
  /** Gives up the attempt when it aborts. Afterwards it has no effect: close the sink. */
  signal?: AbortSignal | undefined;
  /** How long the attempt may take, in milliseconds. Default 30,000; 0: no limit. */
  connectTimeout?: number | undefined;
}

/** How messages wait where the transport has no inbound backpressure. */
export interface QueueOptions {
  /**
   * How many bytes of messages may wait for a reader where the transport can't stop the sender
   * (capability `inbound-backpressure` is false). Beyond it the channel closes, with the error in
   * `closed`. Default 64 MiB.
   */
  maxQueueSize?: number | undefined;
}

/** TLS settings, as `node:tls` has them. */
export interface TlsOptions {
  /** Certificates of the authorities to trust instead of the built-in ones, PEM. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /**
   * The client's certificate chain, PEM. With TLS 1.3 a server refuses it when the TLS handshake is
   * done: the error is of the phase `"tls"` all the same, but on Bun, which doesn't tell why the
   * connection ended (phase `"handshake"`).
   */
  cert?: string | Uint8Array | undefined;
  /** The client's private key, PEM. */
  key?: string | Uint8Array | undefined;
  /** The name to ask for and to check, instead of the URL's host. */
  servername?: string | undefined;
  /** Whether a server that can't be verified is refused. Default `true`. */
  rejectUnauthorized?: boolean | undefined;
}

/** An address that a host name stands for. */
export interface LookupAddress {
  /** The IP address. */
  readonly address: string;
  /** 4 or 6. */
  readonly family: number;
}

/**
 * Finds the addresses of a host, as `lookup` of `node:dns` does: all of them, or one with its family.
 */
export type LookupFunction = (
  hostname: string,
  options: { readonly all: true },
  callback: (
    error: Error | null,
    address: string | LookupAddress[],
    family?: number,
  ) => void,
) => void;

/** Options of {@linkcode WebSocketChannel.connect}. */
export interface ConnectOptions extends ChannelOptions, AttemptOptions, QueueOptions {
  /** The subprotocols to offer, the preferred one first. The server must choose one of them. */
  protocols?: string | readonly string[] | undefined;
  /**
   * Extra header fields of the opening handshake. The handshake's own can't be overridden. Browsers
   * can't do this: there, authenticate with a subprotocol, a cookie, the URL or the first message.
   */
  // `HeadersInit` by way of the class: Node's own types have no name for it.
  headers?: ConstructorParameters<typeof Headers>[0] | undefined;
  /** The Origin header field to send. RFC 6454 §7. */
  origin?: string | undefined;
  /** How often to ping the peer, in milliseconds; 0: never. Default 0. */
  pingInterval?: number | undefined;
  /** How long to wait for a sign of life after a ping. Default: `pingInterval`. */
  pingTimeout?: number | undefined;
  /** The largest message to receive, in bytes; beyond it the connection is failed with 1009. */
  maxMessageSize?: number | undefined;
  /** Whether, and how, to compress (RFC 7692). Left out: as the transport does by itself. */
  compression?: boolean | CompressionOptions | undefined;
  /** TLS settings of a `wss:` connection. */
  tls?: TlsOptions | undefined;
  /**
   * An HTTP proxy to tunnel through (RFC 9110 §9.3.6): an `http:` or `https:` URL, with credentials
   * where it wants any; they go to nobody else. Of `tls` only `ca` and `rejectUnauthorized` are for
   * the connection to an `https:` proxy.
   *
   * `"environment"`: the one that the environment variables name, or none: `https_proxy` for `wss:`,
   * `http_proxy` for `ws:`, else `all_proxy`, unless `no_proxy` has the host; in either letter case.
   * Left out: none, whatever the environment says.
   */
  proxy?: string | URL | "environment" | undefined;
  /** A Unix socket to connect to; the URL then only says what to ask for. Not with `proxy`. */
  socketPath?: string | undefined;
  /** The local address to connect from. */
  localAddress?: string | undefined;
  /**
   * Finds the host's addresses instead of the platform. It is asked about IP addresses as well, and
   * about the proxy's host, so that it can refuse whatever must not be connected to: what it
   * gives is what is connected to, nothing is looked up again.
   */
  lookup?: LookupFunction | undefined;
  /**
   * How many redirects to follow, 0–10; `true`: 10. Default `false`: a redirect is a refusal.
   *
   * Never from `wss:` to `ws:`. To another origin none of these goes along: the header fields
   * `Authorization`, `Cookie`, `Host` and `Origin`, the option `origin`, the TLS client certificate
   * and `servername`. With `socketPath` only redirects to the same origin are followed.
   */
  followRedirects?: boolean | number | undefined;
  /** Which implementation to use. Default `"auto"`. */
  transport?: "auto" | "native" | "net" | undefined;
  /** What the transport must be able to do; else `ready` fails. */
  require?: readonly Capability[] | undefined;
}

/** A checked request to connect. */
export interface ConnectRequest {
  /** `ws:` or `wss:`, without user info and fragment. */
  readonly url: URL;
  readonly protocols: readonly string[];
  /** Extra header fields, the Authorization made of the URL's user info among them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** The default of {@linkcode AttemptOptions.connectTimeout}, in milliseconds. */
export const DEFAULT_CONNECT_TIMEOUT = 30_000;
/** The default of {@linkcode ChannelOptions.closeTimeout}, in milliseconds. */
export const DEFAULT_CLOSE_TIMEOUT = 5_000;
/** The default of {@linkcode QueueOptions.maxQueueSize}: 64 MiB. */
export const DEFAULT_MAX_QUEUE_SIZE: number = 64 * 1024 * 1024;

/**
 * Checks what `connect` was given.
 *
 * @throws {SyntaxError} When the URL or a subprotocol is malformed.
 * @throws {TypeError} When a header field is malformed, or not the user's to set, or an option is
 * of the wrong kind.
 * @throws {RangeError} When a number is out of its range.
 */
export function parseConnect(url: string | URL, options: ConnectOptions): ConnectRequest {
  const parsed = parseUrl(url);
  const headers = parseHeaders(options.headers, parsed);
  checkNumbers(options);
  // With the header fields as they were read: an iterable of them can be read only once.
  checkConnectOptions({ ...options, headers });
  parsed.username = "";
  parsed.password = "";
  return { url: parsed, protocols: parseProtocols(options.protocols), headers };
}

/** Checks the numbers among a channel's options. */
export function checkNumbers(options: ChannelOptions & AttemptOptions & QueueOptions): void {
  checkNumber("connectTimeout", options.connectTimeout, MAX_TIMEOUT);
  checkNumber("closeTimeout", options.closeTimeout, MAX_TIMEOUT);
  checkNumber("highWaterMark", options.highWaterMark, Infinity);
  checkNumber("maxQueueSize", options.maxQueueSize, Infinity);
}

const SCHEMES: Record<string, string> = {
  "ws:": "ws:",
  "wss:": "wss:",
  "http:": "ws:",
  "https:": "wss:",
};

function parseUrl(url: string | URL): URL {
  let parsed: URL;
  try {
    parsed = new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new SyntaxError(`Cannot connect: not a URL: ${shown(url)}`, { cause });
  }
  const scheme = Object.hasOwn(SCHEMES, parsed.protocol) ? SCHEMES[parsed.protocol] : undefined;
  if (scheme === undefined) {
    throw new SyntaxError(
      `Cannot connect: the URL's scheme must be ws or wss, got ${shown(parsed)}`,
    );
  }
  // An empty fragment is one as well; `hash` doesn't show it.
  if (parsed.href.includes("#")) {
    throw new SyntaxError(`Cannot connect: the URL must have no fragment, got ${shown(parsed)}`);
  }
  parsed.protocol = scheme;
  return parsed;
}

/** A URL for an error's message: without user info, which may hold a password. */
function shown(url: unknown): string {
  return String(url).replace(/^([^/]*\/\/)[^/]*@/, "$1");
}

/** The subprotocols to offer, checked: tokens, each once. RFC 6455 §4.1. */
export function parseProtocols(protocols: string | readonly string[] | undefined): string[] {
  const list = protocols === undefined
    ? []
    : typeof protocols === "string"
    ? [protocols]
    : [...protocols];
  for (const [i, protocol] of list.entries()) {
    if (typeof protocol !== "string" || !isToken(protocol)) {
      throw new SyntaxError(`Cannot connect: a subprotocol must be a token, got "${protocol}"`);
    }
    if (list.indexOf(protocol) !== i) {
      throw new SyntaxError(`Cannot connect: a subprotocol is offered twice: ${protocol}`);
    }
  }
  return list;
}

function parseHeaders(init: ConnectOptions["headers"], url: URL): [string, string][] {
  const headers = init === undefined ? [] : entriesOf(init);
  for (const [name, value] of headers) {
    checkField(name, value);
    if (isReservedHeader(name)) {
      throw new TypeError(`Cannot connect: the header field ${name} is the handshake's own`);
    }
    // RFC 9110 §11.7.2: these are for the next proxy; the server must not see them.
    if (name.toLowerCase() === "proxy-authorization") {
      throw new TypeError(`Cannot connect: the proxy's credentials belong into its URL`);
    }
  }
  // RFC 9112 §3.2 has exactly one Host, RFC 6454 §7.3 at most one Origin.
  for (const single of ["host", "origin"]) {
    if (headers.filter(([name]) => name.toLowerCase() === single).length > 1) {
      throw new TypeError(`Cannot connect: there can be only one header field ${single}`);
    }
  }
  const named = headers.some(([name]) => name.toLowerCase() === "authorization");
  const credentials = named ? null : basicCredentials(url);
  if (credentials !== null) headers.push(["Authorization", credentials]);
  return headers;
}

function entriesOf(init: NonNullable<ConnectOptions["headers"]>): [string, string][] {
  if (typeof init !== "object" || init === null) {
    throw new TypeError(`Cannot connect: headers must be an object or pairs, got ${String(init)}`);
  }
  if (!(Symbol.iterator in init)) {
    return Object.entries(init).map(([name, value]) => [name, String(value)]);
  }
  return Array.from(init as Iterable<Iterable<unknown>>, (field) => {
    const [name, value, ...more] = field;
    if (value !== undefined && more.length === 0) return [String(name), String(value)];
    throw new TypeError("Cannot connect: a header field must be a pair of name and value");
  });
}
