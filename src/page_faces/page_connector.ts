import type { Connector } from "../faces/face_target.ts";
import { isFaceClass } from "../faces/web_socket.ts";
import type { WebSocketLike } from "../native/web_socket_like.ts";
import { connectBy } from "../page/native_web_socket_channel.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import { CONNECT_KINDS, readClientKinds } from "../web_socket/options.ts";

/** The page's own class; a program may later replace the global one by a class of this package. */
const OWN = (globalThis as { WebSocket?: typeof globalThis.WebSocket }).WebSocket;

function createOwn({ url, protocols }: ConnectRequest): WebSocketLike {
  const current = globalThis.WebSocket;
  const Socket = isFaceClass(current) && OWN !== undefined ? OWN : current;
  return new Socket(url.href, [...protocols]);
}

/** Connects with the page's own `WebSocket`, which refuses bad ports itself. */
export const CONNECTOR: Connector = {
  connect: (url, options) => connectBy(createOwn, url, options),
  refuse: (url) => connectBy(createOwn, url, {}),
  isBlocked: () => false,
  streamOptions: () => ({}),
  check: (options) => void readClientKinds(options, CONNECT_KINDS),
};
