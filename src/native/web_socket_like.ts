/** What {@linkcode WebSocketLike} tells its listeners: the parts of its events that are read. */
export interface WebSocketEventLike {
  /** A message's content. */
  readonly data?: unknown;
  /** The close code. */
  readonly code?: number | undefined;
  /** The close reason. */
  readonly reason?: string | undefined;
  /** Whether the closing handshake was completed. */
  readonly wasClean?: boolean | undefined;
  /** What an error event tells. */
  readonly message?: string | undefined;
  /** What an error event tells. */
  readonly error?: unknown;
}

/** Any socket with the members of the platform's `WebSocket` that are used here. */
export interface WebSocketLike {
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** The subprotocol that was agreed on, or the empty text. */
  readonly protocol?: string | undefined;
  /** The extensions in use. */
  readonly extensions?: string | undefined;
  /** What it connects to. */
  readonly url?: string | undefined;
  /** How many bytes wait to be sent. */
  readonly bufferedAmount: number;
  /** Set to `"arraybuffer"`. */
  binaryType: string;
  /** Sends a message: text or bytes. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  send(data: any): void;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Listens to `open`, `message`, `error` and `close`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  addEventListener(type: any, listener: (event: any) => void): void;
  /** Ends the connection at once, where the socket can. */
  terminate?: (() => void) | undefined;
}
