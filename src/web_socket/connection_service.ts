import type { ChannelCore } from "./channel_core.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";

/** The server's side of a connection, for a {@linkcode ConnectionService}. */
export interface ServiceHost {
  /** The user's subprotocol that the server would choose without the service. */
  readonly protocol: string | null;
  /** Whether the server is closing, so that no client can reconnect to it. */
  readonly isClosing: boolean;
  /** Creates the channel for the handler, with the request of the connection. */
  create(core: ChannelCore): WebSocketChannel;
  /** Calls the handler with a channel that the service has created, as the server calls its own handler. */
  handle(handler: (channel: never) => unknown, channel: WebSocketChannel): Promise<void>;
  /** A channel of the service is open: the server counts it, and closes it with its own. */
  onChannel(channel: WebSocketChannel): void;
  /** The channel has ended. */
  onChannelClosed(channel: WebSocketChannel): void;
}

/** Serves the connections of a server instead of a handler. Several connections may form one channel. */
export interface ConnectionService {
  /** The subprotocol that the server prefers to the user's, if a client offers it. */
  readonly protocol: string;
  /** Serves a connection with that subprotocol. If it rejects, the server reports the error. */
  serve(connection: WebSocketChannel, host: ServiceHost): Promise<void>;
}

/** The services by the handler function that the user passes to a server. */
export const services: WeakMap<object, ConnectionService> = /* @__PURE__ */ new WeakMap<
  object,
  ConnectionService
>();
