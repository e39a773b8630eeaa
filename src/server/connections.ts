import type { Clock } from "../web_socket/clock.ts";
import { DeadlineQueue, type Timed } from "../web_socket/deadline_queue.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** A TCP connection of a server. */
export interface Connection {
  readonly socket: UpgradeSocket;
  /** How many of its requests aren't answered yet. */
  unanswered: number;
}

/** How long a first request may be in flight, in milliseconds: a round trip, or a few with TLS. */
export const MAX_UNDER_WAY = 1_000;

/** A connection, and what {@linkcode Connections} keeps of it. */
class Entry implements Connection, Timed {
  readonly socket: UpgradeSocket;
  unanswered = 0;
  /** When it was accepted; `null` when its first request has arrived. */
  accepted: number | null;
  /** Its remote address and port; `null` if it was reset before they could be read, or they aren't needed. */
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

/** What {@linkcode Connections} needs. */
export interface ConnectionsOptions {
  readonly clock: Clock;
  /** How long the first request of a connection may take, in milliseconds; 0: no limit. */
  readonly handshakeTimeout: number;
  /** Whether the socket of a request may be another one than that which was accepted: with TLS. */
  readonly secure: boolean;
  /** Called when a connection has closed that was not removed. */
  readonly onClose: (socket: UpgradeSocket) => void;
}

/** All TCP connections of a server, except those that have become channels. */
export class Connections implements Iterable<Connection> {
  readonly #options: ConnectionsOptions;
  readonly #entries: Map<object, Entry> = new Map<object, Entry>();
  /** With TLS the socket of a request isn't the one that was accepted, but it has the same addresses. */
  readonly #byOrigin: Map<string, Entry> = new Map<string, Entry>();
  /** Those whose first request hasn't come yet. */
  readonly #silent: DeadlineQueue;
  /** One function for all sockets, called with each as `this`. */
  readonly #onClose: (this: UpgradeSocket) => void;

  /** @param options See {@linkcode ConnectionsOptions}. */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
    // What it waits for holds the process: the sockets themselves.
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
   * Adds a connection, and destroys it unless its first request comes in time: with TLS the one behind its
   * handshake.
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

  /** Removes a connection: it has become a channel, which watches over it. */
  remove(socket: UpgradeSocket): void {
    const entry = this.#entryOf(socket);
    if (entry !== undefined) this.#delete(entry);
  }

  /**
   * Tells that a connection's first request has arrived.
   *
   * @param socket The socket of the request.
   * @returns The connection; `undefined` if it is removed, or, with TLS, was reset before its address could be read.
   */
  heard(socket: UpgradeSocket): Connection | undefined {
    const entry = this.#entryOf(socket);
    if (entry === undefined) return undefined;
    entry.accepted = null;
    this.#silent.delete(entry);
    return entry;
  }

  /** Whether it is neither closed nor removed. */
  has(connection: Connection): boolean {
    return this.#entries.get(connection.socket) === connection;
  }

  /**
   * Destroys connections that have asked for nothing, and those that may ask for something more. The server's own
   * `closeIdleConnections()` would also end channels, on Bun.
   *
   * @param keepsNew Whether to keep those whose first request is probably in flight.
   */
  destroyIdle(keepsNew: boolean): void {
    const from = this.#options.clock.now() - MAX_UNDER_WAY;
    for (const { socket, unanswered, accepted } of this.#entries.values()) {
      const isKept = keepsNew && accepted !== null && accepted > from;
      if (unanswered === 0 && !isKept) socket.destroy();
    }
  }

  /** Leaves no timer: the last connection has left, and the server accepts none any more. */
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

/** Where a connection comes from; `null` when it was reset: then the system no longer knows it. */
function originOf(socket: UpgradeSocket): string | null {
  const { remoteAddress, remotePort } = socket as { remoteAddress?: string; remotePort?: number };
  if (remoteAddress === undefined || remotePort === undefined) return null;
  return `${remoteAddress} ${remotePort}`;
}
