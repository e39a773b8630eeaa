import type { ConnectionInfo } from "./connection_info.ts";
import type { ChannelState } from "./web_socket_channel.ts";
import type { ConnectRequest } from "./connect_request.ts";
import type { CloseInfo } from "./close_info.ts";

/** The direction of a message. */
export type Direction = "received" | "sent";

/** A request to connect, and its observer. */
export interface ObservedRequest {
  /** The request, with the header fields that subscribers have added. */
  readonly request: ConnectRequest;
  /** Receives the events; `null` if there is no subscriber. */
  readonly observer: ConnectionEvents | null;
}

/** Receives the events of a connection, for diagnostics. No method may throw. */
export interface ConnectionEvents {
  /** The subclass of `ProtocolTransport` that reports messages. Its type would import this one. */
  readonly protocolTransport: unknown;
  /** The connection is open. Nothing was received or sent yet. */
  onOpen(extensions: string, info: ConnectionInfo | null): void;
  /** A transport without a {@linkcode protocolTransport} has received or sent a message. */
  onMessage(direction: Direction, message: string | Uint8Array): void;
  /** As {@linkcode onMessage}, if only the kind and the size in bytes are known. */
  onWhole(direction: Direction, kind: "text" | "binary", size: number): void;
  /** The server has refused the request. */
  onRefused(status: number, reason: string): void;
  /** The connection has ended. */
  onEnd(before: ChannelState, info: CloseInfo): void;
}
