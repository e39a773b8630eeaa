/**
 * Checks of header fields, and the credentials of a URL.
 *
 * @module
 */

import { isToken } from "./subprotocol.ts";

// A constant: a literal in a function would create an object on each call.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Returns whether a text can be a header field's value: tabs, spaces, and the visible characters of ASCII and
 * Latin-1.
 *
 * @param text The text, which may be empty.
 * @returns Whether it can be sent as a value.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.5 RFC 9110 §5.5}
 */
export function isFieldValue(text: string): boolean {
  return FIELD_VALUE.test(text);
}

/**
 * Escapes a peer's text for a message: quotes, backslashes and everything but printable ASCII become `\xNN`.
 * Such text could be a command to a terminal.
 *
 * @param text The text; its code units are below 256.
 */
export function printable(text: string): string {
  return text.replace(
    /[^ !#-[\]-~]/g,
    (it) => `\\x${it.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/**
 * Returns the first word of a line for a message, in quotes and shortened. The rest may be a secret, or
 * damage a log.
 */
export function firstWord(line: string): string {
  const start = (/^[\w/.-]{1,20}/.exec(line) ?? [""])[0];
  return JSON.stringify(start.length < line.length ? `${start}…` : start);
}

/**
 * Checks that a header field can be sent.
 *
 * @param name The field's name.
 * @param value The field's value.
 * @throws {TypeError} If the name isn't a token, or the value has an invalid character: CR, LF, NUL, another
 * control character, or one above Latin-1.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-5.5 RFC 9110 §5.5}
 */
export function checkField(name: string, value: string): void {
  if (!isToken(name)) {
    throw new TypeError(`Cannot send the header ${firstWord(name)}: its name must be a token`);
  }
  // The value may be a secret, so the message names the field only.
  if (typeof value !== "string" || !isFieldValue(value)) {
    throw new TypeError(`Cannot send the header ${name}: its value must be printable Latin-1 text`);
  }
}

/** The headers that only the handshake or the framing of a body may set. */
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
 * Returns whether a header field belongs to the handshake itself, so that the user can't set it.
 *
 * @param name The field's name, in any letter case.
 * @returns Whether it is reserved.
 */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return RESERVED.has(lower) || lower.startsWith("sec-websocket-");
}

/**
 * Returns the value of `Authorization` for a URL's user info: base64 of user name, colon and password (RFC
 * 7617 §2).
 *
 * @param url The URL.
 * @returns The value, or `null` if the URL has neither a user name nor a password.
 */
export function basicCredentials({ username, password }: URL): string | null {
  if (username === "" && password === "") return null;
  return `Basic ${btoa(String.fromCharCode(...percentDecode(`${username}:${password}`)))}`;
}

/**
 * Decodes the percent-escapes in a part of a URL. A `%` that starts no escape, as in `%zz`, stands for
 * itself.
 *
 * @param text The part, in ASCII, such as the user name.
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
