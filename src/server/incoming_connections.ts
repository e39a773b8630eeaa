import type { Http2Session } from "../net/http2.ts";
import type { Clock } from "../web_socket/clock.ts";
import { type Connection, Connections } from "./connections.ts";
import { SessionGuard } from "./session_guard.ts";
import { type SilentLimits, SilentSockets } from "./silent_sockets.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** Options of {@linkcode IncomingConnections}. */
export interface IncomingOptions {
  readonly clock: Clock;
  /** How long the first request of a connection may take, in milliseconds; 0: no limit. */
  readonly handshakeTimeout: number;
  /** Whether the server has TLS. */
  readonly secure: boolean;
  /** How many connections may have sent no request yet. */
  readonly silent: SilentLimits;
}

/** What a server has accepted and what is not a channel: TCP connections, and the sessions of HTTP/2. */
export class IncomingConnections {
  /** The connections that have not become channels. */
  readonly connections: Connections;
  /** Those of them that have sent no request yet. */
  readonly silent: SilentSockets;
  /** The sessions of HTTP/2. */
  readonly sessions: Map<object, SessionGuard> = new Map<object, SessionGuard>();
  readonly #clock: Clock;

  /**
   * @param options See {@linkcode IncomingOptions}.
   * @param onClose Called when a connection closes that has not become a channel.
   */
  constructor(options: IncomingOptions, onClose: () => void) {
    const { clock, handshakeTimeout, secure, silent } = options;
    this.#clock = clock;
    const sockets = this.silent = new SilentSockets(silent);
    this.connections = new Connections({
      clock,
      handshakeTimeout,
      secure,
      onClose(socket) {
        sockets.heard(socket);
        onClose();
      },
    });
  }

  /** Adds an accepted connection: the listener of `connection`. */
  readonly add = (socket: UpgradeSocket): void => {
    this.silent.add(socket);
    this.connections.add(socket);
  };

  /** Adds a session of HTTP/2: the listener of `session`. */
  readonly addSession = (session: Http2Session): void => {
    this.sessions.set(session, new SessionGuard(session, this.#clock));
    session.on("close", () => this.sessions.delete(session));
  };

  /**
   * Records that a connection has sent a request.
   *
   * @param socket The socket of the request.
   * @returns The connection; `undefined` if it is not one of these any more.
   */
  heard(socket: UpgradeSocket): Connection | undefined {
    const connection = this.connections.heard(socket);
    if (connection !== undefined) this.silent.heard(connection.socket);
    return connection;
  }

  /** Records that a session has sent a request. From then on its guard watches it. */
  guardOf(session: object): SessionGuard | undefined {
    const guard = this.sessions.get(session);
    const socket = guard?.session.socket as UpgradeSocket | undefined;
    if (socket !== undefined && this.heard(socket) !== undefined) this.connections.remove(socket);
    return guard;
  }

  /**
   * Records that a request was answered.
   *
   * @param isClosing Whether the connection ends after its last answer.
   */
  answered(connection: Connection, socket: UpgradeSocket, isClosing: boolean): void {
    connection.unanswered -= 1;
    const isLast = isClosing && connection.unanswered === 0;
    if (isLast && this.connections.has(connection)) socket.end();
  }
}
