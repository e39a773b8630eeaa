/**
 * Finds the addresses of a host, and the order in which to try them.
 *
 * @module
 */

import type { LookupAddress, LookupFunction } from "../web_socket/options.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { platform } from "../web_socket/platform.ts";
import { builtin, type Builtins, isPermitted, type TcpOptions } from "./builtins.ts";

/** An address to try. */
export interface Candidate {
  /** The name of the address in errors. */
  readonly name: string;
  readonly target: TcpOptions;
}

/** Creates an error like the platform's own, with a code. */
export function failure(code: string, message: string = code): Error {
  return Object.assign(new Error(message), { code });
}

/**
 * Looks up the addresses of a host.
 *
 * @param host A name or an IP address.
 * @param port The port to connect to; Deno's permission to look up a name includes it.
 * @param lookup The user's function. Default: the platform's.
 * @returns At least one IP address, without duplicates.
 * @throws {Error} When there is no address, or the function fails.
 */
export async function addressesOf(
  host: string,
  port: number,
  lookup?: LookupFunction,
): Promise<LookupAddress[]> {
  const ask = lookup ?? platformLookup(port);
  const found = new Map<string, LookupAddress>();
  for (const it of await answerOf(ask, host)) {
    const address = it?.address;
    // An object is no text, even if it converts to one.
    const family = typeof address === "string" ? builtin("net")?.isIP(address) ?? 0 : 0;
    // The platform would look up a name again.
    if (family === 0) throw failure("ERR_LOOKUP");
    found.set(address, { address, family });
  }
  if (found.size === 0) throw failure("ENOTFOUND");
  return [...found.values()];
}

function platformLookup(port: number): LookupFunction {
  const dns = builtin("dns") as Builtins["dns"];
  const options = platform() === "deno" ? { all: true as const, port } : { all: true as const };
  return (host, _options, callback) => dns.lookup(host, options, callback);
}

/**
 * Calls the user's lookup function. It may call back in either of the two usual ways. An asynchronous one may instead
 * return a promise, which rejects or fulfils with the addresses, as `lookup` of `node:dns/promises` does.
 */
function answerOf(lookup: LookupFunction, host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const returned: unknown = lookup(host, { all: true }, (error, address, family = 0) => {
      if (error) reject(error);
      else resolve(listOf(address, family));
    });
    if (!isPromiseLike<unknown>(returned)) return;
    // Any other value is ignored, because the callback may still be called.
    returned.then((it) => isAnswer(it) ? resolve(listOf(it, 0)) : undefined, reject);
  });
}

function isAnswer(value: unknown): value is string | LookupAddress[] {
  return typeof value === "string" || Array.isArray(value);
}

function listOf(address: string | LookupAddress[], family: number): readonly LookupAddress[] {
  return Array.isArray(address) ? address : [{ address, family }];
}

/**
 * Orders addresses as RFC 8305 §4 says: the families alternate, and the first address's family begins.
 *
 * @param addresses The addresses, each family in the order of preference.
 */
export function interleaved(addresses: readonly LookupAddress[]): LookupAddress[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const other = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const order: LookupAddress[] = [];
  for (let i = 0; i < Math.max(first.length, other.length); i++) {
    order.push(...first.slice(i, i + 1), ...other.slice(i, i + 1));
  }
  return order;
}

/**
 * Returns the candidates to try, in order.
 *
 * @param host The name that was looked up.
 * @param port The port.
 * @param addresses The addresses of the host.
 * @param isOwn Whether the user provided them, in the URL or by a function.
 */
export function candidatesOf(
  host: string,
  port: number,
  addresses: readonly LookupAddress[],
  isOwn: boolean,
): Candidate[] {
  const order = interleaved(addresses);
  if (isOwn || order.every(({ address }) => isPermitted(address, port))) {
    return order.map(({ address }) => ({ name: address, target: { host: address, port } }));
  }
  // On Deno a program may have the permission for a name, but not for its addresses: one candidate for each family.
  return [...new Set(order.map(({ family }) => family))].map((family) => ({
    name: `${host} over IPv${family}`,
    target: { host, port, family },
  }));
}
