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

/** The ready states, by name. */
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

/** The types of events, with their events. */
export interface WebSocketFaceEventMap {
  /** The connection is open. */
  open: Event;
  /** A message has arrived. */
  message: FaceMessageEvent;
  /** The connection was failed; `close` follows. */
  error: FaceErrorEvent;
  /** The connection has ended: the last event. */
  close: FaceCloseEvent;
}

/** A listener of one type of events. */
export type WebSocketFaceListener<Type extends keyof WebSocketFaceEventMap> =
  | ((this: WebSocketFace, event: WebSocketFaceEventMap[Type]) => unknown)
  | { handleEvent(event: WebSocketFaceEventMap[Type]): unknown };

/**
 * A `WebSocket` as the WHATWG standard has it, over a channel of this package. Each event is fired in a task of its own,
 * so that promises settle between two of them.
 *
 * It can be given where the platform's own type `WebSocket` is asked for.
 */
export interface WebSocketFace extends EventTarget, ReadyStates {
  /** What it connects to, whole. */
  readonly url: string;
  /** One of `CONNECTING`, `OPEN`, `CLOSING` and `CLOSED`. */
  readonly readyState: 0 | 1 | 2 | 3;
  /** How many bytes of payload were sent and not handed on. Within a task it never falls, and never after the end. */
  readonly bufferedAmount: number;
  /** The extensions in use; empty before the connection is open. */
  readonly extensions: string;
  /** The subprotocol in use; empty where there is none. */
  readonly protocol: string;
  /** In what form binary messages are given; at first `"blob"`. Any other value is ignored. */
  binaryType: FaceBinaryType;
  /** Called when the connection is open. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onopen: ((event: Event) => any) | null;
  /** Called with each message. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onmessage: ((event: FaceMessageEvent) => any) | null;
  /** Called when the connection was failed. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onerror: ((event: FaceErrorEvent) => any) | null;
  /** Called when the connection has ended. */
  // deno-lint-ignore no-explicit-any -- as the platform's own
  onclose: ((event: FaceCloseEvent) => any) | null;
  /**
   * Sends a message. After the peer's Close, and after `close`, it is dropped without a word, and counted in
   * `bufferedAmount`.
   *
   * @param data Text, bytes, or a Blob: what is sent behind a Blob waits until that is read.
   * @throws {DOMException} `InvalidStateError` while connecting.
   * @throws {TypeError} When bytes are in shared memory, or in a buffer that can be resized.
   */
  send(data: string | ArrayBuffer | ArrayBufferView | Blob): void;
  /**
   * Closes the connection, behind what was sent. While connecting it gives up.
   *
   * @param code 1000 or 3000–4999; left out, the Close frame carries none.
   * @param reason At most 123 bytes of UTF-8; without a code, 1000 is sent.
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

/** A class of {@linkcode WebSocketFace}s: it can be given where `typeof WebSocket` of the DOM's types is asked for. */
export interface WebSocketFaceClass extends ReadyStates {
  /** What all objects of the class have. */
  readonly prototype: WebSocketFace;
  /**
   * Connects to a server.
   *
   * @param url Where to: `ws:` or `wss:` (`http:` and `https:` are taken as those), relative where there is a
   * `location`, without a fragment.
   * @param protocols The subprotocols to offer: the server must choose one of them.
   * @throws {DOMException} `SyntaxError` when the URL or a subprotocol is malformed, or a subprotocol is offered twice.
   */
  new (url: string | URL, protocols?: string | readonly string[]): WebSocketFace;
}

/** A channel that becomes the connection of a new object, in place of a URL. */
class Handed {
  readonly channel: WebSocketChannel;

  constructor(channel: WebSocketChannel) {
    this.channel = channel;
  }
}

const READY_STATES: ReadyStates = { CONNECTING, OPEN, CLOSING, CLOSED };

const TYPES = ["open", "message", "error", "close"] as const;

/** The classes of this module: connecting one of them with the global `WebSocket` must not come back to it. */
const classes = new WeakSet<object>();

/** Whether a value is a class that {@linkcode webSocketClass} has made. */
export function isFaceClass(value: unknown): boolean {
  return typeof value === "function" && classes.has(value);
}

/** A Web IDL union of `BufferSource`, `Blob` and `USVString`. */
function toData(value: unknown): string | ArrayBuffer | ArrayBufferView | Blob {
  if (isBlob(value)) return value;
  return bufferSource(value, "send") ?? toText(value);
}

/**
 * Makes a class whose objects connect in one way. It is made here, not derived, so that its prototype is the only one
 * between an object and `EventTarget`, as in the standard.
 *
 * @param connector How its entry connects.
 * @param source What it connects with.
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

    // Web IDL: the length of a method is the number of its arguments that must be there.
    close(code: unknown = undefined, reason: unknown = undefined): void {
      const face = this.#face;
      face.close(clampedShort(code) ?? null, reason === undefined ? "" : toText(reason));
    }

    static {
      for (const type of TYPES) {
        const name = `on${type}` as const;
        // A literal, so that both have the member's name in theirs.
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

/** See `createWebSocket`. */
export function createClass(connector: Connector, source: FaceOptionsSource): WebSocketFaceClass {
  if (typeof source !== "function") checkFaceOptions(connector, source);
  return webSocketClass(connector, source);
}

/** See `toWebSocket`. */
export function handOver(Class: WebSocketFaceClass, channel: WebSocketChannel): WebSocketFace {
  // Any two streams are parts of a channel; only a WebSocketChannel has a state.
  partsOf(channel);
  if (typeof channel.ready?.then !== "function" || typeof channel.closed?.then !== "function") {
    throw new TypeError("Cannot use the channel: it must be a WebSocketChannel");
  }
  Channel.checkWhole(channel);
  return new Class(new Handed(channel) as unknown as string);
}
