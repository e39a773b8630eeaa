import { partsOf } from "../stream_channel/channel_like.ts";
import { Channel } from "../web_socket/channel.ts";
import { inspectAs, shownProtocol } from "../web_socket/inspection.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import {
  EventHandlers,
  type FaceCloseEvent,
  type FaceErrorEvent,
  type FaceMessageEvent,
} from "./face_events.ts";
import {
  checkFaceOptions,
  connectFace,
  type Connector,
  type FaceOptionsSource,
  optionsOf,
  parseTarget,
} from "./face_target.ts";
import {
  CLOSED,
  CLOSING,
  CONNECTING,
  type FaceBinaryType,
  OPEN,
  SocketFace,
} from "./socket_face.ts";
import {
  bufferSource,
  checkArguments,
  clampedShort,
  expose,
  exposeConstants,
  isBlob,
  textOrSequence,
  toText,
} from "./web_idl.ts";

/** The constants of the ready states. */
export interface ReadyStates {
  /** 0: the connection is not open yet. */
  readonly CONNECTING: 0;
  /** 1: messages can be sent. */
  readonly OPEN: 1;
  /** 2: one side has begun to close. */
  readonly CLOSING: 2;
  /** 3: the connection has ended, or could not be opened. */
  readonly CLOSED: 3;
}

/** The events of a `WebSocket`, by type. */
export interface WebSocketFaceEventMap {
  /** Fired when the connection has opened. */
  open: Event;
  /** Fired for each message. */
  message: FaceMessageEvent;
  /** Fired when the connection failed; `close` follows. */
  error: FaceErrorEvent;
  /** Fired when the connection has ended; the last event. */
  close: FaceCloseEvent;
}

/** A listener for one type of event. */
export type WebSocketFaceListener<Type extends keyof WebSocketFaceEventMap> =
  | ((this: WebSocketFace, event: WebSocketFaceEventMap[Type]) => unknown)
  | { handleEvent(event: WebSocketFaceEventMap[Type]): unknown };

/**
 * A `WebSocket` of the WHATWG standard, over a channel of this package. It fires each event in a separate task, so that
 * promises settle between two events.
 *
 * It is assignable to the platform's own type `WebSocket`.
 */
export interface WebSocketFace extends EventTarget, ReadyStates {
  /** The complete URL that it connects to. */
  readonly url: string;
  /** One of `CONNECTING`, `OPEN`, `CLOSING` and `CLOSED`. */
  readonly readyState: 0 | 1 | 2 | 3;
  /**
   * How many bytes of payload were passed to `send` and not yet transmitted. It never decreases within a task, and
   * never after the end.
   */
  readonly bufferedAmount: number;
  /** The extensions in use; empty before the connection is open. */
  readonly extensions: string;
  /** The subprotocol in use; empty if there is none. */
  readonly protocol: string;
  /** The form in which binary messages are delivered. Default `"blob"`. Any other value is ignored. */
  binaryType: FaceBinaryType;
  /** Called when the connection has opened. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onopen: ((event: Event) => any) | null;
  /** Called with each message. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onmessage: ((event: FaceMessageEvent) => any) | null;
  /** Called when the connection failed. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onerror: ((event: FaceErrorEvent) => any) | null;
  /** Called when the connection has ended. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onclose: ((event: FaceCloseEvent) => any) | null;
  /**
   * Sends a message. After the peer's Close, and after `close`, the message is silently dropped, but counts in
   * `bufferedAmount`.
   *
   * @param data Text, bytes, or a Blob. Messages after a Blob wait until it is read.
   * @throws {DOMException} `InvalidStateError` while connecting.
   * @throws {TypeError} When the bytes are in a shared or resizable buffer.
   */
  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void;
  /**
   * Closes the connection after sending all messages. While connecting, it cancels the attempt.
   *
   * @param code The close code: 1000 or 3000–4999. If omitted, the Close frame has none.
   * @param reason The close reason, at most 123 bytes of UTF-8. Without a code, the code is 1000.
   * @throws {DOMException} `InvalidAccessError` for another code, `SyntaxError` for a reason that is too long.
   */
  close(code?: number, reason?: string): void;
  /** See `EventTarget`. */
  addEventListener<Type extends keyof WebSocketFaceEventMap>(
    type: Type,
    listener: WebSocketFaceListener<Type> | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** See `EventTarget`. */
  addEventListener(
    type: string,
    listener: EventListener | EventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** See `EventTarget`. */
  removeEventListener<Type extends keyof WebSocketFaceEventMap>(
    type: Type,
    listener: WebSocketFaceListener<Type> | null,
    options?: boolean | EventListenerOptions,
  ): void;
  /** See `EventTarget`. */
  removeEventListener(
    type: string,
    listener: EventListener | EventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** A class of {@linkcode WebSocketFace}s. It is assignable to `typeof WebSocket` of the DOM's types. */
export interface WebSocketFaceClass extends ReadyStates {
  /** The prototype of the class's objects. */
  readonly prototype: WebSocketFace;
  /**
   * Connects to a server.
   *
   * @param url The URL: `ws:` or `wss:` (`http:` and `https:` are converted to these), without a fragment. It may be
   * relative if there is a `location`.
   * @param protocols The subprotocols to offer: the server must choose one of them.
   * @throws {DOMException} `SyntaxError` when the URL or a subprotocol is malformed, or a subprotocol is offered twice.
   */
  new (url: string | URL, protocols?: string | readonly string[]): WebSocketFace;
}

/** A channel that replaces the URL as an argument of the constructor. */
class Handed {
  readonly channel: WebSocketChannel;

  constructor(channel: WebSocketChannel) {
    this.channel = channel;
  }
}

const READY_STATES: ReadyStates = { CONNECTING, OPEN, CLOSING, CLOSED };

const TYPES = ["open", "message", "error", "close"] as const;

/** All classes of this module. If one of them is the global `WebSocket`, it must not connect with itself. */
const classes = new WeakSet<object>();

/** Whether {@linkcode webSocketClass} created a value. */
export function isFaceClass(value: unknown): boolean {
  return typeof value === "function" && classes.has(value);
}

/** Converts a value to Web IDL's union of `BufferSource`, `Blob` and `USVString`. */
function toData(value: unknown): string | ArrayBuffer | ArrayBufferView | Blob {
  if (isBlob(value)) return value;
  return bufferSource(value, "send") ?? toText(value);
}

/**
 * Creates a class whose objects connect with the given options. It creates each class anew instead of deriving it, so
 * that only one prototype is between an object and `EventTarget`, as in the standard.
 *
 * @param connector The way in which its entry connects.
 * @param source The options of its connections.
 */
export function webSocketClass(
  connector: Connector,
  source: FaceOptionsSource,
): WebSocketFaceClass {
  class WebSocket extends EventTarget {
    readonly #face: SocketFace;
    readonly #url: string;
    readonly #handlers: EventHandlers = new EventHandlers(this);

    constructor(url: unknown, protocols: unknown = undefined) {
      checkArguments("create a WebSocket", 1, arguments.length);
      super();
      if (url instanceof Handed) {
        this.#url = url.channel.url;
        this.#face = new SocketFace(this, url.channel, this.#url, false);
        return;
      }
      const target = parseTarget(toText(url), textOrSequence(protocols, "protocols"));
      this.#url = target.url.href;
      const channel = connectFace(connector, target, optionsOf(connector, source, this.#url));
      this.#face = new SocketFace(this, channel, this.#url, true);
    }

    get url(): string {
      return this.#url;
    }

    get readyState(): number {
      return this.#face.readyState;
    }

    get bufferedAmount(): number {
      return this.#face.bufferedAmount;
    }

    get extensions(): string {
      return this.#face.extensions;
    }

    get protocol(): string {
      return this.#face.protocol;
    }

    get binaryType(): FaceBinaryType {
      return this.#face.binaryType;
    }

    set binaryType(value: unknown) {
      const text = toText(value);
      if (text === "blob" || text === "arraybuffer") this.#face.binaryType = text;
    }

    send(data: unknown): void {
      checkArguments("send", 1, arguments.length);
      this.#face.send(toData(data));
    }

    // As Web IDL says, the `length` of a method is the number of its required arguments.
    close(code: unknown = undefined, reason: unknown = undefined): void {
      const face = this.#face;
      face.close(clampedShort(code) ?? null, reason === undefined ? "" : toText(reason));
    }

    static {
      for (const type of TYPES) {
        const name = `on${type}` as const;
        // An object literal, so that getter and setter get the member's name.
        const member = {
          get [name](): unknown {
            return (this as unknown as WebSocket).#handlers.get(type);
          },
          set [name](value: unknown) {
            (this as unknown as WebSocket).#handlers.set(type, value);
          },
        };
        const property = Object.getOwnPropertyDescriptor(member, name);
        Object.defineProperty(this.prototype, name, property as PropertyDescriptor);
      }
    }
  }
  expose(WebSocket, "WebSocket", [
    ...["url", "readyState", "bufferedAmount", "extensions", "protocol", "binaryType"],
    ...["send", "close"],
    ...TYPES.map((it) => `on${it}`),
  ]);
  exposeConstants(WebSocket, { ...READY_STATES });
  inspectAs(WebSocket.prototype, "WebSocket", (it) => ({
    url: URL.canParse(it.url) ? shownUrl(new URL(it.url)) : it.url,
    readyState: it.readyState,
    protocol: shownProtocol(it.protocol === "" ? null : it.protocol),
    bufferedAmount: it.bufferedAmount,
  }));
  classes.add(WebSocket);
  return WebSocket as unknown as WebSocketFaceClass;
}

/** Does the work of `createWebSocket`. */
export function createClass(connector: Connector, source: FaceOptionsSource): WebSocketFaceClass {
  if (typeof source !== "function") checkFaceOptions(connector, source);
  return webSocketClass(connector, source);
}

/** Does the work of `toWebSocket`. */
export function handOver(Class: WebSocketFaceClass, channel: WebSocketChannel): WebSocketFace {
  // Any object with two streams is a channel; only a WebSocketChannel has a state.
  partsOf(channel);
  if (typeof channel.ready?.then !== "function" || typeof channel.closed?.then !== "function") {
    throw new TypeError("Cannot use the channel: it must be a WebSocketChannel");
  }
  Channel.checkWhole(channel);
  return new Class(new Handed(channel) as unknown as string);
}
