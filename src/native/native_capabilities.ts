import { type Capabilities, type Capability, NO_CAPABILITIES } from "../web_socket/capabilities.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import { type SocketOwner, socketOwner } from "./socket_owner.ts";

/** What each runtime's own `WebSocket` can do. Of any other nothing is known. */
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

/** What the global `WebSocket` can do. Of one that replaced the platform's, nothing is known. */
export function nativeCapabilities(): Capabilities {
  const owner = socketOwner();
  return owner === null ? NO_CAPABILITIES : CAPABILITIES[owner];
}

/** Whether the global `WebSocket` offers permessage-deflate by itself. */
function compresses(): boolean {
  return ["node", "bun", "browser"].includes(socketOwner() ?? "");
}

/**
 * Whether the global `WebSocket` sends the header fields as they are: of several fields of one name only
 * the last would be left, and some are ignored.
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

/** The options that need a capability, and which. */
function neededCapabilities(options: ConnectOptions, request: ConnectRequest): Capability[] {
  const needed: Capability[] = [...options.require ?? []];
  if (request.headers.length > 0 || options.origin !== undefined) needed.push("headers");
  if ((options.pingInterval ?? 0) > 0) needed.push("ping");
  if (options.maxMessageSize !== undefined) needed.push("messageLimit");
  const { compression } = options;
  if (compression !== undefined && !(compression === true && compresses())) {
    needed.push("compressionOptions");
  }
  if (options.tls !== undefined) needed.push("tls");
  if (options.proxy !== undefined) needed.push("proxy");
  return needed;
}

/** The options that no platform's own `WebSocket` can honour. */
const BEYOND = [
  "origin",
  "userAgent",
  "socketPath",
  "localAddress",
  "lookup",
  "addressDelay",
  "onRedirect",
  "followRedirects",
  "invalidText",
  "onRefusal",
  "onPing",
  "onPong",
] as const;

/**
 * The first thing that the options ask for and the global `WebSocket` can't do.
 *
 * @returns The name of a capability or an option, or `null` when it can do all of it.
 */
export function missingNatively(options: ConnectOptions, request: ConnectRequest): string | null {
  if (!hasNativeWebSocket()) return "WebSocket";
  const capabilities = nativeCapabilities();
  const lacking = neededCapabilities(options, request).find((it) => !capabilities[it]);
  if (lacking !== undefined) return lacking;
  if (!sendsAll(request.headers)) return "headers";
  // Here it is `false` that asks for something.
  if (options.autoPong === false) return "autoPong";
  return BEYOND.find((name) => isAskedFor(options[name])) ?? null;
}

/**
 * The error of what is missing: it names what asked for it, as it was written, and what to do instead.
 *
 * @param missing The name of a capability or an option.
 * @param options What was asked for.
 */
export function unsupported(missing: string, options: ConnectOptions): UnsupportedError {
  const hint = `${askedBy(missing, options)} needs it. ${remedy(missing)}`;
  return new UnsupportedError(missing, platform(), hint);
}

/** The options whose names are not those of the capabilities that they need. */
const NEEDED_BY: Readonly<Record<string, keyof ConnectOptions>> = {
  ping: "pingInterval",
  messageLimit: "maxMessageSize",
  compressionOptions: "compression",
};

function askedBy(missing: string, options: ConnectOptions): string {
  const { require = [], headers, origin } = options;
  if (require.some((it) => it === missing)) return `require: ["${missing}"]`;
  if (missing === "net") return 'transport: "net"';
  if (missing === "WebSocket") return 'transport: "native"';
  if (missing !== "headers") return `The option ${NEEDED_BY[missing] ?? missing}`;
  if (headers !== undefined) return "The option headers";
  return origin === undefined ? "The user info in the URL" : "The option origin";
}

function remedy(missing: string): string {
  if (platform() !== "browser") {
    return missing === "net"
      ? "It needs node:net: Node must be 20.16 or later"
      : 'Use WebSocketChannel.connect with transport: "net"';
  }
  return missing === "headers"
    ? "Authenticate with a subprotocol, a cookie, the URL or the first message instead"
    : "A page can't have it: leave it out, or connect on Deno, Node or Bun";
}

/** `false`, 0 and the default of `invalidText` ask for nothing. */
function isAskedFor(value: unknown): boolean {
  return value !== undefined && value !== false && value !== 0 && value !== "fail";
}
