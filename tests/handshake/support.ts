/**
 * Helpers of the opening handshake's tests: heads as bytes, and every way to split them.
 */

import { assertEquals } from "@std/assert";
import { HandshakeError, type HandshakeFailure } from "../../src/handshake/handshake_error.ts";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import type { ParsedHead, RequestHead, ResponseHead } from "../../src/handshake/http_head.ts";

/** A parser that accepts the bytes of a head. */
export interface Parser<Head> {
  push(chunk: Uint8Array): ParsedHead<Head> | null;
}

/** Converts a text to bytes, one for each code unit. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Converts bytes to a text, one code unit for each. */
export function text(data: Uint8Array): string {
  return Array.from(data, (byte) => String.fromCharCode(byte)).join("");
}

/** A head without the private state of its header map. */
export type Plain<Head> = Omit<Head, "headers"> & { headers: [string, string][]; rest: string };

export function plain<Head extends { headers: HeaderMap }>(
  parsed: ParsedHead<Head>,
): Plain<Head> {
  const { head, rest } = parsed;
  return { ...head, headers: [...head.headers], rest: text(rest) };
}

/** Feeds chunks until the head is complete; `rest` then also holds the unread chunks. */
export function feed<Head>(
  parser: Parser<Head>,
  chunks: readonly Uint8Array[],
): ParsedHead<Head> | null {
  for (const [i, chunk] of chunks.entries()) {
    const parsed = parser.push(chunk);
    if (parsed === null) continue;
    const rest = [parsed.rest, ...chunks.slice(i + 1)].map(text).join("");
    return { head: parsed.head, rest: bytes(rest) };
  }
  return null;
}

/** Returns the tested ways to feed these bytes: whole, one by one, and in two at each position. */
export function splits(data: Uint8Array): Uint8Array[][] {
  const ways = [[data], Array.from(data, (byte) => Uint8Array.of(byte))];
  for (let i = 1; i < data.length; i++) ways.push([data.subarray(0, i), data.subarray(i)]);
  return ways;
}

/** Runs a function that must fail the handshake, and returns the reason. */
export function failure(body: () => unknown): HandshakeFailure {
  try {
    body();
  } catch (error) {
    if (error instanceof HandshakeError) return error.reason;
    throw error;
  }
  throw new Error("Expected a HandshakeError, but nothing was thrown");
}

/** Runs a function that must fail the handshake, and returns the error's message. */
export function failureMessage(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof HandshakeError) return error.message;
    throw error;
  }
  throw new Error("Expected a HandshakeError, but nothing was thrown");
}

/** Creates a valid request's head with the given headers; `null` removes a header. */
export function requestHead(
  changes: Record<string, string | null> = {},
  line: Partial<Omit<RequestHead, "headers">> = {},
): RequestHead {
  const fields = new Map<string, string | null>([
    ["Host", "example.com"],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ["Sec-WebSocket-Version", "13"],
  ]);
  for (const [name, value] of Object.entries(changes)) fields.set(name, value);
  return { method: "GET", target: "/chat", version: "1.1", ...line, headers: headerMap(fields) };
}

/** Creates a valid response's head for the RFC's key with the given headers; `null` removes a header. */
export function responseHead(
  changes: Record<string, string | null> = {},
  line: Partial<Omit<ResponseHead, "headers">> = {},
): ResponseHead {
  const fields = new Map<string, string | null>([
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
  ]);
  for (const [name, value] of Object.entries(changes)) fields.set(name, value);
  const start = { version: "1.1", status: 101, statusText: "Switching Protocols" };
  return { ...start, ...line, headers: headerMap(fields) };
}

/** A value with line feeds becomes several header lines. */
function headerMap(fields: ReadonlyMap<string, string | null>): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of fields) {
    for (const line of value?.split("\n") ?? []) headers.append(name, line);
  }
  return headers;
}

/** The 16 bytes whose base64 form is the key of RFC 6455 §1.3. */
export const NONCE: Uint8Array = bytes("the sample nonce");

/** Checks that each of these functions fails the handshake for the same reason. */
export function assertFailures(
  reason: HandshakeFailure,
  bodies: Iterable<readonly [name: string, body: () => unknown]>,
): void {
  for (const [name, body] of bodies) assertEquals(failure(body), reason, name);
}
