import { adopted } from "../realm/kinds.ts";
import type { CloseInfo, CloseInitiator } from "../web_socket/close_info.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { Target, TargetAddress } from "./reconnecting_channel.ts";

/** What an {@linkcode Attempt} asks of its channel, and reports to it. */
export interface AttemptEvents {
  /** Connects to an address. Throws when it is malformed. */
  connect(address: TargetAddress): WebSocketChannel;
  /** There is an open connection. Throws when it can't be used. */
  onConnected(connection: WebSocketChannel): void;
  /** There will be none. */
  onFailed(info: CloseInfo, isMisuse: boolean): void;
}

/** What an {@linkcode Attempt} is made with. */
export interface AttemptOptions {
  /** Which one it is, from 1. */
  readonly attempt: number;
  /** How the last one ended. */
  readonly lastClose: CloseInfo | null;
  /** Where times come from. */
  readonly clock: Clock;
  /** How long it may take, in milliseconds; 0: no limit. */
  readonly timeout: number;
}

const NOT_OPEN = "the connection isn't open";

/** The end of what never had a Close frame. */
export function infoOf(error: unknown, initiator: CloseInitiator = "transport"): CloseInfo {
  const rest = error === undefined ? {} : { error };
  return { code: 1006, reason: "", wasClean: false, initiator, ...rest };
}

/**
 * One attempt to connect: the target is asked, and what it gives becomes open, or not. It reports one of both to the
 * channel, unless it was given up before.
 */
export class Attempt {
  readonly #core: AttemptEvents;
  readonly #options: AttemptOptions;
  readonly #abort = new AbortController();
  #deadline: Deadline | null = null;
  #connection: WebSocketChannel | null = null;
  #isOver = false;

  /**
   * Begins.
   *
   * @param target What to connect to.
   * @param core The channel that connects.
   * @param options See {@linkcode AttemptOptions}.
   * @throws What `connect` throws of an address that is malformed.
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
    // From a microtask: the function may use the channel that `connect` has yet to return.
    Promise.resolve().then(() => this.#isOver ? undefined : target(context)).then(
      (made) => this.#take(made),
      (error) => this.#fail(infoOf(error), false),
    );
  }

  /** Shortens what is left of its time. */
  hurry(ms: number): void {
    this.#limit(ms, NOT_OPEN);
  }

  /**
   * Messages may pass, or never will: nothing bounds the connection any more.
   *
   * @returns Whether that is new.
   */
  done(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline?.clear();
    return true;
  }

  /** Nothing of it is left. */
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
      const text = `Connecting timed out after ${ms} ms: ${what}`;
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

  /** One that `connect` has made has a timeout of its own, and says more about it: `ms` is 0. */
  #await(connection: WebSocketChannel, ms: number): void {
    this.#connection = connection;
    this.#limit(ms, NOT_OPEN);
    adopted(connection.ready).then(() => {
      if (this.#isOver) return;
      this.#limit(this.#options.timeout, "the peer hasn't said hello");
      try {
        this.#core.onConnected(connection);
      } catch (error) {
        this.#fail(infoOf(error, "local"), true);
        // Another error: it has a reader, to whom it is left.
        if ((error as Error).name === "TypeError") endQuietly(connection);
      }
    }, (error) => {
      const closed = Promise.resolve(connection.closed);
      closed.then((info) => this.#fail(info, false), () => this.#fail(infoOf(error), false));
    });
  }
}

/** Ends a connection that is no longer wanted. */
export function endQuietly(connection: WebSocketChannel | null): void {
  try {
    connection?.terminate();
  } catch {
    // A hand-written one: nothing more can be done to it.
  }
}

function isChannel(made: unknown): made is WebSocketChannel {
  if (typeof made !== "object" || made === null) return false;
  const { stream, sink, ready, closed } = made as Partial<WebSocketChannel>;
  return [stream, sink, ready, closed].every((it) => typeof it === "object" && it !== null);
}
