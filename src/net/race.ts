/**
 * The race of a host's addresses: RFC 8305, Happy Eyeballs.
 *
 * @module
 */

import type { Clock } from "../web_socket/clock.ts";
import { type Candidate, failure } from "./addresses.ts";
import type { Socket, TcpOptions } from "./builtins.ts";

/** How a {@linkcode Race} is run. */
export interface RaceOptions {
  /** Begins to connect. What it throws counts as the failure of that address. */
  readonly start: (target: TcpOptions) => Socket;
  /** Where times come from. */
  readonly clock: Clock;
  /** After how many milliseconds the next address is tried although the last one may still answer. */
  readonly delay: number;
}

/** Why an address could not be used. */
export interface AddressFailure {
  /** What the address is called. */
  readonly name: string;
  readonly error: unknown;
}

/** No address is left to try. */
export class NoAddressLeft extends AggregateError {
  /** `"NoAddressLeft"`, also in minified code. */
  override readonly name = "NoAddressLeft";
  /** Each address with its failure, in the order of the attempts. */
  readonly failures: readonly AddressFailure[];

  /**
   * Creates the error.
   *
   * @param failures What went wrong, at least one.
   */
  constructor(failures: readonly AddressFailure[]) {
    super(failures.map(({ error }) => error), "No address could be connected to");
    this.failures = failures;
  }
}

/** A socket that is connecting. */
interface Runner {
  readonly candidate: Candidate;
  readonly socket: Socket;
}

/**
 * Tries addresses until one connects. The next one starts when the previous one fails, or after a delay
 * without ending it: an address that needs long to answer still wins when no other answers. RFC 8305 §5.
 */
export class Race {
  readonly #options: RaceOptions;
  /** The addresses that aren't being tried. */
  #waiting: Candidate[];
  #runners: Runner[] = [];
  readonly #failures: AddressFailure[] = [];
  /** The address that won last. */
  #winner: Candidate | null = null;
  #timer: unknown;
  #resolve: (socket: Socket) => void = ignoreSocket;
  #reject: (error: unknown) => void = ignoreSocket;

  /**
   * Creates a race that hasn't begun.
   *
   * @param candidates The addresses in the order in which they are tried, at least one.
   * @param options See {@linkcode RaceOptions}.
   */
  constructor(candidates: readonly Candidate[], options: RaceOptions) {
    this.#waiting = [...candidates];
    this.#options = options;
  }

  /**
   * Runs the race. It can be run again after {@linkcode fail}, with the addresses that have not failed.
   *
   * @returns The first socket that connects; the others are destroyed.
   * @throws {NoAddressLeft} When no address connects.
   */
  run(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#startNext();
    });
  }

  /** The addresses that have failed so far, in the order of their failures. */
  get failures(): readonly AddressFailure[] {
    return this.#failures;
  }

  /** The connection to the address that won last turned out to be useless. */
  fail(error: unknown): void {
    if (this.#winner !== null) this.#failures.push({ name: this.#winner.name, error });
    this.#winner = null;
  }

  /** Calls a function with each socket that is connecting. */
  each(callback: (socket: Socket) => void): void {
    for (const { socket } of this.#runners) callback(socket);
  }

  /** Gives up: every socket that is connecting is destroyed. */
  destroy(): void {
    this.#stop();
    this.#waiting = [];
    this.#reject(failure("ECONNABORTED"));
  }

  #stop(): Candidate[] {
    const { clock } = this.#options;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const runners = this.#runners;
    this.#runners = [];
    for (const { socket } of runners) socket.destroy();
    return runners.map(({ candidate }) => candidate);
  }

  #startNext(): void {
    const { clock, delay, start } = this.#options;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        this.#follow({ candidate: next, socket: start(next.target) });
      } catch (error) {
        this.#failures.push({ name: next.name, error });
        continue;
      }
      if (this.#waiting.length === 0) return;
      this.#timer = clock.setTimeout(() => this.#startNext(), delay);
      // The socket keeps the process alive where anything does.
      clock.unref?.(this.#timer);
      return;
    }
    if (this.#runners.length === 0) this.#reject(new NoAddressLeft(this.#failures));
  }

  #follow(runner: Runner): void {
    this.#runners.push(runner);
    connected(runner.socket, "connect").then(
      () => this.#win(runner),
      (error) => this.#lose(runner, error),
    );
  }

  #win(runner: Runner): void {
    if (!this.#leave(runner)) return;
    this.#winner = runner.candidate;
    // These haven't failed.
    this.#waiting.unshift(...this.#stop());
    this.#resolve(runner.socket);
  }

  #lose(runner: Runner, error: unknown): void {
    if (!this.#leave(runner)) return;
    runner.socket.destroy();
    this.#failures.push({ name: runner.candidate.name, error });
    this.#startNext();
  }

  /** @returns Whether the socket was still in the race. */
  #leave(runner: Runner): boolean {
    const at = this.#runners.indexOf(runner);
    if (at >= 0) this.#runners.splice(at, 1);
    return at >= 0;
  }
}

function ignoreSocket(): void {}

/**
 * Waits until a socket is connected.
 *
 * @param socket The socket.
 * @param event What it emits then.
 * @throws {unknown} The socket's error, or `ECONNRESET` when it is closed without one.
 */
export function connected(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      socket.removeListener(event, onEvent);
      socket.removeListener("error", onError);
      socket.removeListener("close", onClose);
      act();
    };
    const onEvent = (): void => settle(resolve);
    const onError = (error?: unknown): void => settle(() => reject(error));
    const onClose = (): void => onError(failure("ECONNRESET"));
    socket.once(event, onEvent);
    socket.once("error", onError);
    socket.once("close", onClose);
  });
}
