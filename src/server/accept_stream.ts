import { HeaderMap } from "../handshake/header_map.ts";
import type { RequestHead } from "../handshake/http_head.ts";
import type { Acceptance, Field, Refusal } from "../handshake/server_handshake.ts";
import {
  CANCEL,
  destroyLater,
  type Http2Fields,
  http2Fields,
  type Http2Session,
  type Http2Stream,
  resetStream,
} from "../net/http2.ts";
import { StreamWire } from "../net/stream_wire.ts";
import { copyOf, lengthOf } from "../realm/bytes.ts";
import { ignore } from "../stream_channel/errors.ts";
import { readOptions, shown } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import type { Wire } from "../web_socket/wire.ts";
import { ACCEPT_KINDS, type AcceptUpgradeOptions } from "./accept_upgrade.ts";
import { claimSocket } from "./claim.ts";
import { HANDLERS, serve } from "./handler.ts";
import { type Answering, LINGER } from "./pending_upgrade.ts";
import { ServerChannel, type Upgrade, type UpgradeExtra } from "./server_channel.ts";
import { checkServerOptions, type ServerSettings } from "./server_options.ts";
import {
  type ServerRequest,
  type ServerWebSocketChannel,
  SocketRemote,
  UpgradeServerRequest,
} from "./server_request.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** The part of a server-side `node:http2` stream that this package uses; the `stream` event passes it. */
export interface ServerHttp2Stream extends Http2Stream {
  /** Sends the response headers. */
  respond(fields: Http2Fields, options?: { readonly endStream?: boolean }): void;
}

/**
 * The header fields of an HTTP/2 request, as the `stream` event passes them. The fourth argument, a flat list, is
 * exact; the second, an object, merges repeated names.
 */
export type Http2RequestFields =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | readonly string[];

/**
 * Answers an extended CONNECT (RFC 8441) of a `node:http2` server, on Node, Deno and Bun. The WebSocket uses one stream
 * of a connection that can have others.
 *
 * The channel owns the stream from then on. If it refuses the request, it answers with the status and ends the stream;
 * the session and its other streams are not affected. Create the server with the setting `enableConnectProtocol`, and
 * call this synchronously from its `stream` event. {@linkcode acceptStreams} does both, and also limits what a client
 * can do.
 *
 * @param stream The event's first argument.
 * @param fields The event's second argument, or its fourth, which keeps the order and all values of a repeated name.
 * @param given The options of `acceptUpgrade`. By default the channel refuses web pages of other hosts.
 * @returns A channel that is connecting. Its `ready` rejects with a `ConnectError` when the request is refused, whose
 * `status` is what the client got, or when the client has left.
 * @throws {RangeError | TypeError | SyntaxError} When an argument is malformed; the stream is then unchanged.
 * @throws {DOMException} `InvalidStateError` when `acceptStream` was called with this stream before.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http2";
 * import { acceptStream } from "@web-socket/channel/http2";
 *
 * const server = createServer({ settings: { enableConnectProtocol: true } });
 * server.on("stream", (stream, headers) => {
 *   if (headers[":protocol"] === undefined) return stream.close();
 *   const channel = acceptStream(stream, headers, { protocols: ["chat"] });
 *   channel.stream.listen((message) => channel.sink.add(message));
 * });
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8441#section-5 RFC 8441 §5}
 */
export function acceptStream<Context = undefined>(
  stream: ServerHttp2Stream,
  fields: Http2RequestFields,
  given?: AcceptUpgradeOptions<Context>,
): ServerWebSocketChannel<Message, MessageInput, Context> {
  const options = readOptions(given, ACCEPT_KINDS, { elsewhere: HANDLERS });
  const settings = checkServerOptions(options);
  const { handler, onError } = settings;
  if (typeof (stream as Partial<ServerHttp2Stream> | null)?.respond !== "function") {
    throw new TypeError(
      `Cannot accept the stream: it must be one of a server of node:http2, got ${shown(stream)}`,
    );
  }
  if (typeof fields !== "object" || fields === null) {
    throw new TypeError(
      `Cannot accept the stream: the header fields must be an object or a list, got ${
        shown(fields)
      }`,
    );
  }
  if (stream.session) destroyLater(stream.session as Http2Session);
  const channel = acceptOn({ stream, fields }, settings, systemClock, {
    signal: options.signal,
    onOpen: handler && ((it) => void serve(handler, it, onError)),
  });
  return channel as ServerChannel<Message, MessageInput, Context>;
}

/** The arguments of a `stream` event. */
export interface StreamEvent {
  readonly stream: ServerHttp2Stream;
  readonly fields: Http2RequestFields;
}

/** Does the work of {@linkcode acceptStream}, with checked options. */
export function acceptOn(
  { stream, fields }: StreamEvent,
  settings: ServerSettings,
  clock: Clock,
  extra: UpgradeExtra = {},
): ServerChannel {
  const { pseudo, raw } = separated(fields);
  const { method = "", path: target = "", protocol = "", scheme = "" } = pseudo;
  const request = new UpgradeServerRequest(target, raw, new SocketRemote(socketOf(stream), "ws"));
  const head: RequestHead = {
    method,
    target,
    version: "2.0",
    headers: HeaderMap.ofRaw(raw),
    protocol,
    scheme,
  };
  claimSocket(stream);
  const upgrade: Upgrade = {
    head,
    request,
    socket: stream as unknown as UpgradeSocket,
    early: NOTHING,
    answering: ON_STREAMS,
  };
  return ServerChannel.accept(upgrade, settings, clock, extra);
}

/** Returns the request of a stream, as the functions of the options get it. */
export function serverRequestOn({ stream, fields }: StreamEvent): ServerRequest {
  const { pseudo: { path = "" }, raw } = separated(fields);
  return new UpgradeServerRequest(path, raw, new SocketRemote(socketOf(stream), "ws"));
}

const NOTHING = new Uint8Array(0);

/** Returns the addresses of the session's socket; an empty object if they are not known. */
export function socketOf({ session }: ServerHttp2Stream): object {
  const { socket } = (session ?? {}) as { socket?: object };
  // `session.socket` is a proxy that can't be changed, and throws once the socket is closed.
  const { encrypted, localAddress, remoteAddress, remotePort } = (socket ?? {}) as Record<
    string,
    unknown
  >;
  return { encrypted, localAddress, remoteAddress, remotePort };
}

/**
 * The header fields of an HTTP/2 request: the pseudo-header fields by name, and the others as HTTP/1.1 has them, with
 * `:authority` as Host.
 */
interface Separated {
  readonly pseudo: Readonly<Record<string, string>>;
  readonly raw: readonly string[];
}

/** Separates the pseudo-header fields from the others. */
export function separated(fields: Http2RequestFields): Separated {
  const pseudo: Record<string, string> = {};
  const raw: string[] = [];
  const cookies: string[] = [];
  for (const [name, value] of pairsOf(fields)) {
    if (name.startsWith(":")) pseudo[name.slice(1)] = value;
    // RFC 9113 §8.2.3: a client may split the cookies into several fields.
    else if (name === "cookie") cookies.push(value);
    else raw.push(name, value);
  }
  if (cookies.length > 0) raw.push("cookie", cookies.join("; "));
  const { authority } = pseudo;
  const hosts = raw.filter((_, i) => i % 2 === 1 && raw[i - 1] === "host");
  // RFC 9113 §8.3.1: a Host that differs is malformed. Both are kept, since two Host fields are refused.
  if (authority !== undefined && !hosts.includes(authority)) raw.unshift("host", authority);
  return { pseudo, raw };
}

function* pairsOf(fields: Http2RequestFields): Generator<[name: string, value: string]> {
  if (isList(fields)) {
    for (let i = 0; i + 1 < fields.length; i += 2) yield [fields[i]!, fields[i + 1]!];
    return;
  }
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    for (const it of Array.isArray(value) ? value : [value]) yield [name, String(it)];
  }
}

function isList(fields: Http2RequestFields): fields is readonly string[] {
  return Array.isArray(fields);
}

/** Answers on a stream: status 200, and no header field about the connection (RFC 8441 §5). */
const ON_STREAMS: Answering = { accept, refuse: refuseStream };

function accept(socket: UpgradeSocket, acceptance: Acceptance, early: Uint8Array | null): Wire {
  const stream = socket as unknown as ServerHttp2Stream;
  const wire = new StreamWire(stream);
  if (early !== null && lengthOf(early) > 0) stream.unshift(copyOf(early));
  const { protocol, extensions, headers } = acceptance;
  const own: Field[] = [];
  if (protocol !== null) own.push(["sec-websocket-protocol", protocol]);
  if (extensions !== "") own.push(["sec-websocket-extensions", extensions]);
  try {
    stream.respond(http2Fields([[":status", "200"], ...own, ...headers]));
  } catch {
    // The client has reset the stream; the event for it is still pending.
    stream.destroy();
  }
  return wire;
}

/** Answers with a refusal. If the client doesn't end its half within `LINGER`, this stream is reset. */
function refuseStream(socket: UpgradeSocket, refusal: Refusal, clock: Clock): void {
  const stream = socket as unknown as ServerHttp2Stream;
  const deadline = new Deadline(clock, {
    ms: LINGER,
    onTime: () => resetStream(stream, CANCEL),
  });
  stream.on("error", ignore);
  stream.on("data", ignore);
  stream.on("close", () => deadline.clear());
  stream.resume();
  try {
    stream.respond(http2Fields([[":status", `${refusal.status}`], ...refusal.headers]));
    stream.end(new TextEncoder().encode(refusal.body));
  } catch {
    stream.destroy();
  }
  if (stream.destroyed) deadline.clear();
}
