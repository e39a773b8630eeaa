import type { Message } from "../web_socket/web_socket_channel.ts";
import type { Flow } from "../web_socket/traffic.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";
import type { BroadcastOptions } from "./broadcast.ts";
import type { RefusalReason } from "./error_hook.ts";
import type { ServerWebSocketChannel } from "./server_request.ts";

/** Options of a server's `close`. */
export interface ServerCloseOptions {
  /** The close code that every client gets. Default 1001 (going away). */
  code?: number | undefined;
  /** The close reason that every client gets, at most 123 bytes of UTF-8. Default: none. */
  reason?: string | undefined;
  /**
   * How long to wait for the clients to receive what was sent and to close, in milliseconds; it replaces
   * `closeTimeout`. After that the server ends the remaining connections and no longer waits for running handlers.
   * Default 5,000.
   */
  drainTimeout?: number | undefined;
}

/** A server of WebSocket channels on your own HTTP server; {@linkcode WebSocketServerStatic.attach} creates it. */
export interface AttachedWebSocketServer<Context = unknown>
  extends AsyncIterable<ServerWebSocketChannel<Message, MessageInput, Context>>, AsyncDisposable {
  /** The channels that are open or closing. Channels of `Sessions` stay in it while their clients are disconnected. */
  readonly channels: ReadonlySet<ServerWebSocketChannel<Message, MessageInput, Context>>;
  /** Fulfils when the server has closed. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Sends one message to all channels. It is framed, and compressed, only once. See {@linkcode broadcast}.
   *
   * @param message The message.
   * @param options Which channels to leave out, and how to treat slow receivers.
   * @throws {TypeError} When the message is neither text nor bytes.
   */
  broadcast(message: MessageInput, options?: BroadcastOptions): void;
  /**
   * Returns counters of the server since it was created.
   *
   * @returns A snapshot, which doesn't change afterwards.
   */
  stats(): ServerStats;
  /**
   * Stops accepting connections, closes every channel, and waits for the clients and the handlers, at most about
   * `drainTimeout`. Loops over the server end. A handler must not wait for this promise: it would wait for itself. The
   * HTTP server of an attached server stays open; close it yourself.
   *
   * @param options The close code and reason, and how long to wait.
   * @returns A promise that fulfils when no channel, socket or timer is left. Handlers that run longer than
   * `drainTimeout` may still be running.
   * @throws {RangeError | TypeError | SyntaxError} When the code or the reason can't be sent.
   */
  close(options?: ServerCloseOptions): Promise<void>;
}

/** Counters of a server. */
export interface ServerStats {
  /** The server's connections. */
  readonly connections: {
    /** How many channels are open or closing. */
    readonly open: number;
    /** How many upgrade requests are pending. */
    readonly connecting: number;
    /** How many channels the server has opened so far. */
    readonly accepted: number;
    /**
     * How many TCP connections have not sent a complete request yet; 0 for an attached server, which has no connections
     * of its own.
     */
    readonly silent: number;
    /** How many TCP connections the server has closed so far because too many had sent no request. */
    readonly dropped: number;
  };
  /** How many upgrades the server has refused so far, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** What the server has received, without the opening handshakes. */
  readonly received: Readonly<Flow>;
  /** What the server has sent, without the opening handshakes. A message counts as soon as it is added. */
  readonly sent: Readonly<Flow>;
  /** How many bytes of messages are queued for sending in all channels: the sum of their `bufferedAmount`. */
  readonly queued: number;
}
