/**
 * What is used of the platform's `node:` modules. They are asked for at run time and typed by their
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

/** What `net.connect` is given. */
export interface TcpOptions {
  host?: string;
  port?: number;
  /** The path of a Unix socket, instead of host and port. */
  path?: string;
  localAddress?: string;
  /** Which of the host's addresses: 4 or 6. */
  family?: number;
  autoSelectFamily?: boolean;
  allowHalfOpen?: boolean;
  noDelay?: boolean;
}

/** What `tls.connect` is given. */
export interface TlsConnectOptions {
  socket: Socket;
  /** What the certificate must be for, unless there is a `servername`. */
  host: string;
  /** What to ask for (RFC 6066 §3), and what the certificate must be for. */
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
 * A builtin module.
 *
 * @param name Its name, without `node:`.
 * @returns The module, or `null` where the platform has none: browsers, Node before 20.16.
 */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | null {
  return builtinModule<Builtins[Name]>(name);
}

/** Whether the platform can dial. */
export function hasNet(): boolean {
  return builtin("net") !== null && builtin("tls") !== null && builtin("dns") !== null;
}

/** The environment variables. Asking for one throws where a program isn't allowed to. */
export function environment(): Readonly<Record<string, string | undefined>> {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env ?? {};
}

interface Permissions {
  querySync(wanted: Permission): { readonly state: string };
  requestSync(wanted: Permission): { readonly state: string };
}

type Permission = { name: "net"; host: string } | { name: "env"; variable: string };

/** What Deno has and no other runtime. */
function permissions(): Permissions | undefined {
  return (globalThis as { Deno?: { permissions?: Permissions } }).Deno?.permissions;
}

function netPermission(address: string, port: number): Permission {
  return { name: "net", host: `${address.includes(":") ? `[${address}]` : address}:${port}` };
}

/**
 * Whether the program may use an address. Deno, which has permissions, throws from the event loop when
 * it finds only there that it may not; asked before, the attempt just fails.
 *
 * @param address An IP address.
 * @param port The port; 0 is any.
 * @returns `true` where there are no permissions.
 */
export function mayUse(address: string, port: number): boolean {
  const state = permissions()?.requestSync(netPermission(address, port)).state;
  return state === undefined || state === "granted";
}

/** As {@linkcode mayUse}, without asking the user. */
export function isPermitted(address: string, port: number): boolean {
  const state = permissions()?.querySync(netPermission(address, port)).state;
  return state === undefined || state === "granted";
}

/** Whether the program may read an environment variable, without asking the user. */
export function isReadable(variable: string): boolean {
  const state = permissions()?.querySync({ name: "env", variable }).state;
  return state === undefined || state === "granted";
}
