/**
 * The events of a `WebSocket`, of the platform's own classes where it has them.
 *
 * @module
 */

import { messageOf } from "../realm/kinds.ts";

/** How a connection ended, as a close event reports it. */
export interface CloseEventContent {
  /** Whether the closing handshake was completed. */
  readonly wasClean: boolean;
  /** The peer's close code; 1005 when its Close held none, 1006 when there was none. */
  readonly code: number;
  /** The peer's close reason. */
  readonly reason: string;
}

/** What a `WebSocket` fires when the connection has ended. */
export interface FaceCloseEvent extends Event, CloseEventContent {}

/** What a `WebSocket` fires when a message has arrived. */
export interface FaceMessageEvent extends Event {
  /** Text, or bytes in the form that `binaryType` says. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  readonly data: any;
  /** The server's origin, such as `"wss://example.com"`. */
  readonly origin: string;
}

/**
 * What a `WebSocket` fires, before the close event, when the connection was failed. It always has both members; they are
 * optional since the error event of the platform's own class has neither, and its listeners can be given here.
 */
export interface FaceErrorEvent extends Event {
  /** Why. */
  readonly message?: string;
  /** The channel's error, such as a `ConnectError`. */
  readonly error?: unknown;
}

/** WHATWG WebSockets has a plain event. Programs may know more than pages. */
class FailureEvent extends Event implements FaceErrorEvent {
  readonly message: string;
  readonly error: unknown;

  constructor(error: unknown) {
    super("error");
    this.message = messageOf(error);
    this.error = error;
  }
}

/** Node 20 has no class of its own. */
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

/** A close event. */
export function closeEvent(content: CloseEventContent): FaceCloseEvent {
  const platform = (globalThis as Record<string, unknown>)["CloseEvent"];
  const Class = typeof platform === "function" ? platform as CloseEventClass : OwnCloseEvent;
  return new Class("close", content);
}

/** A message event. */
export function messageEvent(data: unknown, origin: string): FaceMessageEvent {
  return new MessageEvent("message", { data, origin });
}

/** An error event. */
export function errorEvent(error: unknown): FaceErrorEvent {
  return new FailureEvent(error);
}

// A subclass may have methods of these names, which are not for this.
const { addEventListener, removeEventListener, dispatchEvent } = EventTarget.prototype;

/** Fires an event at an object. */
export function fire(target: EventTarget, event: Event): void {
  dispatchEvent.call(target, event);
}

/**
 * The event handlers of an object, such as its `onopen`. HTML, "event handlers": a handler is called among the
 * listeners, at the place that it got when it was set first.
 */
export class EventHandlers {
  readonly #target: EventTarget;
  readonly #handlers = new Map<string, object>();
  readonly #call = (event: Event): void => {
    const handler = this.#handlers.get(event.type);
    if (typeof handler !== "function") return;
    if (Reflect.apply(handler, this.#target, [event]) === false) event.preventDefault();
  };

  /** @param target Whose events they handle. */
  constructor(target: EventTarget) {
    this.#target = target;
  }

  /** The handler of a type of events; `null`: none. */
  get(type: string): unknown {
    return this.#handlers.get(type) ?? null;
  }

  /** Sets it; what is no object removes it. */
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
