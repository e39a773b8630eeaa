/** The events of a recipe's server, in order. They are queued until a test requests them. */

/** An event of a recipe's server. Plain JSON: binary content is in lower-case hexadecimal. */
export type RecipeEvent =
  /** A complete HTTP request head. */
  | RequestEvent
  /** A complete message of the client: it has either `text` or `binary`. */
  | { kind: "message"; text: string; binary?: never }
  | { kind: "message"; binary: string; text?: never }
  | { kind: "ping"; payload: string }
  | { kind: "pong"; payload: string }
  /**
   * The Close frame that the server received: 1005 if it had no code. 1006 if the connection ended without
   * one. Exactly one for every connection whose handshake the recipe completed, unless the
   * recipe never reads.
   */
  | { kind: "close"; code: number; reason: string }
  /** The client's FIN. */
  | { kind: "end" }
  /** The connection was reset by the client. */
  | { kind: "reset" }
  /** The server's socket is closed in both directions: the last event of a connection. */
  | { kind: "disconnect" }
  /** A violation of RFC 6455 by the client, or an error of the recipe itself. */
  | { kind: "fault"; message: string };

/** A complete HTTP request head, as the recipe's server received it. */
export interface RequestEvent {
  kind: "request";
  method: string;
  /** The request target, with its query. */
  path: string;
  /** By lower-case name; values of repeated fields are joined with ", ". */
  headers: Record<string, string>;
  /** Each received header line: name and value, in order. */
  lines: [name: string, value: string][];
}

/** A kind of event. */
export type RecipeEventKind = RecipeEvent["kind"];

/** The events of one kind. */
export type RecipeEventOf<K extends RecipeEventKind> = Extract<RecipeEvent, { kind: K }>;

interface Waiter {
  readonly kind: RecipeEventKind | undefined;
  readonly resolve: (event: RecipeEvent) => void;
  readonly reject: (error: Error) => void;
}

/** A queue of events, in order, that returns each event once. */
export class RecipeEvents {
  #queued: RecipeEvent[] = [];
  #waiters: Waiter[] = [];
  #ended = false;

  /** Queues an event, or passes it to the first caller that waits for its kind. */
  push(event: RecipeEvent): void {
    if (this.#ended) return;
    const at = this.#waiters.findIndex((it) => it.kind === undefined || it.kind === event.kind);
    const waiter = at < 0 ? undefined : this.#waiters.splice(at, 1)[0];
    if (waiter === undefined) this.#queued.push(event);
    else waiter.resolve(event);
  }

  /** Returns the next event, or the next one of a kind. Events of other kinds stay in the queue. */
  next(kind: RecipeEventKind | undefined): Promise<RecipeEvent> {
    const at = this.#queued.findIndex((it) => kind === undefined || it.kind === kind);
    const queued = at < 0 ? undefined : this.#queued.splice(at, 1)[0];
    if (queued !== undefined) return Promise.resolve(queued);
    const promise = new Promise<RecipeEvent>((resolve, reject) => {
      if (this.#ended) reject(ended(kind));
      else this.#waiters.push({ kind, resolve, reject });
    });
    // A test that has already failed leaves such promises behind: only its own failure matters.
    promise.catch(() => {});
    return promise;
  }

  /** The events in the queue. */
  queued(): RecipeEvent[] {
    return [...this.#queued];
  }

  /** Ends the queue and rejects pending calls. Callers can still take queued events. */
  end(): void {
    this.#ended = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(ended(waiter.kind));
  }
}

function ended(kind: RecipeEventKind | undefined): Error {
  return new Error(`The recipe's server is closed, waiting for: ${kind ?? "any event"}`);
}
