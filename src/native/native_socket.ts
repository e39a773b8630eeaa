/** Reads sockets with the interface of the global `WebSocket`, and their events. */

import type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";

/**
 * Throws unless a value looks like a socket. It doesn't check every method, but finds values that were never meant as a
 * socket.
 */
export function checkSocket(socket: unknown): asserts socket is WebSocketLike {
  const { addEventListener } = (socket ?? {}) as Partial<WebSocketLike>;
  if (typeof addEventListener === "function") return;
  throw new TypeError(
    "Cannot wrap the WebSocket: it must have the interface of one, or be a promise of one",
  );
}

/** Returns the URL that a socket reports; `null` if it reports none, as on a server. */
export function urlOf({ url }: { readonly url?: unknown }): URL | null {
  try {
    return typeof url === "string" ? new URL(url) : null;
  } catch {
    return null;
  }
}

/** Returns what an error event contains: an error, a text, or nothing. */
export function hintOf(event: WebSocketEventLike): unknown {
  return event.error ?? event.message;
}
