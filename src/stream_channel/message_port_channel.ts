import type { ChannelSink } from "./channel_sink.ts";
import type { ChannelStream } from "./channel_stream.ts";
import { StreamChannelCompleter } from "./completer.ts";
import { invalidState } from "./errors.ts";
import { readOptions } from "./options.ts";
import { checkOtherEnd, PortLink, watchPort } from "./port_link.ts";
import { beginUse, releasePort } from "./ports_in_use.ts";
import { PairedChannel, type StreamChannel, StreamChannelBase } from "./stream_channel.ts";

/**
 * Whatever can be posted to and listened to: a `MessagePort`, a `Worker`, `self` inside a worker, a
 * `Worker` or `parentPort` of `node:worker_threads`.
 */
export interface MessagePortLike {
  /** Posts a message. */
  postMessage(message: unknown, transfer?: readonly object[]): void;
  /** Listens, on what is an `EventTarget`. */
  addEventListener?(type: string, listener: (event: Event) => void): void;
  /** Stops listening, on what is an `EventTarget`. */
  removeEventListener?(type: string, listener: (event: Event) => void): void;
  /** Listens, on what is only a Node `EventEmitter`. */
  on?(type: string, listener: (value: unknown) => void): unknown;
  /** Stops listening, on what is only a Node `EventEmitter`. */
  off?(type: string, listener: (value: unknown) => void): unknown;
  /** Begins to deliver messages. */
  start?(): void;
  /** Disconnects the port. */
  close?(): void;
}

/**
 * `self` of a worker, whichever library of types declares it: those for pages, and Deno's default, declare
 * a window.
 */
export type WorkerScope = typeof globalThis;

/** Options of a {@linkcode MessagePortChannel}. */
export interface MessagePortChannelOptions<Out = unknown> {
  /**
   * Posts and takes bare values, for an other end that is no `MessagePortChannel`: without an end
   * that it would notice, and without backpressure. Default `false`.
   */
  raw?: boolean | undefined;
  /**
   * How many bytes may wait at this end before the other end's `ready` waits. An object counts about
   * what is inside it. Default 64 KiB.
   */
  highWaterMark?: number | undefined;
  /** Which parts of a value, such as an `ArrayBuffer`, are transferred instead of copied. */
  transfer?: ((value: Out) => readonly object[]) | undefined;
}

/**
 * A channel over a message port, to a worker for example. Both ends have to be one. Corresponds to
 * Dart's `IsolateChannel`, with an end that is noticed and backpressure both ways.
 *
 * Values are cloned structurally; `add` of one that can't be throws a `TypeError`. When the channel
 * ends it closes the port, unless that is a worker, a worker's `self` or its `parentPort`.
 *
 * The stream ends when the other end closes its channel. It fails with an `Error` when the other end goes
 * without that: a worker whose script is missing, doesn't parse or throws (what was thrown is the `cause`), a
 * worker of Node that exits, a port that is closed. With `raw`, an exit and a closed port are the end. A
 * worker that is terminated, or closes itself, in a browser or in Deno is not noticed: close the channel
 * first. A `Worker` keeps a Deno program running also when both ends have closed: terminate it then.
 *
 * Messages of others on the same port are ignored. A port has one channel at a time.
 *
 * On the port, text and numbers travel as `[value]`, other values as `[value, size]` with the bytes that
 * they count, the end as `[]`, and a number is what the other end may
 * send in addition to 64 KiB.
 *
 * @example
 * ```ts
 * import { MessagePortChannel } from "@web-socket/channel/stream-channel";
 *
 * const { port1, port2 } = new MessageChannel();
 * const here = new MessagePortChannel<string>(port1);
 * const there = new MessagePortChannel<string>(port2);
 * there.stream.listen((name) => there.sink.add(`Hello, ${name}!`));
 * here.sink.add("worker");
 * console.log((await here.stream.next()).value); // Hello, worker!
 * await here.sink.close();
 * await there.sink.done;
 * ```
 */
export class MessagePortChannel<In, Out = In> extends StreamChannelBase<In, Out> {
  /** What the other end sends. */
  readonly stream: ChannelStream<In>;
  /** What goes to the other end. */
  readonly sink: ChannelSink<Out>;

  /**
   * Takes over a port, and starts it.
   *
   * @param port The port. The other end opens a channel over its own.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @throws {DOMException} `InvalidStateError` when the port has a channel, or `connectReceive` waits on it.
   * @throws {TypeError} For a `BroadcastChannel` without `raw`, and for what is no port.
   */
  constructor(port: MessagePortLike | WorkerScope, options?: MessagePortChannelOptions<Out>) {
    super();
    const read = readPortOptions(options);
    checkPort(port);
    const link = new PortLink<In, Out>(port, read);
    this.stream = link.stream;
    this.sink = link.sink;
  }

  /**
   * A channel over a port that the other end sends with {@linkcode connectSend}. It can be used at
   * once. Where the first message is anything else the stream fails with an `InvalidStateError`.
   *
   * @param port Where the message will come. It is only listened to until then, and stays yours. When it is a
   * worker, the channel fails with it.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @returns The channel.
   * @throws {DOMException} `InvalidStateError` when the port has a channel, and the second time for one port.
   * @throws {TypeError} For a `BroadcastChannel`, and for what is no port.
   */
  static connectReceive<In, Out = In>(
    port: MessagePortLike | WorkerScope,
    options?: MessagePortChannelOptions<Out>,
  ): StreamChannel<In, Out> {
    const read = readPortOptions(options);
    checkPort(port);
    checkOtherEnd(port);
    const stop = (next?: "received"): void => {
      unwatch();
      releasePort(port, "receiving", next);
    };
    const fail = (error: Error): void => {
      stop();
      completer.setError(error);
    };
    const cannot = (why: string): Error => invalidState(`Cannot connect: ${why}`);
    const completer: StreamChannelCompleter<In, Out> = new StreamChannelCompleter<In, Out>({
      onClose: () => fail(cannot("the channel was closed")),
    });
    const unwatch = beginUse(port, "receiving", () =>
      watchPort(port, {
        onMessage: (message) => {
          if (!isPort(message)) return fail(cannot("the first message is no port"));
          stop("received");
          completer.setChannel(new PortLink<In, Out>(message, { ...read, carrier: port }));
        },
        onEnd: () => fail(cannot("the port was closed")),
        onError: () => fail(cannot("the first message can't be read")),
        onFailure: fail,
      }));
    return completer.channel;
  }

  /**
   * A channel of its own to the other end of a port, which takes it with
   * {@linkcode connectReceive}: it posts one message, a new port.
   *
   * @param port How to reach the other end. It stays yours. When it is a worker, the channel fails with it.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @returns The channel.
   * @throws {DOMException} `InvalidStateError` when the port has a channel, and the second time for one port.
   * @throws {TypeError} For a `BroadcastChannel`, and for what is no port.
   */
  static connectSend<In, Out = In>(
    port: MessagePortLike | WorkerScope,
    options?: MessagePortChannelOptions<Out>,
  ): StreamChannel<In, Out> {
    const read = readPortOptions(options);
    checkPort(port);
    checkOtherEnd(port);
    const port1 = beginUse(port, "sent", () => postPort(port));
    const { stream, sink } = new PortLink<In, Out>(port1, { ...read, carrier: port });
    return new PairedChannel(stream, sink);
  }
}

function checkPort(port: MessagePortLike | WorkerScope): asserts port is MessagePortLike {
  const postMessage: unknown = (port as Partial<MessagePortLike> | null | undefined)?.postMessage;
  // A page's own `postMessage` posts to the page itself.
  const isPage = port === globalThis && "document" in port;
  if (typeof postMessage === "function" && !isPage) return;
  const why = port === globalThis ? "this is no worker" : "the value is no port";
  throw new TypeError(`Cannot open a channel: ${why}, it has no postMessage to another end`);
}

function readPortOptions<Out>(
  options: MessagePortChannelOptions<Out> | undefined,
): MessagePortChannelOptions<Out> {
  return readOptions(options, { raw: "boolean", highWaterMark: "size", transfer: "function" });
}

/** Posts one end of a new channel of ports, and returns the other. */
function postPort(port: MessagePortLike): MessagePort {
  const { port1, port2 } = new MessageChannel();
  try {
    port.postMessage(port2, [port2]);
  } catch (error) {
    port1.close();
    port2.close();
    throw error;
  }
  return port1;
}

function isPort(message: unknown): message is MessagePortLike {
  return typeof message === "object" && message !== null && "postMessage" in message &&
    typeof message.postMessage === "function";
}
