import type { ConnectionEvents } from "../web_socket/connection_events.ts";
import type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";

/**
 * Lets a socket report its messages. It is changed for that, so that sockets that aren't observed cost nothing.
 *
 * @param socket The socket, before its channel listens to it; what is none stays as it is.
 * @param events Who gets the messages; `null`: nothing is changed.
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
  // Not a listener of its own: where a rate is limited, each listener counts.
  socket.addEventListener = (type: string, listener: (event: WebSocketEventLike) => void) => {
    const observed = (event: WebSocketEventLike): void => {
      events.onMessage("received", event.data as string | Uint8Array);
      listener(event);
    };
    add.call(socket, type, type === "message" ? observed : listener);
  };
  return socket;
}
