/**
 * Encodes and parses the messages of `resume.v1`. `docs/reference/resume_protocol.md` specifies the format.
 *
 * A binary message is a user's message, unchanged. The first character of a text message is its type.
 *
 * @module
 */

/** The subprotocol that a client offers, and that a server chooses if it can resume sessions. */
export const RESUME_PROTOCOL = "resume.v1";

/** The first character of a user's text message. */
export const TEXT_MARK = "=";
/** The first character of a {@linkcode Hello}; JSON follows. */
const HELLO_MARK = "!";
/** The first character of an acknowledgement; the number of received messages follows, in decimal digits. */
const COUNT_MARK = "#";
/** The message that requests an acknowledgement at once. */
export const COUNT_REQUEST = "?";
/** The message that says that the following Close ends the session, not only the connection. */
export const LAST_CLOSE = ".";

/** Whether a message is a user's message. */
export function isUsers(message: string | Uint8Array): boolean {
  return typeof message !== "string" || message[0] === TEXT_MARK;
}

/** The first message of either side on each connection. */
export interface Hello {
  /** The session's id; `null` if the client has none yet. */
  readonly session: string | null;
  /**
   * The number of the client's connection, from 1. A connection that was given up may arrive late, and must not take
   * the session from a newer one. In a server's hello it is 0.
   */
  readonly attempt: number;
  /** How many messages of the peer this side has received in the session. */
  readonly received: number;
  /** How many unacknowledged bytes the peer may send. */
  readonly window: number;
  /** The user's subprotocol that the server has chosen. */
  readonly protocol: string | null;
}

/** The maximum length of a session's id, in characters. */
const MAX_ID = 128;
/** The maximum length of a hello, in characters; a longer one isn't parsed. */
const MAX_HELLO = 1024;

/** Formats a hello; omits members without a value. */
export function formatHello(
  hello: { readonly [Member in keyof Hello]?: Exclude<Hello[Member], null> | undefined },
): string {
  return HELLO_MARK + JSON.stringify(hello);
}

/**
 * Reads a hello.
 *
 * @returns The hello; `null` if the message is of another type, is too long, or has members of the wrong type.
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

/** Formats an acknowledgement. */
export function formatCount(received: number): string {
  return COUNT_MARK + received;
}

/**
 * Reads an acknowledgement.
 *
 * @returns The number of received messages; `null` if the message isn't one, such as with a sign, a space, a leading
 * zero or a number that is too large.
 */
export function parseCount(message: string): number | null {
  return /^#(?:0|[1-9]\d{0,15})$/.test(message) ? Number(message.slice(1)) : null;
}
