import { basicCredentials } from "../handshake/client_handshake.ts";
import { isToken } from "../handshake/header_map.ts";
import type { CompressionOptions } from "../permessage_deflate/deflate_parameters.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { checkConnectOptions } from "./connect_checks.ts";
import type { Capability } from "./capabilities.ts";
import { readCompression } from "./compression_options.ts";
import { readHeaders } from "./header_fields.ts";
import type { TlsOptions } from "./tls_options.ts";
import { shownText, shownUrl } from "./shown_url.ts";

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
export interface ConnectDeadlineOptions {
  /** Gives up the attempt when it aborts. Afterwards it has no effect: close the sink. */
  signal?: AbortSignal | undefined;
  /** How long the attempt may take, in milliseconds. Default 30,000; 0: no limit. */
  connectTimeout?: number | undefined;
}

/** How messages wait where the transport has no inbound backpressure. */
export interface ReceiveQueueOptions {
  /**
   * How many bytes of messages may wait for a reader where the transport can't stop the sender
   * (capability `inboundBackpressure` is false). Beyond it the channel closes, with the error in
   * `closed`. Default 64 MiB.
   */
  maxQueueSize?: number | undefined;
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
export interface ConnectOptions
  extends ChannelOptions, ConnectDeadlineOptions, ReceiveQueueOptions {
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
  /** TLS settings of a `wss:` connection: all that `node:tls` takes. */
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

/** The default of {@linkcode ConnectDeadlineOptions.connectTimeout}, in milliseconds. */
export const DEFAULT_CONNECT_TIMEOUT = 30_000;
/** The default of {@linkcode ChannelOptions.closeTimeout}, in milliseconds. */
export const DEFAULT_CLOSE_TIMEOUT = 5_000;
/** The default of {@linkcode ReceiveQueueOptions.maxQueueSize}: 64 MiB. */
export const DEFAULT_MAX_QUEUE_SIZE: number = 64 * 1024 * 1024;

/** The kinds of {@linkcode ChannelOptions}. */
export const CHANNEL_KINDS: OptionKinds<ChannelOptions> = {
  closeTimeout: "time",
  highWaterMark: "size",
};

/** The kinds of {@linkcode ChannelOptions}, {@linkcode ConnectDeadlineOptions} and {@linkcode ReceiveQueueOptions}. */
export const ATTEMPT_KINDS: OptionKinds<
  ChannelOptions & ConnectDeadlineOptions & ReceiveQueueOptions
> = {
  ...CHANNEL_KINDS,
  signal: "AbortSignal",
  connectTimeout: "time",
  maxQueueSize: "size",
};

const CONNECT_KINDS: OptionKinds<ConnectOptions> = {
  ...ATTEMPT_KINDS,
  protocols: "string|list",
  headers: "object",
  origin: "string",
  pingInterval: "time",
  pingTimeout: "time",
  maxMessageSize: "limit",
  compression: "boolean|object",
  tls: "object",
  proxy: "string|URL",
  socketPath: "string",
  localAddress: "string",
  lookup: "function",
  followRedirects: "boolean|number",
  transport: '"auto"|"native"|"net"',
  require: "list",
};

/**
 * Reads the options of `connect`.
 *
 * @throws {TypeError} When an option is unknown, or of the wrong type.
 * @throws {RangeError} When a number is out of its range.
 */
export function readConnectOptions(options: ConnectOptions | undefined): ConnectOptions {
  const hint = ". Offer subprotocols with { protocols }";
  const read = readOptions(options, CONNECT_KINDS, { hint });
  read.compression = readCompression(read.compression);
  return read;
}

/**
 * Checks what `connect` was given.
 *
 * @param url Where to connect to.
 * @param options The options, read.
 * @throws {SyntaxError} When the URL or a subprotocol is malformed.
 * @throws {TypeError} When a header field is malformed, or not the user's to set, or an option
 * contradicts another.
 * @throws {RangeError} When a number is out of its range.
 */
export function parseConnect(url: string | URL, options: ConnectOptions): ConnectRequest {
  const parsed = parseUrl(url);
  const headers = parseHeaders(options.headers, parsed);
  // With the header fields as they were read: an iterable of them can be read only once.
  checkConnectOptions({ ...options, headers });
  parsed.username = "";
  parsed.password = "";
  return { url: parsed, protocols: parseProtocols(options.protocols), headers };
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
  } catch {
    // Without the platform's error as its cause: that shows all of the text.
    throw new SyntaxError(`Cannot connect: the URL is malformed, got ${shownText(url)}`);
  }
  const scheme = Object.hasOwn(SCHEMES, parsed.protocol) ? SCHEMES[parsed.protocol] : undefined;
  if (scheme === undefined) {
    // Of `user:password@host` the user is the scheme.
    const got = parsed.href.startsWith(`${parsed.protocol}//`) ? `, got ${parsed.protocol}` : "";
    throw new SyntaxError(`Cannot connect: the URL's scheme must be ws: or wss:${got}`);
  }
  // An empty fragment is one as well; `hash` doesn't show it.
  if (parsed.href.includes("#")) {
    const start = shownUrl(parsed);
    throw new SyntaxError(`Cannot connect: the URL must have no fragment, got ${start}#…`);
  }
  parsed.protocol = scheme;
  return parsed;
}

/** The subprotocols to offer, checked: tokens, each once. RFC 6455 §4.1. */
export function parseProtocols(protocols: string | readonly string[] | undefined): string[] {
  const list = protocols === undefined
    ? []
    : typeof protocols === "string"
    ? [protocols]
    : [...protocols];
  // A subprotocol may be a secret: pages have no other place for a token.
  for (const [i, protocol] of list.entries()) {
    const which = `subprotocol ${i + 1} of ${list.length}`;
    if (typeof protocol !== "string") {
      throw new SyntaxError(`Cannot connect: ${which} must be a string, got ${shown(protocol)}`);
    }
    if (!isToken(protocol)) {
      throw new SyntaxError(`Cannot connect: ${which} must be a token, without blanks and commas`);
    }
    if (list.indexOf(protocol) !== i) {
      throw new SyntaxError(`Cannot connect: ${which} is offered twice`);
    }
  }
  return list;
}

function parseHeaders(init: ConnectOptions["headers"], url: URL): [string, string][] {
  const headers = init === undefined ? [] : readHeaders(init);
  // RFC 9110 §11.7.2: these are for the next proxy; the server must not see them.
  if (headers.some(([name]) => name.toLowerCase() === "proxy-authorization")) {
    throw new TypeError(`Cannot connect: the proxy's credentials belong into its URL`);
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
