/**
 * Interprets what a platform's `WebSocket` reports about a failed attempt. Each platform has its own texts, and most
 * report nothing.
 *
 * @module
 */

import { messageOf } from "../realm/kinds.ts";
import type { ConnectErrorOptions } from "../web_socket/errors.ts";
import type { SocketOwner } from "./socket_owner.ts";

/** The reason of a failed attempt, if it is known. */
export interface ConnectFailure {
  /** What went wrong, as a part of a sentence. */
  readonly fault: string;
  /** Further members for the error. */
  readonly known: ConnectErrorOptions;
}

/** Patterns for an error's code and message, with what they mean; the first match counts. */
const SAID: readonly [said: RegExp, known: ConnectErrorOptions][] = [
  [/\bENOTFOUND|\bEAI_|\bdns error/, { phase: "dns" }],
  [/\bcertificate\b|CERT|ALTNAME|WRONG_VERSION/, { phase: "tls", retryable: false }],
  // Excludes the alert that Deno's own offer of HTTP/2 may cause.
  [/(?:fatal alert: |_ALERT_)(?!Internal|INTERNAL|NoApp)/, { phase: "tls", retryable: false }],
  [/\btls handshake|fatal alert: (?!NoApp)|_ALERT_/i, { phase: "tls" }],
  [/\bE(?:CONNREFUSED|HOSTUNREACH|NETUNREACH|TIMEDOUT)|\btcp connect error/, { phase: "tcp" }],
  // Header fields are only checked in an answer with status 101.
  [
    /\b(?:upgrade|connection|accept) header|websocket extension|client protocol/,
    { phase: "handshake", status: 101, retryable: false },
  ],
  [/\bHPE_|invalid HTTP/, { phase: "handshake", retryable: false }],
  [/^connection (?:closed|ended|error)/i, { phase: "handshake" }],
];

/** The platforms' text before the fault. */
const PREFIX = /^(?:failed to connect to WebSocket: |WebSocket connection to '.*?' failed: )/;

/** The advice when the cause isn't known. */
const REMEDY = 'To get the cause, connect with transport: "net" or require: ["failureCause"]';

/**
 * Interprets what a socket has reported.
 *
 * @param cause The socket's error, its message, or nothing.
 * @param owner The runtime that the socket belongs to.
 * @param url The URL of the connection, if it is known.
 */
export function readFailure(
  cause: unknown,
  owner: SocketOwner | null,
  url: URL | null,
): ConnectFailure {
  const message = typeof cause === "string" ? cause : messageOf(cause);
  if (message === "") return { fault: unreported(owner), known: {} };
  const { code } = (cause ?? {}) as { code?: unknown };
  const isNew = typeof code === "string" && !message.includes(code);
  const text = message.replace(PREFIX, "") + (isNew ? ` (${code})` : "");
  const status = Number(
    /(?:status code:|server response:|response but was ') ?(\d{3})\b/.exec(text)?.[1],
  );
  const known = status > 0
    ? { phase: "handshake", status } as const
    : SAID.find(([said]) => said.test(text))?.[1] ?? {};
  if (owner === "deno" && url?.protocol === "wss:" && !BEFORE_HTTP.test(`${known.phase}`)) {
    // Deno retries `wss:` over HTTP/2, and reports only how the second attempt failed.
    const fault = `Deno reports only a second attempt, over HTTP/2: ${text}. ${REMEDY}`;
    return { fault, known: {} };
  }
  return { fault: status > 0 ? `the server answered ${status}` : text, known };
}

/** The phases in which both of Deno's attempts fail alike. */
const BEFORE_HTTP = /dns|tcp|tls/;

function unreported(owner: SocketOwner | null): string {
  const fault = "the connection could not be opened, and the platform does not report why";
  return owner === "node" ? `${fault}. ${REMEDY}` : fault;
}
