/** What a recipe's server saw, in order, kept until a test asks for it. */

/** Something a recipe's server saw. Plain JSON: binary content is in lower-case hexadecimal. */
export type RecipeEvent =
  /** A whole HTTP request head. */
  | RequestEvent
  /** A whole message of the client's: it has either `text` or `binary`. */
  | { kind: "message"; text: string; binary?: never }
  | { kind: "message"; binary: string; text?: never }
  | { kind: "ping"; payload: string }
  | { kind: "pong"; payload: string }
  /**
   * The Close frame the server got: 1005 if it held no code. 1006 if the connection ended without
   * one. Exactly one for every connection whose handshake the recipe completed, except where the
   * recipe never reads.
   */
  | { kind: "close"; code: number; reason: string }
  /** The client's FIN. */
  | { kind: "end" }
  /** The connection was reset by the client. */
  | { kind: "reset" }
  /** The server's socket is closed in both directions: the last event of a connection. */
  | { kind: "disconnect" }
  /** The client's breach of RFC 6455, or an error of the recipe itself. */
  | { kind: "fault"; message: string };

/** A whole HTTP request head, as the recipe's server got it. */
export interface RequestEvent {
  kind: "request";
  method: string;
  /** The request target, with its query. */
  path: string;
  /** By lower-case name; values of repeated fields are joined with ", ". */
  headers: Record<string, string>;
  /** Each header line as it came: name and value, in order. */
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

/** Events in the order they happened, each handed out once. */
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

  /** The next event, or the next one of a kind: those of other kinds stay in the queue. */
  next(kind: RecipeEventKind | undefined): Promise<RecipeEvent> {
    const at = this.#queued.findIndex((it) => kind === undefined || it.kind === kind);
    const queued = at < 0 ? undefined : this.#queued.splice(at, 1)[0];
    if (queued !== undefined) return Promise.resolve(queued);
    const promise = new Promise<RecipeEvent>((resolve, reject) => {
      if (this.#ended) reject(ended(kind));
      else this.#waiters.push({ kind, resolve, reject });
    });
    // A test that has already failed leaves such promises behind: its own failure is what to show.
    promise.catch(() => {});
    return promise;
  }

  /** The events that no caller has taken yet. */
  queued(): RecipeEvent[] {
    return [...this.#queued];
  }

  /** Ends the queue: rejects the callers that wait. Queued events can still be taken. */
  end(): void {
    this.#ended = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(ended(waiter.kind));
  }
}

function ended(kind: RecipeEventKind | undefined): Error {
  return new Error(`The recipe's server is closed, waiting for: ${kind ?? "any event"}`);
}
