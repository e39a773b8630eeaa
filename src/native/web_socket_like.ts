/** The parts of a {@linkcode WebSocketLike}'s events that this package reads. */
export interface WebSocketEventLike {
  /** The content of a message. */
  readonly data?: unknown;
  /** The close code. */
  readonly code?: number | undefined;
  /** The close reason. */
  readonly reason?: string | undefined;
  /** Whether the closing handshake was completed. */
  readonly wasClean?: boolean | undefined;
  /** The text of an error event. */
  readonly message?: string | undefined;
  /** The error of an error event. */
  readonly error?: unknown;
}

/** A socket with the members of the platform's `WebSocket` that this package uses. */
export interface WebSocketLike {
  /** The state: 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** The negotiated subprotocol, or the empty string. */
  readonly protocol?: string | undefined;
  /** The extensions in use. */
  readonly extensions?: string | undefined;
  /** The URL of the connection. */
  readonly url?: string | undefined;
  /** The number of bytes queued for sending. */
  readonly bufferedAmount: number;
  /** The type of binary messages; the channel sets it to `"arraybuffer"`. */
  binaryType: string;
  /** Sends a message: text or bytes. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  send(data: any): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Adds a listener for `open`, `message`, `error` or `close`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  addEventListener(type: any, listener: (event: any) => void): void;
  /** Ends the connection at once, if the socket supports it. */
  terminate?: (() => void) | undefined;
}
