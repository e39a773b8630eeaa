import { splitTarget } from "../handshake/request_target.ts";
import { ignore, invalidState } from "../stream_channel/errors.ts";
import { afterTurn } from "../stream_channel/loop_guard.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { UpgradeEvent, UpgradeRequestMessage } from "./accept_upgrade.ts";
import { isTaken } from "./claim.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/** What is used of a server of `node:http` or `node:https` that others use as well. */
export interface SharedHttpServer {
  /** Adds a listener in front of the others. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  prependListener(event: any, listener: (...args: any[]) => void): unknown;
  /** Removes a listener. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: any, listener: (...args: any[]) => void): unknown;
  /** How many listeners an event has. */
  listenerCount(event: string): number;
}

/** Which paths a server answers: one, several, or every one. */
export type Paths = string | readonly string[] | undefined;

/** Whether a target's path is one of these. */
export function isServed(paths: Paths, target: string): boolean {
  if (paths === undefined) return true;
  const path = splitTarget(target)?.path.split("?", 1)[0];
  // A malformed one is refused as such.
  if (path === undefined) return true;
  return typeof paths === "string" ? paths === path : paths.includes(path);
}

/** A server of channels on an HTTP server that it shares with others. */
export interface SharingServer {
  /** Which paths it answers. */
  readonly paths: Paths;
  /** How long it waits until another listener has taken an upgrade, in milliseconds; 0: forever. */
  readonly handshakeTimeout: number;
  readonly clock: Clock;
  /** Answers an upgrade: refuses it with 404 when the path is another. */
  answer(event: UpgradeEvent): void;
  /** Another listener has answered an upgrade of its own path. */
  reportTaken(event: UpgradeEvent): void;
}

const shared = new WeakMap<object, SharedUpgrades>();

/**
 * The `upgrade` event of one HTTP server, for all attached servers together, beside other listeners. It decides in a
 * later turn (zone.js runs microtasks after each listener),
 * when all listeners have been called: an upgrade that another one has taken is left to it, in whatever order
 * they were added.
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
   * Lets a server answer the upgrades of an HTTP server.
   *
   * @param http The HTTP server.
   * @param server Who answers.
   * @returns Ends that.
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
    // In front of the others, to see what they change.
    this.#http.prependListener("upgrade", this.#listener);
  }

  #delete(server: SharingServer): void {
    if (!this.#servers.delete(server) || this.#servers.size > 0) return;
    shared.delete(this.#http);
    this.#http.removeListener("upgrade", this.#listener);
    // They would keep the HTTP server from closing.
    for (const left of [...this.#left.values()]) left.refuse(server);
  }

  #onUpgrade(event: UpgradeEvent): void {
    const { socket } = event;
    // A listener that takes the socket listens to more events than this.
    socket.on("error", ignore);
    const before = useOf(socket);
    afterTurn(() => this.#decide(event, before));
  }

  #decide(event: UpgradeEvent, before: number): void {
    const { socket } = event;
    const target = event.request.url ?? "";
    const server = this.#serverOf(target);
    const taken = isTaken(socket) || useOf(socket) > before;
    socket.removeListener("error", ignore);
    if (taken) return void server?.reportTaken(event);
    if (server !== undefined) return server.answer(event);
    const [first] = this.#servers;
    if (first === undefined) return void socket.destroy();
    if (this.#http.listenerCount("upgrade") === 1) return first.answer(event);
    this.#left.set(socket, new LeftUpgrade(event, first, () => this.#left.delete(socket)));
  }

  /** The server that has the path, or else the one that has every path. */
  #serverOf(target: string): SharingServer | undefined {
    let every: SharingServer | undefined;
    for (const server of this.#servers) {
      if (server.paths === undefined) every = server;
      else if (isServed(server.paths, target)) return server;
    }
    return every;
  }
}

/** An upgrade of another path, left to the other listeners. If none takes it in time, it is refused. */
class LeftUpgrade {
  readonly #event: UpgradeEvent;
  readonly #before: number;
  readonly #deadline: Deadline | null = null;
  readonly #forget: () => void;

  constructor(event: UpgradeEvent, server: SharingServer, onEnded: () => void) {
    const { socket } = event;
    const { handshakeTimeout: ms, clock } = server;
    // A connection without such a listener ends the process when it is reset.
    socket.on("error", ignore);
    this.#forget = () => {
      this.#deadline?.clear();
      socket.removeListener("close", this.#forget);
      onEnded();
    };
    socket.on("close", this.#forget);
    this.#event = event;
    this.#before = useOf(socket);
    if (ms === 0) return;
    this.#deadline = new Deadline(clock, { ms, unref: true, onTime: () => this.refuse(server) });
  }

  /** Answers with 404, unless another listener has taken it meanwhile. */
  refuse(server: SharingServer): void {
    const { socket } = this.#event;
    this.#forget();
    const taken = isTaken(socket) || useOf(socket) > this.#before;
    if (!taken) server.answer(this.#event);
  }
}

function pathsOf({ paths }: SharingServer): readonly string[] {
  return typeof paths === "string" ? [paths] : paths ?? [""];
}

/**
 * Not `end` and `close`: runtimes listen to those themselves. Not `error`: Vite listens to it on every upgrade's socket,
 * also on those that it leaves alone.
 */
const EVENTS = ["data", "readable"];

/**
 * Counts what a listener that takes a socket does to it: listeners, and ending it. A client's earlier request may have ended it
 * before.
 */
function useOf(socket: UpgradeSocket): number {
  const { writableEnded = false } = socket as { writableEnded?: boolean };
  return EVENTS.reduce((sum, it) => sum + (socket.listenerCount?.(it) ?? 0), Number(writableEnded));
}
