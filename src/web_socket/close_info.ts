/**
 * Who or what ended a channel:
 *
 * - `"local"`: this side: its own `close`, also when the peer's came at the same time, its
 *   `terminate`, an aborted attempt, an error added to the sink, a message beyond `maxMessageSize`, a
 *   receive queue that was full;
 * - `"remote"`: the peer's Close frame;
 * - `"transport"`: a connection that couldn't be made, or was lost;
 * - `"timeout"`: connecting, closing or a ping took too long;
 * - `"protocol-error"`: the peer broke the protocol.
 */
export type CloseInitiator = "local" | "remote" | "transport" | "timeout" | "protocol-error";

/** The content of a Close frame. */
export interface CloseFrameContent {
  /** The close code; 1005 when the frame held none. */
  readonly code: number;
  /** The close reason; empty when the frame held none. */
  readonly reason: string;
}

/** How a channel ended: what {@linkcode WebSocketChannel.closed} gives. */
export interface CloseInfo {
  /** The peer's close code; 1005 when its Close held none, 1006 when there was none. RFC 6455 §7.1.5. */
  readonly code: number;
  /** The peer's close reason. */
  readonly reason: string;
  /**
   * Whether the closing handshake was completed (RFC 6455 §7.1.4): the transport took our Close, and
   * the peer's came.
   */
  readonly wasClean: boolean;
  /** Who or what ended the channel. */
  readonly initiator: CloseInitiator;
  /** The Close frame that this side sent; left out when the transport never took it. */
  readonly sent?: CloseFrameContent;
  /** The Close frame that the peer sent. */
  readonly received?: CloseFrameContent;
  /**
   * Why, where there was an error: for a failed connection the same object as `ready`'s. When messages
   * were dropped and nothing else went wrong, an error that says so.
   */
  readonly error?: unknown;
  /**
   * How many bytes of payload were added or broadcast and never handed to the transport; left out when
   * there were none. What `broadcast` has dropped before, by its option `slow`, is not counted.
   */
  readonly dropped?: number;
  /**
   * The messages that were added and that the peer has not acknowledged, in order; left out when there were none. Only a
   * session's channel knows (see `Sessions`): the peer may or may not have received them.
   */
  readonly unacknowledged?: readonly (string | Uint8Array)[];
}
