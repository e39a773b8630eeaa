/**
 * The life of a channel that reconnects: its states and what changes them. All that changes a state is in
 * this file.
 *
 * @module
 */

import type { CloseInfo } from "../web_socket/close_info.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import type { MessageInput } from "../web_socket/web_socket_sink.ts";

/** How a channel that reconnects ended for good: how its last connection, or attempt, ended, and more. */
export interface ReconnectingCloseInfo extends CloseInfo {
  /** How many attempts to connect it has made. */
  readonly attempts: number;
  /** The messages that were added and never handed to a transport, in order; may be empty. */
  readonly unsent: MessageInput[];
}

/** An attempt to connect runs. */
export interface ConnectingState {
  /** The name of the state. */
  readonly name: "connecting";
  /** Which attempt it is since the last connection that lasted, from 1. */
  readonly attempt: number;
}

/** There is a connection. */
export interface OpenState {
  /** The name of the state. */
  readonly name: "open";
  /** Which attempt it was since the last connection that lasted, from 1. */
  readonly attempt: number;
  /** How long there was no connection, in milliseconds: since the last one, or since `connect`. */
  readonly downtime: number;
  /** Whether the server resumes: then no message is lost or doubled when the connection is. */
  readonly resumable: boolean;
}

/** The next attempt comes later. */
export interface WaitingState {
  /** The name of the state. */
  readonly name: "waiting";
  /** Which attempt will be next since the last connection that lasted, from 1. */
  readonly attempt: number;
  /** How long it waits, in milliseconds. */
  readonly delay: number;
  /** When the attempt begins, in milliseconds since 1970, as `Date.now()` gives. */
  readonly until: number;
  /** How the last connection or attempt ended. */
  readonly info: CloseInfo;
}

/** The platform is offline: no attempt is made before it is online again, or `reconnect()` is called. */
export interface PausedState {
  /** The name of the state. */
  readonly name: "paused";
}

/**
 * There is a connection again, but the server has forgotten the session: a new one begins, and `open` follows.
 * Only with resumption.
 */
export interface ResetState {
  /** The name of the state. */
  readonly name: "reset";
  /** The messages that were sent in the old session and not acknowledged: the server may have got them or not. */
  readonly unacknowledged: readonly Message[];
}

/** The user has closed the channel, and the connection ends in order. */
export interface ClosingState {
  /** The name of the state. */
  readonly name: "closing";
}

/** The channel has ended for good. */
export interface ClosedState {
  /** The name of the state. */
  readonly name: "closed";
  /** How it ended. */
  readonly info: ReconnectingCloseInfo;
}

/** Where a channel that reconnects is in its life. */
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

/** What may follow each state. Everything else is ignored: `closed` is final, whatever comes late. */
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

/** Where a channel is in its life. */
export class Life {
  #state: ReconnectingState | null = null;

  /** The name of the state. */
  get name(): StateName {
    return this.#state?.name ?? "new";
  }

  /** The state; not before the first one. */
  get state(): ReconnectingState {
    return this.#state as ReconnectingState;
  }

  /**
   * Changes the state.
   *
   * @returns Whether it could follow: otherwise nothing has changed.
   */
  enter(state: ReconnectingState): boolean {
    if (!TRANSITIONS[this.name].includes(state.name)) return false;
    this.#state = state;
    return true;
  }
}
