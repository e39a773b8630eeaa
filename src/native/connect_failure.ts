/**
 * What a platform's `WebSocket` reports of an attempt that failed: each has words of its own, and most
 * have none.
 *
 * @module
 */

import { messageOf } from "../realm/kinds.ts";
import type { ConnectErrorOptions, ConnectPhase } from "../web_socket/errors.ts";
import type { SocketOwner } from "./socket_owner.ts";

/** Why an attempt failed, as far as it is known. */
export interface ConnectFailure {
  /** What went wrong, as a part of a sentence. */
  readonly fault: string;
  /** What else an error has. */
  readonly known: ConnectErrorOptions;
}

/** What an error's code and message say, in this order: how far the attempt had come, and `retryable`. */
const PHASES: readonly [said: RegExp, phase: ConnectPhase, retryable?: false][] = [
  [/\bENOTFOUND|\bEAI_|\bdns error/, "dns"],
  [/\bcertificate\b|CERT|ALTNAME/, "tls", false],
  // Deno's own wish to speak HTTP/2 may be what the server refuses.
  [/(?:fatal alert: |_ALERT_)(?!Internal|INTERNAL|NoApp)/, "tls", false],
  [/\btls handshake|fatal alert: (?!NoApp)|_ALERT_/i, "tls"],
  [/\b(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|tcp connect error)/, "tcp"],
  [
    /\b(?:upgrade|connection|accept) header|websocket extension|client protocol/,
    "handshake",
    false,
  ],
  [/\bHPE_|invalid HTTP|\bconnection (?:closed|ended)/i, "handshake"],
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
  const status = Number(/(?:status code|server response): (\d{3})\b/.exec(text)?.[1]);
  const [, phase = null, retryable] = PHASES.find(([said]) => said.test(text)) ?? [];
  const isOfBoth = phase !== null && phase !== "handshake";
  if (owner === "deno" && url?.protocol === "wss:" && !isOfBoth) {
    // Deno tries `wss:` again over HTTP/2, and reports only how that attempt failed.
    return {
      fault: `Deno reports only a second attempt, over HTTP/2: ${text}. ${REMEDY}`,
      known: {},
    };
  }
  if (status > 0) {
    return { fault: `the server answered ${status}`, known: { phase: "handshake", status } };
  }
  return { fault: text, known: { phase, ...(retryable === undefined ? {} : { retryable }) } };
}

function unreported(owner: SocketOwner | null): string {
  const fault = "the connection could not be opened, and the platform does not report why";
  return owner === "node" ? `${fault}. ${REMEDY}` : fault;
}
