/** Ports of whichever kind: what is one, how to listen to it, and what it is used for. */

import { messageOf } from "../realm/kinds.ts";
import { ignore, invalidState } from "./errors.ts";

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

/** Throws a `TypeError` unless a value can be posted to. */
export function checkPort(port: MessagePortLike | WorkerScope): asserts port is MessagePortLike {
  const postMessage: unknown = (port as Partial<MessagePortLike> | null | undefined)?.postMessage;
  // A page's own `postMessage` posts to the page itself.
  const isPage = port === globalThis && "document" in port;
  if (typeof postMessage === "function" && !isPage) return;
  const why = port === globalThis ? "this is no worker" : "the value is no port";
  throw new TypeError(`Cannot open a channel: ${why}, it has no postMessage to another end`);
}

/** Throws a `TypeError` when more than one other end may answer. */
export function checkOtherEnd(port: object): void {
  // By name: not every platform gives its objects a tag.
  if (port.constructor?.name !== "BroadcastChannel") return;
  const why = "a BroadcastChannel has no single other end";
  throw new TypeError(`Cannot open a channel: ${why}, use it with \`raw: true\``);
}

/** The events of a port. */
export interface PortEvents {
  /** A message has arrived. */
  onMessage(message: unknown): void;
  /** A message has arrived that can't be read. */
  onError(): void;
  /** The other end has left, a worker with an exit code. */
  onEnd(exitCode: number | null): void;
  /** The worker could not be loaded or has crashed. */
  onFailure(error: Error): void;
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
export function watchWorker(port: MessagePortLike, events: PortEvents): () => void {
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
  const [add, remove] = port.addEventListener === undefined
    ? ["on", "off"] as const
    : ["addEventListener", "removeEventListener"] as const;
  if (port[add] === undefined) {
    throw new TypeError("Cannot open a channel: the value is no port, it has no addEventListener");
  }
  const all = Object.entries(handlers);
  for (const [type, handler] of all) port[add]?.(type, handler);
  return () => {
    for (const [type, handler] of all) port[remove]?.(type, handler);
  };
}

/**
 * What a port is used for. A channel uses it until it ends; `receiving` waits for another port;
 * `received` and `sent` have connected a channel over another port, which happens once.
 */
export type PortUse = "channel" | "receiving" | "received" | "sent";

/** The uses that exclude a new one. */
const CONFLICTS: Readonly<Record<Exclude<PortUse, "received">, readonly PortUse[]>> = {
  channel: ["channel", "receiving"],
  receiving: ["channel", "receiving", "received"],
  sent: ["channel", "sent"],
};

const WHAT: Readonly<Record<PortUse, string>> = {
  channel: "a channel already uses this port",
  receiving: "connectReceive already waits for a message on this port",
  received: "connectReceive was already called with this port",
  sent: "connectSend was already called with this port",
};

const usesOf = new WeakMap<object, Set<PortUse>>();

/**
 * Takes a port for one use.
 *
 * @throws {DOMException} `InvalidStateError` when another use stands in the way: each of the two would
 * get the other's messages.
 */
export function takePort(port: object, use: keyof typeof CONFLICTS): void {
  const uses = usesOf.get(port) ?? new Set();
  for (const other of CONFLICTS[use]) {
    if (uses.has(other)) throw invalidState(`Cannot open a channel: ${WHAT[other]}`);
  }
  usesOf.set(port, uses.add(use));
}

/**
 * Takes a port for one use, and begins that. When beginning throws, the port is free again.
 *
 * @throws {DOMException} `InvalidStateError` as {@linkcode takePort}.
 */
export function beginUse<T>(port: object, use: keyof typeof CONFLICTS, begin: () => T): T {
  takePort(port, use);
  try {
    return begin();
  } catch (error) {
    releasePort(port, use);
    throw error;
  }
}

/** Ends a use of a port; `next` follows it. */
export function releasePort(port: object, use: PortUse, next?: PortUse): void {
  const uses = usesOf.get(port);
  uses?.delete(use);
  if (next !== undefined) uses?.add(next);
}

/** Posts one end of a new channel of ports, and returns the other. */
export function postPort(port: MessagePortLike): MessagePort {
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

/** Whether a message is a port. */
export function isPort(message: unknown): message is MessagePortLike {
  return typeof message === "object" && message !== null && "postMessage" in message &&
    typeof message.postMessage === "function";
}
