import { checkCompressionOptions } from "../handshake/deflate_parameters.ts";
import { checkField } from "../handshake/http_head.ts";
import { isBinary } from "../realm/bytes.ts";
import { type Capability, NO_CAPABILITIES } from "./capabilities.ts";
import { MAX_TIMEOUT } from "./clock.ts";
import type { ConnectOptions, TlsOptions } from "./connect_options.ts";

/** The most redirects that are followed. */
export const MAX_REDIRECTS = 10;

/**
 * Checks those of `connect`'s options that only some transports honour: what is malformed is told
 * at once, whichever transport it would be.
 *
 * @param options The options.
 * @throws {TypeError} When an option is of the wrong kind, or contradicts another.
 * @throws {RangeError} When a number is out of its range.
 * @throws {SyntaxError} When the proxy is not a URL.
 */
export function checkConnectOptions(options: ConnectOptions): void {
  checkProtocolNumbers(options);
  checkOrigin(options);
  checkRedirects(options.followRedirects);
  checkProxy(options);
  checkKinds(options);
  if (options.tls !== undefined) checkTls(options.tls);
  const { transport = "auto", require: wanted = [] } = options;
  if (transport !== "auto" && transport !== "native" && transport !== "net") {
    throw malformed("transport", '"auto", "native" or "net"');
  }
  for (const name of wanted) {
    if (!isCapability(name)) throw malformed("require", `names of capabilities, got ${name}`);
  }
}

/** Throws unless a number is left out, or from 0 to `most`. */
export function checkNumber(name: string, value: number | undefined, most: number): void {
  if (value === undefined || typeof value === "number" && value >= 0 && value <= most) return;
  throw new RangeError(`Cannot use the option ${name}: it must be from 0 to ${most}, got ${value}`);
}

function malformed(name: string, expected: string): TypeError {
  return new TypeError(`Cannot use the option ${name}: it must be ${expected}`);
}

function isCapability(name: unknown): name is Capability {
  return typeof name === "string" && Object.hasOwn(NO_CAPABILITIES, name);
}

function checkProtocolNumbers(options: ConnectOptions): void {
  const { pingInterval, pingTimeout, maxMessageSize = 1, compression } = options;
  checkNumber("pingInterval", pingInterval, MAX_TIMEOUT);
  checkNumber("pingTimeout", pingTimeout, MAX_TIMEOUT);
  if (!(maxMessageSize >= 1)) {
    const fault = `it must be 1 or more, got ${maxMessageSize}`;
    throw new RangeError(`Cannot use the option maxMessageSize: ${fault}`);
  }
  if (typeof compression === "object" && compression !== null) checkCompressionOptions(compression);
  else if (compression !== undefined && typeof compression !== "boolean") {
    throw malformed("compression", "true, false or an object");
  }
}

/** RFC 6454 §7.3: there is at most one Origin. */
function checkOrigin({ origin, headers }: ConnectOptions): void {
  if (origin === undefined) return;
  checkField("Origin", origin);
  if (headers !== undefined && new Headers(headers).has("origin")) {
    throw malformed("origin", "left out where headers has an Origin");
  }
}

function checkRedirects(value: boolean | number | undefined): void {
  if (value === undefined || typeof value === "boolean") return;
  checkNumber("followRedirects", value, MAX_REDIRECTS);
  if (Number.isInteger(value)) return;
  throw new RangeError(`Cannot use the option followRedirects: it must be whole, got ${value}`);
}

function checkProxy({ proxy, socketPath }: ConnectOptions): void {
  if (proxy === undefined) return;
  if (socketPath !== undefined) throw malformed("socketPath", "left out where there is a proxy");
  if (proxy === "environment") return;
  try {
    new URL(proxy);
  } catch {
    // It may hold a password, so neither it nor its parser's message is shown.
    throw new SyntaxError("Cannot use the option proxy: it is not a URL");
  }
}

const KINDS = [
  ["socketPath", "string"],
  ["localAddress", "string"],
  ["lookup", "function"],
  ["tls", "object"],
] as const;

function checkKinds(options: ConnectOptions): void {
  for (const [name, kind] of KINDS) {
    const value: unknown = options[name];
    if (value !== undefined && (typeof value !== kind || value === null || value === "")) {
      throw malformed(name, kind === "object" ? "an object" : `a ${kind}`);
    }
  }
}

/** Some platforms ignore what they can't read, and would go on without it. */
function checkTls({ ca, cert, key }: TlsOptions): void {
  const authorities = ca === undefined || typeof ca === "string" || isBinary(ca) ? [ca] : ca;
  for (const authority of authorities) checkPem("tls.ca", authority, "CERTIFICATE");
  checkPem("tls.cert", cert, "CERTIFICATE");
  checkPem("tls.key", key, "PRIVATE KEY");
  if (cert === undefined && key !== undefined) throw malformed("tls.cert", "there beside a key");
  if (cert !== undefined && key === undefined) throw malformed("tls.key", "there beside a cert");
}

/** RFC 7468 §2: text with a label; what is in it is the platform's business. */
function checkPem(name: string, value: string | Uint8Array | undefined, label: string): void {
  if (value === undefined) return;
  const text = typeof value === "string" ? value : new TextDecoder().decode(value);
  if (!text.includes("-----BEGIN ") || !text.includes(`${label}-----`)) {
    throw malformed(name, `PEM, a ${label}`);
  }
}
