/** One end of a message port: values, ends and credit as messages. */

import { messageOf, nameOf } from "../realm/kinds.ts";
import { parentPort } from "../realm/parent_port.ts";
import type { ChannelSink, SinkTarget } from "./channel_sink.ts";
import { ChannelSinkController } from "./sink_controller.ts";
import type { ChannelStream } from "./channel_stream.ts";
import { ChannelStreamController } from "./stream_controller.ts";
import { ignore } from "./errors.ts";
import type { MessagePortChannelOptions, MessagePortLike } from "./message_port_channel.ts";
import { releasePort, takePort } from "./ports_in_use.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf, sizeOfClone } from "./size.ts";

/** What each end may send before it has heard anything, in bytes. Part of the wire format. */
const FIRST_CREDIT = DEFAULT_HIGH_WATER_MARK;

/** The events of a worker. */
export interface WorkerEvents {
  /** The other end has gone, a worker with an exit code. */
  onEnd(exitCode: number | null): void;
  /** The worker could not be loaded or has crashed. */
  onFailure(error: Error): void;
}

/** The events of a port. */
export interface PortEvents extends WorkerEvents {
  /** A message has arrived. */
  onMessage(message: unknown): void;
  /** A message has arrived that can't be read. */
  onError(): void;
}

type Handlers = Readonly<Record<string, (value: unknown) => void>>;

/**
 * Listens to a port of whichever kind, and starts it.
 *
 * @returns A function that stops listening.
 */
export function watchPort(port: MessagePortLike, events: PortEvents): () => void {
  const onMessage = port.addEventListener === undefined
    ? (value: unknown) => events.onMessage(value)
    : (event: unknown) => events.onMessage((event as MessageEvent).data);
  const unwatch = watch(port, { message: onMessage, messageerror: () => events.onError() });
  const unwatchWorker = isWorker(port)
    ? watchWorker(port, events)
    : watch(port, { close: () => events.onEnd(null) });
  const stop = (): void => {
    unwatch();
    unwatchWorker();
  };
  try {
    port.start?.();
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

/**
 * Listens to how a worker ends. A port that is no worker is left alone.
 *
 * @returns A function that stops listening.
 */
export function watchWorker(port: MessagePortLike, events: WorkerEvents): () => void {
  if (!isWorker(port)) return ignore;
  let failure: Error | null = null;
  const exit = (code: unknown): void => {
    if (failure === null) events.onEnd(typeof code === "number" ? code : null);
    else events.onFailure(failure);
  };
  // node:worker_threads: the messages that were posted before come between `error` and `exit`.
  const error = (cause: unknown): void => void (failure = workerFailed(messageOf(cause), cause));
  if (port.addEventListener === undefined) return watch(port, { error, exit, close: exit });
  return watch(port, {
    error: (event) => {
      const { error, message } = event as { error?: unknown; message?: string };
      // The stream tells it; Deno would end the process as well.
      (event as Event).preventDefault();
      events.onFailure(workerFailed(message, error ?? event));
    },
    // Of Bun only.
    close: (event) => exit((event as { code?: unknown }).code),
  });
}

function isWorker(port: MessagePortLike): boolean {
  // What is only a Node EventEmitter is a worker of node:worker_threads.
  return port.addEventListener === undefined ||
    typeof (port as { terminate?: unknown }).terminate === "function";
}

function workerFailed(message: string | undefined, cause: unknown): Error {
  const why = message ? `: ${message}` : ", the platform doesn't tell why";
  return new Error(`Cannot receive: the worker failed${why}`, { cause });
}

/** Listens to an EventTarget, or to what is only a Node EventEmitter, as its `Worker` is. */
function watch(port: MessagePortLike, handlers: Handlers): () => void {
  const isTarget = port.addEventListener !== undefined;
  if (!isTarget && port.on === undefined) {
    throw new TypeError("Cannot open a channel: the value is no port, it has no addEventListener");
  }
  for (const [type, handler] of Object.entries(handlers)) {
    if (isTarget) port.addEventListener?.(type, handler);
    else port.on?.(type, handler);
  }
  return () => {
    for (const [type, handler] of Object.entries(handlers)) {
      if (isTarget) port.removeEventListener?.(type, handler);
      else port.off?.(type, handler);
    }
  };
}

/** Options of a {@linkcode PortLink}. */
export interface PortLinkOptions<Out> extends MessagePortChannelOptions<Out> {
  /** What the port was sent over: when it is a worker, its end is the port's. */
  readonly carrier?: MessagePortLike;
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
  #unwatchCarrier: () => void = ignore;
  /** What may be sent; below 0 is what was sent beyond it. */
  #credit = FIRST_CREDIT;
  /** What the other end may send, as far as this end knows. */
  #granted = FIRST_CREDIT;
  #isOver = false;

  /** Starts the port. */
  constructor(port: MessagePortLike, options: PortLinkOptions<Out>) {
    if (!options.raw) checkOtherEnd(port);
    takePort(port, "channel");
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
    const events: PortEvents = {
      onMessage: (message) => this.#receive(message),
      onEnd: (exitCode) => this.#lose(exitCode),
      onError: () => this.#fail(new TypeError("Cannot receive: the message can't be deserialized")),
      onFailure: (error) => this.#fail(error),
    };
    try {
      this.#unwatch = watchPort(port, events);
      if (options.carrier !== undefined) {
        this.#unwatchCarrier = watchWorker(options.carrier, events);
      }
      if (!this.#raw && this.#window !== FIRST_CREDIT) this.#post(this.#window - FIRST_CREDIT);
    } catch (error) {
      this.#isOver = true;
      this.#letGo();
      throw error;
    }
    this.#granted = this.#window;
  }

  // What comes.

  #receive(message: unknown): void {
    if (this.#isOver) return;
    if (this.#raw) return this.#stream.add(message as In);
    if (typeof message === "number") return this.#addCredit(message);
    // Others post to workers as well: development tools, other libraries.
    if (!isEnvelope(message)) return;
    if (message.length === 0) return this.#end(null);
    const [value, size = sizeOf(value)] = message;
    this.#granted -= size;
    this.#stream.add(value as In);
    this.#grant();
  }

  #addCredit(credit: number): void {
    if (!Number.isFinite(credit)) return;
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

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#tellEnd();
    this.#end({ error });
  }

  /** The other end has gone without saying so. */
  #lose(exitCode: number | null): void {
    // Deno reports a worker's error after its ports have closed: unhandled, it would end the process.
    this.#unwatchCarrier = ignore;
    if (this.#raw) return this.#end(null);
    const who = exitCode === null ? "the other end has gone" : `the worker exited with ${exitCode}`;
    this.#end({ error: new Error(`Cannot receive: ${who} and had not closed the channel`) });
  }

  #tellEnd(): void {
    if (!this.#raw) this.#post([]);
  }

  #end(failure: { error: unknown } | null): void {
    if (this.#isOver) return;
    this.#release();
    this.#sink.finish(failure?.error);
    if (failure === null) this.#stream.end();
    else this.#stream.fail(failure.error);
  }

  #release(): void {
    this.#isOver = true;
    this.#letGo();
    // What was posted before still arrives. Closing a worker's own scope would end the worker, and
    // closing its parentPort all that it has to say to others.
    const isWorkers = this.#port === globalThis as unknown || this.#port === parentPort();
    if (!isWorkers) this.#port.close?.();
  }

  #letGo(): void {
    this.#unwatch();
    this.#unwatchCarrier();
    releasePort(this.#port, "channel");
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

/** Throws a `TypeError` when more than one other end may answer. */
export function checkOtherEnd(port: object): void {
  // By name: not every platform gives its objects a tag.
  if (port.constructor?.name !== "BroadcastChannel") return;
  const why = "a BroadcastChannel has no single other end";
  throw new TypeError(`Cannot open a channel: ${why}, use it with \`raw: true\``);
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
