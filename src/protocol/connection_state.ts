/**
 * The states of a connection whose opening handshake is done, and the one function that changes
 * them. All that changes a state is in this file, and it doesn't know whose side it is on.
 *
 * @module
 */

/**
 * - `"open"`: messages go both ways (RFC 6455 §4.1).
 * - `"closing"`: our Close frame is out, the peer's isn't in: nothing more is sent but pongs, and the
 *   peer's data is dropped (RFC 6455 §7.1.3).
 * - `"closed"`: nothing is sent or read any more.
 */
export type ConnectionState = "open" | "closing" | "closed";

/**
 * What changes a state: a Close frame sent by our own choice, the peer's Close frame, a failed
 * connection, the end of the transport.
 */
export type ConnectionTrigger = "sendClose" | "receiveClose" | "fail" | "end";

/**
 * RFC 6455 §5.5.1: a Close that is received is answered at once unless one was sent before, so
 * receiving it closes either way. A second Close of our own changes nothing.
 */
const TRANSITIONS: Readonly<
  Record<ConnectionState, Readonly<Record<ConnectionTrigger, ConnectionState>>>
> = {
  open: { sendClose: "closing", receiveClose: "closed", fail: "closed", end: "closed" },
  closing: { sendClose: "closing", receiveClose: "closed", fail: "closed", end: "closed" },
  closed: { sendClose: "closed", receiveClose: "closed", fail: "closed", end: "closed" },
};

/**
 * The state that follows a state. It only ever goes forward.
 *
 * @param state The state.
 * @param trigger What happened.
 * @returns The next state; often the same.
 */
export function stateAfter(state: ConnectionState, trigger: ConnectionTrigger): ConnectionState {
  return TRANSITIONS[state][trigger];
}
