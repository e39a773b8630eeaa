/**
 * Where a request goes: its target, and the Host header.
 *
 * @module
 */

import type { RequestHead } from "./http_head.ts";

/** Where a request goes. */
export interface RequestTarget {
  /** Host and port: those of the target if it is a whole URL, otherwise the Host header. */
  readonly host: string;
  /** Path and query. They come from the target alone, whatever the Host header holds. */
  readonly path: string;
}

/** RFC 3986 §3.2.2: an IP literal, or a registered name; then perhaps a port. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[0-9a-z\-._~%!$&'()*+;=]+)(?::\d*)?$/i;

/** Most hosts: names whose last part begins with a letter, and addresses. Nothing more is to be checked then. */
const PLAIN_HOST =
  /^(?:(?:[a-z0-9][a-z0-9-]*\.)*[a-z][a-z0-9]*|(?:(?:1\d\d|[1-9]?\d)\.){3}(?:1\d\d|[1-9]?\d))(?::(?:\d{1,4}|[1-5]\d{4}))?$/i;

/**
 * Whether a text is a host, with or without a port, as a Host header has it.
 *
 * @param text The text; `null` is none.
 * @returns Whether it is one, and only that: no user info, no part of a path.
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
 * Reads a request's target.
 *
 * @param target The target, as it came.
 * @returns Its path and query, and its host if the target is a whole URL, otherwise `null` for the host; `null`
 * when the target is malformed, or asks for something that has no path.
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
 * Reads where a request goes.
 *
 * @param head The request's head.
 * @returns Where it goes, or `null` when the target or the Host header is malformed, or Host is missing or repeated:
 * answer with 400.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9112#section-3.3 RFC 9112 §3.3}
 */
export function readTarget(
  { target, version, headers }: Pick<RequestHead, "target" | "version" | "headers">,
): RequestTarget | null {
  // RFC 9112 §3.2: HTTP/1.1 demands a Host, also beside a target that makes it meaningless.
  const header = headers.get("host") ?? (version === "1.0" ? "localhost" : null);
  const parts = splitTarget(target);
  if (parts === null || !isHost(header)) return null;
  // RFC 9112 §3.2.2: the target's own host replaces that of the header.
  return { host: parts.host ?? header, path: parts.path };
}
