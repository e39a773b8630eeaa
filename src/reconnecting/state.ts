/**
 * The states of a channel that reconnects, and the allowed transitions between them. Only this file changes a state.
 *
 * @module
 */

import type { CloseInfo } from "../web_socket/close_info.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";

/** How a channel that reconnects ended: how its last connection or attempt ended, and what was left. */
export interface ReconnectingCloseInfo extends CloseInfo {
  /** The number of attempts to connect. */
  readonly attempts: number;
  /** The messages that were added and never passed to a transport, in order; may be empty. */
  readonly unsent: MessageInput[];
}

/** The state during an attempt to connect. */
export interface ConnectingState {
  /** The name of the state. */
  readonly name: "connecting";
  /** The number of the attempt since the last stable connection, from 1. */
  readonly attempt: number;
}

/** The state with an open connection. */
export interface OpenState {
  /** The name of the state. */
  readonly name: "open";
  /** The number of the successful attempt since the last stable connection, from 1. */
  readonly attempt: number;
  /** How long there was no connection, in milliseconds, since the previous one or since `connect`. */
  readonly downtime: number;
  /** Whether the server resumes the session. If so, losing the connection neither loses nor repeats a message. */
  readonly resumable: boolean;
}

/** The state while waiting for the next attempt. */
export interface WaitingState {
  /** The name of the state. */
  readonly name: "waiting";
  /** The number of the next attempt since the last stable connection, from 1. */
  readonly attempt: number;
  /** The delay before the next attempt, in milliseconds. */
  readonly delay: number;
  /** The time of the next attempt, in milliseconds since 1970, as from `Date.now()`. */
  readonly until: number;
  /** How the last connection or attempt ended. */
  readonly info: CloseInfo;
}

/**
 * The state while the platform is offline. The next attempt starts when it is online again, or when `reconnect()` is
 * called.
 */
export interface PausedState {
  /** The name of the state. */
  readonly name: "paused";
}

/** The state when the server has lost the session: a new session begins, and `open` follows. Only with resumption. */
export interface ResetState {
  /** The name of the state. */
  readonly name: "reset";
  /** The messages sent in the old session and not acknowledged; the server may or may not have received them. */
  readonly unacknowledged: readonly Message[];
}

/** The state while the channel closes its connection, because the user closed the channel. */
export interface ClosingState {
  /** The name of the state. */
  readonly name: "closing";
}

/** The final state. */
export interface ClosedState {
  /** The name of the state. */
  readonly name: "closed";
  /** How the channel ended. */
  readonly info: ReconnectingCloseInfo;
}

/** The state of a channel that reconnects. */
export type ReconnectingState =
  | ConnectingState
  | OpenState
  | WaitingState
  | PausedState
  | ResetState
  | ClosingState
  | ClosedState;

/** The name of a state; `"new"` before the first one. */
export type StateName = ReconnectingState["name"] | "new";

/** The states that may follow each state. Other changes are ignored: `closed` is final, whatever happens later. */
export const TRANSITIONS: Readonly<Record<StateName, readonly StateName[]>> = {
  new: ["connecting", "paused", "closed"],
  connecting: ["open", "reset", "waiting", "paused", "closed"],
  open: ["waiting", "paused", "closing", "closed"],
  reset: ["open", "waiting", "paused", "closing", "closed"],
  waiting: ["connecting", "paused", "closed"],
  paused: ["connecting", "closed"],
  closing: ["closed"],
  closed: [],
};

/** The current state of a channel. */
export class Life {
  #state: ReconnectingState | null = null;

  /** The name of the state. */
  get name(): StateName {
    return this.#state?.name ?? "new";
  }

  /** The state. Don't read it before the first one. */
  get state(): ReconnectingState {
    return this.#state as ReconnectingState;
  }

  /**
   * Changes the state.
   *
   * @returns Whether the change is allowed; otherwise nothing has changed.
   */
  enter(state: ReconnectingState): boolean {
    if (!TRANSITIONS[this.name].includes(state.name)) return false;
    this.#state = state;
    return true;
  }
}
