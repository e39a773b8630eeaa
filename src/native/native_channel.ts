import { type Clock, systemClock } from "../web_socket/clock.ts";
import { type ObservedPeer, observePeer, observeRequest } from "../diagnostics/observed.ts";
import type { ConnectionEvents } from "../web_socket/connection_events.ts";
import type { ReadFailure } from "./native_transport.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import type { FromOptions } from "../web_socket/options.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { observedSocket } from "./observed_socket.ts";
import { readFailure } from "./connect_failure.ts";
import { nativeCapabilities } from "./native_capabilities.ts";
import { SocketChannel } from "./socket_channel.ts";
import { socketOwner } from "./socket_owner.ts";
import type { WebSocketLike } from "./web_socket_like.ts";

/** The observed peer of a wrapped socket. Its side isn't known; most are clients. */
const PEER: ObservedPeer = { side: "client", transport: "native", url: () => "" };

/** Creates channels over the global `WebSocket` of any platform, or over any socket with its interface. */
export const NativeChannel = {
  /** Connects with the global `WebSocket`. */
  connect(request: ConnectRequest, options: FromOptions, clock: Clock): SocketChannel {
    const owner = socketOwner();
    const capabilities = nativeCapabilities();
    const observed = observeRequest(request, "native", clock, capabilities.headers);
    return SocketChannel.connect(observed.request, options, clock, {
      capabilities,
      observer: observed.observer,
      readFailure: (cause, url) => readFailure(cause, owner, url),
      create: ({ url, protocols, headers }) =>
        observedSocket(createSocket(url.href, protocols, headers), observed.observer),
    });
  },

  /** Wraps a socket, or a promise of one. */
  from(
    socket: WebSocketLike | PromiseLike<WebSocketLike>,
    given?: FromOptions,
    clock: Clock = systemClock,
    observer: ConnectionEvents | null = observePeer(PEER, clock),
  ): SocketChannel {
    const read: ReadFailure = (cause, url) => readFailure(cause, null, url);
    const observed = isPromiseLike(socket)
      ? observer === null ? socket : socket.then((it) => observedSocket(it, observer))
      : observedSocket(socket, observer);
    return SocketChannel.from(observed, given, clock, read, observer);
  },

  /** Creates a channel that has failed before connecting. */
  failed(error: unknown, at: { readonly url: URL; readonly clock: Clock }): SocketChannel {
    return SocketChannel.failed(error, at);
  },
} as const;

/** A channel over the global `WebSocket` of any platform, or any socket with its interface. */
export type NativeChannel = SocketChannel;

/** The constructor of React Native, which has a third parameter. */
type ReactNativeConstructor = new (
  url: string,
  protocols: string[],
  options: { headers: Record<string, string> },
) => WebSocketLike;

/** Creates a global `WebSocket`; throws when the platform refuses. */
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
  // Deno, Node and Bun accept an options object instead of the subprotocols.
  return new WebSocket(url, init as unknown as string[]);
}
