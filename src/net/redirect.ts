/**
 * Follows redirects of the opening handshake, and decides what to send to the new target.
 *
 * RFC 6455 §4.1 lets a client follow redirects, but doesn't say how. RFC 9110 §15.4 and the Fetch standard say what is
 * safe.
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

/** The target of one attempt: the request, its origin and the TLS settings. */
export interface Target {
  readonly request: ConnectRequest;
  readonly origin: string | undefined;
  readonly tls: TlsOptions | undefined;
}

const STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** Header fields that only the original origin may get. */
const CONFIDENTIAL: readonly string[] = [
  "authorization",
  "cookie",
  "host",
  "origin",
  "proxy-authorization",
];

/** TLS settings that identify the client, or name the server. */
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

/** Returns the origin of a URL (RFC 6454 §4). On some platforms `URL.origin` is opaque for `ws:`. */
export function originOf({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}

/** Whether a status is a redirect. */
export function isRedirect(status: number): boolean {
  return STATUSES.includes(status);
}

/** A redirect to follow, and its limits. */
export interface Hop {
  /** The previous target. */
  readonly target: Target;
  /** The error of the redirecting answer. */
  readonly refusal: ConnectError;
  /** The number of the redirect, from 1. */
  readonly count: number;
  /** How many redirects to follow. */
  readonly limit: number;
  readonly onRedirect: ConnectOptions["onRedirect"];
  /** Whether all connections use one Unix socket. */
  readonly isPinned: boolean;
}

/**
 * Follows a redirect.
 *
 * @param hop The redirect.
 * @returns The next target.
 * @throws {ConnectError} When the redirect must not be followed.
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

/** Asks the user's `onRedirect` for the next target; returns the old target when it refuses. */
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
  if (location === null) return "the redirect has no Location";
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
  // A WebSocket URL has no fragment (RFC 6455 §3).
  url.hash = "";
  return url.protocol === "ws:" || url.protocol === "wss:" ? url : null;
}

/** Returns why a redirect must not be followed; `null` when it may. */
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
  return isPinned ? "the redirect leads away from the Unix socket" : null;
}

/**
 * Returns the target after a redirect.
 *
 * @param target The previous target.
 * @param next The URL of the redirect.
 * @param given The header fields to send, for any origin. Default: the previous ones.
 * @returns The new target. For another origin it lacks everything meant only for the first one.
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

/** Moves a target to another URL. The server chose the redirect's user info, so it is sent to that server. */
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
