/** One end of a message port: values, ends and credit as messages. */

import { nameOf } from "../realm/kinds.ts";
import type { ChannelSink, SinkTarget } from "./channel_sink.ts";
import { ChannelSinkController } from "./sink_controller.ts";
import type { ChannelStream } from "./channel_stream.ts";
import { ChannelStreamController } from "./stream_controller.ts";
import { ignore } from "./errors.ts";
import type { MessagePortChannelOptions, MessagePortLike } from "./message_port_channel.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf, sizeOfClone } from "./size.ts";

/** What each end may send before it has heard anything, in bytes. Part of the wire format. */
const FIRST_CREDIT = DEFAULT_HIGH_WATER_MARK;

/** Who is told of what happens at a port. */
export interface PortListener {
  /** A message has come. */
  onMessage(message: unknown): void;
  /** The other end is gone. */
  onEnd(): void;
  /** A message has come that can't be read. */
  onError(): void;
}

/**
 * Listens to a port of whichever kind, and starts it.
 *
 * @returns A function that stops listening.
 */
export function watchPort(port: MessagePortLike, listener: PortListener): () => void {
  const end = (): void => listener.onEnd();
  const fail = (): void => listener.onError();
  if (port.addEventListener === undefined) {
    const message = (value: unknown): void => listener.onMessage(value);
    return watchEmitter(port, { message, messageerror: fail, close: end, exit: end });
  }
  const message = (event: Event): void => listener.onMessage((event as MessageEvent).data);
  const handlers = Object.entries({ message, messageerror: fail, close: end });
  for (const [type, handler] of handlers) port.addEventListener(type, handler);
  port.start?.();
  return () => {
    for (const [type, handler] of handlers) port.removeEventListener?.(type, handler);
  };
}

/** A Node `Worker` is no EventTarget. */
function watchEmitter(
  port: MessagePortLike,
  handlers: Record<string, (value: unknown) => void>,
): () => void {
  if (port.on === undefined) throw new TypeError("Cannot listen: this is no port");
  for (const [type, handler] of Object.entries(handlers)) port.on(type, handler);
  return () => {
    for (const [type, handler] of Object.entries(handlers)) port.off?.(type, handler);
  };
}

/**
 * The channel over a port.
 *
 * Credit is counted in bytes, by the sender: a value travels as `[value, size]`, because a clone need
 * not count the same; text and numbers, which do, as `[value]`. A number
 * that comes may be sent in addition; one is posted when at least half the window can be given, so
 * a credit costs a message only now and then.
 */
export class PortLink<In, Out> implements SinkTarget<Out> {
  readonly stream: ChannelStream<In>;
  readonly sink: ChannelSink<Out>;

  readonly #port: MessagePortLike;
  readonly #raw: boolean;
  readonly #window: number;
  readonly #transfer: ((value: Out) => readonly object[]) | undefined;
  readonly #stream: ChannelStreamController<In>;
  readonly #sink: ChannelSinkController<Out>;
  #unwatch: () => void = ignore;
  /** What may be sent; below 0 is what was sent beyond it. */
  #credit = FIRST_CREDIT;
  /** What the other end may send, as far as this end knows. */
  #granted = FIRST_CREDIT;
  #isOver = false;

  /** Starts the port. */
  constructor(port: MessagePortLike, options: MessagePortChannelOptions<Out>) {
    this.#port = port;
    this.#raw = options.raw ?? false;
    this.#window = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#transfer = options.transfer;
    this.#stream = new ChannelStreamController<In>({
      resume: () => this.#grant(),
      close: () => this.sink.close(),
    }, {
      highWaterMark: Math.ceil(this.#window / 2),
      sizeOf: (value) => sizeOfClone(value, this.#window),
    });
    // There is room as long as nothing was sent beyond the credit.
    this.#sink = new ChannelSinkController<Out>(this, { highWaterMark: 1 });
    this.stream = this.#stream.stream;
    this.sink = this.#sink.sink;
    this.#unwatch = watchPort(port, {
      onMessage: (message) => this.#receive(message),
      onEnd: () => this.#end(null),
      onError: () => this.#fail("the message can't be deserialized"),
    });
    if (!this.#raw && this.#window !== FIRST_CREDIT) this.#post(this.#window - FIRST_CREDIT);
    this.#granted = this.#window;
  }

  // What comes.

  #receive(message: unknown): void {
    if (this.#isOver) return;
    if (this.#raw) return this.#stream.add(message as In);
    if (typeof message === "number") return this.#addCredit(message);
    if (!isEnvelope(message)) {
      return this.#fail("the other end is no MessagePortChannel");
    }
    if (message.length === 0) return this.#end(null);
    const [value, size = sizeOf(value)] = message;
    this.#granted -= size;
    this.#stream.add(value as In);
    this.#grant();
  }

  #addCredit(credit: number): void {
    if (!Number.isFinite(credit)) return this.#fail("the credit is no number of bytes");
    this.#credit += credit;
    this.#sink.drained();
  }

  /** Lets the other end send what there is room for, where that is worth a message. */
  #grant(): void {
    if (this.#isOver || this.#raw) return;
    const credit = this.#window - this.#stream.queuedSize - this.#granted;
    if (credit * 2 < this.#window) return;
    this.#granted += credit;
    this.#post(credit);
  }

  // Ending.

  #fail(what: string): void {
    if (this.#isOver) return;
    this.#tellEnd();
    this.#end({ error: new TypeError(`Cannot receive: ${what}`) });
  }

  #tellEnd(): void {
    if (!this.#raw) this.#post([]);
  }

  #end(failure: { error: unknown } | null): void {
    if (this.#isOver) return;
    this.#release();
    this.#sink.finish();
    if (failure === null) this.#stream.end();
    else this.#stream.fail(failure.error);
  }

  #release(): void {
    this.#isOver = true;
    this.#unwatch();
    // What was posted before still arrives. A worker's own scope would end the worker.
    if (this.#port !== globalThis as unknown) this.#port.close?.();
  }

  #post(message: unknown): void {
    this.#port.postMessage(message, []);
  }

  // The sink's target.

  get bufferedAmount(): number {
    return this.#credit < 0 ? -this.#credit : 0;
  }

  add(value: Out): boolean {
    if (this.#isOver) return false;
    const transfer = this.#transfer?.(value) ?? [];
    // Asked before: what is transferred has no size any more. One more than the credit is enough.
    const size = this.#raw ? 0 : sizeOfClone(value, Math.max(this.#credit, this.#window) + 1);
    try {
      this.#port.postMessage(this.#raw ? value : envelope(value, size), transfer);
    } catch (cause) {
      throw new TypeError(`Cannot add: ${whyNotPosted(cause, transfer)}`, { cause });
    }
    this.#credit -= size;
    return true;
  }

  close(): void {
    if (!this.#isOver) {
      this.#tellEnd();
      this.#release();
    }
    this.#stream.discard();
    this.#sink.finish();
  }

  abort(error: unknown): void {
    this.#sink.fail(error);
    this.close();
  }
}

type Envelope = [value?: unknown, size?: number];

function envelope(value: unknown, size: number): Envelope {
  return typeof value === "object" || typeof value === "bigint" ? [value, size] : [value];
}

function isEnvelope(message: unknown): message is Envelope {
  if (!Array.isArray(message) || message.length > 2) return false;
  return message.length < 2 || Number.isFinite(message[1]) && message[1] >= 0;
}

function whyNotPosted(cause: unknown, transfer: readonly object[]): string {
  const name = nameOf(cause);
  // Not everything that is thrown is about cloning: a getter of the value may throw as well.
  if (name !== "DataCloneError") return `posting the value threw ${name || typeof cause}`;
  return transfer.length === 0
    ? "the value can't be cloned"
    : "the value can't be cloned, or what `transfer` returned can't be transferred";
}
