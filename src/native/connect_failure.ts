/**
 * What a platform's `WebSocket` reports of an attempt that failed: each has words of its own, and most
 * have none.
 *
 * @module
 */

import { messageOf } from "../realm/kinds.ts";
import type { ConnectErrorOptions } from "../web_socket/errors.ts";
import type { SocketOwner } from "./socket_owner.ts";

/** Why an attempt failed, if it is known. */
export interface ConnectFailure {
  /** What went wrong, as a part of a sentence. */
  readonly fault: string;
  /** What else an error has. */
  readonly known: ConnectErrorOptions;
}

/** What an error's code and message say; the first that matches counts. */
const SAID: readonly [said: RegExp, known: ConnectErrorOptions][] = [
  [/\bENOTFOUND|\bEAI_|\bdns error/, { phase: "dns" }],
  [/\bcertificate\b|CERT|ALTNAME|WRONG_VERSION/, { phase: "tls", retryable: false }],
  // Deno's own wish to speak HTTP/2 may be what the server refuses.
  [/(?:fatal alert: |_ALERT_)(?!Internal|INTERNAL|NoApp)/, { phase: "tls", retryable: false }],
  [/\btls handshake|fatal alert: (?!NoApp)|_ALERT_/i, { phase: "tls" }],
  [/\bE(?:CONNREFUSED|HOSTUNREACH|NETUNREACH|TIMEDOUT)|\btcp connect error/, { phase: "tcp" }],
  // Only of a 101 the header fields are looked at.
  [
    /\b(?:upgrade|connection|accept) header|websocket extension|client protocol/,
    { phase: "handshake", status: 101, retryable: false },
  ],
  [/\bHPE_|invalid HTTP/, { phase: "handshake", retryable: false }],
  [/^connection (?:closed|ended|error)/i, { phase: "handshake" }],
];

/** What a platform puts before what went wrong. */
const PREFIX = /^(?:failed to connect to WebSocket: |WebSocket connection to '.*?' failed: )/;

/** What to do where the cause isn't known. */
const REMEDY = 'To get the cause, connect with transport: "net" or require: ["failureCause"]';

/**
 * Reads what a socket has reported.
 *
 * @param cause Its error, its message, or nothing.
 * @param owner Whose socket it is.
 * @param url What it connects to, where that is known.
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
    // Deno tries `wss:` again over HTTP/2, and reports only how that attempt failed.
    const fault = `Deno reports only a second attempt, over HTTP/2: ${text}. ${REMEDY}`;
    return { fault, known: {} };
  }
  return { fault: status > 0 ? `the server answered ${status}` : text, known };
}

/** The phases whose faults both attempts of Deno's have. */
const BEFORE_HTTP = /dns|tcp|tls/;

function unreported(owner: SocketOwner | null): string {
  const fault = "the connection could not be opened, and the platform does not report why";
  return owner === "node" ? `${fault}. ${REMEDY}` : fault;
}
