import { adopted } from "../realm/kinds.ts";
import type { CloseInfo, CloseInitiator } from "../web_socket/close_info.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { Target, TargetAddress } from "./reconnecting_channel.ts";

/** The actions and events of an {@linkcode Attempt}; its channel implements them. */
export interface AttemptEvents {
  /** Connects to an address. Throws when it is malformed. */
  connect(address: TargetAddress): WebSocketChannel;
  /** Called with the open connection. Throws when the channel can't use it. */
  onConnected(connection: WebSocketChannel): void;
  /** Called when the attempt has failed. */
  onFailed(info: CloseInfo, isMisuse: boolean): void;
}

/** Options of an {@linkcode Attempt}. */
export interface AttemptOptions {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** How the previous connection or attempt ended. */
  readonly lastClose: CloseInfo | null;
  /** The clock for its timeout. */
  readonly clock: Clock;
  /** How long the attempt may take, in milliseconds; 0: no limit. */
  readonly timeout: number;
}

const NOT_OPEN = "the connection isn't open";

/** Creates the close info of a connection or attempt that ended without a Close frame. */
export function infoOf(error: unknown, initiator: CloseInitiator = "transport"): CloseInfo {
  const rest = error === undefined ? {} : { error };
  return { code: 1006, reason: "", wasClean: false, initiator, ...rest };
}

/**
 * One attempt to connect. It calls the target, and waits until the resulting connection opens. It then reports success
 * or failure to the channel, unless the channel gave it up before.
 */
export class Attempt {
  readonly #core: AttemptEvents;
  readonly #options: AttemptOptions;
  readonly #abort = new AbortController();
  #deadline: Deadline | null = null;
  #connection: WebSocketChannel | null = null;
  #isOver = false;

  /**
   * Starts the attempt.
   *
   * @param target What to connect to.
   * @param core The channel that connects.
   * @param options The attempt's number and limits.
   * @throws What `connect` throws when the address is malformed.
   */
  constructor(target: Target, core: AttemptEvents, options: AttemptOptions) {
    this.#core = core;
    this.#options = options;
    if (typeof target !== "function") {
      this.#await(core.connect(target), 0);
      return;
    }
    this.#limit(options.timeout, "the target function hasn't settled");
    const { attempt, lastClose } = options;
    const context = { attempt, lastClose, signal: this.#abort.signal };
    // In a microtask, because the function may use the channel that `connect` hasn't returned yet.
    Promise.resolve().then(() => this.#isOver ? undefined : target(context)).then(
      (made) => this.#take(made),
      (error) => this.#fail(infoOf(error), false),
    );
  }

  /** Limits the remaining time to `ms` milliseconds. */
  hurry(ms: number): void {
    this.#limit(ms, NOT_OPEN);
  }

  /**
   * Ends the attempt, successful or not; its timeout no longer applies.
   *
   * @returns Whether it was still running.
   */
  done(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline?.clear();
    return true;
  }

  /** Gives up the attempt, and releases everything that it holds. */
  giveUp(reason: unknown): void {
    if (!this.done()) return;
    this.#abort.abort(reason);
    endQuietly(this.#connection);
  }

  #limit(ms: number, what: string): void {
    this.#deadline?.clear();
    this.#deadline = null;
    if (ms === 0 || this.#isOver) return;
    const onTime = (): void => {
      const text = `Cannot connect within ${ms} ms: ${what}`;
      const error = new DOMException(text, "TimeoutError");
      const connection = this.#connection;
      this.#abort.abort(error);
      this.#fail(infoOf(error, "timeout"), false);
      endQuietly(connection);
    };
    this.#deadline = new Deadline(this.#options.clock, { ms, onTime });
  }

  #fail(info: CloseInfo, isMisuse: boolean): void {
    if (this.done()) this.#core.onFailed(info, isMisuse);
  }

  #take(made: unknown): void {
    if (this.#isOver) return isChannel(made) ? endQuietly(made) : undefined;
    try {
      if (isChannel(made)) this.#await(made, this.#options.timeout);
      else this.#await(this.#core.connect(made as TargetAddress), 0);
    } catch (error) {
      this.#fail(infoOf(error, "local"), true);
    }
  }

  /**
   * Waits until a connection is open. `ms` is 0 for a connection that `connect` created, whose own timeout has the
   * better error.
   */
  #await(connection: WebSocketChannel, ms: number): void {
    this.#connection = connection;
    this.#limit(ms, NOT_OPEN);
    adopted(connection.ready).then(() => {
      if (this.#isOver) return;
      this.#limit(this.#options.timeout, "the peer sent no hello");
      try {
        this.#core.onConnected(connection);
      } catch (error) {
        this.#fail(infoOf(error, "local"), true);
        // With any other error the connection has a reader, which keeps it.
        if ((error as Error).name === "TypeError") endQuietly(connection);
      }
    }, (error) => {
      const closed = Promise.resolve(connection.closed);
      closed.then((info) => this.#fail(info, false), () => this.#fail(infoOf(error), false));
    });
  }
}

/** Ends a connection that is no longer needed. */
export function endQuietly(connection: WebSocketChannel | null): void {
  try {
    connection?.terminate();
  } catch {
    // A channel of another implementation, which can't be ended.
  }
}

function isChannel(made: unknown): made is WebSocketChannel {
  if (typeof made !== "object" || made === null) return false;
  const { stream, sink, ready, closed } = made as Partial<WebSocketChannel>;
  return [stream, sink, ready, closed].every((it) => typeof it === "object" && it !== null);
}
