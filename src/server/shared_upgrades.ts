import { splitTarget } from "../handshake/request_target.ts";
import { ignore, invalidState } from "../stream_channel/errors.ts";
import { afterTurn } from "../stream_channel/loop_guard.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { UpgradeEvent, UpgradeRequestMessage } from "./accept_upgrade.ts";
import { isTaken } from "./claim.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** The part of a shared `node:http` or `node:https` server that this package uses. */
export interface SharedHttpServer {
  /** Adds a listener before all others. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  prependListener(event: any, listener: (...args: any[]) => void): unknown;
  /** Removes a listener. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: any, listener: (...args: any[]) => void): unknown;
  /** Returns the number of listeners of an event. */
  listenerCount(event: string): number;
}

/** The paths that a server answers: one, several, or with `undefined` every path. */
export type Paths = string | readonly string[] | undefined;

/** Whether a request target's path is one of these. */
export function isServed(paths: Paths, target: string): boolean {
  if (paths === undefined) return true;
  const path = splitTarget(target)?.path.split("?", 1)[0];
  // A malformed target is refused later, as malformed.
  if (path === undefined) return true;
  return typeof paths === "string" ? paths === path : paths.includes(path);
}

/** An attached server, which shares an HTTP server with other listeners. */
export interface SharingServer {
  /** The paths that it answers. */
  readonly paths: Paths;
  /** How long it waits for another listener to take an upgrade of another path, in milliseconds; 0: forever. */
  readonly handshakeTimeout: number;
  readonly clock: Clock;
  /** Answers an upgrade; refuses it with 404 if the path is not its own. */
  answer(event: UpgradeEvent): void;
  /** Called when another listener has answered an upgrade of its own path. */
  reportTaken(event: UpgradeEvent): void;
}

const shared = new WeakMap<object, SharedUpgrades>();

/**
 * Distributes the `upgrade` events of one HTTP server to all attached servers, next to other listeners. It decides in a
 * later turn, after all listeners have been called: it ignores an upgrade that another listener has taken, whatever the
 * order of the listeners. A microtask would be too early, because zone.js runs microtasks after each listener.
 */
export class SharedUpgrades {
  readonly #http: SharedHttpServer;
  readonly #servers: Set<SharingServer> = new Set<SharingServer>();
  /** Upgrades of other paths that no listener has taken yet. */
  readonly #left: Map<UpgradeSocket, LeftUpgrade> = new Map<UpgradeSocket, LeftUpgrade>();
  readonly #listener = (
    request: UpgradeRequestMessage,
    socket: UpgradeSocket,
    head: Uint8Array,
  ): void => this.#onUpgrade({ request, socket, head });

  private constructor(http: SharedHttpServer) {
    this.#http = http;
  }

  /**
   * Makes an attached server answer the upgrades of an HTTP server.
   *
   * @param http The HTTP server.
   * @param server The attached server.
   * @returns A function that detaches it.
   * @throws {DOMException} `InvalidStateError` when another attached server has the same path.
   */
  static attach(http: SharedHttpServer, server: SharingServer): () => void {
    const upgrades = shared.get(http) ?? new SharedUpgrades(http);
    upgrades.#add(server);
    return () => upgrades.#delete(server);
  }

  #add(server: SharingServer): void {
    for (const other of this.#servers) {
      const path = pathsOf(server).find((it) => pathsOf(other).includes(it));
      if (path === undefined) continue;
      const what = path === "" ? "every path" : `the path ${path}`;
      throw invalidState(`Cannot attach: another attached server already answers ${what}`);
    }
    this.#servers.add(server);
    if (this.#servers.size > 1) return;
    shared.set(this.#http, this);
    // Before all others, to compare the socket before and after they run.
    this.#http.prependListener("upgrade", this.#listener);
  }

  #delete(server: SharingServer): void {
    if (!this.#servers.delete(server) || this.#servers.size > 0) return;
    shared.delete(this.#http);
    this.#http.removeListener("upgrade", this.#listener);
    // Pending upgrades would keep the HTTP server from closing.
    for (const left of [...this.#left.values()]) left.refuse(server);
  }

  #onUpgrade(event: UpgradeEvent): void {
    const { socket } = event;
    // Avoids an unhandled `error`; a listener that takes the socket listens to other events, too.
    socket.on("error", ignore);
    const before = countUses(socket);
    afterTurn(() => this.#decide(event, before));
  }

  #decide(event: UpgradeEvent, before: number): void {
    const { socket } = event;
    const target = event.request.url ?? "";
    const server = this.#serverOf(target);
    const taken = isTaken(socket) || countUses(socket) > before;
    socket.removeListener("error", ignore);
    if (taken) return void server?.reportTaken(event);
    if (server !== undefined) return server.answer(event);
    const [first] = this.#servers;
    if (first === undefined) return void socket.destroy();
    if (this.#http.listenerCount("upgrade") === 1) return first.answer(event);
    this.#left.set(socket, new LeftUpgrade(event, first, () => this.#left.delete(socket)));
  }

  /** The server for the target's path, otherwise the one for every path. */
  #serverOf(target: string): SharingServer | undefined {
    let every: SharingServer | undefined;
    for (const server of this.#servers) {
      if (server.paths === undefined) every = server;
      else if (isServed(server.paths, target)) return server;
    }
    return every;
  }
}

/** An upgrade of another path, left to other listeners, and refused if none takes it in time. */
class LeftUpgrade {
  readonly #event: UpgradeEvent;
  readonly #before: number;
  readonly #deadline: Deadline | null = null;
  readonly #forget: () => void;

  constructor(event: UpgradeEvent, server: SharingServer, onEnded: () => void) {
    const { socket } = event;
    const { handshakeTimeout: ms, clock } = server;
    // Without an `error` listener, a reset connection would end the process.
    socket.on("error", ignore);
    this.#forget = () => {
      this.#deadline?.clear();
      socket.removeListener("close", this.#forget);
      onEnded();
    };
    socket.on("close", this.#forget);
    this.#event = event;
    this.#before = countUses(socket);
    if (ms === 0) return;
    this.#deadline = new Deadline(clock, { ms, unref: true, onTime: () => this.refuse(server) });
  }

  /** Answers with 404, unless another listener has taken it meanwhile. */
  refuse(server: SharingServer): void {
    const { socket } = this.#event;
    this.#forget();
    const taken = isTaken(socket) || countUses(socket) > this.#before;
    if (!taken) server.answer(this.#event);
  }
}

function pathsOf({ paths }: SharingServer): readonly string[] {
  return typeof paths === "string" ? [paths] : paths ?? [""];
}

/**
 * Excludes `end` and `close`, to which runtimes listen themselves. Excludes `error`, to which Vite listens on every
 * upgrade's socket, even on those that it ignores.
 */
const EVENTS = ["data", "readable"];

/**
 * Counts what a listener does that takes a socket: adds listeners, or ends the socket. An earlier request may have
 * ended it before.
 */
function countUses(socket: UpgradeSocket): number {
  const { writableEnded = false } = socket as { writableEnded?: boolean };
  return EVENTS.reduce((sum, it) => sum + (socket.listenerCount?.(it) ?? 0), Number(writableEnded));
}
