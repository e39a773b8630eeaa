/**
 * Races the addresses of a host: Happy Eyeballs (RFC 8305).
 *
 * @module
 */

import type { Clock } from "../web_socket/clock.ts";
import { type Candidate, failure } from "./addresses.ts";
import type { Socket, TcpOptions } from "./builtins.ts";

/** Options of a {@linkcode Race}. */
export interface RaceOptions {
  /** Starts connecting. If it throws, that address has failed. */
  readonly start: (target: TcpOptions) => Socket;
  /** The clock for the delays. */
  readonly clock: Clock;
  /** After how many milliseconds to try the next address, although the previous one may still answer. */
  readonly delay: number;
}

/** The failure of an address. */
export interface AddressFailure {
  /** The name of the address in errors. */
  readonly name: string;
  readonly error: unknown;
}

/** The error when no address is left to try. */
export class NoAddressLeft extends AggregateError {
  /** `"NoAddressLeft"`, also in minified code. */
  override readonly name = "NoAddressLeft";
  /** The failures of all addresses, in the order of the attempts. */
  readonly failures: readonly AddressFailure[];

  /**
   * Creates the error.
   *
   * @param failures The failures, at least one.
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
 * Tries addresses until one connects. The next attempt starts when the previous one fails, or after a delay, without
 * ending the previous one: a slow address still wins when no other answers. RFC 8305 §5.
 */
export class Race {
  readonly #options: RaceOptions;
  /** The addresses that are not being tried now. */
  #waiting: Candidate[];
  #runners: Runner[] = [];
  readonly #failures: AddressFailure[] = [];
  /** The address that won last. */
  #winner: Candidate | null = null;
  #timer: unknown;
  #resolve: (socket: Socket) => void = ignoreSocket;
  #reject: (error: unknown) => void = ignoreSocket;

  /**
   * Creates a race that hasn't started.
   *
   * @param candidates The addresses in the order of the attempts, at least one.
   * @param options How to connect, and the delay.
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

  /** Records that the connection to the last winner is unusable. */
  fail(error: unknown): void {
    if (this.#winner !== null) this.#failures.push({ name: this.#winner.name, error });
    this.#winner = null;
  }

  /** Calls a function with each socket that is connecting. */
  each(callback: (socket: Socket) => void): void {
    for (const { socket } of this.#runners) callback(socket);
  }

  /** Gives up, and destroys every socket that is connecting. */
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
      // The sockets keep the process alive, the timer need not.
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
    // These addresses haven't failed.
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
 * @param event The event that it then emits.
 * @throws {unknown} The socket's error, or `ECONNRESET` when it closes without one.
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
