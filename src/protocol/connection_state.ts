/**
 * The states of a connection after the opening handshake, and the only function that changes them. The same
 * rules apply to both sides.
 *
 * @module
 */

/**
 * - `"open"`: messages are sent and received (RFC 6455 §4.1).
 * - `"closing"`: this side has sent a Close frame and has not received one. It sends nothing but Pongs, and
 *   drops the peer's data (RFC 6455 §7.1.3).
 * - `"closed"`: nothing more is sent or read.
 */
export type ConnectionState = "open" | "closing" | "closed";

/**
 * What changes a state: this side starts the closing handshake, the peer's Close frame arrives, the
 * connection fails, or the transport ends.
 */
export type ConnectionTrigger = "sendClose" | "receiveClose" | "fail" | "end";

/**
 * RFC 6455 §5.5.1: a received Close is answered at once, unless this side has sent one before. So receiving
 * it leads to `"closed"` in either case. A second Close of this side changes nothing.
 */
const TRANSITIONS: Readonly<
  Record<ConnectionState, Readonly<Record<ConnectionTrigger, ConnectionState>>>
> = {
  open: { sendClose: "closing", receiveClose: "closed", fail: "closed", end: "closed" },
  closing: { sendClose: "closing", receiveClose: "closed", fail: "closed", end: "closed" },
  closed: { sendClose: "closed", receiveClose: "closed", fail: "closed", end: "closed" },
};

/**
 * Returns the state that follows a state. A state never goes back.
 *
 * @param state The state.
 * @param trigger What happened.
 * @returns The next state, which may be the same.
 */
export function stateAfter(state: ConnectionState, trigger: ConnectionTrigger): ConnectionState {
  return TRANSITIONS[state][trigger];
}
