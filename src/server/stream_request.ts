import { http2Fields, resetStream } from "../net/http2.ts";
import type { HttpRequest, HttpResponse } from "./http_server.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";
import { separated, type ServerHttp2Stream, socketOf, type StreamEvent } from "./accept_stream.ts";

/** Converts a plain HTTP/2 request to the interface of an HTTP/1.1 request. */
export function requestOn(event: StreamEvent): HttpRequest {
  const stream = event.stream as ServerHttp2Stream & AsyncIterable<Uint8Array>;
  const { pseudo: { method = "", path = "" }, raw } = separated(event.fields);
  return {
    method,
    url: path,
    httpVersion: "2.0",
    rawHeaders: raw,
    socket: socketOf(stream) as UpgradeSocket,
    [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
  };
}

/** The response to an HTTP/2 request, with the interface of an HTTP/1.1 response. */
export class StreamResponse implements HttpResponse {
  readonly #stream: ServerHttp2Stream;
  headersSent = false;
  writableEnded = false;
  /** Ignored: HTTP/2 has no reason phrase (RFC 9113 §8.3.2). */
  statusMessage = "";

  /** @param stream The stream of the request. */
  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  writeHead(status: number, headers: string[]): void {
    const pairs: [string, string][] = [[":status", `${status}`]];
    for (let i = 0; i + 1 < headers.length; i += 2) {
      pairs.push([headers[i] as string, headers[i + 1] as string]);
    }
    this.headersSent = true;
    if (!this.destroyed) this.#stream.respond(http2Fields(pairs));
  }

  write(chunk: Uint8Array): boolean {
    return this.destroyed || this.#stream.write(chunk);
  }

  end(chunk?: Uint8Array): void {
    this.writableEnded = true;
    if (!this.destroyed) this.#stream.end(chunk);
  }

  destroy(): void {
    resetStream(this.#stream, INTERNAL_ERROR);
  }

  once(event: "drain" | "close", listener: () => void): void {
    const once = (): void => {
      this.removeListener(event, listener);
      listener();
    };
    this.#listeners.set(listener, once);
    this.#stream.on(event, once);
  }

  readonly #listeners: Map<() => void, () => void> = new Map<() => void, () => void>();

  removeListener(event: "drain" | "close", listener: () => void): void {
    const once = this.#listeners.get(listener);
    this.#listeners.delete(listener);
    if (once !== undefined) this.#stream.removeListener(event, once);
  }
}

/** The error code INTERNAL_ERROR (RFC 9113 §7). */
const INTERNAL_ERROR = 2;
