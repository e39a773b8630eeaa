/**
 * The types, the defaults and the kinds of a channel's options. A page checks no more than this: it doesn't
 * read settings of options that it doesn't support.
 *
 * @module
 */

import type {
  ClientCompressionOptions,
  CompressionOptions,
} from "../permessage_deflate/compression_options.ts";
import type { Side } from "../protocol/frame.ts";
import type { InvalidText } from "../protocol/utf8.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import type { Capability } from "./capabilities.ts";
import type { HandshakeResponse, RefusedResponse } from "./errors.ts";
import type { TlsOptions } from "./tls_options.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";

/** Options of every WebSocket channel. Times are in milliseconds, sizes in bytes. */
export interface ChannelOptions {
  /**
   * The time to wait for the peer's answer to a Close, in milliseconds. After that, the channel ends anyway. Also the
   * time for the rest of a refusal's body to arrive. Default 5,000; with 0 the channel doesn't wait.
   */
  closeTimeout?: number | undefined;
  /** The number of pending bytes in each direction from which backpressure starts. Default 64 KiB. */
  highWaterMark?: number | undefined;
}

/** Options of an attempt to connect. */
export interface ConnectDeadlineOptions {
  /** Cancels the attempt when it aborts. It has no effect on an open channel: close the sink. */
  signal?: AbortSignal | undefined;
  /** The time limit of the attempt, in milliseconds. Default 30,000; with 0 there is no limit. */
  connectTimeout?: number | undefined;
}

/** Options of the receive queue, for transports without backpressure for incoming messages. */
export interface ReceiveQueueOptions {
  /**
   * The maximum size of unread messages, in bytes, if the transport can't stop the sender (capability
   * `inboundBackpressure` is false). Above it the channel closes, with the error in `closed`. Default 64 MiB.
   */
  maxQueueSize?: number | undefined;
}

/**
 * Options for the control frames of a channel that speaks the protocol itself (capability `ping`). RFC 6455
 * §5.5.
 */
export interface ControlFrameOptions {
  /**
   * Called with the payload of each Ping, 0–125 bytes, and the channel. As from a listener of the stream, an
   * error that it throws is rethrown from a microtask: it reaches the platform's handler of uncaught errors.
   */
  onPing?: ((payload: Uint8Array, channel: WebSocketChannel) => void) | undefined;
  /**
   * Called with the payload of each Pong and the channel. There are answers to `ping` (4 bytes by default),
   * answers to Pings of `pingInterval` (4 bytes), and unsolicited Pongs. Its errors are rethrown as those of
   * `onPing`.
   */
  onPong?: ((payload: Uint8Array, channel: WebSocketChannel) => void) | undefined;
  /**
   * Whether Pings are answered automatically. With `false`, answer each with the channel's `pong`; otherwise
   * peers that check the connection close it. Default `true`.
   */
  autoPong?: boolean | undefined;
}

/** Options of every channel that speaks the protocol itself. */
export interface ProtocolOptions extends ChannelOptions, ControlFrameOptions {
  /**
   * The time between two Pings, in milliseconds; with 0 there are none. If no byte arrives within
   * `pingTimeout` after a Ping, the channel ends at once, with code 1006 and initiator `"timeout"`. Default
   * 0.
   */
  pingInterval?: number | undefined;
  /**
   * The time for any byte to arrive after a Ping, in milliseconds; with 0 there is no limit. It needs
   * `pingInterval`, which is also its default.
   */
  pingTimeout?: number | undefined;
  /**
   * The maximum size of a received message, in bytes, before and after decompressing. A larger one fails the
   * connection with 1009 and a `LimitError`. Default 100 MiB.
   */
  maxMessageSize?: number | undefined;
  /**
   * A received message of more bytes than this arrives as an {@linkcode IncomingMessage}. You read its content while it
   * arrives, in bounded memory. With compression, this many compressed bytes are also kept
   * before decompressing starts. `maxMessageSize` still limits the message, and may be `Infinity`. It can't
   * be combined with `invalidText: "bytes"`. Default `Infinity`: all messages are delivered whole.
   *
   * The messages of such a channel are `Message | IncomingMessage`. For the channel of a handler, get that
   * type with `channel.cast<Message | IncomingMessage, MessageInput>()`.
   */
  streamLargerThan?: number | undefined;
  /**
   * What to do with a received text message that isn't valid UTF-8: `"fail"` fails the connection with 1007
   * (RFC 6455 §8.1); `"replace"` delivers it with U+FFFD in place of invalid bytes; `"bytes"` delivers its
   * bytes. Default `"fail"`.
   */
  invalidText?: InvalidText | undefined;
  /**
   * What to do with messages that arrive between this side's Close and the peer's. With `"drop"` they are
   * dropped, and the stream ends with `close`. With `"deliver"` the stream continues until the peer's Close,
   * or until `closeTimeout` has passed. In that case read it: a reader without room delays the peer's Close.
   * Default `"drop"`.
   */
  afterClose?: "drop" | "deliver" | undefined;
  /**
   * Whether each binary message has an `ArrayBuffer` of its own, of the same length, which you can keep or
   * transfer. It costs a copy of each small message. Otherwise small messages are views of a larger buffer
   * that they share. Messages of the platform's own `WebSocket` always have their own. Default `false`.
   */
  ownBuffers?: boolean | undefined;
  /** Whether and how to compress messages (RFC 7692). Default `false`. */
  compression?: boolean | CompressionOptions | undefined;
}

/** An address of a host name. */
export interface LookupAddress {
  /** The IP address. */
  readonly address: string;
  /** The IP version: 4 or 6. */
  readonly family: number;
}

/**
 * Finds the addresses of a host, as `lookup` of `node:dns` does. It calls back with all addresses, or with
 * one and its family. Or it returns a promise of one or all addresses, as `lookup` of `node:dns/promises`
 * does with `all`.
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

/** A redirect, before it is followed. */
export interface Redirect {
  /** The answer that redirects. */
  readonly response: HandshakeResponse;
  /** The requested URL. */
  readonly from: URL;
  /** The URL to which the answer redirects: `ws:` or `wss:`, without user info. */
  readonly to: URL;
  /** The extra header fields for the next request. To another origin, they have no credentials. */
  readonly headers: Headers;
  /** The number of the redirect, from 1. */
  readonly count: number;
}

/** The changes of `onRedirect` to a redirect. */
export interface RedirectChange {
  /** The URL to connect to instead. */
  url?: string | URL | undefined;
  /** The extra header fields to send instead of all those of {@linkcode Redirect.headers}. */
  headers?: ConstructorParameters<typeof Headers>[0] | undefined;
}

/**
 * The result of `onRedirect`: `false` refuses the redirect; `undefined` and `true` follow it; an object
 * changes it.
 */
export type RedirectDecision = void | boolean | RedirectChange;

/** A proxy with header fields. */
export interface ProxyOptions {
  /** The proxy, as in the option `proxy`. */
  url: string | URL | "environment";
  /**
   * Extra header fields of the `CONNECT` request, for an `http:` or `https:` proxy. A `Proxy-Authorization`
   * replaces the credentials of the URL.
   */
  // `HeadersInit` as the class takes it: Node's own types have no name for it.
  headers?: ConstructorParameters<typeof Headers>[0] | undefined;
}

/** Options of {@linkcode WebSocketChannel.connect}. */
export interface ConnectOptions
  extends
    ChannelOptions,
    ConnectDeadlineOptions,
    ReceiveQueueOptions,
    ControlFrameOptions,
    Pick<ProtocolOptions, "streamLargerThan" | "invalidText" | "afterClose" | "ownBuffers"> {
  /** The offered subprotocols, in order of preference. The server must choose one of them. */
  protocols?: string | readonly string[] | undefined;
  /**
   * Extra header fields of the opening handshake. The handshake's own fields can't be set. Browsers don't
   * support this option: there, authenticate with a subprotocol, a cookie, the URL or the first message.
   */
  // `HeadersInit` as the class takes it: Node's own types have no name for it.
  headers?: ConstructorParameters<typeof Headers>[0] | undefined;
  /** The value of the header field `Origin`. RFC 6454 §7. */
  origin?: string | undefined;
  /** The time between two Pings, in milliseconds; with 0 there are none. Default 0. */
  pingInterval?: number | undefined;
  /**
   * The time for any byte to arrive after a Ping, in milliseconds; with 0 there is no limit. It needs
   * `pingInterval`, which is also its default.
   */
  pingTimeout?: number | undefined;
  /**
   * The maximum size of a received message, in bytes. A larger one fails the connection with 1009. Default:
   * 100 MiB on this package's own transport; the platform's own `WebSocket` has no such limit.
   */
  maxMessageSize?: number | undefined;
  /** Whether and how to compress messages (RFC 7692). Default: the transport's own default. */
  compression?: boolean | ClientCompressionOptions | undefined;
  /**
   * The value of the header field `User-Agent`, which some CDNs require; `null` for none. Default
   * `"web-socket-channel/<version>"`, unless `headers` has one. Platforms' own sockets send theirs.
   */
  userAgent?: string | null | undefined;
  /** TLS settings of a `wss:` connection: all those of `node:tls`. */
  tls?: TlsOptions | undefined;
  /**
   * The URL of a proxy, with credentials if it needs any. No other server gets them. {@linkcode ProxyOptions}
   * has header fields as well.
   *
   * - `http:` or `https:`: a `CONNECT` tunnel (RFC 9110 §9.3.6). The connection to an `https:` proxy uses
   *   only `ca` and `rejectUnauthorized` of `tls`.
   * - `socks5:` or `socks5h:`: SOCKS5 (RFC 1928), with an optional user name and password. With `socks5:`
   *   this side looks up the server's addresses, with `socks5h:` the proxy does.
   * - `"environment"`: the proxy of the environment variables, if any: `https_proxy` for `wss:`, `http_proxy`
   *   for `ws:`, otherwise `all_proxy`, unless `no_proxy` has the host. The names may be in upper or lower
   *   case.
   * - `null`: no proxy, whatever the environment variables are.
   *
   * Default: as the runtime does for its own `WebSocket`. Deno uses the proxy of the environment, if the
   * program may read these variables. Node does with `NODE_USE_ENV_PROXY=1` or `--use-env-proxy`; it uses
   * `http_proxy` for `wss:`, too, if there is no `https_proxy`, and never `all_proxy`. Bun uses none.
   */
  proxy?: string | URL | "environment" | ProxyOptions | null | undefined;
  /**
   * The path of a Unix socket to connect to. The URL is then only used for the request. It can't be combined
   * with `proxy`.
   */
  socketPath?: string | undefined;
  /** The local address to connect from. */
  localAddress?: string | undefined;
  /**
   * Finds the host's addresses instead of the platform. It is also called for IP addresses and for the
   * proxy's host, so that it can reject forbidden addresses. The connection uses its result without another
   * lookup.
   */
  lookup?: LookupFunction | undefined;
  /**
   * The time to wait for one address of the host before also trying the next one, in milliseconds: at least
   * 10, by default 250. The first address that connects is used (RFC 8305, Happy Eyeballs).
   */
  addressDelay?: number | undefined;
  /**
   * The maximum number of redirects to follow, 0–10; `true` is 10. Default `false`: a redirect counts as a
   * refusal.
   *
   * A redirect from `wss:` to `ws:` is never followed. To another origin, these are not sent: the header
   * fields `Authorization`, `Cookie`, `Host` and `Origin`, the option `origin`, the TLS client certificate
   * and `servername`. With `socketPath`, only redirects to the same origin are followed.
   */
  followRedirects?: boolean | number | undefined;
  /**
   * Called before each redirect is followed. It may refuse or change the redirect, also with a promise. With
   * it, `followRedirects` is `true` unless it is a number. Its changes must keep the rules of
   * `followRedirects`, but header fields that it returns are sent to any origin. If it fails, the connection
   * fails.
   */
  onRedirect?:
    | ((redirect: Redirect) => RedirectDecision | PromiseLike<RedirectDecision>)
    | undefined;
  /**
   * Called with the server's answer if that refuses the connection. Its body is a stream of any length, while
   * `response.body` of the error has the first 64 KiB. `ready` rejects once the returned promise has settled;
   * `connectTimeout` and `signal` still apply. If it fails, its error is the `cause` of the
   * {@linkcode ConnectError}. It is not called for redirects that are followed, and for refusals of proxies.
   */
  onRefusal?: ((response: RefusedResponse) => void | PromiseLike<void>) | undefined;
  /**
   * The implementation to use: the global `WebSocket`, or this package's own over `node:net`. Default
   * `"auto"`: the global one if it supports the options and is not Node's own, which does not report why an
   * attempt failed; otherwise the package's own.
   */
  transport?: "auto" | "native" | "net" | undefined;
  /** The capabilities that the transport must have. Otherwise `ready` rejects with an `UnsupportedError`. */
  require?: readonly Capability[] | undefined;
}

/** Options with which large messages are delivered as an {@linkcode IncomingMessage}. */
export interface StreamedOptions {
  /**
   * A received message of more bytes than this is delivered in parts. See
   * {@linkcode ProtocolOptions.streamLargerThan}.
   */
  streamLargerThan: number;
}

/** Options of {@linkcode WebSocketChannel.over}. */
export interface OverOptions extends Omit<ProtocolOptions, "compression"> {
  /** The role of this side. A client masks its frames, a server doesn't. */
  side: Side;
  /** The subprotocol that was agreed in the opening handshake. It is not checked. */
  protocol?: string | null | undefined;
  /** The agreed value of `Sec-WebSocket-Extensions`: `permessage-deflate` or nothing. */
  extensions?: string | undefined;
  /** How to compress messages, if compression was agreed. */
  compression?: { threshold?: number; level?: number } | undefined;
}

/** Options of {@linkcode WebSocketChannel.connectOver}. */
export interface ConnectOverOptions
  extends
    Omit<ProtocolOptions, "compression">,
    ConnectDeadlineOptions,
    Pick<
      ConnectOptions,
      "protocols" | "headers" | "origin" | "userAgent" | "compression" | "onRefusal"
    > {}

/** Options of a channel over a socket with the interface of `WebSocket`. */
export interface FromOptions extends ChannelOptions, ConnectDeadlineOptions, ReceiveQueueOptions {
  /** The offered subprotocols. The one that the socket reports must be among them. */
  protocols?: string | readonly string[] | undefined;
}

/** The default of {@linkcode ConnectDeadlineOptions.connectTimeout}, in milliseconds. */
export const DEFAULT_CONNECT_TIMEOUT = 30_000;
/** The default of {@linkcode ChannelOptions.closeTimeout}, in milliseconds. */
export const DEFAULT_CLOSE_TIMEOUT = 5_000;
/** The default of {@linkcode ReceiveQueueOptions.maxQueueSize}: 64 MiB. */
export const DEFAULT_MAX_QUEUE_SIZE: number = 64 * 1024 * 1024;
/** The default of {@linkcode ProtocolOptions.maxMessageSize}: 100 MiB. */
export const DEFAULT_MAX_MESSAGE_SIZE: number = 100 * 1024 * 1024;
/** The maximum number of redirects that are followed. */
export const MAX_REDIRECTS = 10;

const CHANNEL_KINDS: OptionKinds<ChannelOptions> = { closeTimeout: "time", highWaterMark: "size" };

const DEADLINE_KINDS: OptionKinds<ConnectDeadlineOptions> = {
  signal: "AbortSignal",
  connectTimeout: "time",
};

/** The kinds of {@linkcode ProtocolOptions}. */
export const PROTOCOL_KINDS: OptionKinds<ProtocolOptions> = {
  ...CHANNEL_KINDS,
  pingInterval: "time",
  pingTimeout: "time",
  onPing: "function",
  onPong: "function",
  autoPong: "boolean",
  maxMessageSize: "limit",
  streamLargerThan: "size",
  invalidText: '"fail"|"replace"|"bytes"',
  afterClose: '"drop"|"deliver"',
  ownBuffers: "boolean",
  compression: "boolean|object",
};

/** The kinds of {@linkcode ConnectOverOptions}. */
export const CONNECT_OVER_KINDS: OptionKinds<ConnectOverOptions> = {
  ...PROTOCOL_KINDS,
  ...DEADLINE_KINDS,
  protocols: "string|list",
  headers: "object",
  origin: "string",
  userAgent: "string|null",
  onRefusal: "function",
};

/** The kinds of {@linkcode ConnectOptions}. */
export const CONNECT_KINDS: OptionKinds<ConnectOptions> = {
  ...CONNECT_OVER_KINDS,
  maxQueueSize: "size",
  tls: "object",
  proxy: "string|URL|object|null",
  socketPath: "string",
  localAddress: "string",
  lookup: "function",
  addressDelay: "addressDelay",
  followRedirects: "boolean|number",
  onRedirect: "function",
  transport: '"auto"|"native"|"net"',
  require: "list",
};

const FROM_KINDS: OptionKinds<FromOptions> = {
  ...CHANNEL_KINDS,
  ...DEADLINE_KINDS,
  maxQueueSize: "size",
  protocols: "string|list",
};

/** The kinds of {@linkcode OverOptions}. */
export const OVER_KINDS: OptionKinds<OverOptions> = {
  ...PROTOCOL_KINDS,
  side: '"client"|"server"',
  protocol: "string|null",
  extensions: "string",
  compression: "object",
};

/**
 * Reads the options of a client, but not the settings inside them.
 *
 * @param given The user's options.
 * @param kinds The kinds of the function's options.
 * @throws {TypeError} If an option is unknown, of the wrong type, or contradicts another.
 * @throws {RangeError} If a number is out of its range.
 */
export function readClientKinds<
  T extends Pick<
    ProtocolOptions,
    "pingInterval" | "pingTimeout" | "streamLargerThan" | "invalidText"
  >,
>(
  given: T | undefined,
  kinds: OptionKinds<T>,
): T {
  const options = readOptions(given, kinds, { hint: ". Offer subprotocols with { protocols }" });
  checkPings(options);
  checkLarge(options);
  return options;
}

/** Returns whether large messages are delivered in parts. */
export function streamsLarge(
  { streamLargerThan = Infinity }: Pick<ProtocolOptions, "streamLargerThan">,
): boolean {
  return streamLargerThan < Infinity;
}

/**
 * Checks that messages are not delivered in parts, if they must be whole.
 *
 * @param options The options.
 * @param where The function that needs whole messages, with its verb.
 * @throws {TypeError} If large messages are delivered in parts.
 */
export function checkWhole(
  options: Pick<ProtocolOptions, "streamLargerThan">,
  where: string,
): void {
  if (!streamsLarge(options)) return;
  throw new TypeError(
    `Cannot use the option streamLargerThan: it must be left out because ${where} whole messages`,
  );
}

/**
 * Checks that no other option needs whole messages.
 *
 * @param options The options.
 * @throws {TypeError} If one does.
 */
export function checkLarge(
  { streamLargerThan, invalidText }: Pick<
    ProtocolOptions,
    "streamLargerThan" | "invalidText"
  >,
): void {
  if (!streamsLarge({ streamLargerThan }) || invalidText !== "bytes") return;
  throw new TypeError(
    'Cannot use the options: streamLargerThan needs invalidText "fail" or "replace", because "bytes" needs whole messages',
  );
}

/**
 * Checks that `pingTimeout` comes with a `pingInterval`.
 *
 * @param options The options. The default of `pingInterval` is 0.
 * @throws {TypeError} If it doesn't.
 */
export function checkPings(
  { pingInterval, pingTimeout }: Pick<ProtocolOptions, "pingInterval" | "pingTimeout">,
): void {
  if (!pingTimeout || pingInterval) return;
  throw new TypeError("Cannot use the options: pingTimeout needs pingInterval");
}

/** Reads the options of `from`. It throws the errors of {@linkcode readClientKinds}. */
export function readFromOptions(given: FromOptions | undefined): FromOptions {
  return readOptions(given, FROM_KINDS);
}
