import type { ConnectionEvents } from "../web_socket/connection_events.ts";
import type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";

/**
 * Makes a socket report its messages, by changing it, so that sockets without an observer have no overhead.
 *
 * @param socket The socket, before its channel listens to it. A value that is no socket is returned unchanged.
 * @param events The observer of the messages; `null` leaves the socket unchanged.
 * @returns The same socket.
 */
export function observedSocket(
  socket: WebSocketLike,
  events: ConnectionEvents | null,
): WebSocketLike {
  const { send, addEventListener: add } = (socket ?? {}) as Partial<WebSocketLike>;
  if (events === null || typeof send !== "function" || typeof add !== "function") return socket;
  socket.send = (content: string | Uint8Array) => {
    send.call(socket, content);
    events.onMessage("sent", content);
  };
  // Wraps the listener instead of adding one, because the rate limit would count each listener.
  socket.addEventListener = (type: string, listener: (event: WebSocketEventLike) => void) => {
    const observed = (event: WebSocketEventLike): void => {
      events.onMessage("received", event.data as string | Uint8Array);
      listener(event);
    };
    add.call(socket, type, type === "message" ? observed : listener);
  };
  return socket;
}
