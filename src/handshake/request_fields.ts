/**
 * What a client may ask for beside subprotocols: header fields, credentials.
 *
 * @module
 */

import { isToken } from "./subprotocol.ts";

// Made once: each literal in a function is an object a call.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Whether a text can be a header field's value: tabs, spaces, and the visible characters of ASCII
 * and Latin-1.
 *
 * @param text The text; may be empty.
 * @returns Whether it can be sent as a value.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.5 RFC 9110 §5.5}
 */
export function isFieldValue(text: string): boolean {
  return FIELD_VALUE.test(text);
}

/**
 * A peer's text for a message: what is not printable ASCII, and quotes and backslashes, as `\xNN`. It
 * could be a command to a terminal.
 *
 * @param text The text, of code units below 256.
 */
export function printable(text: string): string {
  return text.replace(
    /[^ !#-[\]-~]/g,
    (it) => `\\x${it.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** A line for a message: its first word, shortened. The rest may be a secret, or harm a log. */
export function firstWord(line: string): string {
  const start = (/^[\w/.-]{1,20}/.exec(line) ?? [""])[0];
  return JSON.stringify(start.length < line.length ? `${start}…` : start);
}

/**
 * Checks that a header field can be sent.
 *
 * @param name The field's name.
 * @param value The field's value.
 * @throws {TypeError} When the name is no token, or the value holds a character that can't stand in
 * one: CR, LF, NUL and other controls, and all beyond Latin-1.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.5 RFC 9110 §5.5}
 */
export function checkField(name: string, value: string): void {
  if (!isToken(name)) throw new TypeError(`Cannot send a header named: ${firstWord(name)}`);
  // The value may be a secret, so the message names the field only.
  if (typeof value !== "string" || !isFieldValue(value)) {
    throw new TypeError(`Cannot send the value of the header: ${name}`);
  }
}

/** The headers that only the handshake itself, or the framing of a body, may set. */
const RESERVED: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "content-length",
  "transfer-encoding",
  "trailer",
  "te",
  "expect",
]);

/**
 * Whether a header field belongs to the handshake itself, so that a user can't give it.
 *
 * @param name The field's name, in any letter case.
 * @returns Whether it is reserved.
 */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return RESERVED.has(lower) || lower.startsWith("sec-websocket-");
}

/**
 * The value of `Authorization` that a URL's user info stands for: base64 of user name, colon and
 * password (RFC 7617 §2).
 *
 * @param url The URL.
 * @returns The value, or `null` when the URL has neither a user name nor a password.
 */
export function basicCredentials({ username, password }: URL): string | null {
  if (username === "" && password === "") return null;
  return `Basic ${btoa(String.fromCharCode(...percentDecode(`${username}:${password}`)))}`;
}

/**
 * The bytes that a part of a URL stands for: its text is ASCII. What is no escape (`%`, `%zz`) stands for itself.
 *
 * @param text The part, such as the user name.
 */
export function percentDecode(text: string): number[] {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const digits = text.slice(i + 1, i + 3);
    const escape = text.charAt(i) === "%" && /^[0-9A-Fa-f]{2}$/.test(digits);
    bytes.push(escape ? parseInt(digits, 16) : text.charCodeAt(i));
    if (escape) i += 2;
  }
  return bytes;
}
