/**
 * Parses and checks the arguments of the constructors of these classes.
 *
 * @module
 */

import { nameOf } from "../realm/kinds.ts";
import { parseProtocols, parseUrl } from "../web_socket/connect_url.ts";
import { utf8Length } from "../web_socket/message_input.ts";
import { checkWhole, type ConnectOptions } from "../web_socket/options.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";

/**
 * The options with which a class connects: those of `connect`, except the subprotocols, which its constructor takes,
 * and `streamLargerThan`, because these classes deliver whole messages.
 */
export type FaceOptions = Omit<ConnectOptions, "protocols" | "streamLargerThan">;

/**
 * The options of a class, or a function that returns them for each connection, such as with a fresh token.
 *
 * @param url The URL of the connection.
 */
export type FaceOptionsSource = FaceOptions | ((url: string) => FaceOptions);

/** The way in which an entry of the package connects. */
export interface Connector {
  /** Connects to a URL whose port is not blocked. */
  connect(url: URL, options: ConnectOptions): WebSocketChannel;
  /** Returns a failed channel for a blocked port. */
  refuse(url: URL): WebSocketChannel;
  /** Whether the port of a URL is blocked. */
  isBlocked(url: URL): boolean;
  /** Returns additional options for a `WebSocketStream`, if they are available. */
  streamOptions(options: FaceOptions): FaceOptions;
  /** Throws when an option is malformed. */
  check(options: FaceOptions): void;
}

/** The URL and subprotocols of a connection. */
export interface FaceTarget {
  readonly url: URL;
  readonly protocols: readonly string[];
}

/**
 * Parses the arguments of a constructor, as the WHATWG standard says.
 *
 * @param url The URL, as text.
 * @param protocols The subprotocols.
 * @throws {DOMException} `SyntaxError` when the URL or a subprotocol is malformed, or a subprotocol is offered twice,
 * regardless of case.
 */
export function parseTarget(url: string, protocols: readonly string[]): FaceTarget {
  try {
    // After the check of each subprotocol, this checks for duplicates that differ only in case.
    const target = { url: parseUrl(url), protocols: parseProtocols(protocols) };
    parseProtocols([...new Set(target.protocols)].map((it) => it.toLowerCase()));
    return target;
  } catch (error) {
    if (nameOf(error) !== "SyntaxError") throw error;
    throw new DOMException((error as Error).message, "SyntaxError");
  }
}

/**
 * Returns the current options of a class.
 *
 * @throws {TypeError} When they are no options, such as a promise, or contain subprotocols.
 */
export function optionsOf(
  connector: Connector,
  source: FaceOptionsSource,
  url: string,
): FaceOptions {
  if (typeof source !== "function") return source;
  const options = source(url);
  checkFaceOptions(connector, options);
  return options;
}

/** Throws when options are malformed, or contain subprotocols, which the constructor takes. */
export function checkFaceOptions(connector: Connector, options: FaceOptions): void {
  const { protocols, then } = Object(options) as ConnectOptions & Partial<PromiseLike<unknown>>;
  if (protocols !== undefined) {
    throw new TypeError(
      "Cannot use the option protocols: it must be left out if the constructor has subprotocols",
    );
  }
  if (typeof then === "function") {
    throw new TypeError("Cannot use the options: they must be an object, got a promise");
  }
  checkWhole(options as ConnectOptions, "a class gives");
  connector.check(options);
}

/** Connects an object of a class. */
export function connectFace(
  connector: Connector,
  { url, protocols }: FaceTarget,
  options: FaceOptions,
): WebSocketChannel {
  if (connector.isBlocked(url)) return connector.refuse(url);
  return connector.connect(url, { ...options, protocols });
}

/**
 * The maximum size of a reason, in bytes: a control frame has at most 125 bytes (RFC 6455 §5.5), and the code takes
 * two.
 */
const MAX_REASON = 123;

/**
 * Checks a close code and reason, as the WHATWG standard says ("validate close code and reason").
 *
 * @throws {DOMException} `InvalidAccessError` when the code can't be sent, `SyntaxError` when the reason is too long.
 */
export function validateClose(code: number | null, reason: string): void {
  if (code !== null && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    throw new DOMException(
      `Cannot close: the code must be one of 1000 and 3000-4999, got ${code}`,
      "InvalidAccessError",
    );
  }
  const length = utf8Length(reason);
  if (length <= MAX_REASON) return;
  throw new DOMException(
    `Cannot close: the reason must be at most ${MAX_REASON} bytes of UTF-8, got ${length}`,
    "SyntaxError",
  );
}
