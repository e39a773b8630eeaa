import { isToken } from "../handshake/subprotocol.ts";
import { shown } from "../stream_channel/options.ts";
import { shownText, shownUrl } from "./shown_url.ts";

/**
 * Parses the URL to connect to. The result has the scheme `ws:` or `wss:` and no fragment; it may have user
 * info.
 *
 * @throws {SyntaxError} If it is malformed.
 */
export function parseUrl(url: string | URL): URL {
  let parsed: URL;
  try {
    parsed = new URL(url, globalThis.location?.href);
  } catch {
    // The platform's error isn't its cause, because it shows the whole URL.
    const hint = /^[a-z][a-z\d+.-]*:/i.test(String(url)) ? "" : ". Begin it with ws:// or wss://";
    throw new SyntaxError(`Cannot connect: the URL is malformed, got ${shownText(url)}${hint}`);
  }
  const scheme = parsed.protocol.replace("http", "ws");
  if (!/^wss?:$/.test(scheme)) {
    // In `user:password@host`, the user is parsed as the scheme.
    const got = parsed.href.startsWith(`${parsed.protocol}//`)
      ? `, got ${parsed.protocol}`
      : ", such as ws://localhost:8080";
    throw new SyntaxError(`Cannot connect: the URL's scheme must be ws: or wss:${got}`);
  }
  // An empty fragment counts, too, and `hash` doesn't show it.
  if (parsed.href.includes("#")) {
    const start = shownUrl(parsed);
    throw new SyntaxError(`Cannot connect: the URL must have no fragment, got ${start}#…`);
  }
  parsed.protocol = scheme;
  return parsed;
}

/** Checks the subprotocols to offer: distinct tokens. RFC 6455 §4.1. */
export function parseProtocols(protocols: string | readonly string[] | undefined): string[] {
  const list = typeof protocols === "string" ? [protocols] : [...protocols ?? []];
  // A subprotocol may be a secret, because pages have no other place for a token.
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
