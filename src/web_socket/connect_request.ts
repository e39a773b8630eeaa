import { basicCredentials } from "../handshake/request_fields.ts";
import { malformedOption } from "../stream_channel/options.ts";
import type { ConnectOptions } from "./options.ts";
import { readHeaders } from "./read_options.ts";
import { parseProtocols, parseUrl } from "./connect_url.ts";

/** A request to connect, after all checks. */
export interface ConnectRequest {
  /** The URL: `ws:` or `wss:`, without user info and fragment. */
  readonly url: URL;
  readonly protocols: readonly string[];
  /** Extra header fields, including the Authorization from the URL's user info. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * Checks the URL and the options of a connect.
 *
 * @param url The URL.
 * @param options The options, after `readOptions`.
 * @throws {SyntaxError} If the URL or a subprotocol is malformed.
 * @throws {TypeError} If a header field is malformed, reserved, or contradicts `origin`.
 */
export function parseConnect(
  url: string | URL,
  options: Pick<ConnectOptions, "protocols" | "headers" | "origin" | "userAgent">,
): ConnectRequest {
  const parsed = parseUrl(url);
  const headers = parseHeaders(options, parsed);
  parsed.username = "";
  parsed.password = "";
  return { url: parsed, protocols: parseProtocols(options.protocols), headers };
}

function parseHeaders(
  { headers: init, origin, userAgent }: Pick<ConnectOptions, "headers" | "origin" | "userAgent">,
  url: URL,
): [string, string][] {
  const headers = init === undefined ? [] : readHeaders(init);
  const count = (wanted: string): number =>
    headers.filter(([name]) => name.toLowerCase() === wanted).length;
  // RFC 9110 §11.7.2: this field is for the next proxy; the server must not see it.
  if (count("proxy-authorization") > 0) {
    throw new TypeError(
      "Cannot connect: headers must not have Proxy-Authorization. Write the credentials in the proxy's URL",
    );
  }
  // RFC 9112 §3.2 allows exactly one Host, RFC 6454 §7.3 at most one Origin.
  for (const single of ["host", "origin"]) {
    if (count(single) > 1) {
      throw new TypeError(`Cannot connect: headers must not repeat the field ${single}`);
    }
  }
  if (origin !== undefined && count("origin") > 0) {
    throw malformedOption("origin", "left out if headers has an Origin");
  }
  if (userAgent !== undefined && count("user-agent") > 0) {
    throw malformedOption("userAgent", "left out if headers has a User-Agent");
  }
  const credentials = count("authorization") > 0 ? null : basicCredentials(url);
  if (credentials !== null) headers.push(["Authorization", credentials]);
  return headers;
}
