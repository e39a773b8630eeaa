/**
 * Redirects of the opening handshake: where they lead, and what may not come along.
 *
 * RFC 6455 §4.1 lets a client follow redirects and leaves open how; RFC 9110 §15.4 and the Fetch
 * standard say what is safe.
 *
 * @module
 */

import { basicCredentials } from "../handshake/request_fields.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import type { TlsOptions } from "../web_socket/tls_options.ts";
import type { HandshakeResponse } from "../web_socket/errors.ts";

/** What is asked for, of whom, in one attempt of several. */
export interface Target {
  readonly request: ConnectRequest;
  readonly origin: string | undefined;
  readonly tls: TlsOptions | undefined;
}

const STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** Header fields that are meant for one origin only. */
const CONFIDENTIAL: readonly string[] = [
  "authorization",
  "cookie",
  "host",
  "origin",
  "proxy-authorization",
];

/** TLS settings that tell who the client is, or name the server. */
const CLIENTS_OWN = [
  "cert",
  "key",
  "pfx",
  "passphrase",
  "clientCertEngine",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "pskCallback",
  "session",
  "servername",
] as const;

/** The origin of a URL (RFC 6454 §4). The platform's own `origin` is opaque for `ws:` in places. */
export function originOf({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}

/** Whether an answer sends the client elsewhere. */
export function isRedirect(status: number): boolean {
  return STATUSES.includes(status);
}

/**
 * Where a redirect leads.
 *
 * @param target What was asked for.
 * @param response The redirect.
 * @returns What to ask for next, or why that must not be done.
 */
export function followRedirect(target: Target, response: HandshakeResponse): Target | string {
  const { url } = target.request;
  const location = response.headers.get("location");
  if (location === null) return "the redirect doesn't say where to";
  const next = parseLocation(location, url);
  if (next === null) return "the redirect leads to no ws: or wss: URL";
  if (url.protocol === "wss:" && next.protocol === "ws:") {
    return "the redirect leads from wss: to ws:";
  }
  return originOf(next) === originOf(url) ? at(target, next) : acrossOrigins(target, next);
}

function parseLocation(location: string, base: URL): URL | null {
  let url: URL;
  try {
    url = new URL(location, base);
  } catch {
    return null;
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  // RFC 6455 §3: a fragment means nothing here.
  url.hash = "";
  return url.protocol === "ws:" || url.protocol === "wss:" ? url : null;
}

function acrossOrigins({ request, tls }: Target, next: URL): Target | string {
  if (tls?.secureContext !== undefined) {
    return "the redirect leads to another origin, and tls.secureContext may hold a client certificate";
  }
  const headers = request.headers.filter(([name]) => !CONFIDENTIAL.includes(name.toLowerCase()));
  const trust = { ...tls };
  for (const name of CLIENTS_OWN) delete trust[name];
  return at({ request: { ...request, headers }, origin: undefined, tls: trust }, next);
}

/** The user info that a redirect brings along is the server's own to give. */
function at({ request, origin, tls }: Target, url: URL): Target {
  const credentials = basicCredentials(url);
  url.username = "";
  url.password = "";
  const named = request.headers.some(([name]) => name.toLowerCase() === "authorization");
  const headers = credentials === null || named
    ? request.headers
    : [...request.headers, ["Authorization", credentials] as const];
  return { request: { ...request, url, headers }, origin, tls };
}
