import { shown } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import type { TlsContextOptions } from "../web_socket/tls_options.ts";
import type { AttachedWebSocketServer } from "./attached_web_socket_server.ts";
import {
  type AttachOptions,
  type BindOptions,
  readAttachOptions,
  readBindOptions,
} from "./bind_options.ts";
import { BoundServer } from "./bound_server.ts";
import { createHttpServer, type HttpServer, type ServerAddress } from "./http_server.ts";
import type { SharedHttpServer } from "./shared_upgrades.ts";

/**
 * A server of WebSocket channels. It calls its `handler` with each channel once it is open. Without a handler,
 * iterating over the server yields each channel once.
 *
 * Close the server when you are done. Leaving a loop over it doesn't close it: clients still connect, but nothing reads
 * what they send until another loop starts. **A loop that awaits in its body serves one client at a time.** With a
 * handler, the iterator throws an `InvalidStateError`.
 *
 * A channel keeps what its client sends before the iterator yields it. If the client also closes before that, the
 * channel delays the end until the iterator yields it, or for 10 seconds. So your code can still answer its messages.
 */
export interface WebSocketServer<Context = unknown> extends AttachedWebSocketServer<Context> {
  /** The address and the port on which the server listens. */
  readonly address: ServerAddress;
  /** The URL to connect to from this machine, without a path, such as `"ws://127.0.0.1:8080"`. */
  readonly url: string;
  /**
   * Replaces the certificates without a restart. New connections use the new ones; open connections continue.
   *
   * @param tls The complete new settings, as in the option `tls` of `bind`. Leave out what decides about clients
   * (`requestCert`, `rejectUnauthorized`, `SNICallback`, …), which stays as it is.
   * @throws {TypeError} When a setting can't be read, or there is no certificate. If the platform refused it, `cause`
   * is the platform's error. The old certificates stay in use.
   * @throws {RangeError} When a number is out of its range.
   * @throws {UnsupportedError} When the platform would ignore a setting.
   * @throws {DOMException} `InvalidStateError` when the server has no TLS.
   */
  setTls(tls: TlsContextOptions): void;
  /** Makes the server keep the process alive, as it does by default. Undoes `unref`. */
  ref(): void;
  /** Allows the process to exit while the server is listening. */
  unref(): void;
}

/** The type of the companion object {@linkcode WebSocketServer}, which creates servers. */
export interface WebSocketServerStatic {
  /**
   * Creates a server and starts listening, on Deno, Node (20.16 or later) and Bun.
   *
   * @param options See {@linkcode BindOptions}. By default only this machine can connect, and the server refuses web
   * pages of other hosts.
   * @returns A promise of the listening server. It rejects with a `RangeError`, `TypeError` or `SyntaxError` when an
   * option is malformed; a setting of `tls` that can't be read is a `TypeError`. It rejects with the platform's error
   * when listening fails, and with an `UnsupportedError` on a platform without `node:http`.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@web-socket/channel/server";
   *
   * const server = await WebSocketServer.bind({
   *   port: 0,
   *   async handler(channel) {
   *     for await (const message of channel.stream) channel.sink.add(message);
   *   },
   * });
   * await server.close();
   * ```
   */
  bind<Context = undefined>(options?: BindOptions<Context>): Promise<WebSocketServer<Context>>;
  /**
   * Answers the upgrades of your own `node:http` or `node:https` server, or of a framework's, on Deno, Node (20.16 or
   * later) and Bun. Several attached servers can share an HTTP server, each with its own `path`.
   *
   * It decides about an upgrade after all listeners of the `upgrade` event have been called, so the order of the
   * listeners doesn't matter:
   *
   * - It ignores an upgrade that another listener has taken. If the path was its own, `onError` gets an
   *   `InvalidStateError` with `where: "attach"`.
   * - It leaves upgrades of other paths to the other listeners. It refuses with 404 what none of them takes within
   *   `handshakeTimeout`, or at once if there is no other listener.
   *
   * `close` closes the channels and detaches the server. Close the HTTP server as well: its own `close` waits for the
   * channels.
   *
   * @param server The HTTP server, listening or not. It stays yours.
   * @param options See {@linkcode AttachOptions}.
   * @returns The attached server.
   * @throws {RangeError | TypeError | SyntaxError} When an option is malformed, or `server` is no such server.
   * @throws {DOMException} `InvalidStateError` when a server is already attached to it with the same path.
   *
   * @example
   * ```ts
   * import { createServer } from "node:http";
   * import { WebSocketServer } from "@web-socket/channel/server";
   *
   * const http = createServer((_request, response) => response.end("a page"));
   * const sockets = WebSocketServer.attach(http, {
   *   path: "/chat",
   *   async handler(channel) {
   *     for await (const message of channel.stream) channel.sink.add(message);
   *   },
   * });
   * // To stop: accept no new connections, then close the open ones.
   * http.close();
   * await sockets.close({ code: 1012, reason: "restarting", drainTimeout: 10_000 });
   * ```
   */
  attach<Context = undefined>(
    server: SharedHttpServer,
    options?: AttachOptions<Context>,
  ): AttachedWebSocketServer<Context>;
}

/** Creates WebSocket servers: `bind` listens on its own, `attach` shares an HTTP server of yours. */
export const WebSocketServer: WebSocketServerStatic = {
  bind: (options) => bind(options),
  attach: (server, options) => attach(server, options),
};

/** {@linkcode WebSocketServerStatic.bind} with the clock as an argument. */
export async function bind<Context = undefined>(
  given?: BindOptions<Context>,
  clock: Clock = systemClock,
): Promise<WebSocketServer<Context>> {
  const { options, settings, http2 } = readBindOptions(given, clock);
  const http = createHttpServer(options.tls, settings.handshakeTimeout, { ...options, http2 });
  const server = new BoundServer(http, options, { settings, clock });
  await server.listen(options);
  return server as WebSocketServer as WebSocketServer<Context>;
}

/** {@linkcode WebSocketServerStatic.attach} with the clock as an argument. */
export function attach<Context = undefined>(
  http: SharedHttpServer,
  given?: AttachOptions<Context>,
  clock: Clock = systemClock,
): AttachedWebSocketServer<Context> {
  const { options, settings } = readAttachOptions(given, clock);
  // An Express application is a function with an emitter's methods, but it emits no upgrades.
  if (
    typeof http === "function" ||
    typeof (http as Partial<SharedHttpServer> | null)?.prependListener !== "function"
  ) {
    const hint = typeof http === "function" ? ". Pass what createServer(app) returns" : "";
    throw new TypeError(
      `Cannot attach: the server must be one of node:http, got ${shown(http)}${hint}`,
    );
  }
  const server = new BoundServer(http as HttpServer & SharedHttpServer, options, {
    settings,
    clock,
  });
  server.share(http);
  return server as WebSocketServer as WebSocketServer<Context>;
}
