/**
 * What is used of `node:http2`, by either side. It is asked for at run time and typed by its shape.
 *
 * @module
 */

import { builtinModule } from "../realm/builtin_module.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import type { Socket } from "./builtins.ts";

declare function setImmediate(callback: () => void): unknown;

/** Header fields as `node:http2` takes and gives them: in lower case, pseudo-header fields among them. */
export type Http2Fields = Record<string, string | number | string[] | undefined>;

/** What is used of a stream of `node:http2`: one request and its answer. */
export interface Http2Stream {
  /** Whether it has ended. */
  readonly destroyed: boolean;
  /** The code of the RST_STREAM that ended it, of either side; 0: none, or NO_ERROR. */
  readonly rstCode?: number | undefined;
  /** How many bytes wait to be written. */
  readonly writableLength: number;
  /** Its session; none when it has ended. */
  readonly session?: object | null | undefined;
  /** Writes bytes. */
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean;
  /** Ends the writing half: END_STREAM. */
  end(chunk?: Uint8Array): unknown;
  /** Ends it with RST_STREAM. */
  close(code: number): unknown;
  /** Ends it at once. */
  destroy(): unknown;
  /** Stops reading: the peer then has no more room in its window. */
  pause(): unknown;
  /** Reads again. */
  resume(): unknown;
  /** What is there to read, or `null`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  read(): any;
  /** Puts bytes back, to be read first. */
  unshift(chunk: Uint8Array): unknown;
  /** Holds writes back. */
  cork(): void;
  /** Lets them go. */
  uncork(): void;
  /** Listens to `data`, `end`, `close`, `response`, `aborted` and `error`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** Stops listening. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
}

/** What is used of a session's settings (RFC 9113 §6.5.2). */
export interface Http2Settings {
  readonly enableConnectProtocol?: boolean;
  readonly enablePush?: boolean;
  readonly initialWindowSize?: number;
  readonly maxConcurrentStreams?: number;
  readonly maxHeaderListSize?: number;
}

/** What is used of a session of `node:http2`: one connection. */
export interface Http2Session {
  readonly destroyed: boolean;
  readonly closed: boolean;
  readonly socket: object;
  readonly localSettings?: Http2Settings;
  setLocalWindowSize?(size: number): void;
  /** Sends GOAWAY, and ends when the last stream has. */
  close(): void;
  /** Sends GOAWAY with a code, and ends at once. */
  destroy(error?: Error, code?: number): void;
  ref(): void;
  unref(): void;
  // deno-lint-ignore no-explicit-any -- every listener fits
  on(event: string, listener: (...args: any[]) => void): unknown;
  // deno-lint-ignore no-explicit-any -- every listener fits
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
}

/** A client's session. */
export interface ClientHttp2Session extends Http2Session {
  request(
    fields: Http2Fields,
    options: { readonly endStream: boolean },
  ): Http2Stream;
  /** Sends PING; `error` is `null` when it was answered. */
  ping(callback: (error: Error | null) => void): boolean;
}

/** What `http2.createServer` and `http2.connect` are given. */
export interface Http2SessionOptions {
  readonly settings: Http2Settings;
  readonly maxSessionMemory?: number;
  readonly maxHeaderListPairs?: number;
  readonly maxSendHeaderBlockLength?: number;
  readonly createConnection?: () => Socket;
}

/** A server of `node:http2`. */
export interface Http2ServerLike {
  // deno-lint-ignore no-explicit-any -- every listener fits
  on(event: string, listener: (...args: any[]) => void): unknown;
  emit(event: string, ...values: unknown[]): unknown;
}

interface Http2Module {
  connect(authority: string, options: Http2SessionOptions): ClientHttp2Session;
  createServer(options: Http2SessionOptions): Http2ServerLike;
}

/**
 * The module `node:http2`.
 *
 * @throws {UnsupportedError} Where the platform has none: browsers, Node before 20.16.
 */
export function http2Module(): Http2Module {
  const found = builtinModule<Http2Module>("http2");
  if (found !== null) return found;
  throw new UnsupportedError("node:http2", platform(), "Node must be 20.16 or later");
}

/** How many bytes of one stream the peer may send before they are read: 256 KiB. */
export const STREAM_WINDOW = 0x4_0000;

/** RFC 9113 §6.9.2: how many they are where the settings don't say more. */
const DEFAULT_WINDOW = 0xffff;

/** How many bytes of all streams of a session may be in flight: 16 MiB. */
const SESSION_WINDOW = 0x100_0000;

/**
 * Makes room for what is in flight in all streams of a session: by default it is 64 KiB, for all of them together.
 *
 * @param session The session; what it has read it counts no more, whether or not a stream's reader has taken it.
 */
export function widenWindow(session: Http2Session): void {
  if (session.destroyed) return;
  // Bun tells the peer of room in a stream only when half of this much was read of it: no more than a stream has.
  const { initialWindowSize = DEFAULT_WINDOW } = session.localSettings ?? {};
  session.setLocalWindowSize?.(platform() === "bun" ? initialWindowSize : SESSION_WINDOW);
}

const destroyedLater = new WeakSet<object>();

/**
 * Makes a session of Deno end a turn later than it is destroyed. It does nothing on other runtimes.
 *
 * Deno frees a session as soon as it is destroyed, even while it reads a frame of it: its process then ends, or reads
 * memory that is free. A peer can cause that with a GOAWAY, which destroys a session without streams.
 *
 * @param session The session, new.
 */
export function destroyLater(session: Http2Session): void {
  if (platform() !== "deno" || destroyedLater.has(session)) return;
  destroyedLater.add(session);
  const { destroy } = session;
  let isDestroying = false;
  session.destroy = (...reason) => {
    if (isDestroying) return;
    isDestroying = true;
    setImmediate(() => destroy.apply(session, reason));
  };
}

/** RFC 9113 §7: the codes of RST_STREAM and GOAWAY. */
export const ERROR_CODES: readonly string[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** RFC 9113 §7. */
export const NO_ERROR = 0;
/** RFC 9113 §7. */
export const REFUSED_STREAM = 7;
/** RFC 9113 §7. */
export const CANCEL = 8;
/** RFC 9113 §7. */
export const ENHANCE_YOUR_CALM = 11;

/** A code as texts show it, such as `"CANCEL (8)"`. */
export function shownCode(code: number): string {
  const name = ERROR_CODES[code];
  return name === undefined ? String(code) : `${name} (${code})`;
}

const resetHere = new WeakSet<object>();

/** Ends a stream at once, with RST_STREAM. */
export function resetStream(stream: Http2Stream, code: number): void {
  if (stream.destroyed) return;
  resetHere.add(stream);
  stream.close(code);
  stream.destroy();
}

/** Whether {@linkcode resetStream} has ended a stream, and not its peer. */
export function isResetHere(stream: Http2Stream): boolean {
  return resetHere.has(stream);
}

/** Whether a session has ended: Deno ends the streams of a connection that is lost before it. */
export function isSessionLost(session: Http2Session): boolean {
  if (session.destroyed) return true;
  const { destroyed = false } = session.socket as { destroyed?: boolean };
  return destroyed;
}
