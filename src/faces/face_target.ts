/**
 * What the constructors of these classes do with their arguments.
 *
 * @module
 */

import { nameOf } from "../realm/kinds.ts";
import { parseProtocols, parseUrl } from "../web_socket/connect_url.ts";
import { utf8Length } from "../web_socket/message_input.ts";
import { checkWhole, type ConnectOptions } from "../web_socket/options.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";

/**
 * What a class connects with: options of `connect`, but for the subprotocols, which its constructor has, and
 * `streamLargerThan`: these classes give whole messages.
 */
export type FaceOptions = Omit<ConnectOptions, "protocols" | "streamLargerThan">;

/**
 * The options of a class, or a function that gives them for each connection: a token that is always fresh, for
 * example.
 *
 * @param url Where the connection goes.
 */
export type FaceOptionsSource = FaceOptions | ((url: string) => FaceOptions);

/** How an entry connects. */
export interface Connector {
  /** Connects; `url` has a good port. */
  connect(url: URL, options: ConnectOptions): WebSocketChannel;
  /** A channel to a bad port: it fails. */
  refuse(url: URL): WebSocketChannel;
  /** Whether a URL's port must not be connected to. */
  isBlocked(url: URL): boolean;
  /** What a `WebSocketStream` asks for, where it is available. */
  streamOptions(options: FaceOptions): FaceOptions;
  /** Throws what is wrong with options. */
  check(options: FaceOptions): void;
}

/** Where a connection goes. */
export interface FaceTarget {
  readonly url: URL;
  readonly protocols: readonly string[];
}

/**
 * WHATWG WebSockets, the constructors' steps.
 *
 * @param url The URL, as text.
 * @param protocols The subprotocols.
 * @throws {DOMException} `SyntaxError` when the URL or a subprotocol is malformed, or a subprotocol is offered twice, in
 * whatever case.
 */
export function parseTarget(url: string, protocols: readonly string[]): FaceTarget {
  try {
    // Behind the protocols' own check, that of the same ones in another case.
    const target = { url: parseUrl(url), protocols: parseProtocols(protocols) };
    parseProtocols([...new Set(target.protocols)].map((it) => it.toLowerCase()));
    return target;
  } catch (error) {
    if (nameOf(error) !== "SyntaxError") throw error;
    throw new DOMException((error as Error).message, "SyntaxError");
  }
}

/**
 * The options of a class, as they are now.
 *
 * @throws {TypeError} When they are not options, such as a promise, or have subprotocols.
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

/** Throws what is wrong with options, and when they have what the constructor has. */
export function checkFaceOptions(connector: Connector, options: FaceOptions): void {
  const { protocols, then } = Object(options) as ConnectOptions & Partial<PromiseLike<unknown>>;
  if (protocols !== undefined) {
    throw new TypeError(
      "Cannot use the option protocols: it must be left out where the constructor has subprotocols",
    );
  }
  if (typeof then === "function") {
    throw new TypeError("Cannot use the options: they must be an object, got a promise");
  }
  checkWhole(options as ConnectOptions, "a class gives");
  connector.check(options);
}

/** Connects a class. */
export function connectFace(
  connector: Connector,
  { url, protocols }: FaceTarget,
  options: FaceOptions,
): WebSocketChannel {
  if (connector.isBlocked(url)) return connector.refuse(url);
  return connector.connect(url, { ...options, protocols });
}

/** RFC 6455 §5.5: a control frame's payload is at most 125 bytes, and two of them are the code. */
const MAX_REASON = 123;

/**
 * WHATWG WebSockets, "validate close code and reason".
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
