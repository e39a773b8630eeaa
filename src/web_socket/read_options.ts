/**
 * Readers of options, including the settings inside them. Each public function with options has one reader,
 * and calls it once. The result is valid.
 *
 * @module
 */

import { checkField, isReservedHeader } from "../handshake/request_fields.ts";
import {
  checkCompressionOptions,
  type ClientCompressionOptions,
  type CompressionOptions,
} from "../permessage_deflate/compression_options.ts";
import {
  checkOption,
  malformedOption,
  type OptionKinds,
  readOptions,
  shown,
} from "../stream_channel/options.ts";
import { type Capability, NO_CAPABILITIES } from "./capabilities.ts";
import {
  checkLarge,
  checkPings,
  CONNECT_KINDS,
  CONNECT_OVER_KINDS,
  type ConnectOptions,
  type ConnectOverOptions,
  MAX_REDIRECTS,
  OVER_KINDS,
  type OverOptions,
  type ProxyOptions,
  readClientKinds,
} from "./options.ts";

const OVER_COMPRESSION_KINDS: OptionKinds<NonNullable<OverOptions["compression"]>> = {
  threshold: "number",
  level: "number",
};

const COMPRESSION_KINDS: OptionKinds<CompressionOptions> = {
  ...OVER_COMPRESSION_KINDS,
  serverNoContextTakeover: "boolean",
  clientNoContextTakeover: "boolean",
  serverMaxWindowBits: "number",
  clientMaxWindowBits: "number",
};

const CLIENT_COMPRESSION_KINDS: OptionKinds<ClientCompressionOptions> = {
  ...COMPRESSION_KINDS,
  offer: '"bare"',
};

/**
 * Reads the options of `connect`. It reports malformed options at once, for any transport.
 *
 * @throws {TypeError} If an option is unknown, of the wrong type, or contradicts another.
 * @throws {RangeError} If a number is out of its range.
 * @throws {SyntaxError} If the proxy is not a URL.
 */
export function readConnectOptions(given: ConnectOptions | undefined): ConnectOptions {
  const options = readClientOptions(given, CONNECT_KINDS);
  options.followRedirects = readRedirects(options);
  options.proxy = readProxy(options);
  for (const name of ["socketPath", "localAddress"] as const) {
    if (options[name] === "") throw malformedOption(name, "a string that isn't empty");
  }
  for (const name of options.require ?? []) {
    if (isCapability(name)) continue;
    throw malformedOption(
      "require",
      `names of capabilities (${CAPABILITY_NAMES}), got ${shown(name, true)}`,
    );
  }
  return options;
}

/** Reads the options of `connectOver`. It throws the errors of {@linkcode readConnectOptions}. */
export function readConnectOverOptions(given: ConnectOverOptions): ConnectOverOptions {
  return readClientOptions(given, CONNECT_OVER_KINDS);
}

function readClientOptions<T extends ConnectOverOptions>(
  given: T | undefined,
  kinds: OptionKinds<T>,
): T {
  const options = readClientKinds(given, kinds);
  options.compression = readCompression(options.compression, CLIENT_COMPRESSION_KINDS);
  checkOffer(options.compression);
  if (options.userAgent) checkField("User-Agent", options.userAgent);
  if (options.origin !== undefined) checkField("Origin", options.origin);
  return options;
}

/** Checks that a bare offer requests nothing of the server. */
function checkOffer(compression: ConnectOptions["compression"]): void {
  if (typeof compression !== "object" || compression.offer === undefined) return;
  for (const name of ["serverNoContextTakeover", "serverMaxWindowBits"] as const) {
    if (compression[name] === undefined) continue;
    throw malformedOption(`compression.${name}`, "left out if the offer is bare");
  }
}

/** Reads the options of `over`. It throws the errors of {@linkcode readConnectOptions}. */
export function readOverOptions(given: OverOptions): OverOptions {
  const options = readOptions(given, OVER_KINDS);
  checkPings(options);
  checkLarge(options);
  checkOption("side", options.side, OVER_KINDS.side);
  options.compression = readCompression(options.compression, OVER_COMPRESSION_KINDS);
  return options;
}

/**
 * Reads the option `compression`.
 *
 * @param value The option.
 * @param kinds The kinds of its settings.
 * @throws {TypeError} If a setting is unknown or of the wrong type.
 * @throws {RangeError} If a number is out of its range.
 */
export function readCompression<T extends boolean | ClientCompressionOptions | undefined>(
  value: T,
  kinds: OptionKinds<object> = COMPRESSION_KINDS,
): T {
  if (typeof value !== "object") return value;
  const read = readOptions<CompressionOptions>(value, kinds as OptionKinds<CompressionOptions>, {
    within: "compression.",
  });
  checkCompressionOptions(read);
  return read as T;
}

/**
 * Reads and checks the option `headers`, of a client or a server.
 *
 * @param headers The user's value: an object, `Headers` of any realm, or pairs.
 * @param option The option's name, as the user writes it.
 * @returns The fields. No error shows a value, because it may be a secret.
 * @throws {TypeError} If they aren't header fields, or one can't be sent or is reserved.
 */
export function readHeaders(
  headers: unknown,
  option = "headers",
): [name: string, value: string][] {
  checkOption(option, headers, "object");
  const init = headers as Iterable<unknown> | Record<string, unknown>;
  const fields: unknown[] = Symbol.iterator in init
    ? [...init as Iterable<unknown>]
    : Object.entries(init);
  return fields.map((field, i) => {
    const pair: readonly unknown[] = Array.isArray(field) && field.length === 2 ? field : [];
    const [name, value] = pair;
    if (typeof name !== "string" || typeof value !== "string") {
      const which = `field ${i + 1} of ${fields.length}`;
      const got = pair.length === 0 ? shown(field) : pair.map(kindOf).join(" and ");
      throw new TypeError(
        `Cannot use the option ${option}: ${which} must be a name and a value, both strings, got ${got}`,
      );
    }
    checkField(name, value);
    if (isReservedHeader(name)) {
      throw new TypeError(
        `Cannot use the option ${option}: the header field ${name} is reserved for the handshake`,
      );
    }
    return [name, value];
  });
}

/** Returns the type of a value. The value, even a number, may be a secret. */
function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}

const CAPABILITY_NAMES = Object.keys(NO_CAPABILITIES).join(", ");

function isCapability(name: unknown): name is Capability {
  return typeof name === "string" && Object.hasOwn(NO_CAPABILITIES, name);
}

function readRedirects(
  { onRedirect, followRedirects = onRedirect !== undefined }: ConnectOptions,
): boolean | number {
  if (onRedirect !== undefined && !followRedirects) {
    throw malformedOption("onRedirect", "left out if followRedirects is false or 0");
  }
  if (typeof followRedirects === "boolean") return followRedirects;
  if (
    Number.isInteger(followRedirects) && followRedirects >= 0 && followRedirects <= MAX_REDIRECTS
  ) {
    return followRedirects;
  }
  throw new RangeError(
    `Cannot use the option followRedirects: it must be an integer from 0 to ${MAX_REDIRECTS}, got ${followRedirects}`,
  );
}

const PROXY_KINDS: OptionKinds<ProxyOptions> = { url: "string|URL", headers: "object" };

/** Checks the proxy, and converts its header fields to pairs. */
function readProxy({ proxy, socketPath }: ConnectOptions): ConnectOptions["proxy"] {
  if (proxy === undefined || proxy === null) return proxy;
  if (socketPath !== undefined) {
    throw malformedOption("socketPath", "left out if there is a proxy");
  }
  if (typeof proxy === "string" || "href" in proxy) {
    checkProxyUrl("proxy", proxy);
    return proxy;
  }
  const { url, headers = [] } = readOptions(proxy, PROXY_KINDS, { within: "proxy." });
  checkOption("proxy.url", url, PROXY_KINDS.url);
  checkProxyUrl("proxy.url", url);
  const fields = readHeaders(headers, "proxy.headers");
  if (!fields.some(([name]) => name.toLowerCase() === "host")) return { url, headers: fields };
  throw new TypeError(
    "Cannot use the option proxy.headers: the header field Host is reserved for the CONNECT request",
  );
}

function checkProxyUrl(name: string, proxy: string | URL): void {
  if (proxy === "environment") return;
  try {
    // In `user:password@host`, the user would be parsed as the scheme.
    if (new URL(proxy).href.includes("://")) return;
  } catch {
    // Reported below.
  }
  // The URL may have a password, so neither it nor its parser's message is shown.
  throw new SyntaxError(
    `Cannot use the option ${name}: it is not a URL with a scheme and a host, such as http://localhost:3128`,
  );
}
