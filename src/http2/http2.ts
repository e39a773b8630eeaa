import {
  checkConnectResponse,
  startConnectHandshake,
  USER_AGENT,
} from "../handshake/client_handshake.ts";
import { HeaderMap } from "../handshake/header_map.ts";
import { MAX_INTERIM_RESPONSES, type ResponseHead } from "../handshake/http_head.ts";
import { attemptUpgrade, type ConnectAttempt, connectNet } from "../net/connect_net.ts";
import * as dialling from "../net/dialer.ts";
import {
  ENHANCE_YOUR_CALM,
  type Http2Fields,
  http2Fields,
  type Http2Stream,
  REFUSED_STREAM,
  resetStream,
} from "../net/http2.ts";
import { StreamWire } from "../net/stream_wire.ts";
import {
  malformedOption,
  type OptionKinds,
  readOptions,
  shown,
} from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { parseConnect } from "../web_socket/connect_request.ts";
import { ConnectError } from "../web_socket/errors.ts";
import { Exchange } from "../web_socket/exchange.ts";
import { agree, openOver } from "../web_socket/open_handshake.ts";
import {
  CONNECT_KINDS,
  type ConnectOptions,
  DEFAULT_CLOSE_TIMEOUT,
} from "../web_socket/options.ts";
import { readConnectOptions } from "../web_socket/read_options.ts";
import { offeredCompression, speak } from "../web_socket/speaking.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { Http2Pool, type PoolCore, poolCoreOf } from "./pool.ts";
import { EndedSessionError, NoHttp2Error, type PooledSession } from "./session.ts";

/** Options of {@linkcode Http2Static.connect}: those of `WebSocketChannel.connect`, and these. */
export interface Http2ConnectOptions extends Omit<ConnectOptions, "transport" | "maxQueueSize"> {
  /** The sessions to share. Default: `Http2.pool`. */
  pool?: Http2Pool | undefined;
  /**
   * Whether to connect over HTTP/1.1 when the server has no HTTP/2, or no WebSocket over it. Default `false`: the
   * channel fails.
   */
  fallback?: boolean | undefined;
}

/** The type of the companion object {@linkcode Http2}, which creates channels. */
export interface Http2Static {
  /** The sessions that all channels without the option `pool` share. */
  readonly pool: Http2Pool;
  /**
   * Connects over HTTP/2 (RFC 8441), on Deno, Node (20.16 or later) and Bun. The channel is a stream of a session,
   * which other channels to the same server share.
   *
   * With `wss:`, the server must choose `h2` (ALPN). With `ws:`, it must speak HTTP/2 from the first byte ("prior
   * knowledge").
   *
   * @param url As for `WebSocketChannel.connect`.
   * @param options See {@linkcode Http2ConnectOptions}.
   * @returns A channel that is connecting.
   * @throws {SyntaxError | TypeError | RangeError} When an argument is malformed.
   *
   * @example
   * ```ts ignore
   * import { Http2 } from "@web-socket/channel/http2";
   *
   * const channel = Http2.connect("wss://example.com/feed", { fallback: true });
   * await channel.ready;
   * channel.sink.add("hello");
   * ```
   */
  connect(url: string | URL, options?: Http2ConnectOptions): WebSocketChannel;
  /**
   * Connects as {@linkcode connect} does, and waits until the channel is open.
   *
   * @param url As for `WebSocketChannel.connect`.
   * @param options See {@linkcode Http2ConnectOptions}.
   * @returns A promise of the open channel. It rejects with the error of `ready`, or when an argument is malformed.
   */
  open(url: string | URL, options?: Http2ConnectOptions): Promise<WebSocketChannel>;
}

/** `transport` and `maxQueueSize` have an error of their own. */
const HTTP2_KINDS: OptionKinds<ConnectOptions & Http2ConnectOptions> = {
  ...CONNECT_KINDS,
  pool: "object",
  fallback: "boolean",
};

let shared: Http2Pool | null = null;

/** Connects channels over HTTP/2. */
export const Http2: Http2Static = {
  get pool() {
    return shared ??= new Http2Pool();
  },
  connect: (url, options) => connectHttp2(url, options),
  async open(url, options) {
    const channel = connectHttp2(url, options);
    await channel.ready;
    return channel;
  },
};

/** {@linkcode Http2Static.connect} with the clock as an argument. */
export function connectHttp2(
  url: string | URL,
  given: Http2ConnectOptions | undefined,
  clock: Clock = systemClock,
): WebSocketChannel {
  const { pool = Http2.pool, fallback = false, ...rest } = readOptions(given, HTTP2_KINDS);
  const core = poolCoreOf(pool);
  if (core === null) throw malformedOption("pool", `an Http2Pool, got ${shown(pool)}`);
  for (const name of ["transport", "maxQueueSize"]) {
    if (name in rest) throw malformedOption(name, "left out for a channel over HTTP/2");
  }
  const options = readConnectOptions(rest);
  const request = parseConnect(url, options);
  // What can't be a field of HTTP/2 is an error of this call.
  startConnectHandshake(request.url, { headers: request.headers });
  return connectNet(request, options, clock, {
    dialling,
    attempt: attemptOn(core, fallback),
    transport: "http2",
  });
}

/** How often a server may refuse a stream that it hasn't looked at, before that is an error. */
const MAX_REFUSED = 2;

/** Attempts on a stream of a session of a pool. */
function attemptOn(pool: PoolCore, fallback: boolean): ConnectAttempt {
  return async (connecting, dialling, follows) => {
    const { core, options, target: { request, origin, tls } } = connecting;
    const { isRedirect } = dialling;
    const { closeTimeout: ms = DEFAULT_CLOSE_TIMEOUT, compression, userAgent = USER_AGENT } =
      options;
    const offered = offeredCompression(compression);
    const handshake = startConnectHandshake(request.url, {
      protocols: request.protocols,
      headers: request.headers,
      ...(origin === undefined ? {} : { origin }),
      userAgent,
      compression: offered,
    });
    for (let refused = 0;; refused++) {
      const ticket = pool.ask({ url: request.url, tls, options }, core.clock);
      core.opener = ticket;
      connecting.progressOf = () => ticket.progress;
      let session: PooledSession | null = null;
      let stream: Http2Stream | null = null;
      try {
        session = await ticket.session;
        if (core.state === "closed") {
          ticket.release();
          return null;
        }
        connecting.progressOf = () => "handshake";
        core.connectionInfo = session.info;
        stream = session.request(http2Fields(handshake.fields));
        stream.on("close", () => ticket.release());
        const wire = new StreamWire(stream, {
          info: session.info,
          hold: (isRef) => ticket.hold(isRef),
        });
        // Runtimes report the head of an answer later than what is behind it.
        wire.pause();
        const exchange = new Exchange(wire, { clock: core.clock, ms });
        stream.on("response", (fields: Http2Fields, _flags: unknown, raw: unknown) => {
          exchange.onHead(headOf(fields, raw));
          wire.resume();
        });
        let interim = 0;
        stream.on("headers", () => {
          if (stream !== null && ++interim > MAX_INTERIM_RESPONSES) {
            resetStream(stream, ENHANCE_YOUR_CALM);
          }
        });
        await openOver(
          core,
          exchange,
          {
            request,
            options: { ...options, origin },
            compression: offered,
            wantsBody: (status) => !follows || !isRedirect(status),
          },
          speak,
          (exchange, opening) =>
            agree(opening, {
              ask: (options) => exchange.answer(options),
              isAccepted: (status) => status >= 200 && status <= 299,
              check: (head) => checkConnectResponse(handshake, head),
            }),
        );
        return null;
      } catch (error) {
        ticket.release();
        if (core.state === "closed") return null;
        if (error instanceof NoHttp2Error && fallback) {
          return await attemptUpgrade(connecting, dialling, follows);
        }
        // RFC 9113 §8.7: a refused stream was not processed, so that it can be asked for again.
        const isRefused = session?.isDead || stream?.rstCode === REFUSED_STREAM ||
          error instanceof EndedSessionError;
        if (isRefused && refused < MAX_REFUSED) continue;
        if (!(error instanceof ConnectError)) throw error;
        if (!follows || error.response === null || !isRedirect(error.response.status)) throw error;
        return error;
      }
    }
  };
}

/** The head of an answer, as that of HTTP/1.1. */
function headOf(fields: Http2Fields, raw: unknown): ResponseHead {
  const headers = new HeaderMap();
  const pairs = Array.isArray(raw) ? pairsOf(raw as string[]) : Object.entries(fields);
  for (const [name, value] of pairs) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const it of typeof value === "object" ? value : [value]) headers.append(name, String(it));
  }
  return { version: "2.0", status: Number(fields[":status"]), statusText: "", headers };
}

function* pairsOf(raw: readonly string[]): Generator<[name: string, value: string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i] as string, raw[i + 1] as string];
}
