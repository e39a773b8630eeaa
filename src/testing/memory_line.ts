import { ChannelSinkController } from "../stream_channel/sink_controller.ts";
import { ChannelStreamController } from "../stream_channel/stream_controller.ts";
import { CountedQueue } from "../stream_channel/counted_queue.ts";
import type { Clock } from "../web_socket/clock.ts";

/** What goes wrong on a {@linkcode MemoryLine}. */
export interface LineFaults {
  /** How long the next piece may be, in bytes. */
  pieceSize(): number;
  /** How long the next piece takes, in milliseconds; 0: it comes from a microtask. */
  delay(): number;
  /** Called with the length of each piece that has arrived. */
  onArrived(line: MemoryLine, length: number): void;
}

/**
 * One way of a connection in memory, as TCP has it: bytes in order, a sender that is told when there is
 * room, and an end behind what was sent. Delivery is never inside the call that sends.
 */
export class MemoryLine {
  /** The sender's side. */
  readonly outgoing: ChannelSinkController<Uint8Array>;
  /** The receiver's side. */
  readonly incoming: ChannelStreamController<Uint8Array>;
  /** Called once, when the end has arrived. */
  onEnded: () => void = () => {};
  /** Called when the sender gives up. */
  onAbort: () => void = () => {};

  readonly #faults: LineFaults | null;
  readonly #clock: Clock;
  readonly #onTheWay = new CountedQueue<Uint8Array>();
  /** What is left of a chunk of which some has arrived. */
  #rest: Uint8Array | null = null;
  #amount = 0;
  #planned = false;
  #timer: unknown;
  #stalled = false;
  #ending = false;
  #ended = false;

  /**
   * @param clock Where delays come from.
   * @param faults What goes wrong; `null`: nothing.
   */
  constructor(clock: Clock, faults: LineFaults | null) {
    this.#clock = clock;
    this.#faults = faults;
    this.incoming = new ChannelStreamController<Uint8Array>({ resume: () => this.#plan() });
    const amount = (): number => this.#amount;
    this.outgoing = new ChannelSinkController<Uint8Array>({
      get bufferedAmount(): number {
        return amount();
      },
      add: (chunk) => this.#add(chunk),
      close: () => this.end(),
      abort: () => this.onAbort(),
    });
  }

  /** Whether the end has arrived, or the connection is no more. */
  get isEnded(): boolean {
    return this.#ended;
  }

  #add(chunk: Uint8Array): void {
    if (this.#ending || this.#ended) return;
    // The receiver may write into what it gets, and the sender into what it sent.
    this.#onTheWay.push(chunk.slice());
    this.#amount += chunk.length;
    this.#plan();
  }

  /** Ends it behind what is on the way. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#plan();
  }

  /** Holds everything back for a time, in milliseconds; `Infinity`: for good. */
  stall(duration: number): void {
    this.#stalled = true;
    if (duration === Infinity) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#stalled = false;
      this.#plan();
    }, duration);
  }

  /** The connection is no more: nothing arrives, and nothing is kept. */
  drop(error?: unknown): void {
    this.#cancelTimer();
    this.#onTheWay.clear();
    this.#rest = null;
    if (!this.#ended) {
      this.#ended = true;
      if (error === undefined) this.incoming.end();
      else this.incoming.fail(error);
    }
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #plan(): void {
    if (this.#planned || this.#stalled || this.#ended) return;
    this.#planned = true;
    const arrive = (): void => {
      this.#timer = undefined;
      this.#planned = false;
      this.#arrive();
    };
    const delay = this.#faults?.delay() ?? 0;
    if (delay > 0) this.#timer = this.#clock.setTimeout(arrive, delay);
    else queueMicrotask(arrive);
  }

  #arrive(): void {
    // What a full receiver doesn't take waits here, as it would in the sender's system. At the end it
    // must come out of the way.
    while (this.#canArrive()) {
      const piece = this.#take();
      this.#amount -= piece.length;
      this.incoming.add(piece);
      this.#faults?.onArrived(this, piece.length);
      if (this.#faults !== null && this.#isFilled) break;
    }
    if (this.#ended) return;
    if (this.outgoing.isWaitedFor) this.outgoing.drained();
    if (this.#canArrive()) return this.#plan();
    if (this.#ending && !this.#isFilled && !this.#stalled) this.#arriveEnd();
  }

  get #isFilled(): boolean {
    return this.#rest !== null || this.#onTheWay.length > 0;
  }

  #canArrive(): boolean {
    return this.#isFilled && !this.#ended && !this.#stalled &&
      (this.#ending || !this.incoming.isPaused);
  }

  #take(): Uint8Array {
    const chunk = this.#rest ?? this.#onTheWay.shift();
    const size = this.#faults?.pieceSize() ?? Infinity;
    this.#rest = size < chunk.length ? chunk.subarray(size) : null;
    return this.#rest === null ? chunk : chunk.subarray(0, size);
  }

  #arriveEnd(): void {
    this.#ended = true;
    this.incoming.end();
    this.onEnded();
  }
}
