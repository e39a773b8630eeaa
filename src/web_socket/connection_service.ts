import type { ChannelCore } from "./channel_core.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";

/** What a server gives a {@linkcode ConnectionService} along with a connection. */
export interface ServiceHost {
  /** The user's subprotocol that the server would have chosen without the service. */
  readonly protocol: string | null;
  /** Whether the server is being closed: no client can come back to it. */
  readonly isClosing: boolean;
  /** Creates what the handler gets, with the request of the connection. */
  create(core: ChannelCore): WebSocketChannel;
  /** Calls the handler of a channel that the service has created, as the server calls its own. */
  handle(handler: (channel: never) => unknown, channel: WebSocketChannel): Promise<void>;
  /** A channel of the service's is open: the server counts it as its own, and closes it. */
  onChannel(channel: WebSocketChannel): void;
  /** It has ended. */
  onChannelClosed(channel: WebSocketChannel): void;
}

/** Serves the connections of a server in place of a handler: several may be one channel. */
export interface ConnectionService {
  /** The subprotocol that the server chooses, before the user's, where a client offers it. */
  readonly protocol: string;
  /** Serves a connection with that subprotocol. It rejects with what the server reports. */
  serve(connection: WebSocketChannel, host: ServiceHost): Promise<void>;
}

/** The services, by the function that a user gives a server as its handler. */
export const services: WeakMap<object, ConnectionService> = /* @__PURE__ */ new WeakMap<
  object,
  ConnectionService
>();
