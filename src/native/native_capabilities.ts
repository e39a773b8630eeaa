import { type Capabilities, type Capability, NO_CAPABILITIES } from "../web_socket/capabilities.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { type Platform, platform } from "../web_socket/platform.ts";

/** What each platform's own `WebSocket` can do. */
const CAPABILITIES: Record<Platform, Capabilities> = {
  deno: { ...NO_CAPABILITIES, "headers": true },
  node: { ...NO_CAPABILITIES, "headers": true },
  bun: { ...NO_CAPABILITIES, "headers": true, "terminate": true, "allCloseCodes": true },
  browser: NO_CAPABILITIES,
};

/** The global `WebSocket` as this module found it, without touching it: Node loads it when touched. */
const original = globalDescriptor();

function globalDescriptor(): PropertyDescriptor | undefined {
  return Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
}

/** Whether the platform has a global `WebSocket`, its own or a replacement. */
export function hasNativeWebSocket(): boolean {
  return typeof globalThis.WebSocket === "function";
}

/** What the global `WebSocket` can do. Of one that replaced the platform's, nothing is known. */
export function nativeCapabilities(): Capabilities {
  return isOriginal() ? CAPABILITIES[platform()] : NO_CAPABILITIES;
}

function isOriginal(): boolean {
  const now = globalDescriptor();
  // A platform's lazy getter may have become the value it got.
  return now?.get === original?.get && now?.value === original?.value ||
    original?.get !== undefined && now?.value === original.get.call(globalThis);
}

/** Whether the global `WebSocket` offers permessage-deflate by itself: all do but Deno's. */
function compresses(): boolean {
  return isOriginal() && platform() !== "deno";
}

/**
 * Whether the global `WebSocket` sends the header fields as they are: `Host` is ignored by all but
 * Bun's, `Keep-Alive` and `Sec-Fetch-Mode` by Node's, and of several fields of one name only the last
 * would be left.
 */
function sendsAll(headers: ConnectRequest["headers"]): boolean {
  const names = headers.map(([name]) => name.toLowerCase());
  if (new Set(names).size < names.length) return false;
  const ignored = IGNORED_HEADERS[platform()];
  return !names.some((name) => ignored.includes(name));
}

const IGNORED_HEADERS: Record<Platform, readonly string[]> = {
  deno: ["host"],
  node: ["host", "keep-alive", "sec-fetch-mode"],
  bun: [],
  browser: [],
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
  "socketPath",
  "localAddress",
  "lookup",
  "followRedirects",
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

/** The error of what is missing, with the option that needs it, and what to do instead where there is something. */
export function unsupported(missing: string, options: ConnectOptions): UnsupportedError {
  const option = NEEDED_BY[missing];
  const need = option === undefined || options[option] === undefined
    ? []
    : [`The option ${option} needs it`];
  return new UnsupportedError(missing, platform(), [...need, ...remedy(missing)].join(". "));
}

/** The options whose names are not those of the capabilities that they need. */
const NEEDED_BY: Readonly<Record<string, keyof ConnectOptions>> = {
  ping: "pingInterval",
  messageLimit: "maxMessageSize",
  compressionOptions: "compression",
};

function remedy(missing: string): string[] {
  if (missing === "net") return [];
  if (platform() !== "browser") {
    return ['Use WebSocketChannel.connect without transport: "native"'];
  }
  if (missing !== "headers") return [];
  return ["Authenticate with a subprotocol, a cookie, the URL or the first message instead"];
}

/** `false` and 0 ask for nothing. */
function isAskedFor(value: unknown): boolean {
  return value !== undefined && value !== false && value !== 0;
}
