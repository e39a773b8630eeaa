/**
 * What happens to connections, as events of `node:diagnostics_channel`, on Node, Deno and Bun: on the channels
 * `web-socket-channel:connect`, `:open`, `:refused`, `:message`, `:close` and `:error`. They have sizes and times, but
 * no content of messages, no credentials, no close reason.
 *
 * A connection is observed from its beginning or not at all: subscribe before it begins. Without a subscriber,
 * connections cost nothing more.
 *
 * {@linkcode subscribe} is a typed way to subscribe; `subscribe` of `node:diagnostics_channel` with a name from
 * {@linkcode topicName} does the same.
 *
 * @module
 */

export { type DiagnosticsListeners, subscribe } from "./subscribe.ts";
export { type EventKind, topicName } from "./topics.ts";
export type {
  CloseDiagnostic,
  ConnectDiagnostic,
  DiagnosedConnection,
  Diagnostic,
  Diagnostics,
  ErrorDiagnostic,
  MessageDiagnostic,
  OpenDiagnostic,
  RefusedDiagnostic,
} from "./diagnostics.ts";
export type { Direction } from "../web_socket/connection_events.ts";
export type { Side } from "../protocol/frame.ts";
export type { CloseInitiator } from "../web_socket/close_info.ts";
export {
  type ConnectPhase,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
