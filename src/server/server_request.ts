import { HeaderMap, splitList, trim } from "../handshake/header_map.ts";
import { isHost, splitTarget } from "../handshake/request_target.ts";
import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import type { MessageTransform } from "../stream_channel/relay.ts";
import type { ChannelTransformer } from "../stream_channel/stream_channel.ts";
import { inspectAs } from "../web_socket/inspection.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import { shownUrl } from "../web_socket/shown_url.ts";

/** The upgrade request of a channel. */
export interface ServerRequest {
  /**
   * The requested URL: `ws:` or `wss:` (in `onError` also `http:` or `https:`), host, path and query. The client chose
   * every part; it doesn't say where the server really is. The host is `invalid` and the path is `/` in a refused
   * request without valid ones.
   */
  readonly url: URL;
  /** The header fields. */
  readonly headers: Headers;
  /**
   * The cookies that the client sent, by name. Their values are not decoded. If several have the same name, the first
   * counts, which has the most specific path. RFC 6265 §4.2, §5.4.
   */
  readonly cookies: ReadonlyMap<string, string>;
  /** The subprotocols that the client offers, its preferred one first. */
  readonly protocols: readonly string[];
  /** The Origin header, which browsers send; `null` if there is none. */
  readonly origin: string | null;
  /** The remote IP address of the connection: the proxy's, if there is one. `null` if it isn't known. */
  readonly remoteAddress: string | null;
  /** The remote port of the connection; `null` if it isn't known. */
  readonly remotePort: number | null;
  /** Aborts when the client leaves, or the server cancels the upgrade, before the decision. */
  readonly signal: AbortSignal;
}

/** The server's end of a connection: a channel, and its upgrade request. */
export interface ServerWebSocketChannel<In = Message, Out = MessageInput, Context = unknown>
  extends WebSocketChannel<In, Out> {
  /** The upgrade request. */
  readonly request: ServerRequest;
  /** The `context` that `verify` returned for the client; `undefined` if it returned none or hasn't answered yet. */
  readonly context: Context;
  /** Transforms the channel: see {@linkcode StreamChannel.transform}. */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): ServerWebSocketChannel<NewIn, NewOut, Context>;
  /** Transforms the stream: see {@linkcode StreamChannel.transformStream}. */
  transformStream<NewIn>(
    transform: MessageTransform<In, NewIn>,
  ): ServerWebSocketChannel<NewIn, Out, Context>;
  /** Transforms the sink: see {@linkcode StreamChannel.transformSink}. */
  transformSink<NewOut>(
    transform: MessageTransform<NewOut, Out>,
  ): ServerWebSocketChannel<In, NewOut, Context>;
  /** Replaces the stream: see {@linkcode StreamChannel.changeStream}. */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): ServerWebSocketChannel<NewIn, Out, Context>;
  /** Replaces the sink: see {@linkcode StreamChannel.changeSink}. */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): ServerWebSocketChannel<In, NewOut, Context>;
  /** Changes the message types only: see {@linkcode StreamChannel.cast}. */
  cast<NewIn, NewOut = NewIn>(): ServerWebSocketChannel<NewIn, NewOut, Context>;
}

/** The addresses of a request's connection. */
export interface Remote {
  readonly scheme: "ws" | "wss" | "http" | "https";
  readonly address: string | null;
  readonly port: number | null;
  /** Whether the client connected to a loopback address, or to one that isn't known. */
  readonly isLocal: boolean;
}

/** The part of a socket that this module uses: of `node:net`, `node:tls`, or any other duplex stream. */
type AddressedSocket =
  & object
  & Partial<{
    encrypted: boolean;
    localAddress: string;
    remoteAddress: string;
    remotePort: number;
    _peername: object | undefined;
  }>;

/** The addresses of a request's socket. Its local address is read only when needed. */
export class SocketRemote implements Remote {
  readonly scheme: Remote["scheme"];
  readonly address: string | null;
  readonly port: number | null;
  readonly #socket: AddressedSocket;

  /**
   * Reads the remote address of a socket.
   *
   * @param socket A socket of `node:net` or `node:tls`, or any other duplex stream.
   * @param scheme The scheme if the socket isn't encrypted.
   */
  constructor(socket: AddressedSocket, scheme: "ws" | "http" | "https") {
    // Node caches the addresses in an object for the socket's lifetime; sharing that object saves memory.
    const { encrypted, _peername: kept } = socket;
    const { remoteAddress, remotePort = null } = socket;
    if (kept === undefined) socket._peername = undefined;
    this.#socket = socket;
    this.scheme = encrypted === true && scheme !== "https" ? `${scheme}s` : scheme;
    this.address = remoteAddress === undefined ? null : sameText(remoteAddress);
    this.port = remotePort;
  }

  get isLocal(): boolean {
    return isLoopback(this.#socket.localAddress ?? null);
  }
}

let latestAddress = "";

/** Returns one shared string for equal addresses: behind a proxy, all connections have the same address. */
function sameText(address: string): string {
  if (address !== latestAddress) latestAddress = address;
  return latestAddress;
}

// Created once: a literal in a function would allocate an object for each call.
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/i;
const ORIGIN = /^origin$/im;

/**
 * Whether an address is a loopback one.
 *
 * @param address The IP address; `null` if it isn't known.
 * @returns Whether it is one; an unknown address counts as one.
 */
export function isLoopback(address: string | null): boolean {
  return address === null || LOOPBACK.test(address);
}

/** An upgrade request, stored compactly, because it lives as long as its channel. */
export class UpgradeServerRequest implements ServerRequest {
  readonly #target: string;
  /** Names and values alternately, each on a line: one string takes a third of the memory of many. */
  readonly #raw: string;
  readonly #scheme: Remote["scheme"];
  readonly remoteAddress: string | null;
  readonly remotePort: number | null;
  /** Whether a page sent the request, to a loopback address or one that isn't known. */
  readonly isLocalPages: boolean;
  #abort: AbortController | undefined;
  #gone = false;
  #context: unknown;
  #protocol: string | null = null;

  /**
   * Creates a request.
   *
   * @param target The request target.
   * @param raw The header names and values, alternately.
   * @param remote The addresses of its connection.
   */
  constructor(target: string, raw: readonly string[], remote: Remote) {
    this.#target = target;
    this.#raw = raw.join("\n");
    this.#scheme = remote.scheme;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    // Most requests have no Origin, and need no address.
    this.isLocalPages = ORIGIN.test(this.#raw) && remote.isLocal;
  }

  get url(): URL {
    const target = splitTarget(this.#target);
    const host = target?.host ?? this.#fields().get("host");
    // Appended to the host, not resolved against it: `//other` is a path.
    return new URL(
      `${this.#scheme}://${isHost(host) ? host : "invalid"}${target?.path ?? "/"}`,
    );
  }

  /** The URL without parts that may be secret. */
  get shownUrl(): string {
    return shownUrl(this.url);
  }

  get headers(): Headers {
    return new Headers([...this.#fields()]);
  }

  get cookies(): ReadonlyMap<string, string> {
    const cookies = new Map<string, string>();
    for (const pair of this.#fields().all("cookie").join(";").split(";")) {
      const at = pair.indexOf("=");
      const name = trim(pair.slice(0, Math.max(at, 0)));
      if (name !== "" && !cookies.has(name)) cookies.set(name, trim(pair.slice(at + 1)));
    }
    return cookies;
  }

  get protocols(): readonly string[] {
    return splitList(this.#fields().get("sec-websocket-protocol") ?? "");
  }

  get origin(): string | null {
    // Read for each request; most have no Origin, and need no parsing.
    if (!ORIGIN.test(this.#raw)) return null;
    return this.#fields().get("origin");
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#gone) this.#abort.abort(clientLeft());
    }
    return this.#abort.signal;
  }

  /** The context of `verify`, kept here for all channels of the connection. */
  static contextOf(request: UpgradeServerRequest): unknown {
    return request.#context;
  }

  /** Sets the context that {@linkcode contextOf} returns. */
  static setContext(request: UpgradeServerRequest, context: unknown): void {
    request.#context = context;
  }

  /** The user's chosen subprotocol, in addition to that of a `ConnectionService`. */
  static protocolOf(request: UpgradeServerRequest): string | null {
    return request.#protocol;
  }

  /** Sets the subprotocol that {@linkcode protocolOf} returns. */
  static setProtocol(request: UpgradeServerRequest, protocol: string | null): void {
    request.#protocol = protocol;
  }

  /** Aborts the request's signal, because the client left or the server gave up before the decision. */
  giveUp(): void {
    this.#gone = true;
    this.#abort?.abort(clientLeft());
  }

  #fields(): HeaderMap {
    return HeaderMap.ofRaw(this.#raw.split("\n"));
  }
}

inspectAs(UpgradeServerRequest.prototype, "ServerRequest", (it) => ({
  url: it.shownUrl,
  origin: it.origin,
  remoteAddress: it.remoteAddress,
  remotePort: it.remotePort,
}));

/** Creates the reason with which a request's signal aborts. */
export function clientLeft(): DOMException {
  return new DOMException("The client has left", "AbortError");
}
