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

/** The request that asked for a channel. */
export interface ServerRequest {
  /**
   * What was asked for: `ws:` or `wss:` (in `onError` also `http:` or `https:`), the host, path and query. The client chose
   * every part: it says nothing about where the server really is. Host and path are `invalid` and `/` in a request that is
   * refused because it has none that make sense.
   */
  readonly url: URL;
  /** The header fields. */
  readonly headers: Headers;
  /**
   * The cookies that the client sent, by name: values as they were sent, not decoded. Of several with one name the
   * first counts, which is the one of the most specific path. RFC 6265 §4.2, §5.4.
   */
  readonly cookies: ReadonlyMap<string, string>;
  /** The subprotocols that the client offers, its favourite first. */
  readonly protocols: readonly string[];
  /** The Origin header, which browsers send; `null` when there was none. */
  readonly origin: string | null;
  /** The IP address that the connection comes from: a proxy's, where there is one. */
  readonly remoteAddress: string | null;
  /** The port that the connection comes from. */
  readonly remotePort: number | null;
  /** Aborts when the client is gone, or the server gives up, before the upgrade was decided about. */
  readonly signal: AbortSignal;
}

/** A server's end of a connection: a channel, and the request that asked for it. */
export interface ServerWebSocketChannel<In = Message, Out = MessageInput, Context = unknown>
  extends WebSocketChannel<In, Out> {
  /** The request that the client connected with. */
  readonly request: ServerRequest;
  /** What `verify` found out about the client: its `{ context }`. `undefined` if it gave none, and until it has answered. */
  readonly context: Context;
  /** See {@linkcode StreamChannel.transform}. */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): ServerWebSocketChannel<NewIn, NewOut, Context>;
  /** See {@linkcode StreamChannel.transformStream}. */
  transformStream<NewIn>(
    transform: MessageTransform<In, NewIn>,
  ): ServerWebSocketChannel<NewIn, Out, Context>;
  /** See {@linkcode StreamChannel.transformSink}. */
  transformSink<NewOut>(
    transform: MessageTransform<NewOut, Out>,
  ): ServerWebSocketChannel<In, NewOut, Context>;
  /** See {@linkcode StreamChannel.changeStream}. */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): ServerWebSocketChannel<NewIn, Out, Context>;
  /** See {@linkcode StreamChannel.changeSink}. */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): ServerWebSocketChannel<In, NewOut, Context>;
  /** See {@linkcode StreamChannel.cast}. */
  cast<NewIn, NewOut = NewIn>(): ServerWebSocketChannel<NewIn, NewOut, Context>;
}

/** Where a request came from. */
export interface Remote {
  readonly scheme: "ws" | "wss" | "http" | "https";
  readonly address: string | null;
  readonly port: number | null;
  /** Whether it came in by a loopback address, or by one that isn't known. */
  readonly isLocal: boolean;
}

/** What is used of a socket: of `node:net`, `node:tls`, or any other duplex stream. */
type AddressedSocket =
  & object
  & Partial<{
    encrypted: boolean;
    localAddress: string;
    remoteAddress: string;
    remotePort: number;
    _peername: object | undefined;
  }>;

/** Where a request came from, by its socket, which is asked for its own address only when that is needed. */
export class SocketRemote implements Remote {
  readonly scheme: Remote["scheme"];
  readonly address: string | null;
  readonly port: number | null;
  readonly #socket: AddressedSocket;

  /**
   * Asks the socket.
   *
   * @param socket Of `node:net`, `node:tls`, or any other duplex stream.
   * @param scheme What the request is for, where the socket isn't encrypted.
   */
  constructor(socket: AddressedSocket, scheme: "ws" | "http" | "https") {
    // Node keeps what it answers in an object of its own, as long as the socket lives: this package keeps it, too.
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

/** The same address as one text: behind a proxy, all connections come from one. */
function sameText(address: string): string {
  if (address !== latestAddress) latestAddress = address;
  return latestAddress;
}

// Made once: each literal in a function is an object a call.
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/i;
const ORIGIN = /^origin$/im;

/**
 * Whether an address is a loopback one.
 *
 * @param address The IP address; `null` if it isn't known.
 * @returns Whether it is one; an unknown one counts as such.
 */
export function isLoopback(address: string | null): boolean {
  return address === null || LOOPBACK.test(address);
}

/** A request in the form it takes the least memory in: it lives as long as its channel. */
export class UpgradeServerRequest implements ServerRequest {
  readonly #target: string;
  /** Names and values alternately, each on a line: one text is a third of the size of many. */
  readonly #raw: string;
  readonly #scheme: Remote["scheme"];
  readonly remoteAddress: string | null;
  readonly remotePort: number | null;
  /** Whether a page sent it, and it came in by a loopback address, or by one that isn't known. */
  readonly isLocalPages: boolean;
  #abort: AbortController | undefined;
  #gone = false;
  #context: unknown;
  #protocol: string | null = null;

  /**
   * Makes a request.
   *
   * @param target The request's target.
   * @param raw Header names and values alternately.
   * @param remote Where it came from.
   */
  constructor(target: string, raw: readonly string[], remote: Remote) {
    this.#target = target;
    this.#raw = raw.join("\n");
    this.#scheme = remote.scheme;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    // Most have no Origin: then the address isn't needed.
    this.isLocalPages = ORIGIN.test(this.#raw) && remote.isLocal;
  }

  get url(): URL {
    const target = splitTarget(this.#target);
    const host = target?.host ?? this.#fields().get("host");
    // Behind the host, not resolved against it: `//other` is a path.
    return new URL(
      `${this.#scheme}://${isHost(host) ? host : "invalid"}${target?.path ?? "/"}`,
    );
  }

  /** The URL without what may be a secret. */
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
    // Asked of each request; most have none, and needn't be taken apart.
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

  /** What `verify` has found out: kept here, for all channels of the connection. */
  static contextOf(request: UpgradeServerRequest): unknown {
    return request.#context;
  }

  /** See {@linkcode contextOf}. */
  static setContext(request: UpgradeServerRequest, context: unknown): void {
    request.#context = context;
  }

  /** The user's subprotocol that was chosen beside that of a `ConnectionService`. */
  static protocolOf(request: UpgradeServerRequest): string | null {
    return request.#protocol;
  }

  /** See {@linkcode protocolOf}. */
  static setProtocol(request: UpgradeServerRequest, protocol: string | null): void {
    request.#protocol = protocol;
  }

  /** The client is gone before it got an answer. */
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

/** What a request's signal aborts with. */
export function clientLeft(): DOMException {
  return new DOMException("The client is gone", "AbortError");
}
