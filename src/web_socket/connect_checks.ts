import { checkField } from "../handshake/http_head.ts";
import { malformedOption, shown } from "../stream_channel/options.ts";
import { type Capability, NO_CAPABILITIES } from "./capabilities.ts";
import type { ConnectOptions } from "./connect_options.ts";

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
  checkOrigin(options);
  checkRedirects(options.followRedirects);
  checkProxy(options);
  for (const name of ["socketPath", "localAddress"] as const) {
    if (options[name] === "") throw malformedOption(name, "a string that isn't empty");
  }
  for (const name of options.require ?? []) {
    if (isCapability(name)) continue;
    throw malformedOption("require", `names of capabilities, got ${shown(name, true)}`);
  }
}

function isCapability(name: unknown): name is Capability {
  return typeof name === "string" && Object.hasOwn(NO_CAPABILITIES, name);
}

/** RFC 6454 §7.3: there is at most one Origin. */
function checkOrigin({ origin, headers }: ConnectOptions): void {
  if (origin === undefined) return;
  checkField("Origin", origin);
  if (headers !== undefined && new Headers(headers).has("origin")) {
    throw malformedOption("origin", "left out where headers has an Origin");
  }
}

function checkRedirects(value: boolean | number | undefined): void {
  if (value === undefined || typeof value === "boolean") return;
  if (Number.isInteger(value) && value >= 0 && value <= MAX_REDIRECTS) return;
  throw new RangeError(
    `Cannot use the option followRedirects: it must be an integer of 0–${MAX_REDIRECTS}, got ${value}`,
  );
}

function checkProxy({ proxy, socketPath }: ConnectOptions): void {
  if (proxy === undefined) return;
  if (socketPath !== undefined) {
    throw malformedOption("socketPath", "left out where there is a proxy");
  }
  if (proxy === "environment") return;
  try {
    // Of `user:password@host` the user would be the scheme.
    if (new URL(proxy).href.includes("://")) return;
  } catch {
    // Told below.
  }
  // It may hold a password, so neither it nor its parser's message is shown.
  throw new SyntaxError("Cannot use the option proxy: it is not a URL with a scheme and a host");
}
