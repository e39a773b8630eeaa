import type { Clock } from "../web_socket/clock.ts";
import { DeadlineQueue, type Timed } from "../web_socket/deadline_queue.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** A TCP connection of a server that has not become a channel. */
export interface Connection {
  readonly socket: UpgradeSocket;
  /** The number of requests that are not answered yet. */
  unanswered: number;
}

/**
 * How long the first request of a new connection may be in flight, in milliseconds: enough for a few round trips with
 * TLS.
 */
export const MAX_UNDER_WAY = 1_000;

/** A connection, and the state that {@linkcode Connections} keeps for it. */
class Entry implements Connection, Timed {
  readonly socket: UpgradeSocket;
  unanswered = 0;
  /** When it was accepted; `null` once its first request has arrived. */
  accepted: number | null;
  /**
   * Its remote address and port; `null` if the connection was reset before they could be read, or if they aren't
   * needed.
   */
  readonly origin: string | null;
  since = 0;
  previous: Timed | null = null;
  next: Timed | null = null;

  constructor(socket: UpgradeSocket, origin: string | null, accepted: number) {
    this.socket = socket;
    this.origin = origin;
    this.accepted = accepted;
  }

  onTime(): void {
    this.socket.destroy();
  }
}

/** Options of {@linkcode Connections}. */
export interface ConnectionsOptions {
  readonly clock: Clock;
  /** How long the first request of a connection may take, in milliseconds; 0: no limit. */
  readonly handshakeTimeout: number;
  /** Whether a request's socket may differ from the accepted one, as with TLS. */
  readonly secure: boolean;
  /** Called when a connection closes that was not removed. */
  readonly onClose: (socket: UpgradeSocket) => void;
}

/** All TCP connections of a server except those that have become channels. */
export class Connections implements Iterable<Connection> {
  readonly #options: ConnectionsOptions;
  readonly #entries: Map<object, Entry> = new Map<object, Entry>();
  /** With TLS a request's socket differs from the accepted one, but has the same addresses. */
  readonly #byOrigin: Map<string, Entry> = new Map<string, Entry>();
  /** Connections whose first request hasn't arrived yet. */
  readonly #silent: DeadlineQueue;
  /** All sockets share this function; `this` is the socket. */
  readonly #onClose: (this: UpgradeSocket) => void;

  /** @param options See {@linkcode ConnectionsOptions}. */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
    // The sockets themselves keep the process alive.
    this.#silent = new DeadlineQueue(options.clock, { ms: options.handshakeTimeout, unref: true });
    const close = (socket: UpgradeSocket): void => {
      const entry = this.#entries.get(socket);
      if (entry === undefined) return;
      this.#delete(entry);
      options.onClose(socket);
    };
    this.#onClose = function () {
      close(this);
    };
  }

  /**
   * Adds a connection, and destroys it unless its first request arrives in time. With TLS, that is the first request
   * after the TLS handshake.
   */
  add(socket: UpgradeSocket): void {
    if (socket.destroyed) return;
    const { clock, handshakeTimeout, secure } = this.#options;
    const entry = new Entry(socket, secure ? originOf(socket) : null, clock.now());
    this.#entries.set(socket, entry);
    if (entry.origin !== null) this.#byOrigin.set(entry.origin, entry);
    if (handshakeTimeout > 0) this.#silent.add(entry);
    socket.on("close", this.#onClose);
  }

  /** Removes a connection that has become a channel; the channel then owns it. */
  remove(socket: UpgradeSocket): void {
    const entry = this.#entryOf(socket);
    if (entry !== undefined) this.#delete(entry);
  }

  /**
   * Records that a connection's first request has arrived.
   *
   * @param socket The socket of the request.
   * @returns The connection; `undefined` if it was removed, or, with TLS, if it was reset before its address could be
   * read.
   */
  heard(socket: UpgradeSocket): Connection | undefined {
    const entry = this.#entryOf(socket);
    if (entry === undefined) return undefined;
    entry.accepted = null;
    this.#silent.delete(entry);
    return entry;
  }

  /** Whether the connection is neither closed nor removed. */
  has(connection: Connection): boolean {
    return this.#entries.get(connection.socket) === connection;
  }

  /**
   * Destroys connections that have no unanswered request. On Bun the server's own `closeIdleConnections()` would also
   * end channels.
   *
   * @param keepsNew Whether to keep connections whose first request is probably in flight.
   */
  destroyIdle(keepsNew: boolean): void {
    const from = this.#options.clock.now() - MAX_UNDER_WAY;
    for (const { socket, unanswered, accepted } of this.#entries.values()) {
      const isKept = keepsNew && accepted !== null && accepted > from;
      if (unanswered === 0 && !isKept) socket.destroy();
    }
  }

  /** Clears all timers, once the last connection has closed and the server accepts no more. */
  stop(): void {
    this.#silent.stop();
  }

  #entryOf(socket: UpgradeSocket): Entry | undefined {
    const entry = this.#entries.get(socket);
    if (entry !== undefined || !this.#options.secure) return entry;
    return this.#byOrigin.get(originOf(socket) ?? "");
  }

  #delete(entry: Entry): void {
    const { socket, origin } = entry;
    this.#silent.delete(entry);
    socket.removeListener("close", this.#onClose);
    this.#entries.delete(socket);
    if (origin !== null && this.#byOrigin.get(origin) === entry) this.#byOrigin.delete(origin);
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#entries.values();
  }
}

/**
 * Returns the remote address and port of a connection; `null` if it was reset, because the system then no longer knows
 * them.
 */
function originOf(socket: UpgradeSocket): string | null {
  const { remoteAddress, remotePort } = socket as { remoteAddress?: string; remotePort?: number };
  if (remoteAddress === undefined || remotePort === undefined) return null;
  return `${remoteAddress} ${remotePort}`;
}
