/**
 * The parts of the platform's `node:` modules that this package uses. They are loaded at run time and typed by their
 * shape, so that a bundle for browsers contains no import of them.
 *
 * @module
 */

import { builtinModule } from "../realm/builtin_module.ts";
import type { LookupFunction } from "../web_socket/options.ts";
import type { SocketLike } from "./socket_wire.ts";

/** A `node:net` or `node:tls` socket, connected or not. */
export interface Socket extends SocketLike {
  setNoDelay(noDelay: boolean): unknown;
  ref(): unknown;
  unref(): unknown;
  once(
    event: "connect" | "secureConnect" | "close" | "error",
    listener: (error?: unknown) => void,
  ): unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

/** The options of `net.connect`. */
export interface TcpOptions {
  host?: string;
  port?: number;
  /** The path of a Unix socket, instead of host and port. */
  path?: string;
  localAddress?: string;
  /** The address family to use: 4 or 6. */
  family?: number;
  autoSelectFamily?: boolean;
  allowHalfOpen?: boolean;
  noDelay?: boolean;
}

/** The options of `tls.connect`. */
export interface TlsConnectOptions {
  socket: Socket;
  /** The host that the certificate must be for, unless there is a `servername`. */
  host: string;
  /** The server name to send (RFC 6066 §3), for which the certificate must be. */
  servername?: string;
  ALPNProtocols: readonly string[];
  rejectUnauthorized: boolean;
  checkServerIdentity?: unknown;
  allowHalfOpen: boolean;
}

/** The builtin modules, by name. */
export interface Builtins {
  "dns": { lookup: LookupFunction };
  "net": { connect(options: TcpOptions): Socket; isIP(host: string): number };
  "tls": { connect(options: TlsConnectOptions): Socket };
}

/**
 * Returns a builtin module.
 *
 * @param name The name of the module, without `node:`.
 * @returns The module, or `null` where the platform has none: browsers, Node before 20.16.
 */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | null {
  return builtinModule<Builtins[Name]>(name);
}

/** Whether the platform has `node:net` and `node:tls`. */
export function hasNet(): boolean {
  return builtin("net") !== null && builtin("tls") !== null && builtin("dns") !== null;
}

/** Returns the environment variables. Reading one throws if the program isn't permitted to. */
export function environment(): Readonly<Record<string, string | undefined>> {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env ?? {};
}

interface Permissions {
  querySync(wanted: Permission): { readonly state: string };
  requestSync(wanted: Permission): { readonly state: string };
}

type Permission = { name: "net"; host: string } | { name: "env"; variable: string };

/** Returns Deno's permissions; no other runtime has them. */
function permissions(): Permissions | undefined {
  return (globalThis as { Deno?: { permissions?: Permissions } }).Deno?.permissions;
}

function netPermission(address: string, port: number): Permission {
  return { name: "net", host: `${address.includes(":") ? `[${address}]` : address}:${port}` };
}

/**
 * Whether the program may use an address. When Deno finds a missing permission later, it throws from the event loop; a
 * check beforehand lets the attempt just fail.
 *
 * @param address An IP address.
 * @param port The port; 0 is any.
 * @returns `true` if the platform has no permissions.
 */
export function mayUse(address: string, port: number): boolean {
  const state = permissions()?.requestSync(netPermission(address, port)).state;
  return state === undefined || state === "granted";
}

/** Whether the program may use an address, like {@linkcode mayUse}, but without prompting the user. */
export function isPermitted(address: string, port: number): boolean {
  const state = permissions()?.querySync(netPermission(address, port)).state;
  return state === undefined || state === "granted";
}

/** Whether the program may read an environment variable, without prompting the user. */
export function isReadable(variable: string): boolean {
  const state = permissions()?.querySync({ name: "env", variable }).state;
  return state === undefined || state === "granted";
}
