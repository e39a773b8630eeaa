/**
 * The addresses of a host, in the order in which they are to be tried.
 *
 * @module
 */

import type { LookupAddress, LookupFunction } from "../web_socket/options.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import { platform } from "../web_socket/platform.ts";
import { builtin, type Builtins, isPermitted, type TcpOptions } from "./builtins.ts";

/** An address to try. */
export interface Candidate {
  /** What an error calls it. */
  readonly name: string;
  readonly target: TcpOptions;
}

/** An error as the platform would have made it. */
export function failure(code: string, message: string = code): Error {
  return Object.assign(new Error(message), { code });
}

/**
 * Asks for the addresses of a host.
 *
 * @param host A name or an IP address.
 * @param port The port to connect to: Deno's permission to look a name up is about both.
 * @param lookup The user's function; left out: the platform's.
 * @returns At least one IP address, none twice.
 * @throws {Error} When there is none, or the function fails.
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
    // An object that becomes a text is no text.
    const family = typeof address === "string" ? builtin("net")?.isIP(address) ?? 0 : 0;
    // The platform would look up a name once more.
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
 * A lookup function may call back in either of the two ways that there are. One that is asynchronous may also reject, or
 * fulfil with the addresses, as `lookup` of `node:dns/promises` does.
 */
function answerOf(lookup: LookupFunction, host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    const returned: unknown = lookup(host, { all: true }, (error, address, family = 0) => {
      if (error) reject(error);
      else resolve(listOf(address, family));
    });
    if (!isPromiseLike<unknown>(returned)) return;
    // Of anything else it says nothing: the answer may still be to come, by the callback.
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
 * Addresses in the order of RFC 8305 §4: the families take turns, the first address's family begins.
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
 * What to try, in this order.
 *
 * @param host The name that the addresses are of.
 * @param port The port.
 * @param addresses The addresses.
 * @param isOwn Whether the user has given them, in the URL or by a function.
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
  // On Deno a program may be allowed to connect to a name, but not to its addresses: one for each family.
  return [...new Set(order.map(({ family }) => family))].map((family) => ({
    name: `${host} over IPv${family}`,
    target: { host, port, family },
  }));
}
