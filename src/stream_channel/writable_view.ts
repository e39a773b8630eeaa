import { loopGuard } from "./loop_guard.ts";

/** What a {@linkcode WritableView} writes to. */
export interface Viewed<T> {
  /** Whether the user has closed it. */
  readonly isClosed: boolean;
  /** Whether values are dropped. */
  readonly isDisconnected: boolean;
  readonly hasRoom: boolean;
  readonly ready: Promise<void>;
  add(value: T): boolean;
  addError(error: unknown): void;
  close(): Promise<void>;
  /** Rejects when the channel has ended, with the error that says why values were dropped. */
  lost(): Promise<never>;
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
        if (!sink.add(value)) return sink.lost();
        return sink.hasRoom ? loopGuard.step() ?? undefined : roomOf(sink);
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
  end(error: unknown): void {
    this.#controller?.error(error);
    this.#controller = undefined;
  }
}

/** Fulfils when there is room; a value that had to wait for it may be lost by then. */
async function roomOf(sink: Viewed<never>): Promise<void> {
  await sink.ready;
  if (sink.isDisconnected && !sink.isClosed) await sink.lost();
}
