/**
 * The options of channels: their types, their defaults, and their kinds. That is all that a page checks of
 * them: what it can do nothing with, it doesn't look into.
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

/** Options that every WebSocket channel has. Times are in milliseconds, sizes in bytes. */
export interface ChannelOptions {
  /**
   * How long `close` waits for the peer before the channel ends anyway, in milliseconds, and how long
   * connecting waits for the rest of a refusal's body. Default 5,000; 0: not at all.
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

/**
 * What is done with the control frames of a channel that speaks the protocol itself (capability `ping`).
 * RFC 6455 §5.5.
 */
export interface ControlFrameOptions {
  /**
   * Called with the payload of each Ping, 0–125 bytes, and the channel. As from a listener of the stream, what
   * it throws is thrown again from a microtask: it reaches the platform's handler of uncaught errors.
   */
  onPing?: ((payload: Uint8Array, channel: WebSocketChannel) => void) | undefined;
  /**
   * Called with the payload of each Pong and the channel: the answers to `ping` (4 bytes unless it has a
   * payload) and to the keepalive's Pings (4 bytes), and unsolicited Pongs. What it throws is treated
   * as `onPing`'s.
   */
  onPong?: ((payload: Uint8Array, channel: WebSocketChannel) => void) | undefined;
  /**
   * `false`: Pings aren't answered. Answer each with the channel's `pong`, or peers that check whether
   * you are there give you up. Default `true`.
   */
  autoPong?: boolean | undefined;
}

/** Options of every channel that speaks the protocol itself. */
export interface ProtocolOptions extends ChannelOptions, ControlFrameOptions {
  /**
   * How often to ping the peer, in milliseconds; 0: never. When no sign of life comes within
   * `pingTimeout`, the channel ends at once: 1006, initiator `"timeout"`. Default 0.
   */
  pingInterval?: number | undefined;
  /**
   * How long to wait for a sign of life after a ping, in milliseconds; 0: no limit. It needs
   * `pingInterval`, which is its default.
   */
  pingTimeout?: number | undefined;
  /**
   * The largest message to receive, in bytes, before and after decompressing. A larger one fails the
   * connection with 1009 and a `LimitError`. Default 100 MiB.
   */
  maxMessageSize?: number | undefined;
  /**
   * A received message of more bytes than this is delivered as an {@linkcode IncomingMessage}, whose content is read
   * as it arrives, in bounded memory. With compression, so many compressed bytes are also kept before they are
   * decompressed. `maxMessageSize` still limits the message; `Infinity` is safe then. Not with
   * `invalidText: "bytes"`. Left out, or `Infinity`: all are delivered whole.
   *
   * A channel that is made with it gives `Message | IncomingMessage`: a handler's channel gets that type by
   * `channel.cast<Message | IncomingMessage, MessageInput>()`.
   */
  streamLargerThan?: number | undefined;
  /**
   * What becomes of a received text message that isn't UTF-8: `"fail"` fails the connection with 1007
   * (RFC 6455 §8.1); `"replace"` delivers it with U+FFFD for what is invalid; `"bytes"` delivers its bytes.
   * Default `"fail"`.
   */
  invalidText?: InvalidText | undefined;
  /**
   * What becomes of the messages that arrive between this side's Close and the peer's: `"drop"` drops them, and the
   * stream ends with `close`; with `"deliver"` the stream goes on until the peer's Close, or until `closeTimeout`
   * has ended. Then read it: a reader that makes no room holds up the peer's Close. Default `"drop"`.
   */
  afterClose?: "drop" | "deliver" | undefined;
  /**
   * `true`: each binary message has an `ArrayBuffer` of its own, of its length, to keep or to transfer. It costs a
   * copy of each small message. Otherwise a small one is a view of a larger buffer, together with others;
   * messages of the platform's own `WebSocket` always have one. Default `false`.
   */
  ownBuffers?: boolean | undefined;
  /** Whether, and how, to compress messages (RFC 7692). Default `false`. */
  compression?: boolean | CompressionOptions | undefined;
}

/** An address that a host name stands for. */
export interface LookupAddress {
  /** The IP address. */
  readonly address: string;
  /** 4 or 6. */
  readonly family: number;
}

/**
 * Finds the addresses of a host, as `lookup` of `node:dns` does: all of them, or one with its family. It calls back, or
 * returns a promise of an address or of all of them, as `lookup` of `node:dns/promises` does with `all`.
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
  /** What was asked for. */
  readonly from: URL;
  /** Where the answer leads: `ws:` or `wss:`, without user info. */
  readonly to: URL;
  /** The extra header fields that go along: to another origin no credentials. */
  readonly headers: Headers;
  /** Which redirect it is, from 1. */
  readonly count: number;
}

/** What `onRedirect` changes of a redirect. */
export interface RedirectChange {
  /** Where to connect to instead. */
  url?: string | URL | undefined;
  /** The extra header fields to send instead of all those of {@linkcode Redirect.headers}. */
  headers?: ConstructorParameters<typeof Headers>[0] | undefined;
}

/** What `onRedirect` returns: `false` refuses the redirect, nothing and `true` follow it. */
export type RedirectDecision = void | boolean | RedirectChange;

/** A proxy with header fields. */
export interface ProxyOptions {
  /** The proxy, as the option `proxy` takes it. */
  url: string | URL | "environment";
  /**
   * Extra header fields of the `CONNECT` request, for an `http:` or `https:` proxy. A `Proxy-Authorization`
   * replaces the credentials of the URL.
   */
  // `HeadersInit` by way of the class: Node's own types have no name for it.
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
  /** How long to wait for a sign of life after a ping. It needs `pingInterval`, which is its default. */
  pingTimeout?: number | undefined;
  /**
   * The largest message to receive, in bytes; beyond it the connection is failed with 1009. Default: 100 MiB
   * on our own transport; the platform's own `WebSocket` has no limit of ours.
   */
  maxMessageSize?: number | undefined;
  /** Whether, and how, to compress (RFC 7692). Left out: as the transport does by itself. */
  compression?: boolean | ClientCompressionOptions | undefined;
  /**
   * The User-Agent header field to send, which some CDNs insist on; `null` for none. Default
   * `"web-socket-channel/<version>"`, unless `headers` has one; platforms' own sockets send theirs.
   */
  userAgent?: string | null | undefined;
  /** TLS settings of a `wss:` connection: all that `node:tls` takes. */
  tls?: TlsOptions | undefined;
  /**
   * A proxy to tunnel through, by its URL, with credentials where it wants any; no other server gets
   * them. {@linkcode ProxyOptions} has header fields as well.
   *
   * - `http:` or `https:`: a `CONNECT` tunnel (RFC 9110 §9.3.6). Of `tls` only `ca` and
   *   `rejectUnauthorized` are for the connection to an `https:` proxy.
   * - `socks5:` or `socks5h:`: SOCKS5 (RFC 1928), with a user name and a password or without. With
   *   `socks5:` this side looks up the server's addresses, with `socks5h:` the proxy does.
   * - `"environment"`: the one that the environment variables name, or none: `https_proxy` for `wss:`,
   *   `http_proxy` for `ws:`, else `all_proxy`, unless `no_proxy` has the host; in either letter case.
   * - `null`: none, whatever the environment says.
   *
   * Left out: what the runtime does for its own `WebSocket`. Deno uses the environment's proxy, if the program
   * may read these variables; Node does with `NODE_USE_ENV_PROXY=1` or `--use-env-proxy`,
   * `http_proxy` for `wss:` too where there is no `https_proxy`, and never `all_proxy`; Bun uses none.
   */
  proxy?: string | URL | "environment" | ProxyOptions | null | undefined;
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
   * How long to wait for one address of the host before the next one is tried beside it, in milliseconds:
   * at least 10, by default 250. The first address that connects is used (RFC 8305, Happy Eyeballs).
   */
  addressDelay?: number | undefined;
  /**
   * How many redirects to follow, 0–10; `true`: 10. Default `false`: a redirect is a refusal.
   *
   * Never from `wss:` to `ws:`. To another origin none of these goes along: the header fields
   * `Authorization`, `Cookie`, `Host` and `Origin`, the option `origin`, the TLS client certificate
   * and `servername`. With `socketPath` only redirects to the same origin are followed.
   */
  followRedirects?: boolean | number | undefined;
  /**
   * Called before each redirect is followed; it may refuse or change it, also after a promise. With it,
   * `followRedirects` is `true` unless it is a number. What it changes must keep the rules of `followRedirects`;
   * only header fields that it gives itself go to whatever origin. If it fails, so does the connection.
   */
  onRedirect?:
    | ((redirect: Redirect) => RedirectDecision | PromiseLike<RedirectDecision>)
    | undefined;
  /**
   * Called with the server's answer when that refuses the connection: its body is a stream there, of any
   * length, while `response.body` of the error has the first 64 KiB. `ready` rejects when the promise that
   * it returns has settled; `connectTimeout` and `signal` still apply. If it fails, its error is in the
   * `cause` of the {@linkcode ConnectError}. Redirects that are followed, and refusals of proxies, aren't
   * reported.
   */
  onRefusal?: ((response: RefusedResponse) => void | PromiseLike<void>) | undefined;
  /**
   * Which implementation to use: the global `WebSocket`, or this package's own over `node:net`.
   * Default `"auto"`: the global one if it can do what the options ask for and is not Node's own, which
   * does not report why an attempt failed; otherwise our own.
   */
  transport?: "auto" | "native" | "net" | undefined;
  /** What the transport must be able to do; otherwise `ready` fails with an `UnsupportedError`. */
  require?: readonly Capability[] | undefined;
}

/** With it large messages are delivered as {@linkcode IncomingMessage}: see {@linkcode ProtocolOptions}. */
export interface StreamedOptions {
  /** See {@linkcode ProtocolOptions.streamLargerThan}. */
  streamLargerThan: number;
}

/** Options of {@linkcode WebSocketChannel.over}. */
export interface OverOptions extends Omit<ProtocolOptions, "compression"> {
  /** Which end this is: a client masks what it sends, a server doesn't. */
  side: Side;
  /** The subprotocol that the opening handshake agreed on. Not checked. */
  protocol?: string | null | undefined;
  /** What it agreed on in `Sec-WebSocket-Extensions`: `permessage-deflate` or nothing. */
  extensions?: string | undefined;
  /** How to compress, where that was agreed. */
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

/** Options of a channel over a W3C-shaped socket. */
export interface FromOptions extends ChannelOptions, ConnectDeadlineOptions, ReceiveQueueOptions {
  /** The subprotocols that were offered: one that the socket reports must be among them. */
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
 * Reads the options of a client, without a look into those that have parts of their own.
 *
 * @param given What the user gave.
 * @param kinds The table of the function that takes them.
 * @throws {TypeError} When an option is unknown or of the wrong type, or contradicts another.
 * @throws {RangeError} When a number is out of its range.
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

/** Whether large messages are to be delivered in parts. */
export function streamsLarge(
  { streamLargerThan = Infinity }: Pick<ProtocolOptions, "streamLargerThan">,
): boolean {
  return streamLargerThan < Infinity;
}

/**
 * Refuses the streaming of messages where they must be whole.
 *
 * @param options The options.
 * @param where Where that is.
 * @throws {TypeError} When large messages are to be streamed.
 */
export function checkWhole(
  options: Pick<ProtocolOptions, "streamLargerThan">,
  where: string,
): void {
  if (!streamsLarge(options)) return;
  throw new TypeError(
    `Cannot use the option streamLargerThan: it must be left out where ${where} whole messages`,
  );
}

/**
 * Checks that what is to be streamed need not be whole.
 *
 * @param options The options.
 * @throws {TypeError} When it must be.
 */
export function checkLarge(
  { streamLargerThan, invalidText }: Pick<
    ProtocolOptions,
    "streamLargerThan" | "invalidText"
  >,
): void {
  if (!streamsLarge({ streamLargerThan }) || invalidText !== "bytes") return;
  throw new TypeError(
    'Cannot use the options: streamLargerThan needs invalidText "fail" or "replace", as "bytes" needs whole messages',
  );
}

/**
 * Checks that a timeout of pings has pings.
 *
 * @param options The options; left out, `pingInterval` is 0.
 * @throws {TypeError} When it has none.
 */
export function checkPings(
  { pingInterval, pingTimeout }: Pick<ProtocolOptions, "pingInterval" | "pingTimeout">,
): void {
  if (!pingTimeout || pingInterval) return;
  throw new TypeError("Cannot use the options: pingTimeout needs pingInterval");
}

/** Reads the options of `from`. It throws as {@linkcode readClientKinds} does. */
export function readFromOptions(given: FromOptions | undefined): FromOptions {
  return readOptions(given, FROM_KINDS);
}
