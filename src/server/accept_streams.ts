import type { Http2Session } from "../net/http2.ts";
import { readOptions, shown } from "../stream_channel/options.ts";
import { systemClock } from "../web_socket/clock.ts";
import {
  acceptOn,
  type Http2RequestFields,
  type ServerHttp2Stream,
  serverRequestOn,
} from "./accept_stream.ts";
import { report } from "./error_hook.ts";
import { HANDLERS, serve } from "./handler.ts";
import type { ServerChannel } from "./server_channel.ts";
import { checkServerOptions, SERVER_KINDS, type ServerOptions } from "./server_options.ts";
import { SessionGuard } from "./session_guard.ts";

/** A server of `node:http2`, as `createServer` or `createSecureServer` returns it. */
export interface SharedHttp2Server {
  /** Adds a listener. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** Removes a listener. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
  /** Returns the number of listeners of an event. */
  listenerCount(event: string): number;
  /** Changes the settings of future sessions. */
  updateSettings(settings: { enableConnectProtocol: boolean }): void;
}

/** The part of the `connect` event's arguments that this function uses. */
interface CompatRequest {
  readonly headers: Readonly<Record<string, string | undefined>>;
}
interface CompatResponse {
  writeHead(status: number): { end(): unknown };
}

/**
 * Turns the extended CONNECTs (RFC 8441) of your own `node:http2` server into channels, on Node, Deno and Bun. The
 * server keeps all other requests.
 *
 * Call it before the server listens: it enables `enableConnectProtocol` for future sessions. It limits how often a
 * client may reset streams and send PING and SETTINGS frames. Set the server's `maxConcurrentStreams` yourself, because
 * `node:http2` has no limit by default.
 *
 * When the server has a `request` listener, `node:http2` answers an extended CONNECT with 405; this function prevents
 * that. Your own `stream` listener also gets these requests: ignore those that have `:protocol`.
 *
 * @param server The server. It stays yours: close it and its sessions yourself.
 * @param given The options of `acceptUpgrade`; `handler` gets each channel.
 * @returns A function that stops accepting. Open channels stay open.
 * @throws {RangeError | TypeError | SyntaxError} When an option is malformed, or `server` is no such server.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http2";
 * import { acceptStreams } from "@web-socket/channel/http2";
 *
 * const server = createServer({ settings: { maxConcurrentStreams: 100 } }, (_request, response) => {
 *   response.end("a page");
 * });
 * const stop = acceptStreams(server, {
 *   async handler(channel) {
 *     for await (const message of channel.stream) channel.sink.add(message);
 *   },
 * });
 * stop();
 * ```
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8441 RFC 8441}
 */
export function acceptStreams<Context = undefined>(
  server: SharedHttp2Server,
  given?: ServerOptions<Context>,
): () => void {
  const options = readOptions(given, SERVER_KINDS, { elsewhere: HANDLERS });
  const settings = checkServerOptions(options);
  if (typeof (server as Partial<SharedHttp2Server> | null)?.updateSettings !== "function") {
    throw new TypeError(
      `Cannot accept streams: the server must be one of node:http2, got ${shown(server)}`,
    );
  }
  server.updateSettings({ enableConnectProtocol: true });
  const { handler, onError } = settings;
  const extra = handler === undefined
    ? {}
    : { onOpen: (it: ServerChannel) => void serve(handler, it, onError) };
  const guards = new WeakMap<object, SessionGuard>();
  const listeners: Record<string, (...args: never[]) => void> = {
    session: (session: Http2Session) => {
      guards.set(session, new SessionGuard(session, systemClock));
    },
    stream: (
      stream: ServerHttp2Stream,
      headers: Readonly<Record<string, string>>,
      _flags: number,
      raw?: Http2RequestFields,
    ) => {
      guards.get(stream.session ?? {})?.add(stream);
      const protocol = headers[":protocol"];
      if (headers[":method"] !== "CONNECT" || protocol === undefined) return;
      const event = { stream, fields: raw ?? headers };
      try {
        acceptOn(event, settings, systemClock, extra);
      } catch (error) {
        // Another listener has taken the stream.
        report(onError, error, { where: "attach", request: serverRequestOn(event) });
      }
    },
    // With a `connect` listener, `node:http2` doesn't answer with 405 itself.
    connect: ({ headers }: CompatRequest, response: CompatResponse) => {
      if (headers[":protocol"] === undefined && server.listenerCount("connect") === 1) {
        response.writeHead(405).end();
      }
    },
  };
  for (const [event, listener] of Object.entries(listeners)) {
    server.on(event, listener as () => void);
  }
  return () => {
    for (const [event, listener] of Object.entries(listeners)) {
      server.removeListener(event, listener as () => void);
    }
  };
}
