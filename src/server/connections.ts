import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** A TCP connection of a server. */
export interface Connection {
  readonly socket: UpgradeSocket;
  /** How many of its requests aren't answered yet. */
  unanswered: number;
}

/** A connection, and what {@linkcode Connections} keeps of it. */
interface Entry extends Connection {
  /** Its remote address and port; `null` if it was reset before they could be read. */
  readonly origin: string | null;
  /** What ends it unless its first request comes; `null` when that has come. */
  deadline: Deadline | null;
  readonly onClose: () => void;
}

/** What {@linkcode Connections} needs. */
export interface ConnectionsOptions {
  readonly clock: Clock;
  /** How long the first request of a connection may take, in milliseconds; 0: no limit. */
  readonly handshakeTimeout: number;
  /** Called when a connection has closed that was not removed. */
  readonly onClose: () => void;
}

/** All TCP connections of a server, except those that have become channels. */
export class Connections implements Iterable<Connection> {
  readonly #options: ConnectionsOptions;
  readonly #entries: Map<object, Entry> = new Map<object, Entry>();
  /** With TLS the socket of a request isn't the one that was accepted, but it has the same addresses. */
  readonly #byOrigin: Map<string, Entry> = new Map<string, Entry>();

  /** @param options See {@linkcode ConnectionsOptions}. */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /**
   * Adds a connection, and destroys it unless its first request comes in time: with TLS the one behind its
   * handshake.
   */
  add(socket: UpgradeSocket): void {
    if (socket.destroyed) return;
    const { clock, handshakeTimeout: ms } = this.#options;
    const origin = originOf(socket);
    const deadline = ms > 0
      ? new Deadline(clock, { ms, onTime: () => void socket.destroy() })
      : null;
    const onClose = (): void => {
      this.#delete(entry);
      this.#options.onClose();
    };
    const entry: Entry = { socket, origin, deadline, unanswered: 0, onClose };
    this.#entries.set(socket, entry);
    if (origin !== null) this.#byOrigin.set(origin, entry);
    socket.on("close", onClose);
  }

  /** Removes a connection: it has become a channel, which watches over it. */
  remove(socket: UpgradeSocket): void {
    const entry = this.#entryOf(socket);
    if (entry !== undefined) this.#delete(entry);
  }

  /**
   * Tells that a connection's first request has come.
   *
   * @param socket The socket of the request.
   * @returns The connection; `undefined` if it is removed, or was reset before its address could be read.
   */
  heard(socket: UpgradeSocket): Connection | undefined {
    const entry = this.#entryOf(socket);
    if (entry !== undefined) stopWaiting(entry);
    return entry;
  }

  /** Whether it is neither closed nor removed. */
  has(connection: Connection): boolean {
    return this.#entries.get(connection.socket) === connection;
  }

  #entryOf(socket: UpgradeSocket): Entry | undefined {
    return this.#entries.get(socket) ?? this.#byOrigin.get(originOf(socket) ?? "");
  }

  #delete(entry: Entry): void {
    const { socket, origin, onClose } = entry;
    stopWaiting(entry);
    socket.removeListener("close", onClose);
    this.#entries.delete(socket);
    if (origin !== null && this.#byOrigin.get(origin) === entry) this.#byOrigin.delete(origin);
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#entries.values();
  }
}

function stopWaiting(entry: Entry): void {
  entry.deadline?.clear();
  entry.deadline = null;
}

/** Where a connection comes from; `null` when it was reset: then the system no longer knows it. */
function originOf(socket: UpgradeSocket): string | null {
  const { remoteAddress, remotePort } = socket as { remoteAddress?: string; remotePort?: number };
  if (remoteAddress === undefined || remotePort === undefined) return null;
  return `${remoteAddress} ${remotePort}`;
}
