/**
 * Parsing of HTTP/1.1 heads as their bytes arrive, and serializing them.
 *
 * It supports what an opening handshake needs: a start line and header fields. Parsing is strict, takes
 * linear time however the bytes are split, and is limited by {@linkcode MAX_START_LINE},
 * {@linkcode MAX_HEADERS}, {@linkcode MAX_HEAD} and {@linkcode MAX_INTERIM_RESPONSES}.
 *
 * @module
 */

import { HandshakeError } from "./handshake_error.ts";
import { HeaderMap, trim } from "./header_map.ts";
import { checkField, firstWord, isFieldValue, printable } from "./request_fields.ts";
import { isToken } from "./subprotocol.ts";

/** The maximum length of a start line in bytes, without its line end. */
export const MAX_START_LINE: number = 8 * 1024;

/** The maximum number of header lines in one head. */
export const MAX_HEADERS: number = 128;

/** The maximum length of a head in bytes, including line ends. */
export const MAX_HEAD: number = 64 * 1024;

/** The maximum number of interim (1xx) answers before the final one. */
export const MAX_INTERIM_RESPONSES: number = 8;

/** The maximum length of a short line, in bytes. */
const SHORT = 256;

/** How many bytes of an answer that isn't HTTP/1.1 an error shows. */
const MAX_SHOWN = 40;

const CR = 13;
const LF = 10;

/** A request's head. */
export interface RequestHead {
  /** The method, such as `"GET"`. */
  readonly method: string;
  /** The request's target as received: path and query. */
  readonly target: string;
  /** The version of HTTP, such as `"1.1"`. */
  readonly version: string;
  /** The header fields. Those of HTTP/2 have a Host in place of `:authority`, and no pseudo-header fields. */
  readonly headers: HeaderMap;
  /** The value of `:protocol` of an extended CONNECT (RFC 8441 §4). */
  readonly protocol?: string;
  /** The value of `:scheme` of that request; empty if it has none. */
  readonly scheme?: string;
}

/** A response's head. */
export interface ResponseHead {
  /** The version of HTTP, such as `"1.1"`. */
  readonly version: string;
  /** The status code, 100–999. */
  readonly status: number;
  /** The reason phrase, which may be empty. */
  readonly statusText: string;
  /** The header fields. */
  readonly headers: HeaderMap;
}

/** The result of a {@linkcode ResponseParser} for a complete head. */
export interface ParsedHead<Head> {
  /** The head. */
  readonly head: Head;
  /** The bytes after the head: a view of the last chunk. */
  readonly rest: Uint8Array;
}

/**
 * Collects a head from chunks, and parses each line as soon as it ends.
 *
 * It reads each byte once. It copies the bytes of a line, so it keeps no chunk.
 */
export class HeadCollector<Start> {
  /** The parsed start line; `null` before its end. */
  start: Start | null = null;
  readonly headers: HeaderMap = new HeaderMap();
  readonly #readStart: (line: string) => Start;
  #fields = 0;
  #line = new Uint8Array(256);
  #length = 0;
  #total = 0;
  #afterCr = false;

  constructor(readStart: (line: string) => Start) {
    this.#readStart = readStart;
  }

  /**
   * Takes bytes up to the end of the head.
   *
   * @returns The index after the head's last byte, or -1 if the chunk ends before it.
   */
  push(chunk: Uint8Array): number {
    for (let i = 0; i < chunk.length; i++) {
      if (this.#take(chunk[i] as number)) return i + 1;
    }
    return -1;
  }

  /**
   * Takes one byte.
   *
   * @returns Whether it is the head's last byte.
   */
  #take(byte: number): boolean {
    if (++this.#total > MAX_HEAD) {
      throw new HandshakeError("head-too-large", `the head is larger than ${MAX_HEAD} bytes`);
    }
    if (this.#afterCr) return this.#endLine(byte);
    if (byte === CR) this.#afterCr = true;
    else this.#append(byte);
    return false;
  }

  /**
   * RFC 9112 §2.2: a line ends with CR and LF. A CR without LF is an error; so is an LF without CR, in
   * `#append`.
   */
  #endLine(byte: number): boolean {
    if (byte !== LF) throw this.#malformed("a CR without LF");
    this.#afterCr = false;
    const line = latin1(this.#line, this.#length);
    this.#length = 0;
    if (this.start === null) this.start = this.#readStart(line);
    else if (line === "") return true;
    else if (++this.#fields <= MAX_HEADERS) readField(line, this.headers);
    else {throw new HandshakeError(
        "too-many-headers",
        `the head has more than ${MAX_HEADERS} lines`,
      );}
    return false;
  }

  #append(byte: number): void {
    if (byte === LF) throw this.#malformed("an LF without CR");
    if (this.start === null && this.#length === MAX_START_LINE) {
      const message = `the start line is longer than ${MAX_START_LINE} bytes`;
      throw new HandshakeError("start-line-too-long", message);
    }
    if (this.#length === this.#line.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#line);
      this.#line = grown;
    }
    this.#line[this.#length++] = byte;
  }

  #malformed(what: string): HandshakeError {
    const place = this.start === null ? "bad-start-line" : "bad-header";
    return new HandshakeError(place, `the head has ${what}`);
  }
}

/**
 * A parser of one response's head. It rejects anything but HTTP/1.x as soon as the first bytes show it.
 *
 * RFC 9110 §15.2: it skips up to {@linkcode MAX_INTERIM_RESPONSES} interim answers (1xx) before the final
 * one. 101 is final, because the protocol changes after it.
 */
export class ResponseParser {
  #collector = new HeadCollector(readStatusLine);
  #interim = 0;
  /** The first bytes; `null` once they have been recognized as a status line. */
  #first: string | null = "";

  /**
   * Takes the next bytes. Don't call it again after it has returned a head or thrown.
   *
   * @param chunk The bytes, in pieces of any size. They are not kept, but `rest` is a view of them.
   * @returns The head and the bytes after it, or `null` while the head is incomplete.
   * @throws {HandshakeError} If the bytes aren't the head of a response, or a limit is exceeded.
   */
  push(chunk: Uint8Array): ParsedHead<ResponseHead> | null {
    if (this.#first !== null) this.#first = checkFirst(this.#first, chunk);
    let rest = chunk;
    for (;;) {
      const end = this.#collector.push(rest);
      if (end < 0) return null;
      const { start, headers } = this.#collector;
      const head = { ...startOf(start), headers };
      rest = rest.subarray(end);
      if (head.status >= 200 || head.status === 101) return { head, rest };
      this.#skipInterim();
      this.#first = checkFirst("", rest);
    }
  }

  #skipInterim(): void {
    if (++this.#interim > MAX_INTERIM_RESPONSES) {
      const message = `the server sent more than ${MAX_INTERIM_RESPONSES} interim (1xx) answers`;
      throw new HandshakeError("too-many-interim-responses", message);
    }
    this.#collector = new HeadCollector(readStatusLine);
  }
}

/** A complete head has a start line. */
function startOf<Start>(start: Start | null): Start {
  return start as Start;
}

/** RFC 9112 §4: HTTP-version SP status-code SP [reason-phrase]; the second SP may be missing. */
function readStatusLine(line: string): Omit<ResponseHead, "headers"> {
  const text = line.slice(STATUS.length - 1);
  if (!isStatus(`${line}\r`) || !isFieldValue(text)) throw notHttp(line);
  return {
    version: line.slice(5, 8),
    status: Number(line.slice(9, 12)),
    statusText: text.slice(1),
  };
}

/** The part of a status line that has a fixed length. */
const STATUS = "HTTP/1.1 200 ";

/** Returns whether a text begins like a status line. A CR follows one without a reason phrase. */
function isStatus(text: string): boolean {
  return /^HTTP\/[0-9]\.[0-9] [1-9][0-9]{2}[ \r]/.test(text);
}

/**
 * Checks the first bytes of an answer.
 *
 * @param first The bytes before this chunk, fewer than a status line has.
 * @returns All bytes so far, or `null` once they are recognized as a status line.
 */
function checkFirst(first: string, chunk: Uint8Array): string | null {
  const text = first + latin1(chunk, Math.min(chunk.length, MAX_SHOWN));
  if (!isStatus(text + STATUS.slice(text.length))) throw notHttp(text);
  return text.length < STATUS.length ? text : null;
}

/** The text ends before a question mark: a peer may echo the request, whose query may be a secret. */
function notHttp(text: string): HandshakeError {
  // RFC 8446 §5.1: a TLS record with an alert or a handshake.
  if (text[1] === "\x03" && "\x15\x16".includes(text.charAt(0))) {
    return new HandshakeError(
      "bad-start-line",
      "the answer is TLS, not HTTP: is the scheme right?",
    );
  }
  const first = text.replace(/^([\r\n]*[^\r\n?]*)[^]*/, "$1");
  const shown = printable(first.slice(0, MAX_SHOWN));
  return new HandshakeError(
    "bad-start-line",
    `the answer is not HTTP/1.1: it begins with "${shown}"`,
  );
}

function readField(line: string, headers: HeaderMap): void {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1);
  // RFC 9112 §5: no whitespace before the colon, and (§5.2) no folded line. Neither leaves a token as the
  // name.
  if (!isToken(name) || !isFieldValue(value)) {
    throw new HandshakeError("bad-header", `the head has a malformed line: ${firstWord(line)}`);
  }
  headers.append(name, trim(value));
}

/** RFC 9110 §5.5: header bytes above ASCII are opaque. Each becomes one code unit. */
function latin1(bytes: Uint8Array, length: number): string {
  let text = "";
  // Nearly all lines are short, and a simple loop is fastest for them. For long lines it would build deep
  // ropes.
  if (length <= SHORT) {
    for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[i] as number);
    return text;
  }
  for (let i = 0; i < length; i += SHORT) {
    text += String.fromCharCode(...bytes.subarray(i, Math.min(i + SHORT, length)));
  }
  return text;
}

/**
 * Serializes a head, including the empty line at its end.
 *
 * @param startLine The start line: printable ASCII.
 * @param headers The header fields, in order.
 * @returns The bytes of the head.
 * @throws {TypeError} If a name isn't a token, or the start line or a value has an invalid character: CR, LF,
 * NUL, another control character, or one above Latin-1.
 */
export function serializeHead(
  startLine: string,
  headers: readonly (readonly [name: string, value: string])[],
): Uint8Array {
  if (!/^[\x20-\x7e]+$/.test(startLine)) {
    throw new TypeError(
      `Cannot send the start line ${firstWord(startLine)}: it must be printable ASCII`,
    );
  }
  const parts = [startLine];
  for (const [name, value] of headers) pushField(parts, name, value);
  parts.push("\r\n\r\n");
  return latin1Bytes(parts);
}

/**
 * Adds a header line to the parts of a head.
 *
 * @param parts The parts before it, without a line end.
 * @param name The field's name.
 * @param value The field's value.
 * @throws {TypeError} If the name or the value is invalid, as in {@linkcode serializeHead}.
 */
export function pushField(parts: string[], name: string, value: string): void {
  checkField(name, value);
  parts.push("\r\n", name, ": ", value);
}

/** Encodes texts whose code units are a byte each. */
export function latin1Bytes(parts: readonly string[]): Uint8Array {
  let length = 0;
  for (let i = 0; i < parts.length; i++) length += (parts[i] as string).length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    const text = parts[i] as string;
    for (let j = 0; j < text.length; j++) bytes[at++] = text.charCodeAt(j);
  }
  return bytes;
}
