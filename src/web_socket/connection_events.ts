import type { ConnectionInfo } from "./connection_info.ts";
import type { ChannelState } from "./web_socket_channel.ts";
import type { ConnectRequest } from "./connect_request.ts";
import type { CloseInfo } from "./close_info.ts";

/** Which way a message went. */
export type Direction = "received" | "sent";

/** An attempt to connect, and what gets its events. */
export interface ObservedRequest {
  /** The request, with the header fields that subscribers have added. */
  readonly request: ConnectRequest;
  /** `null` when nothing subscribes. */
  readonly observer: ConnectionEvents | null;
}

/** Gets the events of a connection: diagnostics. Nothing of it may throw. */
export interface ConnectionEvents {
  /** The subclass of `ProtocolTransport` to use, which reports messages. Its type would need this one. */
  readonly protocolTransport: unknown;
  /** The connection is open: nothing was received or sent yet. */
  onOpen(extensions: string, info: ConnectionInfo | null): void;
  /** A message of a transport that has no {@linkcode protocolTransport}. */
  onMessage(direction: Direction, message: string | Uint8Array): void;
  /** As {@linkcode onMessage}, where only the kind and the size in bytes are known. */
  onWhole(direction: Direction, kind: "text" | "binary", size: number): void;
  /** The server has refused the request. */
  onRefused(status: number, reason: string): void;
  /** It has ended. */
  onEnd(before: ChannelState, info: CloseInfo): void;
}
