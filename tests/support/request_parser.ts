/** A parser of requests, for tests: in the package an HTTP server parses them. */

import { HeadCollector, type ParsedHead, type RequestHead } from "../../src/handshake/http_head.ts";
import { HandshakeError } from "../../src/handshake/handshake_error.ts";
import { isToken } from "../../src/handshake/subprotocol.ts";

/** A reader of one request's head. */
export class RequestParser {
  readonly #collector = new HeadCollector(readRequestLine);

  /**
   * Takes the next bytes. Don't call it again once it has given a head or thrown.
   *
   * @param chunk The bytes as the transport delivered them; not kept, but `rest` is a view of it.
   * @returns The head and the bytes behind it, or `null` while the head is incomplete.
   * @throws {HandshakeError} When the bytes are no request's head, or a limit is exceeded.
   */
  push(chunk: Uint8Array): ParsedHead<RequestHead> | null {
    const end = this.#collector.push(chunk);
    if (end < 0) return null;
    const { start, headers } = this.#collector;
    // The collector ends only behind a start line, so there is one.
    return { head: { ...start as RequestLine, headers }, rest: chunk.subarray(end) };
  }
}

type RequestLine = Omit<RequestHead, "headers">;

/** RFC 9112 §3: method SP request-target SP HTTP-version. */
function readRequestLine(line: string): RequestLine {
  const [method = "", target = "", protocol = "", more] = line.split(" ", 4);
  // RFC 9112 §2.3: `HTTP/` and two digits with a dot between; the letters are case-sensitive.
  const isLegal = /^HTTP\/[0-9]\.[0-9]$/.test(protocol) && more === undefined;
  if (!isToken(method) || !isTarget(target) || !isLegal) {
    throw new HandshakeError("bad-start-line", "malformed request line");
  }
  return { method, target, version: protocol.slice(5) };
}

/** The visible characters of ASCII, at least one. */
function isTarget(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}
