/** Message ports of all kinds: checking them, listening to them, and tracking their use. */

import { messageOf } from "../realm/kinds.ts";
import { ignore, invalidState } from "./errors.ts";

/**
 * Any object that can be posted to and listened to: a `MessagePort`, a `Worker`, `self` inside a worker, or a
 * `Worker` or `parentPort` of `node:worker_threads`.
 */
export interface MessagePortLike {
  /** Posts a message. */
  postMessage(message: unknown, transfer?: readonly object[]): void;
  /** Adds a listener to an `EventTarget`. */
  addEventListener?(type: string, listener: (event: Event) => void): void;
  /** Removes a listener from an `EventTarget`. */
  removeEventListener?(type: string, listener: (event: Event) => void): void;
  /** Adds a listener to a Node `EventEmitter`. */
  on?(type: string, listener: (value: unknown) => void): unknown;
  /** Removes a listener from a Node `EventEmitter`. */
  off?(type: string, listener: (value: unknown) => void): unknown;
  /** Starts to deliver messages. */
  start?(): void;
  /** Disconnects the port. */
  close?(): void;
}

/**
 * `self` of a worker, as any type library declares it. Those for pages, and Deno's default, declare a window.
 */
export type WorkerScope = typeof globalThis;

/** Throws a `TypeError` if a value isn't a port. */
export function checkPort(port: MessagePortLike | WorkerScope): asserts port is MessagePortLike {
  const postMessage: unknown = (port as Partial<MessagePortLike> | null | undefined)?.postMessage;
  // `postMessage` of a page posts to the page itself.
  const isPage = port === globalThis && "document" in port;
  if (typeof postMessage === "function" && !isPage) return;
  const why = port === globalThis ? "this is not a worker" : "the value is not a port";
  throw new TypeError(`Cannot open a channel: ${why}, it has no postMessage to another end`);
}

/** Throws a `TypeError` if a port may have more than one other end. */
export function checkOtherEnd(port: object): void {
  // Compared by name, because not every platform gives its objects a tag.
  if (port.constructor?.name !== "BroadcastChannel") return;
  const why = "a BroadcastChannel has more than one other end";
  throw new TypeError(`Cannot open a channel: ${why}, use it with \`raw: true\``);
}

/** The events of a port. */
export interface PortEvents {
  /** A message has arrived. */
  onMessage(message: unknown): void;
  /** A message that can't be deserialized has arrived. */
  onError(): void;
  /** The other end has left; a worker has an exit code. */
  onEnd(exitCode: number | null): void;
  /** The worker could not be loaded or has crashed. */
  onFailure(error: Error): void;
}

type Handlers = Readonly<Record<string, (value: unknown) => void>>;

/**
 * Listens to a port of any kind, and starts it.
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
 * Listens for the end of a worker. For other ports, it does nothing.
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
  // In node:worker_threads, messages that were posted before arrive between `error` and `exit`.
  const error = (cause: unknown): void => void (failure = workerFailed(messageOf(cause), cause));
  if (port.addEventListener === undefined) return watch(port, { error, exit, close: exit });
  return watch(port, {
    error: (event) => {
      const { error, message } = event as { error?: unknown; message?: string };
      // The stream reports the error. Without this, Deno would also end the process.
      (event as Event).preventDefault();
      events.onFailure(workerFailed(message, error ?? event));
    },
    // Only Bun emits this event.
    close: (event) => exit((event as { code?: unknown }).code),
  });
}

function isWorker(port: MessagePortLike): boolean {
  // A Node EventEmitter is a worker of node:worker_threads.
  return port.addEventListener === undefined ||
    typeof (port as { terminate?: unknown }).terminate === "function";
}

function workerFailed(message: string | undefined, cause: unknown): Error {
  const why = message ? `: ${message}` : ", the platform doesn't report why";
  return new Error(`Cannot receive: the worker failed${why}`, { cause });
}

/** Adds listeners to an EventTarget, or to a Node EventEmitter, such as Node's `Worker`. */
function watch(port: MessagePortLike, handlers: Handlers): () => void {
  const [add, remove] = port.addEventListener === undefined
    ? ["on", "off"] as const
    : ["addEventListener", "removeEventListener"] as const;
  if (port[add] === undefined) {
    throw new TypeError(
      "Cannot open a channel: the value is not a port, it has no addEventListener",
    );
  }
  const all = Object.entries(handlers);
  for (const [type, handler] of all) port[add]?.(type, handler);
  return () => {
    for (const [type, handler] of all) port[remove]?.(type, handler);
  };
}

/**
 * The use of a port. `channel`: a channel uses it until it ends. `receiving`: it waits for another port.
 * `received` and `sent`: it has connected a channel over another port, which it can do once.
 */
export type PortUse = "channel" | "receiving" | "received" | "sent";

/** The earlier uses with which a new use conflicts. */
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
 * Reserves a port for one use.
 *
 * @throws {DOMException} `InvalidStateError` if another use conflicts: each would get the other's messages.
 */
export function takePort(port: object, use: keyof typeof CONFLICTS): void {
  const uses = usesOf.get(port) ?? new Set();
  for (const other of CONFLICTS[use]) {
    if (uses.has(other)) throw invalidState(`Cannot open a channel: ${WHAT[other]}`);
  }
  usesOf.set(port, uses.add(use));
}

/**
 * Reserves a port for one use, and starts the use. If that throws, the port is free again.
 *
 * @throws {DOMException} `InvalidStateError` if another use conflicts.
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

/** Ends a use of a port, and starts the use `next`, if any. */
export function releasePort(port: object, use: PortUse, next?: PortUse): void {
  const uses = usesOf.get(port);
  uses?.delete(use);
  if (next !== undefined) uses?.add(next);
}

/** Posts one port of a new `MessageChannel`, and returns the other. */
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

/** Returns whether a message is a port. */
export function isPort(message: unknown): message is MessagePortLike {
  return typeof message === "object" && message !== null && "postMessage" in message &&
    typeof message.postMessage === "function";
}
