import { addressKey } from "./address_key.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** How many connections without a request there may be. */
export interface SilentLimits {
  /** In all. */
  readonly max: number;
  /** Of one address; `null`: any number. */
  readonly maxPerAddress: number | null;
}

/** The connections of a server that have asked for nothing yet: a bounded number. */
export class SilentSockets {
  readonly #limits: SilentLimits;
  /** With the addresses that they count for; the oldest is the first. */
  readonly #sockets: Map<UpgradeSocket, string | null> = new Map<UpgradeSocket, string | null>();
  readonly #counts: Map<string, number> = new Map<string, number>();
  #dropped = 0;
  /** @param limits See {@linkcode SilentLimits}. */
  constructor(limits: SilentLimits) {
    this.#limits = limits;
  }

  /** How many there are. */
  get size(): number {
    return this.#sockets.size;
  }

  /** How many were ended because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Adds a connection that has been accepted. If there are too many of its address it is destroyed. If there are too
   * many in all, the oldest is: so clients that only connect don't keep out clients that send a request in time.
   */
  add(socket: UpgradeSocket): void {
    if (socket.destroyed) return;
    const key = this.#keyOf(socket);
    const count = key === null ? 0 : this.#counts.get(key) ?? 0;
    if (count >= (this.#limits.maxPerAddress ?? Infinity)) return this.#drop(socket);
    if (key !== null) this.#counts.set(key, count + 1);
    this.#sockets.set(socket, key);
    if (this.#sockets.size <= this.#limits.max) return;
    const [oldest = socket] = this.#sockets.keys();
    this.heard(oldest);
    this.#drop(oldest);
  }

  /**
   * A connection has asked for something, or has closed.
   *
   * @param socket The one that was accepted.
   */
  heard(socket: UpgradeSocket): void {
    const key = this.#sockets.get(socket);
    if (!this.#sockets.delete(socket)) return;
    if (key === undefined || key === null) return;
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }

  #keyOf(socket: UpgradeSocket): string | null {
    if (this.#limits.maxPerAddress === null) return null;
    const { remoteAddress } = socket as { remoteAddress?: string };
    return remoteAddress === undefined ? null : addressKey(remoteAddress);
  }

  #drop(socket: UpgradeSocket): void {
    this.#dropped++;
    socket.destroy();
  }
}
