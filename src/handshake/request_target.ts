/**
 * The target of a request, and its Host header.
 *
 * @module
 */

import type { RequestHead } from "./http_head.ts";

/** The host and the path of a request. */
export interface RequestTarget {
  /** Host and port: from the target if it is a whole URL, otherwise from the Host header. */
  readonly host: string;
  /** Path and query, always from the target. */
  readonly path: string;
}

/** RFC 3986 §3.2.2: an IP literal or a registered name, with an optional port. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[0-9a-z\-._~%!$&'()*+;=]+)(?::\d*)?$/i;

/** Most hosts: names whose last part begins with a letter, and IPv4 addresses. They need no further check. */
const PLAIN_HOST =
  /^(?:(?:[a-z0-9][a-z0-9-]*\.)*[a-z][a-z0-9]*|(?:(?:1\d\d|[1-9]?\d)\.){3}(?:1\d\d|[1-9]?\d))(?::(?:\d{1,4}|[1-5]\d{4}))?$/i;

/**
 * Returns whether a text is a host with an optional port, as in a Host header.
 *
 * @param text The text, or `null` if there is none.
 * @returns Whether it is a host and nothing more: no user info, no path.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-7.2 RFC 9110 §7.2}
 */
export function isHost(text: string | null): text is string {
  if (text === null || !HOST.test(text)) return false;
  if (PLAIN_HOST.test(text) && !/xn--/i.test(text)) return true;
  try {
    return new URL(`http://${text}`).host !== "";
  } catch {
    return false;
  }
}

/**
 * Parses a request's target.
 *
 * @param target The target as received.
 * @returns Its path and query, and its host, which is `null` unless the target is a whole URL. `null` if the
 * target is malformed or has no path.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-3.2 RFC 9112 §3.2}
 */
export function splitTarget(
  target: string,
): { readonly host: string | null; readonly path: string } | null {
  // RFC 9112 §3.2: a target has no fragment.
  if (target.includes("#")) return null;
  if (target.startsWith("/")) return { host: null, path: target };
  const parts = /^(?:http|ws)s?:\/\/([^/?]*)(.*)$/i.exec(target);
  if (parts === null) return null;
  const [, host = "", rest = ""] = parts;
  if (!isHost(host)) return null;
  return { host, path: rest.startsWith("/") ? rest : `/${rest}` };
}

/**
 * Determines the host and the path of a request.
 *
 * @param head The request's head.
 * @returns The host and the path. `null` if the target is malformed, or Host is malformed, missing or
 * repeated: answer with 400.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-3.3 RFC 9112 §3.3}
 */
export function readTarget(
  { target, version, headers }: Pick<RequestHead, "target" | "version" | "headers">,
): RequestTarget | null {
  // RFC 9112 §3.2: HTTP/1.1 requires a Host, even if the target has a host.
  const header = headers.get("host") ?? (version === "1.0" ? "localhost" : null);
  const parts = splitTarget(target);
  if (parts === null || !isHost(header)) return null;
  // RFC 9112 §3.2.2: the host of the target takes precedence over the header.
  return { host: parts.host ?? header, path: parts.path };
}
