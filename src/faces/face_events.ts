/**
 * The events of a `WebSocket`. They use the platform's own classes if it has them.
 *
 * @module
 */

import { messageOf } from "../realm/kinds.ts";

/** How a connection ended, as a close event reports it. */
export interface CloseEventContent {
  /** Whether the closing handshake was completed. */
  readonly wasClean: boolean;
  /** The peer's close code; 1005 when its Close had none, 1006 when it sent no Close. */
  readonly code: number;
  /** The peer's close reason. */
  readonly reason: string;
}

/** The event that a `WebSocket` fires when the connection has ended. */
export interface FaceCloseEvent extends Event, CloseEventContent {}

/** The event that a `WebSocket` fires for each message. */
export interface FaceMessageEvent extends Event {
  /** Text, or bytes in the form of `binaryType`. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  readonly data: any;
  /** The server's origin, such as `"wss://example.com"`. */
  readonly origin: string;
}

/**
 * The event that a `WebSocket` fires before the close event when the connection failed. It always has both members.
 * They are optional in the type because the platform's own error event has neither, and its listeners fit here.
 */
export interface FaceErrorEvent extends Event {
  /** The reason of the failure. */
  readonly message?: string;
  /** The channel's error, such as a `ConnectError`. */
  readonly error?: unknown;
}

/** The standard uses a plain event, which hides the reason from pages. Programs may know it. */
class FailureEvent extends Event implements FaceErrorEvent {
  readonly message: string;
  readonly error: unknown;

  constructor(error: unknown) {
    super("error");
    this.message = messageOf(error);
    this.error = error;
  }
}

/** The close event for Node 20, which has no such class. */
class OwnCloseEvent extends Event implements FaceCloseEvent {
  readonly wasClean: boolean;
  readonly code: number;
  readonly reason: string;

  constructor(type: string, { wasClean, code, reason }: CloseEventContent) {
    super(type);
    this.wasClean = wasClean;
    this.code = code;
    this.reason = reason;
  }

  get [Symbol.toStringTag](): string {
    return "CloseEvent";
  }
}

type CloseEventClass = new (type: string, content: CloseEventContent) => FaceCloseEvent;

/** Creates a close event. */
export function closeEvent(content: CloseEventContent): FaceCloseEvent {
  const platform = (globalThis as Record<string, unknown>)["CloseEvent"];
  const Class = typeof platform === "function" ? platform as CloseEventClass : OwnCloseEvent;
  return new Class("close", content);
}

/** Creates a message event. */
export function messageEvent(data: unknown, origin: string): FaceMessageEvent {
  return new MessageEvent("message", { data, origin });
}

/** Creates an error event. */
export function errorEvent(error: unknown): FaceErrorEvent {
  return new FailureEvent(error);
}

// A subclass may override these methods; internal calls must not use its own.
const { addEventListener, removeEventListener, dispatchEvent } = EventTarget.prototype;

/** Dispatches an event to an object. */
export function fire(target: EventTarget, event: Event): void {
  dispatchEvent.call(target, event);
}

/**
 * The event handlers of an object, such as its `onopen`. A handler is called among the listeners, at the position where
 * it was first set (HTML, "event handlers").
 */
export class EventHandlers {
  readonly #target: EventTarget;
  readonly #handlers = new Map<string, object>();
  readonly #call = (event: Event): void => {
    const handler = this.#handlers.get(event.type);
    if (typeof handler !== "function") return;
    if (Reflect.apply(handler, this.#target, [event]) === false) event.preventDefault();
  };

  /** @param target The object whose events they handle. */
  constructor(target: EventTarget) {
    this.#target = target;
  }

  /** Returns the handler for a type of event; `null` if there is none. */
  get(type: string): unknown {
    return this.#handlers.get(type) ?? null;
  }

  /** Sets the handler; a value that is no object removes it. */
  set(type: string, value: unknown): void {
    const isHandler = typeof value === "function" || typeof value === "object" && value !== null;
    if (!isHandler) {
      this.#handlers.delete(type);
      removeEventListener.call(this.#target, type, this.#call);
      return;
    }
    if (!this.#handlers.has(type)) addEventListener.call(this.#target, type, this.#call);
    this.#handlers.set(type, value);
  }
}
