/**
 * The messages of `resume.v1`, as values. The reference of the format is `docs/reference/resume_protocol.md`.
 *
 * A binary message is one of the user's, as it is. The first character of a text says what it is.
 *
 * @module
 */

/** The subprotocol: what a client offers, and what a server chooses that can resume sessions. */
export const RESUME_PROTOCOL = "resume.v1";

/** Begins a text message of the user's. */
export const TEXT_MARK = "=";
/** Begins a {@linkcode Hello}, which is JSON. */
const HELLO_MARK = "!";
/** Begins an acknowledgement: how many messages have been received, in decimal digits. */
const COUNT_MARK = "#";
/** Asks for an acknowledgement at once. */
export const COUNT_REQUEST = "?";
/** The Close that follows ends the session, not only the connection. */
export const LAST_CLOSE = ".";

/** Whether a message is one of the user's. */
export function isUsers(message: string | Uint8Array): boolean {
  return typeof message !== "string" || message[0] === TEXT_MARK;
}

/** The first message of either side on each connection. */
export interface Hello {
  /** The session's id; `null`: the client has none yet. */
  readonly session: string | null;
  /**
   * Which of the client's connections it is, counted from 1: one that was given up may come in late, and must not take the
   * session from a newer one. A server's has none, which is 0.
   */
  readonly attempt: number;
  /** How many messages of the other side's this side has received, in the whole session. */
  readonly received: number;
  /** How many bytes the other side may send that aren't acknowledged. */
  readonly window: number;
  /** The user's subprotocol that the server has chosen. */
  readonly protocol: string | null;
}

/** The maximum length of a session's id, in characters. */
const MAX_ID = 128;
/** The maximum length of a hello, in characters: whatever is longer isn't parsed. */
const MAX_HELLO = 1024;

/** A hello as it is sent: what there is nothing to say of is left out. */
export function formatHello(
  hello: { readonly [Member in keyof Hello]?: Exclude<Hello[Member], null> | undefined },
): string {
  return HELLO_MARK + JSON.stringify(hello);
}

/**
 * Reads a hello.
 *
 * @returns `null` when it isn't one: of another kind, too long, or with members of the wrong type.
 */
export function parseHello(message: string | Uint8Array): Hello | null {
  if (typeof message !== "string" || message[0] !== HELLO_MARK) return null;
  if (message.length > MAX_HELLO) return null;
  let value: Partial<Record<keyof Hello, unknown>> | null;
  try {
    value = JSON.parse(message.slice(1));
  } catch {
    return null;
  }
  const { session = null, attempt = 0, received, window, protocol = null } = value ?? {};
  const isWellFormed = isTextOrNull(session) && isTextOrNull(protocol) && isCount(attempt) &&
    isCount(received) &&
    isCount(window) && window > 0;
  return isWellFormed ? { session, attempt, received, window, protocol } : null;
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string" && value.length <= MAX_ID;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 0;
}

/** An acknowledgement as it is sent. */
export function formatCount(received: number): string {
  return COUNT_MARK + received;
}

/**
 * Reads an acknowledgement.
 *
 * @returns `null` when it isn't one: a sign, a space, a leading zero or a number that is too large.
 */
export function parseCount(message: string): number | null {
  return /^#(?:0|[1-9]\d{0,15})$/.test(message) ? Number(message.slice(1)) : null;
}
