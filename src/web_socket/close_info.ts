/**
 * The side or the cause that ended a channel:
 *
 * - `"local"`: this side: its `close`, even if the peer closed at the same time, its `terminate`, an aborted
 *   attempt, an error added to the sink, a message above `maxMessageSize`, or a full receive queue;
 * - `"remote"`: the peer's Close frame;
 * - `"transport"`: the connection could not be opened, or was lost;
 * - `"timeout"`: connecting, closing or a ping took too long;
 * - `"protocol-error"`: the peer broke the protocol.
 */
export type CloseInitiator = "local" | "remote" | "transport" | "timeout" | "protocol-error";

/** The content of a Close frame. */
export interface CloseFrameContent {
  /** The close code; 1005 if the frame had none. */
  readonly code: number;
  /** The close reason; empty if the frame had none. */
  readonly reason: string;
}

/** How a channel ended: the result of {@linkcode WebSocketChannel.closed}. */
export interface CloseInfo {
  /** The peer's close code; 1005 if its Close had none, 1006 if there was no Close. RFC 6455 §7.1.5. */
  readonly code: number;
  /** The peer's close reason. */
  readonly reason: string;
  /**
   * Whether the closing handshake was complete (RFC 6455 §7.1.4): the transport took this side's Close, and
   * the peer's Close arrived.
   */
  readonly wasClean: boolean;
  /** The side or the cause that ended the channel. */
  readonly initiator: CloseInitiator;
  /** The Close frame that this side sent; missing if the transport never took one. */
  readonly sent?: CloseFrameContent;
  /** The Close frame that the peer sent; missing if there was none. */
  readonly received?: CloseFrameContent;
  /**
   * The error that ended the channel, if there was one. For a failed connection it is the same object as that
   * of `ready`. If messages were dropped for no other error, it reports that.
   */
  readonly error?: unknown;
  /**
   * The number of payload bytes that were added or broadcast and never passed to the transport; missing if
   * there were none. Messages that `broadcast` has dropped before, because of its option `slow`, don't count.
   */
  readonly dropped?: number;
  /**
   * The messages that the peer has not acknowledged, in order; missing if there were none. The peer may have
   * received them. Only the channel of a session has this (see `Sessions`).
   */
  readonly unacknowledged?: readonly (string | Uint8Array)[];
}
