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
 * How many connections may begin within a time. A token bucket for each limit, as of {@linkcode RateLimitOptions}.
 * At least one of the two must be given.
 */
export interface ConnectionRate {
  /** How many in all: from 1. Beyond it upgrades are refused with 503. Left out: any number. */
  total?: number | undefined;
  /** How many of one address: from 1. Beyond it they are refused with 429. Left out: any number. */
  perAddress?: number | undefined;
  /** The time that the limits are for, in milliseconds: from 1. */
  per: number;
}

/**
 * How many clients may be connected, and how fast. A connection counts from its upgrade request until it has closed,
 * and not if it is refused. Refusals have a Retry-After, and reach `onRefused`.
 *
 * An IPv4 address counts by itself, an IPv6 address by its first 64 bits (a client has all of them), but for a
 * link-local one.
 */
export interface ConnectionLimitOptions {
  /** How many connections there may be, those that are being decided about included; beyond it: 503. Default: any. */
  maxConnections?: number | undefined;
  /** How many of one address; beyond it: 429. Default: any. */
  maxConnectionsPerAddress?: number | undefined;
  /** How many may begin within a time. The rates of the last 10,000 addresses are remembered. Default: any. */
  connectionRate?: ConnectionRate | undefined;
  /**
   * The address, or another name, that a request counts for: behind a proxy what the proxy says, such as the last
   * element of X-Forwarded-For; a port behind an address doesn't count. `null`: it only counts in all. **Read only what a
   * proxy of yours has set: clients can send any header.** If it throws, or answers something else, the client gets 500,
   * and `onError` the error. Left out: the address that the connection comes from, which counts only in all if it
   * isn't known.
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

/** How many addresses' rates are remembered. */
const MAX_ADDRESSES = 10_000;

/** After how long to try again where it isn't known when there will be room, in seconds. */
const RETRY_AFTER = 5;

/** A connection that isn't let in. */
export interface Excess {
  readonly refusal: Refusal;
  readonly reason: RefusalReason;
}

/** Counts connections against {@linkcode ConnectionLimitOptions}. */
export class ConnectionCounter {
  /** See {@linkcode ConnectionLimitOptions.clientAddress}. */
  readonly clientAddress: ConnectionLimitOptions["clientAddress"];
  readonly #clock: Clock;
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #total: TokenBucket | null;
  readonly #perAddress: Rate | null;
  /** The connections that count, and for which address. */
  readonly #connections: Map<ServerRequest, string | null> = new Map<
    ServerRequest,
    string | null
  >();
  readonly #counts: Map<string, number> = new Map<string, number>();
  /** Those that were asked last are at the end. */
  readonly #rates: Map<string, TokenBucket> = new Map<string, TokenBucket>();

  /**
   * Creates one with no connections.
   *
   * @param options The options, read.
   * @param clock Where times come from.
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

  /** How many connections count. */
  get size(): number {
    return this.#connections.size;
  }

  /** How many addresses something is kept of. */
  get addresses(): number {
    return this.#counts.size + this.#rates.size;
  }

  /**
   * How many connections that have asked for nothing an address may have: not fewer than browsers open in advance.
   * `null`: any number, because addresses aren't limited, or are only known from requests.
   */
  get maxSilentPerAddress(): number | null {
    if (this.#maxPerAddress === Infinity || this.clientAddress !== undefined) return null;
    return Math.max(this.#maxPerAddress, 16);
  }

  /**
   * Counts a connection, unless it is too much. What is counted is to {@linkcode leave}.
   *
   * @param request Its request.
   * @param address The address that it counts for; `null` if there is none.
   * @returns Why it isn't let in; `null` if it is.
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

  /** Takes a token of an address. Gives how long to wait for one, if there is none. */
  #takeOf(key: string, now: number): number {
    if (this.#perAddress === null) return 0;
    const bucket = this.#rates.get(key) ?? new TokenBucket(this.#perAddress, now);
    this.#rates.delete(key);
    this.#rates.set(key, bucket);
    const wait = bucket.wait(now, 1);
    if (wait === 0) bucket.take(1, now);
    // Whose bucket is full again has nothing to be remembered.
    for (const [oldest, it] of this.#rates) {
      if (this.#rates.size <= MAX_ADDRESSES && !it.isFull(now)) break;
      this.#rates.delete(oldest);
    }
    return wait;
  }

  /**
   * A connection doesn't count any more: it has closed, or was refused.
   *
   * @param request Its request, whether or not it counts.
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
    "Cannot use the option connectionRate: it must have per, and total or perAddress or both",
  );
}

function tooMany(status: 429 | 503, reason: RefusalReason, seconds: number): Excess {
  const retryAfter = String(Math.max(Math.ceil(seconds), 1));
  return { refusal: refuse(status, { headers: [["Retry-After", retryAfter]] }), reason };
}

/**
 * The address that a request counts for.
 *
 * @returns The address, or a promise of it.
 * @throws What the user's function throws.
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
 * Limits of connections that several servers, or all calls of `acceptUpgrade`, `upgradeWebSocket` and `bunWebSocket`
 * share: create one, and give it to each as the option `limits`. A `WebSocketServer` also takes the
 * same options itself.
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
   * Creates limits, with no connections yet.
   *
   * @param options See {@linkcode ConnectionLimitOptions}.
   * @throws {TypeError | RangeError} When an option is unknown or malformed.
   */
  constructor(options: ConnectionLimitOptions) {
    this.#counter = new ConnectionCounter(readOptions(options, LIMIT_KINDS), systemClock);
  }

  /** How many connections there are, those that are being decided about included. */
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
 * @throws {TypeError} When it is something else.
 */
export function counterOf(limits: unknown): ConnectionCounter | undefined {
  if (limits === undefined) return undefined;
  const counter = typeof limits === "object" && limits !== null ? counterIn(limits) : null;
  if (counter !== null) return counter;
  throw malformedOption("limits", `a ConnectionLimits, got ${shown(limits)}`);
}
