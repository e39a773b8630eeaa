/**
 * Redirects of the opening handshake: where they lead, and what may not come along.
 *
 * RFC 6455 §4.1 lets a client follow redirects and leaves open how; RFC 9110 §15.4 and the Fetch
 * standard say what is safe.
 *
 * @module
 */

import { basicCredentials } from "../handshake/request_fields.ts";
import { messageOf } from "../realm/kinds.ts";
import {
  checkOption,
  malformedOption,
  type OptionKinds,
  readOptions,
} from "../stream_channel/options.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import type { ConnectError, HandshakeResponse } from "../web_socket/errors.ts";
import type { ConnectOptions, RedirectChange } from "../web_socket/options.ts";
import { readHeaders } from "../web_socket/read_options.ts";
import { shownUrl } from "../web_socket/shown_url.ts";
import type { TlsOptions } from "../web_socket/tls_options.ts";
import { dialError } from "./dial_error.ts";

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

/** A redirect, and what is asked of it. */
export interface Hop {
  /** What was asked for. */
  readonly target: Target;
  /** The answer that redirects, as an error. */
  readonly refusal: ConnectError;
  /** Which redirect it is, from 1. */
  readonly count: number;
  /** How many are followed. */
  readonly limit: number;
  readonly onRedirect: ConnectOptions["onRedirect"];
  /** Whether all connections go to one Unix socket. */
  readonly isPinned: boolean;
}

/**
 * Follows a redirect.
 *
 * @param hop The redirect.
 * @returns What to ask for next.
 * @throws {ConnectError} When that must not be done.
 */
export async function followRedirect(hop: Hop): Promise<Target> {
  const { target, refusal, count, limit, isPinned } = hop;
  const refuse = (fault: string, cause: unknown = refusal): ConnectError =>
    dialError(target.request.url, {
      phase: "handshake",
      response: refusal.response,
      fault,
      cause,
      retryable: false,
    });
  if (count > limit) throw refuse("too many redirects");
  const to = locationOf(refusal.response, target.request.url);
  if (typeof to === "string") throw refuse(to);
  let next = redirected(target, to);
  try {
    next = await decided(hop, next);
  } catch (error) {
    const why = messageOf(error);
    throw refuse(`onRedirect failed${why === "" ? "" : `: ${why}`}`, error);
  }
  if (next === target) throw refuse(`onRedirect refused the redirect to ${shownUrl(to)}`);
  const fault = redirectFault(target, next.request.url, isPinned);
  if (fault !== null) throw refuse(fault);
  return next;
}

const CHANGE_KINDS: OptionKinds<RedirectChange> = { url: "string|URL", headers: "object" };

/** What the user makes of a redirect: the target itself when it is refused. */
async function decided({ target, refusal, count, onRedirect }: Hop, next: Target): Promise<Target> {
  if (onRedirect === undefined) return next;
  const decision = await onRedirect({
    response: refusal.response as HandshakeResponse,
    from: new URL(target.request.url),
    to: new URL(next.request.url),
    headers: new Headers(next.request.headers.map(([name, value]) => [name, value])),
    count,
  });
  if (decision === undefined || decision === true) return next;
  if (decision === false) return target;
  checkOption("onRedirect", decision, "object");
  const { url, headers } = readOptions(decision, CHANGE_KINDS, { within: "onRedirect." });
  const to = url === undefined ? next.request.url : urlOf(url, next.request.url);
  if (to === null) throw malformedOption("onRedirect.url", "a ws: or wss: URL");
  const given = headers === undefined ? undefined : readHeaders(headers, "onRedirect.headers");
  if (url === undefined && given === undefined) return next;
  return redirected(target, to, given);
}

function locationOf(response: HandshakeResponse | null, base: URL): URL | string {
  const location = response?.headers.get("location") ?? null;
  if (location === null) return "the redirect doesn't say where to";
  return urlOf(location, base) ?? "the redirect leads to no ws: or wss: URL";
}

function urlOf(location: string | URL, base: URL): URL | null {
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

/** Why a redirect must not be followed; `null` when it may. */
function redirectFault(
  { request, tls }: Target,
  next: URL,
  isPinned: boolean,
): string | null {
  const { url } = request;
  if (url.protocol === "wss:" && next.protocol === "ws:") {
    return "the redirect leads from wss: to ws:";
  }
  if (originOf(next) === originOf(url)) return null;
  if (tls?.secureContext !== undefined) {
    return "the redirect leads to another origin, and tls.secureContext may hold a client certificate";
  }
  return isPinned ? "the redirect leads away from the socket" : null;
}

/**
 * What to ask for after a redirect.
 *
 * @param target What was asked for.
 * @param next Where the redirect leads.
 * @param given The header fields to send, whatever the origin; left out: those of before.
 * @returns The same; to another origin without what is meant for the first one only.
 */
function redirected(
  target: Target,
  next: URL,
  given?: ConnectRequest["headers"],
): Target {
  const { request, tls } = target;
  if (originOf(next) === originOf(request.url)) {
    return at({ ...target, request: { ...request, headers: given ?? request.headers } }, next);
  }
  const headers = given ??
    request.headers.filter(([name]) => !CONFIDENTIAL.includes(name.toLowerCase()));
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
