import type { Side } from "../protocol/frame.ts";
import type { CloseInitiator } from "../web_socket/close_info.ts";
import type { ConnectPhase } from "../web_socket/errors.ts";
import type { Direction } from "../web_socket/connection_events.ts";

/**
 * The connection that an event is about: the same object in all events of a connection, so that it can be the key
 * of a `WeakMap`.
 */
export interface DiagnosedConnection {
  /** A number that no other connection of this process has, from 1. */
  readonly id: number;
  /** The side of the connection that this is. */
  readonly side: Side;
  /** What carries it: `"native"` is a socket of the platform's, `"bytes"` any channel of bytes. */
  readonly transport: "net" | "native" | "bytes" | "http2" | "server";
  /** The URL, as `WebSocketChannel.url` shows it: without user info, without values of the query. May be empty. */
  readonly url: string;
}

/** What all events have. */
export interface Diagnostic {
  /** The connection. */
  readonly connection: DiagnosedConnection;
}

/** A client begins to connect, or an upgrade request has come to a server. */
export interface ConnectDiagnostic extends Diagnostic {
  /**
   * Header fields of the opening handshake that carry a trace, by their names in lower case. A server's event has
   * those of the request: `traceparent`, `tracestate`, `baggage`, `b3`, `x-b3-…`, `sentry-trace`, `uber-trace-id`,
   * `x-amzn-trace-id`, `x-cloud-trace-context` and `x-request-id`. A client's event has none at first: what a subscriber
   * adds is sent, unless the field can't be sent or the options have one of that name. Over a channel of bytes
   * after the handshake, and where the platform's socket takes no header fields, nothing is sent.
   */
  readonly trace: Record<string, string>;
}

/** The connection is open. */
export interface OpenDiagnostic extends Diagnostic {
  /** How long connecting has taken, in milliseconds. */
  readonly duration: number;
  /** Whether messages may be compressed. */
  readonly isCompressed: boolean;
  /** The address at the other end, where it is known. */
  readonly remoteAddress: string | null;
  /** The port at the other end, where it is known. */
  readonly remotePort: number | null;
}

/** The server has refused the connection with an HTTP status. */
export interface RefusedDiagnostic extends Diagnostic {
  /** The HTTP status code. */
  readonly status: number;
  /** On the server's side why, as `onRefused` gets it; `null` on the client's side. */
  readonly reason: string | null;
  /** How long it has taken, in milliseconds. */
  readonly duration: number;
}

/** A message was received or added: how large it is, not what it says. */
export interface MessageDiagnostic extends Diagnostic {
  /** Which way it went. */
  readonly direction: Direction;
  /** Text or bytes. */
  readonly kind: "text" | "binary";
  /** The payload, uncompressed, in bytes: of text as UTF-8. */
  readonly size: number;
}

/** A connection that was open has ended. */
export interface CloseDiagnostic extends Diagnostic {
  /** The peer's close code; 1005 when its Close held none, 1006 when there was none. */
  readonly code: number;
  /** Whether the closing handshake was completed. */
  readonly wasClean: boolean;
  /** Who or what ended it. */
  readonly initiator: CloseInitiator;
  /** How long it was open, in milliseconds. */
  readonly duration: number;
}

/** A connection could not be opened, and it wasn't a refusal; or one that was open ends because of an error. */
export interface ErrorDiagnostic extends Diagnostic {
  /** The error's name, such as `"ConnectError"` or `"ProtocolError"`. */
  readonly name: string;
  /** The text of an error of this package; empty for any other error, whose text may hold a secret. */
  readonly message: string;
  /** Whether the connection was open: then `close` follows. Otherwise this is its last event. */
  readonly wasOpen: boolean;
  /** How far connecting had come, where that is known. */
  readonly phase: ConnectPhase | null;
}

/** The events, by the last part of their channel's name. */
export interface Diagnostics {
  /** See {@linkcode ConnectDiagnostic}. */
  readonly connect: ConnectDiagnostic;
  /** See {@linkcode OpenDiagnostic}. */
  readonly open: OpenDiagnostic;
  /** See {@linkcode RefusedDiagnostic}. */
  readonly refused: RefusedDiagnostic;
  /** See {@linkcode MessageDiagnostic}. */
  readonly message: MessageDiagnostic;
  /** See {@linkcode CloseDiagnostic}. */
  readonly close: CloseDiagnostic;
  /** See {@linkcode ErrorDiagnostic}. */
  readonly error: ErrorDiagnostic;
}
