import { type Capabilities, NO_CAPABILITIES } from "../web_socket/capabilities.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { missingFrom } from "./missing.ts";
import { type SocketOwner, socketOwner } from "./socket_owner.ts";

/** The capabilities of each runtime's own `WebSocket`. Nothing is known of any other. */
const CAPABILITIES: Record<SocketOwner, Capabilities> = {
  "deno": { ...NO_CAPABILITIES, headers: true },
  "node": { ...NO_CAPABILITIES, headers: true },
  "bun": { ...NO_CAPABILITIES, headers: true, terminate: true, allCloseCodes: true },
  "react-native": { ...NO_CAPABILITIES, headers: true },
  "browser": NO_CAPABILITIES,
};

/** Whether the platform has a global `WebSocket`, its own or a replacement. */
export function hasNativeWebSocket(): boolean {
  return typeof globalThis.WebSocket === "function";
}

/** The capabilities of the global `WebSocket`. Nothing is known of a replacement of the platform's. */
export function nativeCapabilities(): Capabilities {
  const owner = socketOwner();
  return owner === null ? NO_CAPABILITIES : CAPABILITIES[owner];
}

/** Whether the global `WebSocket` offers permessage-deflate by itself. */
function compresses(): boolean {
  return ["node", "bun", "browser"].includes(socketOwner() ?? "");
}

/**
 * Whether the global `WebSocket` sends the header fields unchanged. It ignores some, and sends only the last of several
 * with the same name.
 */
function sendsAll(headers: ConnectRequest["headers"]): boolean {
  const names = headers.map(([name]) => name.toLowerCase());
  if (new Set(names).size < names.length) return false;
  const ignored = IGNORED_HEADERS[socketOwner() ?? ""] ?? [];
  return !names.some((name) => ignored.includes(name));
}

const IGNORED_HEADERS: Record<string, readonly string[]> = {
  deno: ["host"],
  node: ["host", "keep-alive", "sec-fetch-mode"],
};

/**
 * Returns the first thing that the options require and the global `WebSocket` doesn't support.
 *
 * @returns The name of a capability or an option, or `null` when it supports everything.
 */
export function firstUnsupported(options: ConnectOptions, request: ConnectRequest): string | null {
  if (!hasNativeWebSocket()) return "WebSocket";
  const { headers } = request;
  const abilities = { capabilities: nativeCapabilities(), compresses: compresses() };
  const missing = missingFrom(options, headers.length > 0, abilities);
  return missing ?? (sendsAll(headers) ? null : "headers");
}
