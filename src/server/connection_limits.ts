import { type Refusal, refuse } from "../handshake/server_handshake.ts";
import { isPromiseLike } from "../realm/kinds.ts";
import {
  malformedOption,
  type OptionKinds,
  readOptions,
  shown,
} from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { type Rate, TokenBucket } from "../web_socket/token_bucket.ts";
import { addressKey } from "./address_key.ts";
import type { RefusalReason } from "./error_hook.ts";
import type { ServerRequest } from "./server_request.ts";

/**
 * How many connections may begin within a period: a token bucket for each limit, as in {@linkcode RateLimitOptions}.
 * Give `total`, `perAddress` or both.
 */
export interface ConnectionRate {
  /** How many connections in total, at least 1. The server refuses further upgrades with 503. Default: no limit. */
  total?: number | undefined;
  /**
   * How many connections from one address, at least 1. The server refuses further upgrades with 429. Default: no limit.
   */
  perAddress?: number | undefined;
  /** The period of the limits, in milliseconds, at least 1. */
  per: number;
}

/**
 * Limits for the number of connected clients, and for the rate of new ones. A connection counts from its upgrade
 * request until it has closed, unless it is refused. Refusals have a Retry-After header, and are reported to
 * `onRefused`.
 *
 * An IPv4 address counts by itself. An IPv6 address counts by its first 64 bits, since a client has all addresses with
 * these; a link-local address counts by itself.
 */
export interface ConnectionLimitOptions {
  /**
   * How many connections there may be, including pending upgrades. The server refuses further ones with 503. Default:
   * no limit.
   */
  maxConnections?: number | undefined;
  /** How many connections one address may have. The server refuses further ones with 429. Default: no limit. */
  maxConnectionsPerAddress?: number | undefined;
  /**
   * How many connections may begin within a period. The server remembers the rates of the last 10,000 addresses.
   * Default: no limit.
   */
  connectionRate?: ConnectionRate | undefined;
  /**
   * Returns the address, or another key, for which a request counts. Behind a proxy, use what the proxy reports, such
   * as the last element of X-Forwarded-For; a port after the address is ignored. With `null`, the request counts only
   * towards the totals. **Read only headers that your own proxy sets: clients can send any header.** If the function
   * throws, or returns something else, the client gets 500 and `onError` gets the error. Default: the remote address of
   * the connection; if that isn't known, the request counts only towards the totals.
   */
  clientAddress?:
    | ((request: ServerRequest) => string | null | Promise<string | null>)
    | undefined;
}

const RATE_KINDS: OptionKinds<ConnectionRate> = {
  total: "limit",
  perAddress: "limit",
  per: "period",
};

/** The kinds of {@linkcode ConnectionLimitOptions}. */
export const LIMIT_KINDS: OptionKinds<ConnectionLimitOptions> = {
  maxConnections: "size",
  maxConnectionsPerAddress: "size",
  connectionRate: "object",
  clientAddress: "function",
};

/** How many addresses' rates are kept. */
const MAX_ADDRESSES = 10_000;

/** The Retry-After of refusals when the time of the next free place isn't known, in seconds. */
const RETRY_AFTER = 5;

/** The refusal of a connection that exceeds a limit. */
export interface Excess {
  readonly refusal: Refusal;
  readonly reason: RefusalReason;
}

/** Counts connections, and checks them against {@linkcode ConnectionLimitOptions}. */
export class ConnectionCounter {
  /** See {@linkcode ConnectionLimitOptions.clientAddress}. */
  readonly clientAddress: ConnectionLimitOptions["clientAddress"];
  readonly #clock: Clock;
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #total: TokenBucket | null;
  readonly #perAddress: Rate | null;
  /** The counted connections, each with the key of its address. */
  readonly #connections: Map<ServerRequest, string | null> = new Map<
    ServerRequest,
    string | null
  >();
  readonly #counts: Map<string, number> = new Map<string, number>();
  /** The rate of each address; the most recently used is last. */
  readonly #rates: Map<string, TokenBucket> = new Map<string, TokenBucket>();

  /**
   * Creates a counter with no connections.
   *
   * @param options The options, read.
   * @param clock The clock for `connectionRate`.
   * @throws {TypeError | RangeError} When `connectionRate` is malformed.
   */
  constructor(options: ConnectionLimitOptions, clock: Clock) {
    const { maxConnections, maxConnectionsPerAddress, connectionRate, clientAddress } = options;
    const { total, perAddress, per } = readRate(connectionRate);
    this.clientAddress = clientAddress;
    this.#clock = clock;
    this.#max = maxConnections ?? Infinity;
    this.#maxPerAddress = maxConnectionsPerAddress ?? Infinity;
    this.#total = isFinite(total) ? new TokenBucket({ limit: total, per }, clock.now()) : null;
    this.#perAddress = isFinite(perAddress) ? { limit: perAddress, per } : null;
  }

  /** The number of counted connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** The number of addresses for which it keeps a count or a rate. */
  get addresses(): number {
    return this.#counts.size + this.#rates.size;
  }

  /**
   * How many connections without a request an address may have; not fewer than browsers open in advance. `null`: no
   * limit, because addresses aren't limited, or are only known from requests.
   */
  get maxSilentPerAddress(): number | null {
    if (this.#maxPerAddress === Infinity || this.clientAddress !== undefined) return null;
    return Math.max(this.#maxPerAddress, 16);
  }

  /**
   * Counts a connection, unless it exceeds a limit. Call {@linkcode leave} for each counted connection.
   *
   * @param request The connection's request.
   * @param address The address for which it counts; `null` if there is none.
   * @returns The refusal if it exceeds a limit; `null` otherwise.
   */
  enter(request: ServerRequest, address: string | null): Excess | null {
    const key = address === null ? null : addressKey(address);
    const excess = this.#excessOf(key);
    if (excess !== null) return excess;
    this.#connections.set(request, key);
    if (key !== null && this.#maxPerAddress !== Infinity) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
    return null;
  }

  #excessOf(key: string | null): Excess | null {
    if (this.#connections.size >= this.#max) return tooMany(503, "full", RETRY_AFTER);
    if (key !== null && (this.#counts.get(key) ?? 0) >= this.#maxPerAddress) {
      return tooMany(429, "address", RETRY_AFTER);
    }
    const now = this.#clock.now();
    const ofAll = this.#total?.wait(now, 1) ?? 0;
    if (ofAll > 0) return tooMany(503, "rate", ofAll / 1000);
    const ofAddress = key === null ? 0 : this.#takeOf(key, now);
    if (ofAddress > 0) return tooMany(429, "rate", ofAddress / 1000);
    this.#total?.take(1, now);
    return null;
  }

  /** Takes a token of an address. Returns 0, or how long to wait for a token, in milliseconds. */
  #takeOf(key: string, now: number): number {
    if (this.#perAddress === null) return 0;
    const bucket = this.#rates.get(key) ?? new TokenBucket(this.#perAddress, now);
    this.#rates.delete(key);
    this.#rates.set(key, bucket);
    const wait = bucket.wait(now, 1);
    if (wait === 0) bucket.take(1, now);
    // A full bucket carries no information, so it is dropped.
    for (const [oldest, it] of this.#rates) {
      if (this.#rates.size <= MAX_ADDRESSES && !it.isFull(now)) break;
      this.#rates.delete(oldest);
    }
    return wait;
  }

  /**
   * Stops counting a connection that has closed or was refused.
   *
   * @param request The connection's request, counted or not.
   */
  leave(request: ServerRequest): void {
    const key = this.#connections.get(request);
    this.#connections.delete(request);
    if (key === undefined || key === null) return;
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

function readRate(
  given: ConnectionRate | undefined,
): Required<{ [K in keyof ConnectionRate]: number }> {
  if (given === undefined) return { total: Infinity, perAddress: Infinity, per: 1 };
  const read = readOptions(given, RATE_KINDS, { within: "connectionRate." });
  const { total = Infinity, perAddress = Infinity, per } = read;
  if (per !== undefined && (read.total ?? read.perAddress) !== undefined) {
    return { total, perAddress, per };
  }
  throw new TypeError(
    "Cannot use the option connectionRate: it must have per, and at least one of total and perAddress",
  );
}

function tooMany(status: 429 | 503, reason: RefusalReason, seconds: number): Excess {
  const retryAfter = String(Math.max(Math.ceil(seconds), 1));
  return { refusal: refuse(status, { headers: [["Retry-After", retryAfter]] }), reason };
}

/**
 * Returns the address for which a request counts.
 *
 * @returns The address, or a promise of it.
 * @throws What the user's `clientAddress` throws.
 */
export function addressOf(
  { clientAddress }: ConnectionCounter,
  request: ServerRequest,
): string | null | Promise<string | null> {
  if (clientAddress === undefined) return request.remoteAddress;
  const address: unknown = clientAddress(request);
  return isPromiseLike<unknown>(address)
    ? Promise.resolve(address).then(checkedAddress)
    : checkedAddress(address);
}

function checkedAddress(address: unknown): string | null {
  if (typeof address === "string" || address === null) return address;
  throw new TypeError(
    `Cannot use the answer of clientAddress: it must be a string or null, got ${shown(address)}`,
  );
}

let counterIn: (limits: object) => ConnectionCounter | null;

/**
 * Connection limits that several servers, or all calls of `acceptUpgrade`, `upgradeWebSocket` and `bunWebSocket`,
 * share. Create one, and pass it to each as the option `limits`. A `WebSocketServer` also takes the same options
 * directly.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { acceptUpgrade, ConnectionLimits } from "@web-socket/channel/server";
 *
 * const limits = new ConnectionLimits({ maxConnections: 1000, maxConnectionsPerAddress: 20 });
 * const server = createServer();
 * server.on("upgrade", (request, socket, head) => {
 *   const channel = acceptUpgrade(request, socket, head, { limits });
 *   channel.stream.listen((message) => channel.sink.add(message));
 * });
 * ```
 */
export class ConnectionLimits {
  readonly #counter: ConnectionCounter;

  /**
   * Creates limits that count no connection yet.
   *
   * @param options See {@linkcode ConnectionLimitOptions}.
   * @throws {TypeError | RangeError} When an option is unknown or malformed.
   */
  constructor(options: ConnectionLimitOptions) {
    this.#counter = new ConnectionCounter(readOptions(options, LIMIT_KINDS), systemClock);
  }

  /** The number of connections, including pending upgrades. */
  get connections(): number {
    return this.#counter.size;
  }

  static {
    counterIn = (limits) => #counter in limits ? limits.#counter : null;
  }
}

/**
 * Reads the option `limits`.
 *
 * @throws {TypeError} When it is no `ConnectionLimits`.
 */
export function counterOf(limits: unknown): ConnectionCounter | undefined {
  if (limits === undefined) return undefined;
  const counter = typeof limits === "object" && limits !== null ? counterIn(limits) : null;
  if (counter !== null) return counter;
  throw malformedOption("limits", `a ConnectionLimits, got ${shown(limits)}`);
}
