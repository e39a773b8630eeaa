/** Sockets with the interface of the global `WebSocket`: how they are made, and what they tell. */

import type { ConnectRequest } from "../web_socket/connect_request.ts";
import { socketOwner } from "./socket_owner.ts";
import type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";

/**
 * Throws unless it looks like a socket. Whether it has every method isn't looked at: this tells apart
 * what was never meant as one.
 */
export function checkSocket(socket: unknown): asserts socket is WebSocketLike {
  const { addEventListener } = (socket ?? {}) as Partial<WebSocketLike>;
  if (typeof addEventListener === "function") return;
  throw new TypeError(
    "Cannot wrap the WebSocket: it must have the interface of one, or be a promise of one",
  );
}

/** React Native's constructor has a third parameter. */
type ReactNativeConstructor = new (
  url: string,
  protocols: string[],
  options: { headers: Record<string, string> },
) => WebSocketLike;

/** Makes a global `WebSocket`; the platform may refuse, by throwing. */
export function createSocket(
  url: string,
  protocols: readonly string[],
  headers: ConnectRequest["headers"],
): WebSocketLike {
  if (headers.length === 0) return new WebSocket(url, [...protocols]);
  const init = { protocols: [...protocols], headers: Object.fromEntries(headers) };
  if (socketOwner() === "react-native") {
    const Socket = WebSocket as unknown as ReactNativeConstructor;
    return new Socket(url, init.protocols, { headers: init.headers });
  }
  // Deno, Node and Bun take an options bag where the standard has the subprotocols.
  return new WebSocket(url, init as unknown as string[]);
}

/** What a socket says that it connects to; `null` where it says nothing, as on a server. */
export function urlOf({ url }: { readonly url?: unknown }): URL | null {
  try {
    return typeof url === "string" ? new URL(url) : null;
  } catch {
    return null;
  }
}

/** What an error event tells: an error, a text, or nothing. */
export function hintOf(event: WebSocketEventLike): unknown {
  return event.error ?? event.message;
}
