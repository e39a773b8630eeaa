/** Sockets with the interface of the global `WebSocket`: how they are made, and what they tell. */

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
