import type { ChannelSink } from "./channel_sink.ts";
import type { ChannelStream } from "./channel_stream.ts";
import { StreamChannelCompleter } from "./completer.ts";
import { invalidState } from "./errors.ts";
import { readOptions } from "./options.ts";
import { PortLink, watchPort } from "./port_link.ts";
import { type StreamChannel, StreamChannelBase } from "./stream_channel.ts";

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
 * is over the port is closed, unless it is a worker or a worker's `self`. It also ends when the
 * platform tells that the other end is gone (`close` of a port, `exit` of a Node worker). A worker
 * that is terminated in a browser or in Deno is not noticed: close the channel first.
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
   * @param port Both ends know that it is used for this and nothing else.
   * @param options See {@linkcode MessagePortChannelOptions}.
   */
  constructor(port: MessagePortLike, options?: MessagePortChannelOptions<Out>) {
    super();
    const link = new PortLink<In, Out>(port, readPortOptions(options));
    this.stream = link.stream;
    this.sink = link.sink;
  }

  /**
   * A channel over a port that the other end sends with {@linkcode connectSend}. It can be used at
   * once. Where the first message is anything else the stream fails with an `InvalidStateError`.
   *
   * @param port Where the message will come. It is only listened to until then, and stays yours.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @returns The channel.
   */
  static connectReceive<In, Out = In>(
    port: MessagePortLike,
    options?: MessagePortChannelOptions<Out>,
  ): StreamChannel<In, Out> {
    const read = readPortOptions(options);
    const fail = (message: string): void => {
      stop();
      completer.setError(invalidState(`Cannot connect: ${message}`));
    };
    const completer: StreamChannelCompleter<In, Out> = new StreamChannelCompleter<In, Out>({
      onClose: () => fail("the channel was closed"),
    });
    const stop = watchPort(port, {
      onMessage: (message) => {
        if (!isPort(message)) return fail("the first message is no port");
        stop();
        completer.setChannel(new MessagePortChannel<In, Out>(message, read));
      },
      onEnd: () => fail("the port was closed"),
      onError: () => fail("the first message can't be read"),
    });
    return completer.channel;
  }

  /**
   * A channel of its own to the other end of a port, which takes it with
   * {@linkcode connectReceive}: it posts one message, a new port.
   *
   * @param port How to reach the other end. It stays yours.
   * @param options See {@linkcode MessagePortChannelOptions}.
   * @returns The channel.
   */
  static connectSend<In, Out = In>(
    port: MessagePortLike,
    options?: MessagePortChannelOptions<Out>,
  ): MessagePortChannel<In, Out> {
    const read = readPortOptions(options);
    const { port1, port2 } = new MessageChannel();
    port.postMessage(port2, [port2]);
    return new MessagePortChannel<In, Out>(port1, read);
  }
}

function readPortOptions<Out>(
  options: MessagePortChannelOptions<Out> | undefined,
): MessagePortChannelOptions<Out> {
  return readOptions(options, { raw: "boolean", highWaterMark: "size", transfer: "function" });
}

function isPort(message: unknown): message is MessagePortLike {
  return typeof message === "object" && message !== null && "postMessage" in message &&
    typeof message.postMessage === "function";
}
