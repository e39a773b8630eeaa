/**
 * Creates the errors of failed connection attempts, with the same texts on every runtime.
 *
 * @module
 */

import { codeOf, messageOf, nameOf } from "../realm/kinds.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import { type AddressFailure, NoAddressLeft } from "./race.ts";
import { ConnectError, type ConnectErrorOptions, type ConnectPhase } from "../web_socket/errors.ts";

/** The meaning of a runtime's error code. */
interface Meaning {
  readonly text: string;
  /** Whether a later attempt may succeed. Default: it may. */
  readonly retryable?: false;
}

const LOST: Meaning = { text: "the connection was lost" };
const UNTRUSTED: Meaning = {
  text: "the certificate can't be trusted: it has expired, or its authority is not known. " +
    "Set your own authority as tls.ca",
  retryable: false,
};
const EXPIRED: Meaning = { text: "the certificate has expired", retryable: false };
const SELF_SIGNED: Meaning = {
  text: "the certificate is self-signed. If it is yours, set it as tls.ca",
  retryable: false,
};
const WRONG_NAME = "ERR_TLS_CERT_ALTNAME_INVALID";
const NO_ADDRESS: Meaning = { text: "the local address can't be used", retryable: false };
const FORBIDDEN: Meaning = { text: "it is not permitted", retryable: false };

const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ["ECONNREFUSED", { text: "the connection was refused" }],
  ["ENOTFOUND", { text: "the host can't be found" }],
  ["EAI_NONAME", { text: "the host can't be found" }],
  ["ENODATA", { text: "the host can't be found" }],
  ["EAI_AGAIN", { text: "the host's address can't be found at the moment" }],
  ["ETIMEDOUT", { text: "the host didn't answer" }],
  ["EHOSTUNREACH", { text: "the host can't be reached" }],
  ["ENETUNREACH", { text: "the network can't be reached" }],
  ["EADDRNOTAVAIL", NO_ADDRESS],
  // Deno reports this for a local address.
  ["EINVAL", NO_ADDRESS],
  // The remote address is always valid, so this is about the local one.
  ["ERR_INVALID_IP_ADDRESS", NO_ADDRESS],
  ["ERR_LOOKUP", { text: "the option lookup returned no IP address", retryable: false }],
  ["ERR_ZONE", { text: "Deno can't use an IPv6 address with a zone", retryable: false }],
  ["ENOENT", { text: "there is no such socket" }],
  ["EACCES", FORBIDDEN],
  ["EPERM", FORBIDDEN],
  // Deno's errors have names instead of codes.
  ["NotCapable", FORBIDDEN],
  ["PermissionDenied", FORBIDDEN],
  ["ECONNRESET", LOST],
  ["EPIPE", LOST],
  ["ECONNABORTED", LOST],
  [WRONG_NAME, { text: "the certificate is for another host", retryable: false }],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", UNTRUSTED],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", SELF_SIGNED],
  ["SELF_SIGNED_CERT_IN_CHAIN", UNTRUSTED],
  // Deno reports this as a leaf signature that can't be verified.
  ["CERT_HAS_EXPIRED", EXPIRED],
  ["CERT_NOT_YET_VALID", { text: "the certificate isn't valid yet", retryable: false }],
  [
    "ERR_SSL_WRONG_VERSION_NUMBER",
    { text: "the answer is not TLS. Check the URL's scheme", retryable: false },
  ],
  ["CERT_REVOKED", { text: "the certificate has been revoked", retryable: false }],
  ["CERT_REJECTED", UNTRUSTED],
  ["CERT_UNTRUSTED", UNTRUSTED],
  ["INVALID_CA", UNTRUSTED],
  ["INVALID_PURPOSE", UNTRUSTED],
]);

const BROKEN: ReadonlySet<string> = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
]);

/** OpenSSL's codes of TLS alerts about a client's certificate (RFC 8446 §6.2). */
const CERTIFICATE_ALERT = /_ALERT_(.*CERTIFICATE.*|UNKNOWN_CA|ACCESS_DENIED)$/;

/** Returns the meaning of a server's TLS alert; `undefined` for any other code. */
function meaningOfAlert(code: string): Meaning | undefined {
  if (!code.startsWith("ERR_SSL_") || !code.includes("_ALERT_")) return undefined;
  if (code.endsWith("_CERTIFICATE_REQUIRED")) {
    return { text: "the server requires a client certificate", retryable: false };
  }
  if (CERTIFICATE_ALERT.test(code)) {
    return { text: "the server refused the client's certificate", retryable: false };
  }
  const text = "the server refused the TLS handshake";
  return code.endsWith("_INTERNAL_ERROR") ? { text } : { text, retryable: false };
}

/** Whether an error only says that the connection broke, not that the server refused it. */
export function isLost(error: unknown): boolean {
  return BROKEN.has(codeOf(error));
}

/** Options of a {@linkcode dialError}, in addition to its cause. */
export interface DialErrorOptions extends ConnectErrorOptions {
  phase: ConnectPhase;
  /** The subject of the phase, such as `"the proxy http://localhost:3128"`. Default: the server. */
  about?: string | undefined;
  /** The name that the certificate had to be for. Default: the URL's host. */
  host?: string | undefined;
  /** What went wrong. Default: the text of the cause. */
  fault?: string;
}

/**
 * Creates the error of a failed attempt.
 *
 * @param url The target of the attempt, without user info.
 * @param options The phase and the fault.
 */
export function dialError(url: URL, options: DialErrorOptions): ConnectError {
  const { about, host = url.hostname, fault, ...rest } = options;
  const { cause, phase } = rest;
  const list = cause instanceof NoAddressLeft ? cause.failures : [{ name: "", error: cause }];
  const meanings = list.map(({ error }) => meaningOf(error));
  const isSingle = list.length === 1;
  const texts = list.map(({ name, error }, i) => {
    const known = codeOf(error) === WRONG_NAME ? wrongName(host, error, about) : meanings[i]?.text;
    const text = known ?? textOf({ cause: error, phase });
    return isSingle ? text : `${name}: ${text}`;
  });
  const where = about === undefined ? "" : `${about}: `;
  const isFinal = meanings.every((it) => it?.retryable === false);
  return new ConnectError(
    `Cannot connect to ${shownUrl(url)}: ${where}${fault ?? shownList(texts)}`,
    {
      ...(isFinal ? { retryable: false } : {}),
      ...rest,
      // For a single address, the platform's own error is the cause.
      ...(isSingle && "cause" in rest ? { cause: list[0]?.error } : {}),
    },
  );
}

/**
 * Formats the failures of addresses.
 *
 * @param failures Each address with its failure.
 */
export function shownFailures(failures: readonly AddressFailure[]): string {
  return shownList(
    failures.map(({ name, error }) =>
      `${name}: ${meaningOf(error)?.text ?? textOf({ cause: error, phase: "tcp" })}`
    ),
  );
}

function meaningOf(error: unknown): Meaning | undefined {
  const code = codeOf(error);
  return MEANINGS.get(code) ?? meaningOfAlert(code) ?? MEANINGS.get(nameOf(error));
}

/** The maximum number of addresses in an error's text. */
const MAX_LISTED = 8;

function shownList(texts: readonly string[]): string {
  const more = texts.length - MAX_LISTED;
  return texts.slice(0, MAX_LISTED).join("; ") + (more > 0 ? `; and ${more} more addresses` : "");
}

/**
 * Returns the text for a certificate of another host. For a proxy the expected name can't be set, so there is no hint.
 */
function wrongName(host: string, cause: unknown, proxy: string | undefined): string {
  const hint = ". If the server's certificate has another name, set it as tls.servername";
  // Node and Deno list the certificate's names, perhaps hundreds.
  const names = /altnames: ((?:DNS|IP)[ -~]{1,200})/.exec(messageOf(cause))?.[1];
  const others = names === undefined ? "" : ` but for ${names}`;
  return `the certificate is not for ${host}${others}${proxy === undefined ? hint : ""}`;
}

/**
 * Recognizes a refused client certificate. With TLS 1.3 a server refuses it only after the client has finished its part
 * of the TLS handshake and sent its request (RFC 8446 §4.4.2.4).
 *
 * @param url The target of the attempt.
 * @param error The error of the opening handshake.
 * @returns The error to report instead when the server sent a TLS alert, otherwise `null`.
 */
export function refusedByAlert(url: URL, { cause, response }: ConnectError): ConnectError | null {
  if (response !== null || meaningOfAlert(codeOf(cause)) === undefined) return null;
  return dialError(url, { phase: "tls", cause });
}

function textOf({ cause, phase }: ConnectErrorOptions): string {
  // OpenSSL's texts contain memory addresses, and rustls and BoringSSL use other texts.
  if (codeOf(cause).startsWith("ERR_SSL_")) return "the TLS handshake failed";
  const message = messageOf(cause);
  return message === "" ? `failed in phase ${phase}` : message;
}
