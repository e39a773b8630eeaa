import { addressKey } from "./address_key.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** Limits for connections that have sent no request. */
export interface SilentLimits {
  /** The limit for all addresses together. */
  readonly max: number;
  /** The limit for each address; `null`: no limit. */
  readonly maxPerAddress: number | null;
}

/** The connections of a server that have sent no request yet, up to a limit. */
export class SilentSockets {
  readonly #limits: SilentLimits;
  /** Each connection with the key of its address, the oldest first. */
  readonly #sockets: Map<UpgradeSocket, string | null> = new Map<UpgradeSocket, string | null>();
  readonly #counts: Map<string, number> = new Map<string, number>();
  #dropped = 0;
  /** @param limits The limits. */
  constructor(limits: SilentLimits) {
    this.#limits = limits;
  }

  /** The number of connections without a request. */
  get size(): number {
    return this.#sockets.size;
  }

  /** The number of connections destroyed because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * Adds an accepted connection. If its address has too many, it is destroyed. If there are too many in total, the
   * oldest is destroyed: so clients that only connect don't displace clients that send a request in time.
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
   * Removes a connection that has sent a request or has closed.
   *
   * @param socket The accepted socket.
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
