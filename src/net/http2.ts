/**
 * The parts of `node:http2` that clients and servers use. The module is loaded at run time and typed by its shape.
 *
 * @module
 */

import { builtinModule } from "../realm/builtin_module.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import type { Socket } from "./builtins.ts";

declare function setImmediate(callback: () => void): unknown;

/** Header fields as `node:http2` represents them: in lower case, including pseudo-header fields. */
export type Http2Fields = Record<string, string | number | string[] | undefined>;

/** The part of a `node:http2` stream that this package uses: one request and its answer. */
export interface Http2Stream {
  /** Whether the stream has ended. */
  readonly destroyed: boolean;
  /** The code of the RST_STREAM, sent by either side, that ended the stream; 0: none, or NO_ERROR. */
  readonly rstCode?: number | undefined;
  /** The number of bytes queued for writing. */
  readonly writableLength: number;
  /** The session of the stream; not set when it has ended. */
  readonly session?: object | null | undefined;
  /** Writes bytes. */
  write(chunk: Uint8Array, callback?: (error?: Error | null) => void): boolean;
  /** Ends the writable side with END_STREAM. */
  end(chunk?: Uint8Array): unknown;
  /** Ends the stream with RST_STREAM. */
  close(code: number): unknown;
  /** Ends the stream at once. */
  destroy(): unknown;
  /** Stops reading, so the peer's window fills up. */
  pause(): unknown;
  /** Resumes reading. */
  resume(): unknown;
  /** Returns what can be read now, or `null`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  read(): any;
  /** Puts bytes back at the front of what is read. */
  unshift(chunk: Uint8Array): unknown;
  /** Buffers writes until `uncork`. */
  cork(): void;
  /** Writes what was buffered since `cork`. */
  uncork(): void;
  /** Adds a listener for `data`, `end`, `close`, `response`, `aborted` or `error`. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** Removes a listener. */
  // deno-lint-ignore no-explicit-any -- every library's own declaration of it must fit
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
}

/** Header fields that RFC 9113 §8.2.2 forbids because they describe a connection. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Converts header fields to those of `node:http2`: with lower-case names, without fields about the connection, and with
 * the values of a repeated name in one (RFC 9110 §5.3), because `node:http2` rejects some repeated names.
 *
 * @param pairs The fields, with pseudo-header fields as well.
 */
export function http2Fields(
  pairs: Iterable<readonly [name: string, value: string]>,
): Http2Fields {
  const values = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (OF_CONNECTIONS.has(lower)) continue;
    const before = values.get(lower);
    // RFC 6265 §3: cookies that a server sets must not be combined.
    if (lower === "set-cookie") values.set(lower, [...before ?? [], value]);
    else if (before === undefined) values.set(lower, value);
    else values.set(lower, `${before}${lower === "cookie" ? ";" : ","} ${value}`);
  }
  return Object.fromEntries(values);
}

/** The part of a session's settings that this package uses (RFC 9113 §6.5.2). */
export interface Http2Settings {
  readonly enableConnectProtocol?: boolean;
  readonly enablePush?: boolean;
  readonly initialWindowSize?: number;
  readonly maxConcurrentStreams?: number;
  readonly maxHeaderListSize?: number;
}

/** The part of a `node:http2` session that this package uses: one connection. */
export interface Http2Session {
  readonly destroyed: boolean;
  readonly closed: boolean;
  readonly socket: object;
  readonly localSettings?: Http2Settings;
  setLocalWindowSize?(size: number): void;
  /** Sends GOAWAY, and ends the session with its last stream. */
  close(): void;
  /** Sends GOAWAY with a code. */
  goaway(code: number): void;
  /** Ends the session at once, after a GOAWAY with NO_ERROR. */
  destroy(): void;
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
  /** Sends PING, and calls back with `null` when it was answered. */
  ping(callback: (error: Error | null) => void): boolean;
}

/** The options of `http2.createServer` and `http2.connect`. */
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
 * Returns the module `node:http2`.
 *
 * @throws {UnsupportedError} When the platform has no such module: browsers, Node before 20.16.
 */
export function http2Module(): Http2Module {
  const found = builtinModule<Http2Module>("http2");
  if (found !== null) return found;
  throw new UnsupportedError("node:http2", platform(), "Node must be 20.16 or later");
}

/** How many bytes of one stream the peer may send before they are read: 256 KiB. */
export const STREAM_WINDOW = 0x4_0000;

/** The default of that window, if the settings have none (RFC 9113 §6.9.2). */
const DEFAULT_WINDOW = 0xffff;

/** How many bytes of all streams of a session may be in flight: 16 MiB. */
const SESSION_WINDOW = 0x100_0000;

/**
 * Widens the window of a session, which all its streams share; the default is 64 KiB.
 *
 * @param session The session. It frees its window when it has read data, even if no stream's reader has taken it.
 */
export function widenWindow(session: Http2Session): void {
  if (session.destroyed) return;
  if (platform() !== "bun") return session.setLocalWindowSize?.(SESSION_WINDOW);
  // Bun updates a stream's window only when half of this amount was read, so it must not exceed a stream's window.
  const widen = ({ initialWindowSize = DEFAULT_WINDOW }: Http2Settings): void => {
    if (!session.destroyed) session.setLocalWindowSize?.(initialWindowSize);
  };
  widen(session.localSettings ?? {});
  // Bun reports its own settings when the peer has acknowledged them.
  session.on("localSettings", widen);
}

const destroyedLater = new WeakSet<object>();

/**
 * Delays the end of a session by a turn after `destroy`, on Deno only.
 *
 * Deno frees a session as soon as it is destroyed, even while it reads a frame. The process then crashes, or reads
 * freed memory. A peer can cause this with a GOAWAY, which destroys a session without streams.
 *
 * @param session The new session.
 */
export function destroyLater(session: Http2Session): void {
  if (platform() !== "deno" || destroyedLater.has(session)) return;
  destroyedLater.add(session);
  const { destroy } = session;
  let isDestroying = false;
  // The runtime itself passes arguments.
  session.destroy = (...reason: []) => {
    if (isDestroying) return;
    isDestroying = true;
    setImmediate(() => destroy.apply(session, reason));
  };
}

/** The names of the error codes of RST_STREAM and GOAWAY (RFC 9113 §7). */
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

/** Formats an error code, such as `"CANCEL (8)"`. */
export function shownCode(code: number): string {
  const name = ERROR_CODES[code];
  return name === undefined ? String(code) : `${name} (${code})`;
}

const resetHere = new WeakSet<object>();

/** Ends a stream at once with RST_STREAM. */
export function resetStream(stream: Http2Stream, code: number): void {
  if (stream.destroyed) return;
  resetHere.add(stream);
  stream.close(code);
  stream.destroy();
}

/** Whether {@linkcode resetStream} ended a stream, not its peer. */
export function isResetHere(stream: Http2Stream): boolean {
  return resetHere.has(stream);
}

/** Whether a session has ended. Deno ends the streams of a lost connection before the session. */
export function isSessionLost(session: Http2Session): boolean {
  if (session.destroyed) return true;
  const { destroyed = false } = session.socket as { destroyed?: boolean };
  return destroyed;
}
