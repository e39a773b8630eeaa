import { basicCredentials } from "../handshake/request_fields.ts";
import { isToken } from "../handshake/request_fields.ts";
import { malformedOption, shown } from "../stream_channel/options.ts";
import { type ConnectOptions, readHeaders } from "./options.ts";
import { shownText, shownUrl } from "./shown_url.ts";

/** A checked request to connect. */
export interface ConnectRequest {
  /** `ws:` or `wss:`, without user info and fragment. */
  readonly url: URL;
  readonly protocols: readonly string[];
  /** Extra header fields, the Authorization made of the URL's user info among them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * What to ask a server for.
 *
 * @param url Where to connect to.
 * @param options The options, read.
 * @throws {SyntaxError} When the URL or a subprotocol is malformed.
 * @throws {TypeError} When a header field is malformed, or not the user's to set, or contradicts `origin`.
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

const SCHEMES: Record<string, string> = {
  "ws:": "ws:",
  "wss:": "wss:",
  "http:": "ws:",
  "https:": "wss:",
};

function parseUrl(url: string | URL): URL {
  let parsed: URL;
  try {
    parsed = new URL(url, globalThis.location?.href);
  } catch {
    // Without the platform's error as its cause: that shows all of the text.
    throw new SyntaxError(`Cannot connect: the URL is malformed, got ${shownText(url)}`);
  }
  const scheme = Object.hasOwn(SCHEMES, parsed.protocol) ? SCHEMES[parsed.protocol] : undefined;
  if (scheme === undefined) {
    // Of `user:password@host` the user is the scheme.
    const got = parsed.href.startsWith(`${parsed.protocol}//`)
      ? `, got ${parsed.protocol}`
      : ", such as ws://localhost:8080";
    throw new SyntaxError(`Cannot connect: the URL's scheme must be ws: or wss:${got}`);
  }
  // An empty fragment is one as well; `hash` doesn't show it.
  if (parsed.href.includes("#")) {
    const start = shownUrl(parsed);
    throw new SyntaxError(`Cannot connect: the URL must have no fragment, got ${start}#…`);
  }
  parsed.protocol = scheme;
  return parsed;
}

/** The subprotocols to offer, checked: tokens, each once. RFC 6455 §4.1. */
export function parseProtocols(protocols: string | readonly string[] | undefined): string[] {
  const list = protocols === undefined
    ? []
    : typeof protocols === "string"
    ? [protocols]
    : [...protocols];
  // A subprotocol may be a secret: pages have no other place for a token.
  for (const [i, protocol] of list.entries()) {
    const which = `subprotocol ${i + 1} of ${list.length}`;
    if (typeof protocol !== "string") {
      throw new SyntaxError(`Cannot connect: ${which} must be a string, got ${shown(protocol)}`);
    }
    if (!isToken(protocol)) {
      throw new SyntaxError(`Cannot connect: ${which} must be a token, without blanks and commas`);
    }
    if (list.indexOf(protocol) !== i) {
      throw new SyntaxError(`Cannot connect: ${which} is offered twice`);
    }
  }
  return list;
}

function parseHeaders(
  { headers: init, origin, userAgent }: Pick<ConnectOptions, "headers" | "origin" | "userAgent">,
  url: URL,
): [string, string][] {
  const headers = init === undefined ? [] : readHeaders(init);
  const count = (wanted: string): number =>
    headers.filter(([name]) => name.toLowerCase() === wanted).length;
  // RFC 9110 §11.7.2: these are for the next proxy; the server must not see them.
  if (count("proxy-authorization") > 0) {
    throw new TypeError(`Cannot connect: the proxy's credentials belong into its URL`);
  }
  // RFC 9112 §3.2 has exactly one Host, RFC 6454 §7.3 at most one Origin.
  for (const single of ["host", "origin"]) {
    if (count(single) > 1) {
      throw new TypeError(`Cannot connect: there can be only one header field ${single}`);
    }
  }
  if (origin !== undefined && count("origin") > 0) {
    throw malformedOption("origin", "left out where headers has an Origin");
  }
  if (userAgent !== undefined && count("user-agent") > 0) {
    throw malformedOption("userAgent", "left out where headers has a User-Agent");
  }
  const credentials = count("authorization") > 0 ? null : basicCredentials(url);
  if (credentials !== null) headers.push(["Authorization", credentials]);
  return headers;
}
