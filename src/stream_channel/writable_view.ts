import { invalidState } from "./errors.ts";

/** What a {@linkcode WritableView} writes to. */
export interface Viewed<T> {
  /** Whether the user has closed it. */
  readonly isClosed: boolean;
  readonly ready: Promise<void>;
  add(value: T): boolean;
  addError(error: unknown): void;
  close(): Promise<void>;
}

/** A sink as a `WritableStream`. */
export class WritableView<T> {
  readonly stream: WritableStream<T>;
  #controller: WritableStreamDefaultController | undefined;

  /** @param sink Where the values go. */
  constructor(sink: Viewed<T>) {
    this.stream = new WritableStream<T>({
      start: (controller) => void (this.#controller = controller),
      write: (value) => {
        if (!sink.add(value)) throw over();
        return sink.ready;
      },
      close: () => {
        this.#controller = undefined;
        return sink.close();
      },
      abort: (reason) => {
        this.#controller = undefined;
        if (!sink.isClosed) sink.addError(reason);
      },
    }, { highWaterMark: 1 });
  }

  /** The sink takes nothing more. */
  end(failure: { readonly error: unknown } | null): void {
    this.#controller?.error(failure === null ? over() : failure.error);
    this.#controller = undefined;
  }
}

function over(): DOMException {
  return invalidState("Cannot write: the channel is over");
}
