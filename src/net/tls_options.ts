import {
  malformedOption,
  type OptionKinds,
  readOptions,
  shown,
} from "../stream_channel/options.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { type Platform, platform } from "../web_socket/platform.ts";
import type { TlsCertificate, TlsContextOptions, TlsOptions } from "../web_socket/tls_options.ts";

const DATA = "string|bytes|list";
const VERSION = '"TLSv1"|"TLSv1.1"|"TLSv1.2"|"TLSv1.3"';

/** The kinds of {@linkcode TlsContextOptions}. */
export const TLS_CONTEXT_KINDS: OptionKinds<TlsContextOptions> = {
  ca: DATA,
  cert: DATA,
  key: DATA,
  pfx: DATA,
  passphrase: "string",
  crl: DATA,
  minVersion: VERSION,
  maxVersion: VERSION,
  secureProtocol: "string",
  ciphers: "string",
  honorCipherOrder: "boolean",
  ecdhCurve: "string",
  dhparam: "string|bytes",
  sigalgs: "string",
  secureOptions: "int32",
  allowPartialTrustChain: "boolean",
  clientCertEngine: "string",
  privateKeyEngine: "string",
  privateKeyIdentifier: "string",
  sessionIdContext: "string",
  sessionTimeout: "int31",
  ticketKeys: "bytes",
};

const TLS_KINDS: OptionKinds<TlsOptions> = {
  ...TLS_CONTEXT_KINDS,
  servername: "string",
  rejectUnauthorized: "boolean",
  checkServerIdentity: "function",
  ALPNProtocols: "list",
  secureContext: "object",
  session: "bytes",
  pskCallback: "function",
  minDHSize: "size",
  requestOCSP: "boolean",
  enableTrace: "boolean",
  highWaterMark: "size",
};

/** The settings that each platform's `node:tls` accepts and then ignores, on either side. Found by experiment. */
const IGNORED: Partial<Record<Platform, readonly string[]>> = {
  deno: [
    "allowPartialTrustChain",
    "ciphers",
    "clientCertEngine",
    "crl",
    "dhparam",
    "ecdhCurve",
    "privateKeyEngine",
    "privateKeyIdentifier",
    "pskCallback",
    // Its contents can't be seen, and may be ignored.
    "secureContext",
    "secureOptions",
    "sigalgs",
  ],
  bun: [
    "clientCertEngine",
    "dhparam",
    "privateKeyEngine",
    "privateKeyIdentifier",
    "pskCallback",
    // Bun refuses the connection with an alert.
    "SNICallback",
  ],
};

/**
 * Reads the option `tls` of a client.
 *
 * @throws {TypeError} When a setting is unknown, of the wrong type, or would be ignored because of another.
 */
export function readTlsOptions(tls: TlsOptions): TlsOptions {
  const read = readOptions(tls, TLS_KINDS, { within: "tls." });
  checkTlsContext(read);
  const { secureContext, checkServerIdentity, rejectUnauthorized } = read;
  if (checkServerIdentity !== undefined && rejectUnauthorized === false) {
    throw malformed("checkServerIdentity", "left out if rejectUnauthorized is false");
  }
  const beside = Object.keys(TLS_CONTEXT_KINDS).find((name) => name in read);
  if (secureContext !== undefined && beside !== undefined) {
    throw malformed(beside, "left out if there is a secureContext");
  }
  return read;
}

/**
 * Checks certificates and keys. Some platforms ignore those that they can't read.
 *
 * @throws {TypeError} When one is not PEM, or has no counterpart.
 */
export function checkTlsContext(options: TlsContextOptions): void {
  const { ca, cert, key, crl, privateKeyEngine } = options;
  checkValues(options);
  checkPem("ca", ca, "CERTIFICATE");
  checkPem("cert", cert, "CERTIFICATE");
  checkPem("key", key, "PRIVATE KEY");
  checkPem("crl", crl, "X509 CRL");
  if (cert === undefined && key !== undefined) throw malformed("cert", "there beside a key");
  if (cert !== undefined && key === undefined && privateKeyEngine === undefined) {
    throw malformed("key", "there beside a cert");
  }
}

/** The settings in OpenSSL's format. Some platforms treat an empty text as a missing setting. */
const TEXTS = ["ciphers", "ecdhCurve", "sigalgs", "secureProtocol"] as const;

/** Checks values that some platforms accept and ignore, or reject only when a client connects. */
function checkValues(options: TlsContextOptions): void {
  const { minVersion, maxVersion, sessionIdContext = "", ticketKeys, dhparam } = options;
  for (const name of TEXTS) {
    if (options[name] === "") throw malformed(name, "a string that isn't empty");
  }
  if (minVersion !== undefined && maxVersion !== undefined && minVersion > maxVersion) {
    throw malformed("maxVersion", "as new as minVersion, or newer");
  }
  if (new TextEncoder().encode(sessionIdContext).length > 32) {
    throw malformed("sessionIdContext", "at most 32 bytes long");
  }
  if (ticketKeys !== undefined && ticketKeys.byteLength !== 48) {
    throw malformed("ticketKeys", "48 bytes long");
  }
  if (dhparam !== "auto") checkParameters(dhparam);
}

/** Checks the option `dhparam`; Node ignores parameters that it can't read. RFC 7468 §3, X.690 §8.1. */
function checkParameters(dhparam: TlsContextOptions["dhparam"]): void {
  checkPem("dhparam", dhparam, "DH PARAMETERS");
  if (dhparam === undefined) return;
  const text = typeof dhparam === "string" ? dhparam : new TextDecoder().decode(dhparam);
  const body = /-----BEGIN DH PARAMETERS-----([\w+/=\s]+)-----END/.exec(text)?.[1] ?? "";
  try {
    const der = atob(body);
    if (der.charCodeAt(0) === 0x30 && der.length > 8) return;
  } catch {
    // Not base64.
  }
  throw malformed("dhparam", "PEM, a DH PARAMETERS");
}

type Pem = TlsContextOptions["key"];

/** Checks for PEM with a label (RFC 7468 §2); the platform checks its contents. */
function checkPem(name: string, value: Pem, label: string): void {
  if (value === undefined) return;
  const list = typeof value === "string" || ArrayBuffer.isView(value) ? [value] : [...value];
  if (list.length === 0) throw malformed(name, "left out, or a list that isn't empty");
  for (const element of list) {
    const isPair = typeof element === "object" && element !== null && "pem" in element;
    const pem = isPair ? element.pem : element;
    const text = typeof pem === "string"
      ? pem
      : ArrayBuffer.isView(pem)
      ? new TextDecoder().decode(pem)
      : "";
    if (text.includes("-----BEGIN ") && text.includes(`${label}-----`)) continue;
    throw malformed(name, `PEM, a ${label}`);
  }
}

function malformed(name: string, expected: string): TypeError {
  return malformedOption(`tls.${name}`, expected);
}

/**
 * Rejects settings that this platform accepts and ignores, because an intended restriction would have no effect.
 *
 * @param options The settings, checked.
 * @throws {UnsupportedError} When such a setting is present.
 */
export function refuseIgnored(options: TlsContextOptions): void {
  const where = platform();
  const settings = options as Readonly<Record<string, unknown>>;
  const isGiven = (name: string): boolean =>
    settings[name] !== undefined && settings[name] !== false;
  const ignored = (IGNORED[where] ?? []).find(isGiven);
  if (ignored !== undefined) throw new UnsupportedError(`tls.${ignored}`, where);
  if (where === "bun" && /(^|[:, !+-])TLS_/.test(options.ciphers ?? "")) {
    throw new UnsupportedError("tls.ciphers", where, "Bun always accepts all ciphers of TLS 1.3");
  }
}

/** The option `checkServerIdentity`, as `node:tls` takes it. */
export type IdentityCheck = NonNullable<TlsOptions["checkServerIdentity"]>;

/**
 * Makes a user's check safe. An error that it throws would end the process; of its answers only `undefined` accepts.
 *
 * @param check The user's function.
 * @param onRefused Called with the error when the check refuses.
 */
export function guardIdentity(
  check: IdentityCheck,
  onRefused: (error: Error) => void,
): IdentityCheck {
  return (hostname, certificate) => {
    const refusal = refusalOf(check, hostname, certificate);
    if (refusal !== undefined) onRefused(refusal);
    return refusal;
  };
}

function refusalOf(
  check: IdentityCheck,
  hostname: string,
  certificate: TlsCertificate,
): Error | undefined {
  let answer: unknown;
  try {
    answer = check(hostname, certificate);
    if (answer === undefined) return undefined;
  } catch (error) {
    answer = error;
  }
  // An error of another realm counts, too.
  if (typeof answer === "object" && answer !== null && "message" in answer) return answer as Error;
  if (typeof answer === "object" && answer !== null && "catch" in answer) {
    void (answer as Promise<unknown>).catch(() => {});
  }
  return new TypeError(
    `Cannot use its answer: it must be an Error or undefined, synchronously, got ${shown(answer)}`,
  );
}
